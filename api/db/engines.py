"""The engine: one a process, with the pragmas, waits and transactions that keep records safe."""

import sqlite3
from collections.abc import Callable
from functools import cache
from time import monotonic, sleep
from typing import Any

import orjson
import psycopg
from psycopg.types.string import TextLoader
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError

from api.config import settings
from api.db import walls

FREE_S = 2.0
"""Seconds that somebody waits for a free line."""
SPARE, OLD_S = 2, 1800.0
"""How many lines there may be beside one for each thread, and how many seconds old one may grow
(PostgreSQL)."""
TURN_S = 5.0
"""Seconds that a transaction on SQLite waits for its turn."""
TURN_LOOK_S = (0.0005, 0.004)
"""How soon it is asked for again: at first, and at the latest."""
SYNCHRONOUS = "synchronous=FULL"
"""What was answered is on the disk, and outlasts a power cut."""
ALWAYS = ("foreign_keys=ON", "secure_delete=ON")
"""What is freed in a file is overwritten at once: a key leaves copies behind wherever a page is
divided, long before it is destroyed. Debian's SQLite does so unasked, others don't."""
READ_COMMITTED, REPEATABLE_READ = r"read\ committed", r"repeatable\ read"
"""How a transaction sees others, as the server is told when we connect: BEGIN is ours, so that the
driver says none."""
watchers: list[Callable[[str], None]] = []
"""Told of every statement that goes to the database; tests count round trips with it."""


