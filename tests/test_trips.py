"""Hot statements on PostgreSQL without the driver's cursor: the same rows, the same refusals."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from threading import Barrier
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings as drawing, strategies as st
from psycopg.types.json import Json
from sqlalchemy import String, Uuid, bindparam, event, literal_column, make_url, select
from sqlalchemy.exc import DataError, DBAPIError, OperationalError, TimeoutError as PoolTimeout

from api import db
from api.config import settings
from api.db import trips
from tests import outages
from tests.conftest import use_database

pytestmark = pytest.mark.usefixtures("on_postgres_alone")
NO_NUL = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "uuid": st.uuids(),
    "text": NO_NUL,
    "bytea": st.binary(),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "date": st.dates(),
    "timestamptz": st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    "jsonb": st.dictionaries(NO_NUL, st.none() | st.integers(-9, 9) | NO_NUL).map(Json),
}
ROWS = st.lists(st.tuples(*(st.none() | one for one in VALUES.values())), min_size=1, max_size=4)
SLEEP = "coalesce(length(pg_sleep(0.01)::text), 0)"
QUERY = "SELECT " + ", ".join(f"${n}::{kind}" for n, kind in enumerate(VALUES, 1))


@pytest.fixture
def connection(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    where = postgres_url.replace("+psycopg", "")
    with psycopg.connect(where, autocommit=True) as made:
        yield made


@pytest.fixture
def fresh(app: Any, database: str, postgres_url: str) -> Iterator[None]:
    """Lines of this test alone."""
    use_database(postgres_url)
    yield
    use_database(postgres_url)


def test_values_go_and_come_as_they_do_by_the_drivers_cursor(
    connection: psycopg.Connection[Any],
) -> None:
    line = trips.Line(connection)

    @drawing(suppress_health_check=[HealthCheck.too_slow])
    @given(ROWS)
    def check(rows: list[tuple[Any, ...]]) -> None:
        for row in rows:
            cursor = psycopg.RawCursor(connection)
            assert line.ask(QUERY.encode(), [*row]) == cursor.execute(QUERY, row).fetchall()

    check()


def test_dicts_and_lists_go_as_json(connection: psycopg.Connection[Any], postgres_url: str) -> None:
    class Named(dict[str, Any]):
        """A kind of dict."""

    line, query = trips.Line(connection), "SELECT $1::jsonb, $1::json::text"
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as other:
        for value in ({}, {"a": [1, None, "ä"]}, [], [1, "x"], [{"b": 1.5}], Named(c=True)):
            [(meant, _)] = psycopg.RawCursor(other).execute(query, [Json(value)]).fetchall()
            [(told, text)] = line.ask(query.encode(), [value])
            assert told == meant == json.loads(text) == value


def test_many_rows_come_in_their_order(connection: psycopg.Connection[Any]) -> None:
    query = b"SELECT n, repeat('x', n) FROM generate_series(1, $1::int) AS n"
    line = trips.Line(connection)
    assert line.ask(query, [500]) == [(n, "x" * n) for n in range(1, 501)]
    assert line.ask(query, [0]) == []


def test_what_was_prepared_longest_ago_makes_room(connection: psycopg.Connection[Any]) -> None:
    line = trips.Line(connection)
    for number in range(trips.PREPARED + 5):
        assert line.ask(b"SELECT %d" % number, []) == [(number,)]
        assert line.ask(b"SELECT 0", []) == [(0,)]  # in use, and kept
    there = {name for (name,) in connection.execute("SELECT statement FROM pg_prepared_statements")}
    assert len(line.prepared) == trips.PREPARED
    assert "SELECT 0" in there and "SELECT 1" not in there
    assert {query.decode() for query, _ in line.prepared} <= there


def kept() -> trips.Lines:
    """The lines of this process."""
    pool = db.one_trip_pool()
    assert pool is not None
    return trips._lines(pool)


def there(url: str) -> set[int]:
    """The lines to the database of the tests, by their processes there."""
    where = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(where) as mine:
        rows = mine.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND usename = current_user AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in rows}


PID = select(literal_column("pg_backend_pid()"))


def test_whoever_asks_one_after_another_shares_a_line(fresh: None) -> None:
    pid = db.prepare_trip(PID)
    assert len({db.in_one_trip(pid, {})[0] for _ in range(20)}) == 1


def test_no_line_is_asked_by_two_at_once_and_no_more_are_made_than_may_be(
    fresh: None, postgres_url: str
) -> None:
    slow = db.prepare_trip(select(literal_column("pg_backend_pid()"), literal_column(SLEEP)))
    most = settings().threads + trips.SPARE
    with ThreadPoolExecutor(2 * most) as askers:
        told = [*askers.map(lambda _: db.in_one_trip(slow, {})[0][0], range(10 * most))]
    assert len(told) == 10 * most
    assert 1 < len({*told}) <= most and {*told} <= there(postgres_url)


def test_whoever_finds_no_line_free_is_refused_and_the_next_is_not(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trips, "FREE_S", 0.05)
    lines, pid = kept(), db.prepare_trip(PID)
    held = [lines.take() for _ in range(settings().threads + trips.SPARE)]
    assert len({line.libpq.backend_pid for line in held}) == len(held)
    with pytest.raises(PoolTimeout):
        db.in_one_trip(pid, {})
    lines.put_back(held.pop())
    assert db.in_one_trip(pid, {})
    for line in held:
        lines.put_back(line)


def test_whatever_goes_wrong_costs_no_place(
    given_up: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid, times = db.prepare_trip(PID), 2 * (settings().threads + trips.SPARE)

    def fail(_text: str) -> None:
        raise RuntimeError("Snow.")

    monkeypatch.setattr(trips, "FREE_S", 0.05)
    with monkeypatch.context() as one:
        one.setattr(trips, "watchers", [fail])
        for _ in range(times):
            with pytest.raises(RuntimeError):
                db.in_one_trip(pid, {})
    assert len(given_up) == times
    assert db.in_one_trip(pid, {})


def test_of_those_who_ask_first_one_makes_the_lines(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, begin = [], Barrier(8)

    class Slow(trips.Lines):
        def __init__(self, pool: Any) -> None:
            sleep(0.02)
            made.append(self)
            super().__init__(pool)

    monkeypatch.setattr(trips, "_made_of", lru_cache(1)(Slow))
    pool = db.one_trip_pool()
    assert pool is not None

    def ask(_number: int) -> trips.Lines:
        begin.wait()
        return trips._lines(pool)

    with ThreadPoolExecutor(8) as askers:
        assert {*askers.map(ask, range(8))} == {*made}
    assert len(made) == 1


def test_a_line_that_waits_is_taken_before_one_is_made(given_up: list[Any]) -> None:
    pid, wrong = db.prepare_trip(PID), db.prepare_trip(select(literal_column("1 / 0")))
    lines = kept()
    first, second = lines.take(), lines.take()
    lines.put_back(first)
    lines.put_back(second)
    with pytest.raises(DataError):
        db.in_one_trip(wrong, {})
    assert db.in_one_trip(pid, {}) == [(first.libpq.backend_pid,)]


def test_an_old_line_is_replaced(given_up: list[Any]) -> None:
    pid = db.prepare_trip(PID)
    before = db.in_one_trip(pid, {})
    line = kept().take()
    line.old_at = 0.0
    kept().put_back(line)
    after = db.in_one_trip(pid, {})
    assert after != before and len(given_up) == 1
    assert db.in_one_trip(pid, {}) == after


def test_old_lines_that_nobody_takes_are_closed(given_up: list[Any]) -> None:
    lines, pid = kept(), db.prepare_trip(PID)
    first, second = lines.take(), lines.take()
    lines.put_back(first)
    lines.put_back(second)
    first.old_at = 0.0
    assert db.in_one_trip(pid, {}) == [(second.libpq.backend_pid,)]
    assert [*lines.idle] == [second] and len(given_up) == 1


def test_lines_are_closed_with_their_engine(fresh: None, postgres_url: str) -> None:
    pid = db.prepare_trip(PID)
    [[mine]] = db.in_one_trip(pid, {})
    assert mine in there(postgres_url)
    kept().pool.dispose()
    until = monotonic() + 5
    while mine in there(postgres_url) and monotonic() < until:
        sleep(0.02)  # the server's process ends a moment after its line
    assert mine not in there(postgres_url)
    [[after]] = db.in_one_trip(pid, {})
    assert after != mine


def test_a_line_that_cannot_be_made_costs_no_place(fresh: None, postgres_url: str) -> None:
    wire = outages.Wire(outages.place_of(postgres_url))
    over_it = make_url(postgres_url).set(host="127.0.0.1", port=wire.port, query={})
    use_database(over_it.render_as_string(hide_password=False))
    pid = db.prepare_trip(PID)
    for _ in range(2 * (settings().threads + trips.SPARE)):
        with pytest.raises(OperationalError):
            db.in_one_trip(pid, {})
    wire.mend()
    try:
        assert db.in_one_trip(pid, {})
    finally:
        wire.cut()


def test_a_refused_statement_says_why_and_the_next_is_answered(fresh: None) -> None:
    wrong = db.prepare_trip(select(literal_column("1 / 0")))
    right = db.prepare_trip(select(literal_column("42")))
    with pytest.raises(DataError) as problem:
        db.in_one_trip(wrong, {})
    assert problem.value.orig is not None
    assert getattr(problem.value.orig, "sqlstate", None) == "22012"
    assert db.in_one_trip(right, {}) == [(42,)]


def test_what_no_text_can_hold_is_refused_before_it_is_sent(fresh: None) -> None:
    trip = db.prepare_trip(select(bindparam("said", type_=String)))
    assert db.in_one_trip(trip, {"said": "Snow"}) == [("Snow",)]
    with pytest.raises(DBAPIError):
        db.in_one_trip(trip, {"said": "Sn\0w"})
    assert db.in_one_trip(trip, {"said": "Snow again"}) == [("Snow again",)]


@pytest.fixture
def given_up(fresh: None) -> list[Any]:
    """The lines that were given up, as they are."""
    seen: list[Any] = []
    pool = db.one_trip_pool()
    assert pool is not None
    event.listen(pool, "invalidate", lambda line, *_rest: seen.append(line))
    return seen


def test_a_line_that_ends_while_it_is_asked_is_given_up(given_up: list[Any]) -> None:
    own = db.prepare_trip(select(literal_column("pg_terminate_backend(pg_backend_pid())")))
    with pytest.raises(OperationalError):
        db.in_one_trip(own, {})
    assert len(given_up) == 1


def test_a_line_that_is_cut_while_it_is_asked_is_given_up(
    fresh: None, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = outages.Wire(outages.place_of(postgres_url))
    wire.mend()
    over_it = make_url(postgres_url).set(host="127.0.0.1", port=wire.port, query={})
    use_database(over_it.render_as_string(hide_password=False))
    pid = db.prepare_trip(select(literal_column("pg_backend_pid()")))
    before = db.in_one_trip(pid, {})
    try:
        # Told between the look at the line and what is sent over it.
        monkeypatch.setattr(trips, "watchers", [lambda _text: wire.cut()])
        with pytest.raises(OperationalError):
            db.in_one_trip(pid, {})
        with pytest.raises(OperationalError):  # no line is left, and none can be had
            db.in_one_trip(pid, {})
        monkeypatch.undo()
        wire.mend()
        assert db.in_one_trip(pid, {}) != before
    finally:
        wire.cut()


def test_a_line_that_lost_what_it_had_prepared_fails_once(given_up: list[Any]) -> None:
    trip = db.prepare_trip(select(literal_column("7")))
    assert db.in_one_trip(trip, {}) == [(7,)]
    lines = kept()
    line = lines.take()
    line.libpq.exec_(b"DEALLOCATE ALL")
    lines.put_back(line)
    with pytest.raises(DBAPIError):
        db.in_one_trip(trip, {})
    assert len(given_up) == 1
    assert db.in_one_trip(trip, {}) == [(7,)]


def test_lines_that_end_as_soon_as_they_are_made_are_told_as_the_databases(
    fresh: None, connection: psycopg.Connection[Any]
) -> None:
    pid = db.prepare_trip(select(literal_column("pg_backend_pid()")))
    db.in_one_trip(pid, {})

    def end(made: Any, _record: Any) -> None:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [made.info.backend_pid])

    for pool in (db.one_trip_pool(), db.engine()):
        assert pool is not None
        pool.dispose()
        event.listen(pool, "connect", end)
    with pytest.raises(OperationalError):
        db.in_one_trip(pid, {})
    assert not db.reachable()


def test_nothing_that_was_read_stays_on_a_line(connection: psycopg.Connection[Any]) -> None:
    line = trips.Line(connection)
    line.ask(b"SELECT $1::text", ["Snow"])
    assert line.adapting.pgresult is None


def test_values_that_are_the_statements_own_need_not_be_given(fresh: None) -> None:
    one = bindparam("id", UUID(int=1), type_=Uuid)
    trip = db.prepare_trip(select(literal_column("1")).where(one == UUID(int=1)))
    assert db.in_one_trip(trip, {}) == [(1,)]
    assert db.in_one_trip(trip, {"id": UUID(int=2)}) == []
