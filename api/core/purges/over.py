"""Charts whose retention is over: what may be proposed for removal, and what stands in the way."""

from uuid import UUID

from sqlalchemy import select

from api.access.policies import Actor
from api.audit import trail
from api.core import gate, retention
from api.core.holds import held_among
from api.core.patients import named, patients
from api.core.purges.table import IS_OPEN, chart_purges
from api.db import Listing, Page, Values, page, store


def list_charts_past_retention(actor: Actor, asked: Page) -> Listing:
    """The charts whose retention is over, with when their patient was last seen; four queries,
    however many they are."""
    gate.admit(actor, "retention:read")
    p, years = patients.c, retention.years_of(actor.clinic_id)
    over = retention.is_over(years, retention.today())
    columns = (p.id, p.updated_at, p.deleted_at, *retention.seen_of())
    statement = select(*columns).where(p.clinic_id == actor.clinic_id, *over)
    listing = page(statement, patients, asked)
    ids = [row["id"] for row in listing.items]
    trail.touches(ids)
    called, held = named(actor.clinic_id, ids), held_among(actor.clinic_id, ids)
    open_ones = _open(actor.clinic_id, ids)
    listing.items = [
        {
            "id": row["id"],
            "patient": called[row["id"]],
            "legal_hold": row["id"] in held,
            "purge": open_ones.get(row["id"]),
            **_dates(row, years),
        }
        for row in listing.items
    ]
    return listing


def _dates(row: Values, years: int) -> Values:
    kept = retention.kept_in(row, years)
    return {"last_seen_on": kept.last_seen_on, "retained_until": kept.until}


def _open(clinic_id: UUID, ids: list[UUID]) -> dict[UUID, Values]:
    """The purges that stand of these charts: `{id, state}` by patient."""
    c = chart_purges.c
    mine = (c.clinic_id == clinic_id, c.patient_id.in_(ids), IS_OPEN)
    rows = store().rows(select(c.patient_id, c.id, c.state).where(*mine)) if ids else []
    return {row["patient_id"]: {"id": row["id"], "state": row["state"]} for row in rows}
