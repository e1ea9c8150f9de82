"""SQLite by its own driver, for hot reads: a question compiled once, and the rows left behind.

A read needs no writer's turn: it sees one moment by itself. Only what is written takes a turn, as
short as it can be. What it is worth: `benchmarks/README.md`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Select, Table, Uuid, bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from api.db.engines import engine, take_turn, watchers
from api.db.tables import Instant
from api.paging import Values

DIALECT: Any = sqlite.dialect()
SHAPES = 128
"""How many shapes of row to write are kept compiled."""
Typed = Callable[[Any], Any] | None
Rows = Sequence[tuple[Table, Values]]


@dataclass(frozen=True)
class Question:
    """A select ready for the driver: its text, its values in their order, and how each is typed.

    The first `front` columns say the same in every row and are read once.
    """

    text: str
    order: tuple[str, ...]
    given: dict[str, Typed]
    fixed: Values
    front: int
    read: tuple[tuple[int, Callable[[Any], Any]], ...]


def prepare_question(statement: Select[Any], front: int) -> Question:
    """A Core select compiled for `ask`, once; what is JSON behind its front stays text."""
    made = statement.compile(dialect=DIALECT)
    assert not made.literal_execute_params, "such values are not known yet: literal_column"
    types = [column.type for column in statement.selected_columns]
    readers = [(place, _reader(kind)) for place, kind in enumerate(types)]
    as_text = {p for p, kind in enumerate(types) if p >= front and isinstance(kind, JSON)}
    order = tuple(made.positiontup or ())
    return Question(
        str(made),
        order,
        {name: _writer(made.binds[name].type) for name in order},
        {name: made.binds[name].value for name in order},
        front,
        tuple((p, read) for p, read in readers if read is not None and p not in as_text),
    )


def _writer(kind: Any) -> Typed:
    made: Typed = kind.dialect_impl(DIALECT).bind_processor(DIALECT)
    return made


def _reader(kind: Any) -> Typed:
    if isinstance(kind, Uuid):
        return _id
    if isinstance(kind, Instant):
        return _instant
    made: Typed = kind.dialect_impl(DIALECT).result_processor(DIALECT, None)
    return made


@lru_cache(8192)
def _id(text: str | None) -> UUID | None:
    """An id; most of what is shown together names the same few."""
    return None if text is None else UUID(text)


def _instant(text: str | None) -> datetime | None:
    """An instant, which SQLite keeps in UTC and without its zone."""
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


def ask(question: Question, values: Values) -> list[list[Any]]:
    """The rows of a question; those after the first have nothing in front."""
    full = {**question.fixed, **values}
    typed = {name: _as(kind, full[name]) for name, kind in question.given.items()}
    with _driver(question.text) as connection:
        given = [typed[name] for name in question.order]
        rows = [*map(list, connection.execute(question.text, given))]
    for number, row in enumerate(rows):
        for place, read in question.read:
            if number == 0 or place >= question.front:
                row[place] = read(row[place])
    return rows


def _as(kind: Typed, value: Any) -> Any:
    return value if kind is None or value is None else kind(value)


def leave(rows: Rows) -> None:
    """Write new rows in a transaction of their own."""
    with _driver("BEGIN IMMEDIATE") as connection:
        take_turn(lambda: connection.execute("BEGIN IMMEDIATE"))
        try:
            for table, row in rows:
                text, given = _insert(table, tuple(row))
                _tell(text)
                connection.execute(text, [_as(kind, row[name]) for name, kind in given.items()])
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise


@lru_cache(SHAPES)
def _insert(table: Table, names: tuple[str, ...]) -> tuple[str, dict[str, Typed]]:
    """The statement that inserts such a row, and how its values are given, in this order."""
    values = {name: bindparam(name, type_=table.c[name].type) for name in names}
    made = table.insert().values(values).compile(dialect=DIALECT)
    order = tuple(made.positiontup or ())
    assert {*order} == {*names}
    return str(made), {name: _writer(table.c[name].type) for name in order}


@contextmanager
def _driver(text: str) -> Iterator[sqlite3.Connection]:
    """The driver's own connection; its complaints are told as the engine's are."""
    pooled = engine().raw_connection()
    try:
        _tell(text)
        assert isinstance(pooled.driver_connection, sqlite3.Connection)
        yield pooled.driver_connection
    except sqlite3.Error as problem:
        raise DBAPIError.instance(text, None, problem, sqlite3.Error) from problem
    finally:
        pooled.close()


def _tell(text: str) -> None:
    for watcher in watchers:
        watcher(text)
