"""Legal holds: while one stands, nothing of a chart is deleted or erased, whoever asks.

What is changed meanwhile keeps its former version, also where records have none otherwise.

A hold is placed by the privacy officer when a court, an investigation or an insurer may ask for the
record as it is; several may stand side by side.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Column, Index, Table, Uuid, select

from api import clock
from api.access.policies import Actor
from api.access.users import named
from api.audit import trail
from api.core import gate
from api.core.patients import open_chart, patients
from api.db import Instant, Listing, Page, Sealed, Values, of, page, store, tenant_table, versions
from api.errors import Conflict

legal_holds = tenant_table(
    "legal_holds",
    Column("reason", Sealed, nullable=False),
    Column("placed_by", Uuid, nullable=False),
    Column("released_at", Instant),
    Column("released_by", Uuid),
    of("users", "placed_by"),
    of("users", "released_by"),
)
STANDS = legal_holds.c.released_at.is_(None)
Index(
    "ix_legal_holds_standing",
    *legal_holds.c["clinic_id", "patient_id"],
    sqlite_where=STANDS,
    postgresql_where=STANDS,
)
STATES = HELD, RELEASED = ("held", "released")
HIDDEN: Final = ("clinic_id", "deleted_at", "patient_id")


def place_hold(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """Let nothing of this chart be deleted until the hold is released."""
    patient = open_chart(actor, "legal_hold:manage", patient_id)
    store().hold(patients, patient)  # what is being deleted just now is deleted before, or never
    open_chart(actor, "legal_hold:manage", patient_id)  # and may have been the chart itself
    keys = {"clinic_id": actor.clinic_id, "patient_id": patient_id, "placed_by": actor.user_id}
    row = store().add(legal_holds, values | keys)
    trail.about("legal_hold", row["id"])
    trail.wrote(values)
    return _show(actor, [row])[0]


def release_hold(actor: Actor, hold_id: UUID) -> Values:
    """Let the hold end; raises `Conflict` where it has."""
    row = gate.find_in_chart(actor, "legal_hold:manage", legal_holds, hold_id)
    if row["released_at"] is not None:
        raise Conflict("The hold is released.", state=RELEASED, allowed=[])
    trail.wrote(["released_at"])
    done = {"released_at": clock.now(), "released_by": actor.user_id}
    return _show(actor, [store().change(legal_holds, row, done)])[0]


def list_holds(actor: Actor, patient_id: UUID, asked: Page) -> Listing:
    """The holds of a chart, the latest first."""
    open_chart(actor, "legal_hold:read", patient_id)
    h = legal_holds.c
    mine = select(legal_holds).where(h.clinic_id == actor.clinic_id, h.patient_id == patient_id)
    listing = page(mine, legal_holds, asked, newest_first=True, opens=legal_holds)
    listing.items = _show(actor, listing.items)
    return listing


def refuse_held(clinic_id: UUID, patient_id: UUID) -> None:
    """Raise `Conflict` while the chart is under a hold: nothing of it may be deleted.

    Until the transaction ends none is placed, so that what was asked here stays true.
    """
    store().hold(patients, {"clinic_id": clinic_id, "id": patient_id})
    if _is_held(clinic_id, patient_id):
        raise Conflict("The law has this record kept as it is for now.", missing=["no_legal_hold"])


def keep_held(table: Table, row: Values, changed: Values) -> None:
    """Keep what a change replaces while the chart is under a hold: words overwritten are lost too.

    Of records that keep their former versions anyhow nothing more is kept.
    """
    if versions.is_kept(table) or not changed or not _is_held(row["clinic_id"], row["patient_id"]):
        return
    store().append(versions.record_versions, [versions.written(table, row, changed)])


def held_among(clinic_id: UUID, patient_ids: Iterable[UUID]) -> set[UUID]:
    """Which of these charts are under a hold now."""
    h, wanted = legal_holds.c, sorted(set(patient_ids))
    mine = (h.clinic_id == clinic_id, h.patient_id.in_(wanted), STANDS)
    rows = store().rows(select(h.patient_id).where(*mine)) if wanted else []
    return {row["patient_id"] for row in rows}


def _is_held(clinic_id: UUID, patient_id: UUID) -> bool:
    h = legal_holds.c
    standing = select(h.id).where(h.clinic_id == clinic_id, h.patient_id == patient_id, STANDS)
    return store().row(standing.limit(1)) is not None


def hold_too(clinic_id: UUID, patient_id: UUID, other_id: UUID, since: datetime) -> None:
    """Let the holds that were placed on one chart since, and stand, stand on the other as well."""
    h = legal_holds.c
    mine = (h.clinic_id == clinic_id, h.patient_id == patient_id, STANDS, h.created_at >= since)
    for row in store().rows(select(legal_holds).where(*mine), opens=legal_holds):
        kept = {name: row[name] for name in ("clinic_id", "reason", "placed_by")}
        store().add(legal_holds, kept | {"patient_id": other_id})


def _show(reader: Actor, rows: list[Values]) -> list[Values]:
    who = (row[name] for row in rows for name in ("placed_by", "released_by"))
    names = named(reader.clinic_id, who)
    return [
        {key: value for key, value in row.items() if key not in HIDDEN}
        | {
            "placed_by": names.get(row["placed_by"]),
            "released_by": names.get(row["released_by"]),
            "state": HELD if row["released_at"] is None else RELEASED,
            "allowed": ["release"] if row["released_at"] is None else [],
        }
        for row in rows
    ]
