"""Where an EHR's records come from: a table, whose chart they hang on, and what is read beside."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, exists, select

from api.access.policies import Actor, Grant
from api.access.users import users
from api.db import Values

Condition = ColumnElement[bool]


@dataclass(frozen=True)
class Wanted:
    """Which records are asked for: by id, by patient, changed since, after which id, how many.

    With `gone_since` the tombstones left since then are wanted, and nothing that is there.
    `told_as` names the kind of record, for an event that may go along: whoever asks shows all that
    is found, and nothing beside.
    """

    ids: Sequence[UUID | str] | None = None
    patients: Sequence[UUID] | None = None
    since: datetime | None = None
    after: UUID | str | None = None
    size: int | None = None
    sought: Sequence[Condition] = ()
    gone_since: datetime | None = None
    told_as: str | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """One kind of record: its table, whose chart it hangs on, and what is read beside its rows.

    `patient` is None for what belongs to the clinic. Columns of the table that nobody needs are
    left `unread`. `columns` are read beside a record in the same statement, of itself or of what is
    `joined`; `beside` then adds to rows in place, and may ask for more. `made` gives records that
    stand in no table of their own. `author` names the column of who wrote it.
    """

    name: str
    table: Table | None = None
    patient: Any = None
    where: tuple[Condition, ...] = ()
    clinic: Any = None
    unread: tuple[str, ...] = ()
    columns: tuple[Any, ...] = ()
    joined: tuple[tuple[Table, Condition], ...] = ()
    beside: Callable[[Actor, list[Values]], None] | None = None
    made: Callable[[Actor, Grant], list[Values]] | None = None
    limits: Callable[[Actor, Grant], Iterable[Condition]] | None = None
    author: str | None = None
    opens: bool = True
    exact: bool = field(default=True)
    """Whether the row's own times are those of what is made of it."""
    former: Callable[[Values], bool] | None = None
    """Which of its former versions are told of; without it none are."""
    of_gone: bool = False
    """Whether it is of tombstones, and of nothing that is there."""

    @property
    def leaves_tombstones(self) -> bool:
        """Whether a row that is taken away leaves a tombstone."""
        return self.table is not None and "deleted_at" in self.table.c and not self.of_gone

    @property
    def of_clinic(self) -> Any:
        """The column that names the clinic."""
        assert self.table is not None, "a source has a table, or makes its records"
        return self.table.c.clinic_id if self.clinic is None else self.clinic

    def records(self) -> Select[Any]:
        """A select of every record with what is read beside it; `by_staff` is of its author."""
        assert self.table is not None, "a source has a table, or makes its records"
        more = [*self.columns]
        if self.author is not None:
            more.append(_is_staff(self.table.c.clinic_id, self.table.c[self.author]))
        own = [column for column in self.table.c if column.key not in self.unread]
        statement = select(*own, *more).select_from(self.table)
        for table, on in self.joined:
            statement = statement.outerjoin(table, on)
        return statement


def _is_staff(clinic_id: Any, user_id: Any) -> ColumnElement[bool]:
    """Whether a user is one of the clinicians, whom an EHR finds as practitioners."""
    u = users.c
    is_there = (u.role == "clinician", u.deleted_at.is_(None))
    return exists().where(u.clinic_id == clinic_id, u.id == user_id, *is_there).label("by_staff")
