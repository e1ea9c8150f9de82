"""The store: the database session of one request, one connection and one transaction."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Connection, Select, Table, select
from sqlalchemy.sql import Executable

from api import clock
from api.db.engines import engine
from api.db.sealing import conceal, reveal
from api.db.tables import new_id
from api.errors import NotFound, Stale
from api.paging import Values


class Store:
    """The database session of one request: one connection, one transaction, opened when needed."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection, with its transaction begun."""
        if self._connection is None:
            self._connection = engine().connect()
            if not self._connection.in_transaction():
                self._connection.begin()
        return self._connection

    @property
    def on_postgres(self) -> bool:
        """Whether this is PostgreSQL, for what only it can do as an addition."""
        return self.connection.dialect.name == "postgresql"

    def execute(self, statement: Executable, values: Any = None) -> Any:
        """Run a statement as it is."""
        return self.connection.execute(statement, values)

    def rows(
        self, statement: Select[Any], opens: Table | None = None, **values: Any
    ) -> list[Values]:
        """Every row as a dict; the sealed columns of `opens` are opened."""
        found = self.connection.execute(statement, values or None).mappings()
        return [reveal(opens, dict(row)) for row in found]

    def row(
        self, statement: Select[Any], opens: Table | None = None, **values: Any
    ) -> Values | None:
        """The one row, or None."""
        found = self.connection.execute(statement, values or None).mappings().first()
        return None if found is None else reveal(opens, dict(found))

    def add(self, table: Table, values: Mapping[str, Any]) -> Values:
        """Insert a record; answers it whole, with id, version 1 and times."""
        moment = clock.now()
        record: Values = {column.key: None for column in table.c}
        record |= {"id": new_id(), "version": 1, "created_at": moment, "updated_at": moment}
        record |= values
        self.connection.execute(table.insert().values(**conceal(table, record, table.c.keys())))
        return record

    def change(self, table: Table, record: Mapping[str, Any], values: Mapping[str, Any]) -> Values:
        """Update a record to its next version; raises `Stale` when somebody was faster."""
        changed = {**values, "version": record["version"] + 1, "updated_at": clock.now()}
        after = {**record, **changed}
        sealed = conceal(table, after, changed.keys())
        done = self.connection.execute(
            table.update()
            .where(table.c.clinic_id == record["clinic_id"], table.c.id == record["id"])
            .where(table.c.version == record["version"])
            .values(**sealed)
        )
        if done.rowcount != 1:
            raise Stale("The record was changed meanwhile.")
        return after

    def hold(self, table: Table, record: Mapping[str, Any]) -> None:
        """Keep others from holding the record until this transaction ends; reads go on."""
        row = select(table.c.id).where(
            table.c.clinic_id == record["clinic_id"], table.c.id == record["id"]
        )
        self.connection.execute(row.with_for_update(key_share=True))

    def remove(self, table: Table, record: Mapping[str, Any]) -> Values:
        """Leave a tombstone where the record was."""
        return self.change(table, record, {"deleted_at": clock.now()})

    def commit(self) -> None:
        """Keep what was done and give the connection back."""
        if self._connection is not None:
            self._connection.commit()
            self.close()

    def rollback(self) -> None:
        """Undo what was done and give the connection back."""
        if self._connection is not None:
            self._connection.rollback()
            self.close()

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


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


def match(record: Mapping[str, Any], version: int | None) -> None:
    """Raise `Stale` unless the record is at `version`; None matches any."""
    if version is not None and record["version"] != version:
        raise Stale("The record was changed since you read it.")


def found(row: Values | None) -> Values:
    """The row, or `NotFound`, in the same words for absent and out of reach."""
    if row is None:
        raise NotFound("There is no such record.")
    return row
