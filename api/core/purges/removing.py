"""Removing: which tables hold a patient's data, and the rows of each taken away some at a time.

The list is what the tables say themselves: whatever refers to a patient goes, and what refers to
that. What stays is named here with its reason, and a new table that nobody named goes too.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    Table,
    and_,
    exists,
    or_,
    select,
    tuple_,
)

from api.core.changes import MEMBERSHIP
from api.core.patients import patients
from api.db import Values, feed, metadata, store

AT_ONCE: Final = 500
"""Rows that one transaction takes away."""
STAYS: Final = {
    "patients": "the tombstone: an id, and that it was removed; nothing of who it was",
    "users": "the tombstone of the patient's sign-in, for what is not theirs alone may name it",
    "chart_purges": "who proposed it, who agreed, when it was done; no name",
    "chart_keys": "that a key was destroyed; the key itself is gone",
    "audit_event_patients": "the trail, which nobody may change: who did what, by ids alone",
    "research_subjects": "another role's; taken away by `release.forget_codes`",
    "bulk_patients": "taken away with the whole export that holds somebody",
    "changes": "of the feed the end of the chart stays, all else goes by its own rule",
}
LATER: Final = {
    "care_team": "so that whose patient it was is told that the chart is gone",
    "client_patients": "so that a client that made the chart is told",
    "patient_systems": "so that a client whose system knew the chart is told",
}
"""What goes with the feed (`KEEP_EVENTS_DAYS`), when nobody has to be told any more, and why."""
COUNTED: Final = {
    "sessions": "session",
    "ledger_entries": "ledger_entry",
    "notes": "note",
    "check_ins": "check_in",
    "consents": "consent",
    "allergies": "allergy",
    "medications": "medication",
    "diagnoses": "diagnosis",
}
"""Of which it is told how many went. What a patient may keep for themself and psychotherapy notes
have no count for anybody else."""


@cache
def removable() -> tuple[Table, ...]:
    """The tables whose rows go, each before what it refers to; those that go later as well."""
    named = {t.name for t in metadata.sorted_tables if t.name not in STAYS and _of_patients(t)}
    under = {t.name for t in metadata.sorted_tables if t.name not in STAYS and _parents(t, named)}
    every = reversed(metadata.sorted_tables)
    return tuple(t for t in every if t.name in named | under)


@cache
def at_once() -> tuple[Table, ...]:
    """Those of which nothing stays for whoever must still be told."""
    return tuple(table for table in removable() if table.name not in LATER)


def _of_patients(table: Table) -> list[Column[Any]]:
    """The columns that refer to a patient."""
    return [table.c[column] for column, parent in _references(table) if parent is patients]


def _references(table: Table) -> Iterable[tuple[str, Table]]:
    keys: Iterable[ForeignKeyConstraint] = table.foreign_key_constraints
    pairs = (key for key in keys if len(key.column_keys) == 2)
    return [(key.column_keys[1], key.referred_table) for key in pairs]


def _parents(table: Table, named: Iterable[str]) -> list[tuple[str, Table]]:
    """What a table that names no patient hangs on that does, by which column."""
    if _of_patients(table):
        return []
    return [(column, parent) for column, parent in _references(table) if parent.name in named]


def of_charts(table: Table, clinic_id: UUID, charts: list[UUID]) -> ColumnElement[bool]:
    """The SQL condition that a row is of one of these charts, or hangs on what is."""
    here = table.c.clinic_id == clinic_id
    own = [column.in_(charts) for column in _of_patients(table)]
    if own:
        return and_(here, or_(*own))
    up = []
    for column, parent in _parents(table, {t.name for t in removable() if _of_patients(t)}):
        its = (parent.c.clinic_id == clinic_id, parent.c.id == table.c[column])
        up.append(exists().where(*its, of_charts(parent, clinic_id, charts)))
    return and_(here, or_(*up))


def remove_some(
    clinic_id: UUID, charts: list[UUID], tables: Iterable[Table] | None = None
) -> tuple[str, int] | None:
    """Take some rows of the charts away: from which table, and how many; None: nothing is left."""
    for table in at_once() if tables is None else tables:
        gone = _remove(table, of_charts(table, clinic_id, charts))
        if gone:
            return table.name, gone
    return None


def _remove(table: Table, those: ColumnElement[bool]) -> int:
    """Some rows, none before what refers to it in the same table (a correction, an addendum)."""
    keys = [*table.primary_key.columns]
    free = []
    for column, parent in _references(table):
        if parent is table:
            other = table.alias()
            up = (other.c.clinic_id == table.c.clinic_id, other.c[column] == table.c.id)
            free.append(~exists().where(*up))
    some = select(*keys).where(those, *free).limit(AT_ONCE)
    rows = [tuple(row) for row in store().execute(some)]
    if rows:
        store().execute(table.delete().where(tuple_(*keys).in_(rows)))
    return len(rows)


def remove_changes(row: Values, charts: list[UUID], wholly: bool = False) -> int:
    """Take some of the feed away: all that it tells of the charts but their end.

    Until it is done `wholly`, the end of somebody's time on the care team stays as well: by that
    they are told that the chart is gone.
    """
    c = feed.changes.c
    end = and_(c.kind == "patient", c.deleted)
    left = and_(c.kind == MEMBERSHIP, c.at >= row["began_at"])
    stays = end if wholly else or_(end, left)
    mine = (c.clinic_id == row["clinic_id"], c.patient_id.in_(charts), ~stays)
    seqs = store().execute(select(c.seq).where(*mine).limit(AT_ONCE)).scalars().all()
    if seqs:
        store().execute(feed.changes.delete().where(c.seq.in_(seqs)))
    return len(seqs)
