"""A snapshot: the database as it stood at one moment, read in a transaction of its own.

On PostgreSQL it is REPEATABLE READ and read only, on SQLite a reader of the write-ahead log; both
see nothing of what is written meanwhile, and keep nobody from writing.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, Table, text

from api.db import Values, reading_engine, reveal, transaction, walls
from api.errors import Unavailable

AT_ONCE = 2000
"""Rows that are fetched at once."""
IN_A_BATCH = 500
"""Patients whose rows are looked up at once."""
REPLAY_S: Final = 60.0
"""How long a replica is waited for; a release is never of an older moment than its request."""
LOOK_S: Final = 0.1


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
        if engine.dialect.name == "postgresql":
            _await_replay(engine)
        about = engine.execution_options(within=walls.said() or walls.NOBODY)
        with about.connect() as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                    connection.execute(text(f"SET LOCAL {name} = 0"))
            connection.execute(text("SELECT count(*) FROM alembic_version"))  # it is fixed here
            yield Snapshot(connection)
    finally:
        engine.dispose()


def _await_replay(engine: Engine) -> None:
    """Wait until a replica has what the primary has committed; raises `Unavailable` if it lags."""
    with transaction() as store:
        row = store.row(text("SELECT pg_current_wal_insert_lsn()::text AS at"))  # type: ignore[arg-type]
    asked = text(
        "SELECT NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= CAST(:at AS pg_lsn)"
    )
    until = monotonic() + REPLAY_S
    while True:
        with engine.connect() as connection:
            if connection.execute(asked, row).scalar():
                return
        if monotonic() > until:
            raise Unavailable("The replica is behind.")
        sleep(LOOK_S)


def batches(ids: Sequence[Any], size: int = IN_A_BATCH) -> Iterator[Sequence[Any]]:
    """Some hundred at a time, in order."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