def make_engine(
    url: str, pool: int = 4, plan: str = "auto", isolation: str = READ_COMMITTED, **more: Any
) -> Engine:
    """An engine with the pragmas, waits and transactions that keep records safe."""
    if url.startswith("sqlite"):
        engine = create_engine(
            url,
            pool_size=pool,
            max_overflow=pool,
            pool_timeout=FREE_S,
            hide_parameters=True,  # an error's text must not quote what was written
            json_deserializer=orjson.loads,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        url,
        pool_size=pool,
        max_overflow=SPARE,
        pool_timeout=FREE_S,
        pool_recycle=int(OLD_S),
        hide_parameters=True,  # an error's text must not quote what was written
        json_deserializer=orjson.loads,
        **more,
        connect_args={
            "connect_timeout": 5,
            "tcp_user_timeout": 5000,  # ms; else a line that was cut silently holds for minutes
            **{"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2},
            "options": "-c statement_timeout=5000 -c lock_timeout=2000 -c timezone=UTC"
            f" -c idle_in_transaction_session_timeout=10000 -c jit=off -c plan_cache_mode={plan}"
            f" -c default_transaction_isolation={isolation} {walls.SEARCH_PATH}",
        },
    )
    event.listen(engine, "connect", _leave_begin_to_us)
    event.listen(engine, "checkout", _refuse_ended)
    event.listen(engine, "begin", _begin_postgres)
    return engine


def _leave_begin_to_us(connection: Any, record: Any) -> None:
    """The driver's own BEGIN would be a trip of its own; ours tells whose rows are meant."""
    connection.autocommit = True
    record.info["fresh"] = True


def _refuse_ended(connection: Any, record: Any, _proxy: Any) -> None:
    """A line that ended while nobody used it is replaced before a request is put on it.

    One that was made just now is not looked at: were it refused too, the pool would give up with
    an error that is none of the database's.
    """
    if not record.info.pop("fresh", False) and has_ended(connection.pgconn):
        raise DisconnectionError


def has_ended(libpq: Any) -> bool:
    """Whether PostgreSQL ended a line while nobody used it.

    Looks without a trip: what the server said when it ended the line comes first, its end second.
    """
    try:
        libpq.consume_input()
        libpq.consume_input()
    except psycopg.Error:
        return True
    return False


def _begin_postgres(connection: Connection) -> None:
    about: walls.Within = connection.get_execution_options().get("within", walls.NOBODY)
    tell(connection, about.beginning())


def tell(connection: Connection, words: str) -> None:
    """Send words of ours, several statements perhaps, that answer nothing (PostgreSQL)."""
    try:
        driver: Any = connection.connection.driver_connection
        driver.execute(words, prepare=False)
    except psycopg.Error as problem:
        connection.invalidate()
        raise DBAPIError.instance(words, None, problem, psycopg.Error) from problem


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("busy_timeout=5000", "journal_mode=WAL", SYNCHRONOUS, *ALWAYS):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA busy_timeout=0")  # from here on we wait ourselves


def _begin_sqlite(connection: Connection) -> None:
    """Begin as a writer: a deferred transaction that reads first fails when another writes."""
    take_turn(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"))


def take_turn(begin: Callable[[], Any]) -> None:
    """Begin as a writer, when it is our turn on SQLite.

    SQLite's own waiting sleeps longer and longer, up to a tenth of a second, while most turns take
    a few thousandths: asking again soon is what keeps several processes busy.
    """
    until = monotonic() + TURN_S
    pause, longest = TURN_LOOK_S
    while True:
        try:
            begin()
            return
        except (OperationalError, sqlite3.OperationalError) as problem:
            if not _is_busy(problem) or monotonic() > until:
                raise
            sleep(pause)
            pause = min(2 * pause, longest)


def _is_busy(problem: Exception) -> bool:
    told = getattr(problem, "orig", problem)
    return str(getattr(told, "sqlite_errorname", "")).startswith("SQLITE_BUSY")


@cache
def engine() -> Engine:
    """The engine of this process, for the database that the settings name."""
    made = make_engine(settings().url, settings().threads)
    event.listen(made, "before_cursor_execute", _tell_watchers)
    return made


def _tell_watchers(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    for watcher in watchers:
        watcher(statement)


def reading_engine() -> Engine:
    """An engine for one long read of one moment, to be disposed of; it keeps nobody waiting.

    It reads the replica, or as the role for research, where the settings name one
    (`REPLICA_URL`, `RESEARCH_DATABASE_URL`).
    """
    url = settings().replica_url or settings().research_url or settings().url
    if not url.startswith("sqlite"):
        return make_engine(url, 1, isolation=REPEATABLE_READ)
    made = create_engine(url, json_deserializer=orjson.loads)
    event.listen(made, "connect", _prepare_sqlite)
    event.listen(made, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return made


def keeping_engine() -> Engine:
    """An engine that writes as the role for research, where the settings name one; to be disposed
    of."""
    return make_engine(settings().research_url or settings().url, 1)


@cache
def one_trip_pool() -> Engine | None:
    """The autocommit engine of hot reads on PostgreSQL; None on SQLite, which has no such trip."""
    if not settings().url.startswith("postgresql"):
        return None
    made = make_engine(
        settings().url,
        settings().threads,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,  # each statement is a transaction of its own
        plan="force_generic_plan",  # a plan for its values costs more than the statement
    )
    event.listen(made, "connect", _leave_json_to_us)
    return made


def _leave_json_to_us(connection: Any, _record: Any) -> None:
    """What is JSON comes as text: some of it is sent on as it is."""
    connection.adapters.register_loader("json", TextLoader)


MEETS_ANOTHER = ("23503", "23505")
"""SQLSTATE of a foreign key and of a UNIQUE that would not hold."""
MEETS_ANOTHER_SQLITE = ("FOREIGNKEY", "UNIQUE", "PRIMARYKEY")


def meets_another(problem: Exception) -> bool:
    """Whether a write was refused for a row that is there, or for one that is not.

    Which row it is, and whose, the answer must not tell.
    """
    origin = getattr(problem, "orig", None)
    name = str(getattr(origin, "sqlite_errorname", ""))
    return getattr(origin, "sqlstate", None) in MEETS_ANOTHER or name.endswith(MEETS_ANOTHER_SQLITE)


def reachable() -> bool:
    """Whether the database answers."""
    try:
        with engine().connect() as connection:
            connection.execute(text("SELECT 1"))
        return True
    except DBAPIError:
        return False


def schema_version() -> str | None:
    """The migration the database stands at, or None when there is none."""
    try:
        with engine().connect() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return None if found is None else str(found)
    except DBAPIError:
        return None
