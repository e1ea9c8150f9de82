"""Finding patients: one chart that opens, and the lists of those in reach."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, Subquery, bindparam, false, select, true

from api.access.policies import Actor, Grant, Reach
from api.audit import trail
from api.core import gate, reach
from api.core.one_trip import CLINIC, RECORD, Listed, Opening, Reading
from api.core.patients.index import blind_external_id, fold, has_external_id, has_word
from api.core.patients.showing import show_to
from api.core.patients.table import COLUMNS, patients
from api.db import Listing, Page, Values, found, store


def open_chart(actor: Actor, action: str, patient_id: UUID) -> Values:
    """The patient whose chart the actor may open for `action`; `NotFound` when out of reach."""
    granted = gate.admit(actor, action)
    trail.about("patient", patient_id)
    row = gate.one_in_reach(actor, granted, patients, patient_id)
    trail.touches([patient_id] if row else [])
    return found(row)


def charts(actor: Actor, action: str) -> Select[Any]:
    """A select of the patients in reach, for lists that join or filter it further."""
    granted = gate.admit(actor, action)
    return select(*COLUMNS).where(
        patients.c.clinic_id == actor.clinic_id, gate.in_reach(actor, granted, patients.c.id)
    )


_ONE = patients.c.id == RECORD, patients.c.deleted_at.is_(None)
_CHART = Reading("patient:read", select(*COLUMNS).where(*_ONE), patients, patients.c.id)


def chart_for(
    action: str, columns: Sequence[str], *more: ColumnElement[Any], beside: Subquery
) -> Opening:
    """What opens a chart for a hot write of `action`, as `open_chart` does for others.

    `columns` are those of the patient that the write needs; `more`, and the one row `beside`, are
    what else it must know, so that it asks nothing further.
    """
    known = [patients.c[name] for name in ("id", "clinic_id", *columns)]
    asked = select(*known, *more, *beside.c).select_from(patients.join(beside, true()))
    return Opening(action, asked.where(*_ONE), patients, patients.c.id)


def read_patient(actor: Actor, patient_id: UUID) -> Values:
    """One patient, as far as the reader may see them."""
    return show_to(actor, _CHART.one(actor, patient_id))


def list_patients(
    actor: Actor,
    asked: Page,
    q: str | None = None,
    status: str | None = None,
    external_id: str | None = None,
) -> Listing:
    """The patients in reach: by prefix of any word of a name, by status, by another system's id."""
    listing = _LISTED.within_reach(actor, asked, **_wanted(actor.clinic_id, q, status, external_id))
    if asked.since is not None and listing.next_after is None:
        _sync_reach(actor, asked, listing, _wanted(actor.clinic_id, q, status, external_id))
    listing.items = [show_to(actor, row) for row in listing.items]
    return listing


def _wanted(clinic_id: UUID, q: str | None, status: str | None, external_id: str | None) -> Values:
    words = {f"word_{i}": word for i, word in enumerate(fold(q or ""))}
    blind = external_id and blind_external_id(clinic_id, *external_id.split("|", 1))
    return words | {"status": status, "blind": blind}


def sought(
    clinic_id: UUID, q: str | None = None, status: str | None = None, external_id: str | None = None
) -> tuple[list[ColumnElement[bool]], Values]:
    """The conditions by which patients are found, and their values, for lists that ask for more."""
    wanted = _wanted(clinic_id, q, status, external_id)
    given = {name: value for name, value in wanted.items() if value is not None}
    return [_where(name) for name in given], given | {CLINIC.key: clinic_id}


def _where(name: str) -> ColumnElement[bool]:
    if name.startswith("word_"):
        return has_word(CLINIC, bindparam(name, type_=String))
    return has_external_id() if name == "blind" else patients.c.status == bindparam("status")


_LISTED = Listed("patient:list", select(*COLUMNS), patients, patients.c.id, _where)


def _merged_away(reader: Actor, granted: Grant, since: datetime) -> Select[Any]:
    """The charts that went into one in reach since, and are themselves in nobody's reach now."""
    p = patients.c
    gone = select(p.id, p.deleted_at).where(p.clinic_id == reader.clinic_id, p.deleted_at >= since)
    if granted.reach != Reach.TEAM:
        return gone.where(false())
    into_reach = gate.in_reach(reader, granted, p.merged_into)
    return gone.where(p.merged_into.is_not(None), into_reach).limit(reach.MOST)


def _sync_reach(actor: Actor, asked: Page, listing: Listing, wanted: Values) -> None:
    """Put beside the last page of changes what came into reach since, unchanged, or left it."""
    since: Any = asked.since
    granted = gate.admit(actor, "patient:list")
    if listing.tombstones is not None:
        listing.tombstones += store().rows(reach.left(actor, granted, since))
        listing.tombstones += store().rows(_merged_away(actor, granted, since))
    given = {name: value for name, value in wanted.items() if value is not None}
    came = select(*COLUMNS).where(
        patients.c.clinic_id == actor.clinic_id,
        patients.c.updated_at < since,
        patients.c.deleted_at.is_(None),
        reach.came(actor, granted, patients.c.id, since),
        *map(_where, given),
    )
    rows = store().rows(came.limit(reach.MOST), patients, **given, **{CLINIC.key: actor.clinic_id})
    trail.touches(row["id"] for row in rows)
    listing.items += rows
