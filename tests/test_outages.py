"""The database goes away, is full or has no line left: refused soon, and answered again after it.

The outages of a served clinic happen once each; `make faults` has them happen again and again.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Engine, event, make_url, text

from api import config, db
from api.db import engines, trips
from tests import outages
from tests.builders import Scene
from tests.conftest import use_database

WAIT_S = 3.0
"""Two seconds for a line, and what a busy machine takes."""
TIMES = 3


def test_sigterm_ends_nothing_that_is_under_way_on_sqlite() -> None:
    [told] = outages.on_sqlite(1)
    assert "all answered" in told


def test_postgresql_away_cut_off_and_back(postgres_url: str) -> None:
    cut, down, kept, ended = outages.on_postgres(1)
    assert "refused within" in cut and "refused within" in down
    assert kept.endswith("0 lost") and not kept.startswith("0 ")
    assert "all answered" in ended


@pytest.fixture
def lines(app: Flask, database: str) -> Iterator[list[Engine]]:
    """The pools of this process, fresh; they are closed afterwards."""
    use_database(config.settings().url)
    yield [db.engine(), *filter(None, [db.one_trip_pool()])]
    use_database(config.settings().url)


@contextmanager
def all_taken(pools: list[Engine]) -> Iterator[None]:
    """Somebody holds every line of every pool."""
    with ExitStack() as held:
        for pool in pools:
            size = pool.pool.size() + pool.pool._max_overflow  # type: ignore[attr-defined]
            for _ in range(size):
                if pool is db.one_trip_pool():
                    lines = trips._lines(pool)
                    held.callback(lines.put_back, lines.take())
                else:
                    held.callback(pool.raw_connection().close)
        yield


def test_without_a_free_line_a_request_is_refused_soon_and_answered_again_after_it(
    scene: Scene, call: Callable[[str], Any], lines: list[Engine]
) -> None:
    path = f"/patients/{scene.patient['id']}"
    for _ in range(TIMES):
        assert call("CT").get(path).status_code == 200
        db.leave_store()
        with all_taken(lines):
            for ask in (
                lambda: call("CT").get(path),
                lambda: call("CT").get(f"{path}/goals"),
                lambda: call("PS").post(f"{path}/moments", {"text": "A word."}),
            ):
                begins = monotonic()
                answer = ask()
                assert answer.status_code == 503 and "Retry-After" in answer.headers
                assert monotonic() - begins < WAIT_S
        assert call("PS").post(f"{path}/moments", {"text": "A word."}).status_code == 201


def test_a_line_that_ended_while_nobody_used_it_costs_no_request(
    on_postgres_alone: None,
    postgres_url: str,
    scene: Scene,
    call: Callable[[str], Any],
    lines: list[Engine],
) -> None:
    path = f"/patients/{scene.patient['id']}"
    for ask, status in (
        (lambda: call("CT").get(path), 200),
        (lambda: call("CT").get(f"{path}/goals"), 200),
        (lambda: call("PS").post(f"{path}/moments", {"text": "A word."}), 201),
    ):
        for _ in range(TIMES):
            assert ask().status_code == status
            db.leave_store()
            assert ended(postgres_url) > 0
            assert ask().status_code == status


def ended(url: str) -> int:
    """Ends the lines to a database as its restart does; how many there were."""
    where = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(where, autocommit=True) as mine:
        [[count]] = mine.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user"
            " AND pid <> pg_backend_pid()"
        )
    return int(count)


@pytest.fixture
def full(on_sqlite_alone: None, app: Flask) -> Iterator[Callable[[bool], None]]:
    """`full(True)` leaves the file no page more than it has; `full(False)` gives it room."""
    state = {"full": False}

    def limit(connection: Any, *_rest: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        most = pages if state["full"] else 2**30
        connection.execute(f"PRAGMA max_page_count={most}")

    def set_full(is_full: bool) -> None:
        state["full"] = is_full
        use_database(config.settings().url)
        event.listen(db.engine(), "checkout", limit)

    yield set_full
    use_database(config.settings().url)


def test_a_full_disk_refuses_writes_keeps_what_was_answered_and_needs_no_restart(
    scene: Scene, call: Callable[[str], Any], full: Callable[[bool], None]
) -> None:
    path, kept = f"/patients/{scene.patient['id']}/moments", []
    for _ in range(TIMES):
        full(True)
        statuses = []
        while 503 not in statuses:
            answer = call("PS").post(path, {"text": "A word. " * 60})
            statuses.append(answer.status_code)
            kept += [answer.json["id"]] if answer.status_code == 201 else []
            assert len(statuses) < 2000
        assert set(statuses) <= {201, 503} and "Retry-After" in answer.headers
        assert call("PS").get(path).status_code in (200, 503)  # 503 where no line can be written
        full(False)
        kept.append(call("PS").post(path, {"text": "Room again."}).json["id"])
    for one in kept:
        assert call("PS").get(f"/moments/{one}").status_code == 200
    with db.transaction() as store:
        assert store.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        assert store.execute(text("PRAGMA foreign_key_check")).all() == []


def test_a_line_on_which_nothing_is_heard_ends_within_five_seconds(postgres_url: str) -> None:
    wire = outages.Wire(outages.place_of(postgres_url))
    wire.mend()
    over_it = make_url(postgres_url).set(host="127.0.0.1", port=wire.port, query={})
    made = engines.make_engine(over_it.render_as_string(hide_password=False))
    try:
        with made.connect() as connection:
            driver = connection.connection.driver_connection
            with socket.socket(fileno=os.dup(driver.fileno())) as line:  # type: ignore[union-attr]
                silent = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                alive = line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                idle = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        assert 0 < silent <= 5000 and alive and 0 < idle <= 30
    finally:
        made.dispose()
        wire.cut()
