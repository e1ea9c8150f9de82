"""Hot statements on PostgreSQL: each goes in one trip, as a transaction of its own.

They use the driver's wrapper of libpq and its adapters, without its cursor; what that is worth:
`benchmarks/README.md`.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from queue import Empty, SimpleQueue
from threading import Lock
from time import monotonic
from typing import Any

import orjson
import psycopg
from psycopg import errors
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.types.json import JsonDumper
from sqlalchemy import Engine, Select, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, OperationalError, TimeoutError as PoolTimeout

from api.config import settings
from api.db.engines import FREE_S, OLD_S, SPARE, has_ended, one_trip_pool, watchers
from api.paging import Values

PREPARED = 200
"""How many statements one connection keeps prepared."""


class Unsent(OperationalError):
    """No line could be had: the statement was not sent."""


@dataclass(frozen=True)
class Trip:
    """A statement ready for the driver: its text, and the names of its values in their order.

    `query` is the text as it is sent.
    """

    text: str
    query: bytes
    order: tuple[str, ...]
    fixed: Values


def prepare_trip(statement: Select[Any]) -> Trip:
    """A Core statement compiled for `in_one_trip`, once."""
    dialect: Any = postgresql.dialect
    made = statement.compile(dialect=dialect(paramstyle="numeric_dollar"))
    assert not made.literal_execute_params, "such values are not known yet: literal_column"
    fixed = {name: bound.value for name, bound in made.binds.items()}
    return Trip(str(made), str(made).encode(), tuple(made.positiontup or ()), fixed)


def in_one_trip(trip: Trip, values: Values) -> list[Any]:
    """The rows of one prepared statement: one trip, its own transaction."""
    full = {**trip.fixed, **values}
    return sent(trip, [full[name] for name in trip.order])


def sent(trip: Trip, values: Iterable[Any]) -> list[Any]:
    """The same for values in the order of the statement."""
    pool = one_trip_pool()
    assert pool is not None
    lines = _lines(pool)
    try:
        line = lines.take()
    except psycopg.Error as problem:
        raise Unsent(trip.text, None, problem) from problem
    try:
        for watcher in watchers:
            watcher(trip.text)
        rows = line.ask(trip.query, [*values])
    except BaseException as problem:
        lines.give_up(line)  # what it has prepared may be what was refused
        if isinstance(problem, psycopg.Error):
            raise _told(trip, problem) from problem
        raise
    lines.put_back(line)
    return rows


def _told(trip: Trip, problem: psycopg.Error) -> Exception:
    """The driver's refusal as SQLAlchemy's own, as all other statements raise it."""
    return DBAPIError.instance(trip.text, None, problem, psycopg.Error)


class _Written(JsonDumper):
    """How a dict or a list goes: as JSON."""

    _dumps = orjson.dumps


class Line:
    """One connection: what it has prepared, and how values go over it and come back."""

    def __init__(self, connection: Any, lent: Any = None) -> None:
        self.lent = lent
        self.old_at = monotonic() + OLD_S
        self.libpq = connection.pgconn
        for kind in (dict, list):
            connection.adapters.register_dumper(kind, _Written)
        self.adapting = Transformer(connection)
        self.prepared: OrderedDict[tuple[bytes, tuple[int, ...]], bytes] = OrderedDict()
        self.made = 0

    @property
    def is_free(self) -> bool:
        """Whether nothing is under way, and the server is still there."""
        return bool(self.libpq.transaction_status == TransactionStatus.IDLE)

    def close(self) -> None:
        """End it, and leave its place in the engine's pool."""
        self.lent.invalidate()
        self.lent.close()

    def ask(self, query: bytes, values: list[Any]) -> list[tuple[Any, ...]]:
        """The rows that are answered; raises `psycopg.Error`."""
        adapting = self.adapting
        given = adapting.dump_sequence(values, [PyFormat.AUTO] * len(values))
        name = self._prepared(query, adapting.types or ())
        answer = self.libpq.exec_prepared(name, given, adapting.formats)
        self._refuse_unless(ExecStatus.TUPLES_OK, answer)
        adapting.set_pgresult(answer)
        try:
            return adapting.load_rows(0, answer.ntuples, tuple)
        finally:
            adapting.set_pgresult(None)  # what was read lies here no longer than it is needed

    def _prepared(self, query: bytes, types: tuple[int, ...]) -> bytes:
        # A value that is None has no type of its own: the same text is prepared for each kind.
        key = query, types
        name = self.prepared.get(key)
        if name is None:
            name = self._prepare(key)
        self.prepared.move_to_end(key)
        return name

    def _prepare(self, key: tuple[bytes, tuple[int, ...]]) -> bytes:
        if len(self.prepared) >= PREPARED:
            _, oldest = self.prepared.popitem(last=False)
            self._refuse_unless(ExecStatus.COMMAND_OK, self.libpq.exec_(b"DEALLOCATE " + oldest))
        self.made += 1
        name = b"trip_%d" % self.made
        self._refuse_unless(ExecStatus.COMMAND_OK, self.libpq.prepare(name, *key))
        self.prepared[key] = name
        return name

    def _refuse_unless(self, wanted: ExecStatus, answer: Any) -> None:
        if answer.status != wanted:
            if not self.is_free:
                raise psycopg.OperationalError(answer.get_error_message())
            raise errors.error_from_result(answer)


class Lines:
    """The lines of an engine, each asked by one at a time; the one put back last is taken first.

    The engine's pool makes and ends them. They stay here between two requests, for its own lending
    does much that a statement in one trip needs not; what that is worth: `benchmarks/README.md`.
    """

    def __init__(self, pool: Engine) -> None:
        self.pool = pool
        self.places: SimpleQueue[None] = SimpleQueue()
        for _ in range(settings().threads + SPARE):
            self.places.put(None)
        self.idle: deque[Line] = deque()
        event.listen(pool, "engine_disposed", lambda _pool: self.end())

    def take(self) -> Line:
        """A line that is there; raises `psycopg.Error` when none can be made, and SQLAlchemy's
        `TimeoutError` when none is free."""
        try:
            self.places.get(timeout=FREE_S)
        except Empty:
            raise PoolTimeout(f"no line was free within {FREE_S} s") from None
        try:
            return self._waiting() or self._made()
        except BaseException:
            self.places.put(None)
            raise

    def _waiting(self) -> Line | None:
        """One that waits to be asked; those that can't be any more are closed."""
        while True:
            try:
                line = self.idle.pop()
            except IndexError:
                return None
            if monotonic() < line.old_at and not has_ended(line.libpq):
                return line
            line.close()

    def _made(self) -> Line:
        lent = self.pool.raw_connection()
        return Line(lent.driver_connection, lent)

    def put_back(self, line: Line) -> None:
        """Let others take it; the one that nobody took for longest is closed when it is old."""
        self.idle.append(line)
        try:
            with suppress(IndexError):
                if self.idle[0].old_at <= monotonic():
                    self.idle.popleft().close()
        finally:
            self.places.put(None)

    def give_up(self, line: Line) -> None:
        """Close it; another one may be made in its place."""
        try:
            line.close()
        finally:
            self.places.put(None)

    def end(self) -> None:
        """Close those that nobody uses."""
        with suppress(IndexError):
            while True:
                self.idle.pop().close()


_making = Lock()
_made_of = lru_cache(1)(Lines)


def _lines(pool: Engine) -> Lines:
    """The lines of an engine; of many who ask first, one makes them."""
    with _making:
        return _made_of(pool)
