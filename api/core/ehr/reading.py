"""Reading records for an EHR: by kind, in the order of their ids, as far as the client reaches."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, false, func, select

from api.access.policies import Actor, Grant
from api.access.users import users
from api.audit import trail
from api.core import gate
from api.core.gate import shown_to
from api.db import Values, store

Condition = ColumnElement[bool]


@dataclass(frozen=True)
class Wanted:
    """Which records are asked for: by id, by patient, changed since, after which id, how many.

    With `gone_since` the tombstones left since then are wanted, and nothing that is there.
    """

    ids: Sequence[UUID | str] | None = None
    patients: Sequence[UUID] | None = None
    since: datetime | None = None
    after: UUID | str | None = None
    size: int | None = None
    sought: Sequence[Condition] = ()
    gone_since: datetime | None = None


@dataclass(frozen=True)
class Source:
    """One kind of record: its table, whose chart it hangs on, and what is read beside its rows.

    `patient` is None for what belongs to the clinic. `beside` adds to rows in place; `made` gives
    records that stand in no table of their own. `author` names the column of who wrote it.
    """

    name: str
    table: Table | None = None
    patient: Any = None
    where: tuple[Condition, ...] = ()
    clinic: Any = None
    beside: Callable[[Actor, list[Values]], None] | None = None
    made: Callable[[Actor, Grant], list[Values]] | None = None
    limits: Callable[[Actor, Grant], Iterable[Condition]] | None = None
    author: str | None = None
    opens: bool = True
    exact: bool = field(default=True)
    """Whether the row's own times are those of what is made of it."""
    former: Callable[[Values], bool] | None = None
    """Which of its former versions are told of; without it none are."""

    @property
    def leaves_tombstones(self) -> bool:
        """Whether a row that is taken away leaves a tombstone."""
        return self.table is not None and "deleted_at" in self.table.c


def enter(actor: Actor, action: str) -> None:
    """The client is let in to try this, or refused; what its scopes say is asked after that."""
    gate.admit(actor, action)


def list_records(actor: Actor, action: str, source: Source, wanted: Wanted) -> list[Values]:
    """The records in reach that are wanted, by id."""
    granted = gate.admit(actor, action)
    if wanted.gone_since is not None and not source.leaves_tombstones:
        return []
    if source.made is not None:
        return _picked(source.made(actor, granted), wanted)
    statement = _selected(actor, granted, source, wanted)
    opens = source.table if source.opens else None
    rows = store().rows(statement, opens=opens)
    if source.beside is not None and rows:
        source.beside(actor, rows)
    return rows


def count_records(actor: Actor, action: str, source: Source, wanted: Wanted) -> int:
    """How many records in reach are wanted, after whichever."""
    granted = gate.admit(actor, action)
    if source.made is not None:
        return len(_picked(source.made(actor, granted), Wanted(wanted.ids)))
    whole = Wanted(wanted.ids, wanted.patients, wanted.since, sought=wanted.sought)
    there = _selected(actor, granted, source, whole).order_by(None).subquery()
    row = store().row(select(func.count().label("many")).select_from(there))
    return int(row["many"]) if row else 0


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
    clinic = c.clinic_id if source.clinic is None else source.clinic
    statement = select(table).where(clinic == actor.clinic_id, *source.where)
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
