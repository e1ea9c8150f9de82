"""The store: the database session of one request, one connection and one transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, Table, select
from sqlalchemy.sql import Executable

from api import clock
from api.db import embedded, feed, trips, versions, walls
from api.db.engines import engine, one_trip_pool, tell
from api.db.sealing import conceal, reveal
from api.db.tables import new_id
from api.errors import Stale
from api.paging import Values

FEW = 8
"""How many rows of one table may wait for the end: each number of them is a statement of its own,
and more go faster as many of one."""


class Store:
    """The database session of one request: one connection, one transaction, opened when needed."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._waiting: list[tuple[Table, Values]] | None = None
        self._stands_in: tuple[walls.Within | None, walls.Within] | None = None
        self._told: walls.Within | None = None
        self.ring: dict[str, bytes | None] = {}  # charts' keys that were met; go with the store

    @property
    def connection(self) -> Connection:
        """The connection, with its transaction begun, for the clinic that is meant now."""
        if self._connection is None:
            self._connection = self._open()
            self._write_waiting()
        elif self.within != self._told:
            self._tell()
        return self._connection

    @property
    def within(self) -> walls.Within:
        """Whose rows are meant: of the clinic stood in, unless something else was said since."""
        said = walls.said()
        if self._stands_in is not None and self._stands_in[0] is said:
            return self._stands_in[1]
        return said or walls.NOBODY

    def stand_in(self, clinic_id: UUID) -> None:
        """Let the rows of this clinic be meant from now on, until the transaction ends."""
        if self.within.clinic_id != clinic_id:
            self._stands_in = (walls.said(), walls.Within(clinic_id))

    def _open(self) -> Connection:
        self._told = self.within
        connection = engine().connect().execution_options(within=self._told)
        connection.begin()
        return connection

    def _tell(self) -> None:
        assert self._connection is not None
        self._told = self.within
        if self._connection.dialect.name == "postgresql":
            tell(self._connection, "; ".join(self._told.told()))

    def _run(self, statement: Executable, values: Any = None) -> Any:
        connection = self.connection
        if self.within.clinic_id is None:
            self._refuse_unsaid(statement)
        return connection.execute(statement, values)

    def _refuse_unsaid(self, statement: Executable) -> None:
        walls.refuse_unsaid(statement, self.within)

    @property
    def has_begun(self) -> bool:
        """Whether something was asked or written; what is read then must see what was written."""
        return self._connection is not None or bool(self._waiting)

    @property
    def on_postgres(self) -> bool:
        """Whether this is PostgreSQL, for what only it can do as an addition."""
        return self.connection.dialect.name == "postgresql"

    def execute(self, statement: Executable, values: Any = None) -> Any:
        """Run a statement as it is."""
        return self._run(statement, values)

    def rows(
        self, statement: Select[Any], opens: Table | None = None, **values: Any
    ) -> list[Values]:
        """Every row as a dict; the sealed columns of `opens` are opened."""
        found = self._run(statement, values or None)
        names = [*map(str, found.keys())]  # SQLAlchemy has a string of its own
        rows = [dict(zip(names, row, strict=True)) for row in found]
        return rows if opens is None else [reveal(opens, row, (), self.ring) for row in rows]

    def row(
        self, statement: Select[Any], opens: Table | None = None, **values: Any
    ) -> Values | None:
        """The one row, or None."""
        found = self._run(statement, values or None).mappings().first()
        return None if found is None else reveal(opens, dict(found), (), self.ring)

    def add(
        self, table: Table, values: Mapping[str, Any], also: Sequence[tuple[Table, Values]] = ()
    ) -> Values:
        """Insert a record; answers it whole, with id, version 1 and times.

        `also` are rows of other tables that go with it, on PostgreSQL in the same statement; so
        does the row of the feed, where the table is followed.
        """
        moment = clock.now()
        record: Values = {column.key: None for column in table.c}
        record |= {"id": new_id(), "version": 1, "created_at": moment, "updated_at": moment}
        record |= values
        sealed = conceal(table, record, table.c.keys(), self.ring)
        beside = self._beside(table, None, record, also)
        if self._waiting is not None:
            self._wait(table, sealed)
            for other, row in beside:
                self._wait(other, row)
        elif self.on_postgres:
            statement = feed.added(table, feed.shape_of(beside))
            self._run(statement, sealed | feed.placed(beside))
        else:
            self._run(table.insert(), sealed)
            self._write_apart(beside)
        return record

    def change(
        self,
        table: Table,
        record: Mapping[str, Any],
        values: Mapping[str, Any],
        also: Sequence[tuple[Table, Values]] = (),
    ) -> Values:
        """Update a record to its next version; raises `Stale` when somebody was faster.

        `also` as with `add`.
        """
        changed = {**values, "version": record["version"] + 1, "updated_at": clock.now()}
        after = {**record, **changed}
        sealed = conceal(table, after, changed.keys(), self.ring)
        beside = self._beside(table, record, after, also)
        beside += versions.former(self, table, record, changed)
        together = beside if self.on_postgres else []
        statement = feed.changed(table, tuple(sealed), feed.shape_of(together))
        given = {f"to_{key}": value for key, value in sealed.items()}
        given |= {f"is_{key}": record[key] for key in ("clinic_id", "id", "version")}
        if self._run(statement, given | feed.placed(together)).rowcount != 1:
            raise Stale("The record was changed meanwhile.")
        if not self.on_postgres:
            self._write_apart(beside)
        return after

    def tell(
        self,
        table: Table,
        versions: Iterable[Mapping[str, Any]],
        before: Mapping[str, Any] | None = None,
    ) -> None:
        """Let the feed know of new versions that were not written by `add` and `change`.

        `before` holds what they had in common until then.
        """
        rows = [row for one in versions if (row := feed.told(table, before, one)) is not None]
        if rows:
            given = [{f"b_{key}": value for key, value in row.items()} for row in rows]
            self._run(feed.alone(self.on_postgres), given)

    def _beside(
        self, table: Table, before: Any, after: Values, also: Sequence[tuple[Table, Values]]
    ) -> list[tuple[Table, Values]]:
        row = feed.told(table, before, after)
        return [*also] if row is None else [(feed.changes, row), *also]

    def _write_apart(self, beside: Sequence[tuple[Table, Values]]) -> None:
        for table, values in beside:
            more = {"xid": 0} if table is feed.changes else {}
            self._run(table.insert(), values | more)

    def append(self, table: Table, rows: Sequence[Values]) -> None:
        """Insert rows that nobody reads again; what none holds, the database may fill in."""
        if self._waiting is not None and len(rows) <= FEW:
            for row in rows:
                self._wait(table, row)
        else:
            names = {name: None for row in rows for name in feed.filled(row)}
            self._run(table.insert(), [{name: row.get(name) for name in names} for row in rows])

    def _wait(self, table: Table, row: Values) -> None:
        assert self._waiting is not None
        self._waiting.append((table, feed.filled(row)))

    def hold_back(self, after_reading: bool = False) -> None:
        """Let new rows wait for the end, to go by themselves, as their own transaction.

        Only until something else is asked of the database: then they go into an ordinary
        transaction first. On SQLite alone `after_reading`, when nothing that was read has to stand
        until they are written.
        """
        goes = after_reading or one_trip_pool() is not None
        if goes and self._connection is None and self._waiting is None:
            self._waiting = []

    def _write_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting and self.on_postgres:
            statement = feed.together(feed.shape_of(waiting))
            self._run(statement, feed.placed(waiting))
        else:
            self._write_apart(waiting or ())

    def _refuse_foreign(self, rows: feed.Rows) -> None:
        """Rows that name their clinic themselves are those of the clinic that is meant."""
        if {row["clinic_id"] for _, row in rows} != {self.within.clinic_id}:
            raise walls.NoClinic("a row of another clinic than the one that is meant")

    def hold(self, table: Table, record: Mapping[str, Any]) -> None:
        """Keep others from holding the record until this transaction ends; reads go on."""
        row = select(table.c.id).where(
            table.c.clinic_id == record["clinic_id"], table.c.id == record["id"]
        )
        self._run(row.with_for_update(key_share=True))

    def remove(self, table: Table, record: Mapping[str, Any]) -> Values:
        """Leave a tombstone where the record was."""
        return self.change(table, record, {"deleted_at": clock.now()})

    def commit(self) -> None:
        """Keep what was done and give the connection back."""
        waiting, self._waiting = self._waiting, None
        if waiting:
            self._refuse_foreign(waiting)
        if waiting and one_trip_pool() is None:
            embedded.leave(waiting)
        elif waiting:
            trip, places = _trip(feed.shape_of(waiting))
            trips.sent(trip, [waiting[number][1][key] for number, key in places])
        if self._connection is not None:
            self._connection.commit()
            self.close()

    def rollback(self) -> None:
        """Undo what was done and give the connection back."""
        self._waiting = None
        if self._connection is not None:
            self._connection.rollback()
            self.close()

    def close(self) -> None:
        """Give the connection back, and forget the keys of charts."""
        self.ring.clear()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


@lru_cache(feed.SHAPES)
def _trip(rows: feed.Beside) -> tuple[trips.Trip, list[tuple[int, str]]]:
    """The statement of these rows, and where each of its values is found: row and column."""
    trip = trips.prepare_trip(feed.together(rows))
    return trip, [feed.place_of(name) for name in trip.order]


_store: ContextVar[Store | None] = ContextVar("store", default=None)


def store() -> Store:
    """The store of this request (or command); made at the first call."""
    current = _store.get()
    if current is None:
        current = Store()
        _store.set(current)
    return current


def leave_store() -> None:
    """Forget this request's store; what was not committed is undone."""
    current = _store.get()
    if current is not None:
        current.rollback()
        _store.set(None)


@contextmanager
def transaction() -> Iterator[Store]:
    """One transaction of a command, committed at its end or undone whole."""
    try:
        yield store()
        store().commit()
    finally:
        leave_store()
