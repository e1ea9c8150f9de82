"""The feed of changes: a row for every version of a record that is followed, in commit order.

On PostgreSQL a row carries the id of its transaction: what lies below the oldest one still running
is settled, and nothing can come before it any more. SQLite lets one writer in at a time, so that
there the order of rows is the order of commits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Insert,
    Integer,
    Select,
    String,
    Table,
    Text,
    Update,
    Uuid,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    tuple_,
)

from api.db.tables import Instant, metadata
from api.db.walls import named_first
from api.paging import Values

Position = tuple[int, int]
"""A place in the feed: transaction and row. `(0, 0)` is before everything."""
SHOWN, GONE, HIDDEN = "shown", "gone", "hidden"
"""What a version is to others than the patient: a record, one that left their reach, or nothing."""

changes = Table(
    "changes",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("xid", BigInteger, nullable=False),
    Column("clinic_id", Uuid, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("record_id", Uuid, nullable=False),
    Column("patient_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("deleted", Boolean(create_constraint=True, name="deleted"), nullable=False),
    Column("to_others", String(10), nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_autoincrement=True,
)
"""Append only; `xid` is 0 on SQLite."""
Index("ix_changes_order", *changes.c["clinic_id", "xid", "seq"])
Index("ix_changes_record", *changes.c["clinic_id", "record_id", "version"])

COLUMNS: Final = tuple(c.key for c in changes.c if c.key not in ("seq", "xid"))
OLDEST_RUNNING = cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)
THIS_ONE = cast(cast(func.pg_current_xact_id(), Text), BigInteger)


@dataclass(frozen=True)
class Followed:
    """How a table is followed: its kind in the feed, and what a version is to others."""

    kind: str
    to_others: Callable[[Mapping[str, Any] | None, Mapping[str, Any]], str]


_followed: dict[Table, Followed] = {}


def follow(table: Table, kind: str, to_others: Any = lambda _before, _after: SHOWN) -> None:
    """Let every version of the table's records be told; `to_others` is asked (before, after)."""
    _followed[table] = Followed(kind, to_others)


def told(table: Table, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Values | None:
    """The row of the feed for a new version of a record; None when its table is not followed."""
    followed = _followed.get(table)
    if followed is None:
        return None
    return {
        "clinic_id": after["clinic_id"],
        "kind": followed.kind,
        "record_id": after["id"],
        "patient_id": after["patient_id"] if "patient_id" in table.c else after["id"],
        "version": after["version"],
        "deleted": after.get("deleted_at") is not None,
        "to_others": followed.to_others(before, after),
        "at": after["updated_at"],
    }


Beside = tuple[tuple[Table, tuple[str, ...]], ...]
"""The tables whose rows go with a record, in the order of the rows, each with its columns."""
Rows = Sequence[tuple[Table, Values]]
SHAPES = 512
"""How many statements of each kind are kept."""


def shape_of(rows: Rows) -> Beside:
    """What the statement of these rows depends on."""
    return tuple((table, tuple(values)) for table, values in rows)


def placed(rows: Rows) -> Values:
    """Their values, under the names that they have in that statement."""
    return {
        f"beside_{number}_{key}": value
        for number, (_, values) in enumerate(rows)
        for key, value in values.items()
    }


def place_of(name: str) -> tuple[int, str]:
    """The row and the column that a value of that name is of."""
    _, number, key = name.split("_", 2)
    return int(number), key


def filled(values: Values) -> Values:
    """The columns that hold something; the others need not be named."""
    return {key: value for key, value in values.items() if value is not None}


@lru_cache(SHAPES)
def added(table: Table, beside: Beside) -> Insert:
    """A record and the rows beside it in one statement (PostgreSQL)."""
    return table.insert().add_cte(*_inserts(beside))


@lru_cache(SHAPES)
def changed(table: Table, keys: tuple[str, ...], beside: Beside) -> Update:
    """A record's next version and the rows beside it in one statement (PostgreSQL).

    Its values are those of `keys`, and `is_clinic_id`, `is_id`, `is_version` of the one before.
    """
    is_same = [
        table.c[key] == bindparam(f"is_{key}", type_=table.c[key].type)
        for key in ("clinic_id", "id", "version")
    ]
    values = {key: bindparam(f"to_{key}", type_=table.c[key].type) for key in keys}
    return table.update().where(*is_same).values(values).add_cte(*_inserts(beside))


@lru_cache(SHAPES)
def together(rows: Beside) -> Select[Any]:
    """New rows of several tables in one statement (PostgreSQL); placed as beside a record.

    It may be a transaction of its own: it names the clinic, which is that of the first row.
    """
    named = named_first(bindparam("beside_0_clinic_id", type_=Uuid))
    inserts = [
        table.insert().from_select([*values], select(*values.values()).where(named))
        for table, values in (_values(n, *row) for n, row in enumerate(rows))
    ]
    return select(literal_column("1")).add_cte(
        *(insert.cte(f"beside_{n}") for n, insert in enumerate(inserts))
    )


def _inserts(beside: Beside) -> list[Any]:
    return [_insert(n, *row).cte(f"beside_{n}") for n, row in enumerate(beside)]


def _insert(number: int, table: Table, keys: tuple[str, ...]) -> Insert:
    return table.insert().values(_values(number, table, keys)[1])


def _values(number: int, table: Table, keys: tuple[str, ...]) -> tuple[Table, Values]:
    values: Values = {
        key: bindparam(f"beside_{number}_{key}", type_=table.c[key].type) for key in keys
    }
    return table, values | ({"xid": THIS_ONE} if table is changes else {})


def alone(on_postgres: bool) -> Insert:
    """A row of the feed in a statement of its own."""
    xid: Any = THIS_ONE if on_postgres else literal(0)
    values: Values = {key: bindparam(f"b_{key}", type_=changes.c[key].type) for key in COLUMNS}
    return changes.insert().values(values | {"xid": xid})


def settled(on_postgres: bool) -> Any:
    """A select of the position up to which the feed is complete: nothing comes before it later."""
    if on_postgres:
        return select(OLDEST_RUNNING.label("xid"), literal(0).label("seq"))
    return select(literal(0).label("xid"), func.coalesce(func.max(changes.c.seq), 0).label("seq"))


def bring_home() -> Update:
    """What makes the rows of a restored dump settled: their transactions were another server's."""
    ahead = cast(cast(func.pg_snapshot_xmax(func.pg_current_snapshot()), Text), BigInteger)
    return changes.update().where(changes.c.xid >= ahead).values(xid=0)


def comes_after(position: Position) -> Any:
    """The condition of what comes after a position."""
    return tuple_(changes.c.xid, changes.c.seq) > _place(position)


def between(after: Position, until: Position) -> list[Any]:
    """The conditions of what comes after one position and not after another."""
    here = tuple_(changes.c.xid, changes.c.seq)
    return [here > _place(after), here <= _place(until)]


def _place(position: Position) -> Any:
    return tuple_(*(literal(number, BigInteger) for number in position))
