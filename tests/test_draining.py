"""A server that is told to end says first that it is not ready, and serves on until it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from flask import Flask

from api import config, draining
from api.errors import Unsafe
from tests import faults, fuzz

HOUSE = Path(__file__).parents[1]
PATIENCE_S = 60
DRAINS_S = 4
LONG_S = 50
SERVE = [sys.executable, "-m", "flask", "--app", "wsgi", "serve"]


class Served:
    """A server of the tests' database, in test mode; `beside` has it supervised."""

    def __init__(self, drains_s: int, beside: bool) -> None:
        self.port = faults.free_port()
        env = os.environ | {"PORT": str(self.port), "DRAIN_S": str(drains_s), "WEB_WORKERS": "2"}
        env |= {"METRICS_PORT": str(faults.free_port())} if beside else {}
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(SERVE, env=env, cwd=HOUSE, stdout=quiet, stderr=quiet)
        fuzz.wait_for(f"http://127.0.0.1:{self.port}/readyz", self.process)

    def ask(self, path: str) -> int:
        link = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            link.request("GET", path)
            return link.getresponse().status
        finally:
            link.close()

    def says(self, path: str, status: int, within_s: float) -> bool:
        ends = time.monotonic() + within_s
        while self.ask(path) != status:
            if time.monotonic() > ends:
                return False
            time.sleep(0.05)
        return True


@contextmanager
def served(drains_s: int, beside: bool = False) -> Iterator[Served]:
    made = Served(drains_s, beside)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def test_told_to_end_it_is_not_ready_serves_on_and_ends(application: Flask) -> None:
    with served(DRAINS_S) as it:
        assert it.ask("/readyz") == 200
        it.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert it.says("/readyz", 503, 2)
        while time.monotonic() - began < DRAINS_S / 2:  # whichever process answers
            assert (it.ask("/readyz"), it.ask("/livez")) == (503, 200)
            assert it.ask("/.well-known/jwks.json") == 200
            time.sleep(0.1)
        assert it.process.wait(PATIENCE_S) == 0
        assert time.monotonic() - began >= DRAINS_S
    assert [*config.settings().data.glob("draining-*")] == []


@pytest.mark.parametrize(("beside", "second"), [(False, signal.SIGTERM), (True, signal.SIGINT)])
def test_told_again_it_ends_at_once(
    on_sqlite_alone: None, application: Flask, beside: bool, second: int
) -> None:
    with served(LONG_S, beside) as it:
        it.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert it.says("/readyz", 503, 2)
        it.process.send_signal(second)
        assert it.process.wait(PATIENCE_S) == 0
        assert time.monotonic() - began < LONG_S


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[int]]:
    """What would end a server notes down that it was asked to."""
    asked: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    monkeypatch.setenv(draining.MARK, "")
    monkeypatch.setenv("FRESHTRAIL_DATA", str(tmp_path))
    config.settings.cache_clear()
    yield asked
    signal.signal(signal.SIGTERM, before)
    monkeypatch.undo()
    config.settings.cache_clear()


def until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_the_mark_is_there_while_it_drains_and_gone_when_it_ended(ended: list[int]) -> None:
    drain = draining.Drain(1)
    drain.install()
    assert not draining.is_draining()
    os.kill(os.getpid(), signal.SIGTERM)
    until(draining.is_draining)
    assert ended == []
    until(lambda: ended)
    drain.forget()
    assert ended == [signal.SIGTERM] and not draining.is_draining()


def test_where_there_is_no_room_for_the_mark_it_ends_at_once(
    ended: list[int], tmp_path: Path
) -> None:
    drain = draining.Drain(PATIENCE_S)
    drain.install()
    tmp_path.rmdir()
    os.kill(os.getpid(), signal.SIGTERM)
    until(lambda: ended)
    assert ended == [signal.SIGTERM] and not draining.is_draining()
    drain.forget()


def test_a_server_that_nobody_told_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(draining.MARK, raising=False)
    assert not draining.is_draining()


def test_production_drains_unless_it_is_told_otherwise() -> None:
    told = [
        config.from_environment({"FRESHTRAIL_MODE": mode} | more).drain_seconds
        for mode, more in (("production", {}), ("demo", {}), ("production", {"DRAIN_S": "0"}))
    ]
    assert told == [5, 0, 0]
    with pytest.raises(Unsafe, match="DRAIN_S"):
        config.from_environment({"DRAIN_S": "61"})
