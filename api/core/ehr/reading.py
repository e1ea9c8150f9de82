"""Reading records for an EHR: by kind, in the order of their ids, as far as the client reaches."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, false, func, select

from api.access.policies import Actor, Grant
from api.access.users import users
from api.audit import trail
from api.core import gate
from api.core.ehr.at_once import in_one_trip
from api.core.ehr.source import Condition, Source, Wanted
from api.core.gate import shown_to
from api.db import Values, store


def enter(actor: Actor, action: str) -> None:
    """The client is let in to try this, or refused; what its scopes say is asked after that."""
    gate.admit(actor, action)


def set_out(client: Actor, action: str) -> None:
    """The client is about to try this; it is let in with the first thing that it reads.

    Whoever calls this enters at the end: nothing may have been read, or it was refused before.
    """
    trail.begin(action)


def list_records(actor: Actor, action: str, source: Source, wanted: Wanted) -> list[Values]:
    """The records in reach that are wanted, by id."""
    rows = in_one_trip(actor, action, source, wanted)
    if rows is None:
        rows = _listed(actor, action, source, wanted)
    if source.beside is not None and rows:
        source.beside(actor, rows)
    return rows


def _listed(actor: Actor, action: str, source: Source, wanted: Wanted) -> list[Values]:
    granted = gate.admit(actor, action)
    if wanted.gone_since is not None and not source.leaves_tombstones:
        return []
    if source.made is not None:
        return _picked(source.made(actor, granted), wanted)
    statement = _selected(actor, granted, source, wanted)
    return store().rows(statement, opens=source.table if source.opens else None)


def count_records(actor: Actor, action: str, source: Source, wanted: Wanted) -> int:
    """How many records in reach are wanted, after whichever."""
    rows = in_one_trip(actor, action, source, _whole(wanted), is_counted=True)
    if rows is None:
        rows = _counted(actor, action, source, _whole(wanted))
    return int(rows[0]["many"]) if rows else 0


def _whole(wanted: Wanted) -> Wanted:
    return Wanted(wanted.ids, wanted.patients, wanted.since, sought=wanted.sought)


def _counted(actor: Actor, action: str, source: Source, whole: Wanted) -> list[Values]:
    granted = gate.admit(actor, action)
    if source.made is not None:
        return [{"many": len(_picked(source.made(actor, granted), Wanted(whole.ids)))}]
    there = _selected(actor, granted, source, whole).order_by(None).subquery()
    return store().rows(select(func.count().label("many")).select_from(there))


def tell(actor: Actor, kind: str, record_id: UUID | None, patients: Iterable[UUID]) -> None:
    """Let the trail know which record was read, and whose data the answer holds."""
    gate.identify(actor)
    if record_id is not None:
        trail.about(kind, record_id)
    elif (deed := trail.current()) is not None and deed.type is None:
        deed.type = kind
    trail.touches(patients)


def staff_of(reader: Actor) -> set[UUID]:
    """The clinicians of the clinic, whom an EHR finds as practitioners; asked once a request."""
    if "staff" not in reader.extras:
        u = users.c
        mine = (u.clinic_id == reader.clinic_id, u.role == "clinician", u.deleted_at.is_(None))
        reader.extras["staff"] = {row["id"] for row in store().rows(select(u.id).where(*mine))}
    known: set[UUID] = reader.extras["staff"]
    return known


def is_by_staff(reader: Actor, row: Values, author: str) -> bool:
    """Whether the record's author, in this column, is a clinician of the clinic."""
    told = row.get("by_staff")
    return bool(told) if told is not None else row.get(author) in staff_of(reader)


def _picked(records: list[Values], wanted: Wanted) -> list[Values]:
    """Of records that stand in no table those that are wanted."""
    there = sorted(records, key=lambda one: str(one["id"]))
    if wanted.ids is not None:
        asked = {str(one) for one in wanted.ids}
        there = [one for one in there if str(one["id"]) in asked]
    if wanted.patients is not None:
        there = [one for one in there if one.get("patient_id") in wanted.patients]
    if wanted.after is not None:
        there = [one for one in there if str(one["id"]) > str(wanted.after)]
    return there[: wanted.size]


def _selected(actor: Actor, granted: Grant, source: Source, wanted: Wanted) -> Select[Any]:
    table = source.table
    assert table is not None, "a source has a table, or makes its records"
    c = table.c
    statement = source.records().where(source.of_clinic == actor.clinic_id, *source.where)
    if source.leaves_tombstones:
        since = wanted.gone_since
        is_there = c.deleted_at.is_(None)
        statement = statement.where(is_there if since is None else c.deleted_at >= since)
    if source.patient is not None:
        statement = statement.where(
            gate.in_reach(actor, granted, source.patient), shown_to(actor, table)
        )
    if source.limits is not None:
        statement = statement.where(*source.limits(actor, granted))
    statement = statement.where(*_asked(source, table, wanted)).order_by(c.id)
    return statement if wanted.size is None else statement.limit(wanted.size)


def _asked(source: Source, table: Table, wanted: Wanted) -> Iterable[Condition]:
    if wanted.ids is not None:
        yield table.c.id.in_([one for one in wanted.ids if isinstance(one, UUID)])
    if wanted.patients is not None:
        on_chart = source.patient is not None
        yield source.patient.in_(list(wanted.patients)) if on_chart else false()
    if wanted.since is not None and source.exact:
        yield table.c.updated_at >= wanted.since
    if wanted.after is not None:
        yield table.c.id > wanted.after
    yield from wanted.sought
