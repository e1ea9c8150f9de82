"""A snapshot: the database as it stood at one moment, read in a transaction of its own.

On PostgreSQL it is REPEATABLE READ and read only, on SQLite a reader of the write-ahead log; both
see nothing of what is written meanwhile, and keep nobody from writing.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Select, Table, text

from api.db import Values, reading_engine, reveal, walls

AT_ONCE = 2000
"""Rows that are fetched at once."""
IN_A_BATCH = 500
"""Patients whose rows are looked up at once."""


class Snapshot:
    """Reads of one moment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, statement: Select[Any], opens: Table | None = None) -> Iterator[Values]:
        """The rows one after the other; sealed columns of `opens` are opened."""
        streamed = statement.execution_options(stream_results=True, yield_per=AT_ONCE)
        for row in self._connection.execute(streamed).mappings():
            yield reveal(opens, dict(row))


@contextmanager
def snapshot() -> Iterator[Snapshot]:
    """The database as it is now, until the block ends."""
    engine = reading_engine()
    try:
        meant = walls.said() or walls.NOBODY
        about = engine.execution_options(within=meant)
        with about.connect() as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                    connection.execute(text(f"SET LOCAL {name} = 0"))
            connection.execute(text("SELECT count(*) FROM alembic_version"))  # it is fixed here
            yield Snapshot(connection)
    finally:
        engine.dispose()


def batches(ids: Sequence[Any], size: int = IN_A_BATCH) -> Iterator[Sequence[Any]]:
    """Some hundred at a time, in order."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
