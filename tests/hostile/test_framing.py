"""What is not quite HTTP, sent to the real server: nothing is done twice, nobody waits for long."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen
from uuid import uuid4

import pytest
from flask import Flask

from api import config, db
from tests import builders
from tests.hostile import sequences
from tests.house.matrix import trail_of

LONGEST_S = 10
"""Seconds until a sequence is answered or its connection closed."""
QUIET_S = 0.5
"""Seconds of silence after which no further answer is waited for."""
ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3})")


@pytest.fixture(scope="module")
def served(database: str) -> Iterator[int]:
    """The port of a server started as `flask serve` does, on the database of this pass."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    told = {"PORT": str(port), "DATABASE_URL": config.settings().url, "WEB_WORKERS": "1"}
    told |= {"BODY_SECONDS": "1"}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "serve"]
    server = subprocess.Popen(command, env=os.environ | told, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not alive(port):
            assert server.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        yield port
        assert server.poll() is None, "the server ended"
    finally:
        server.terminate()
        server.wait(60)


def alive(port: int) -> bool:
    """Whether the server answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/livez", timeout=LONGEST_S) as answer:
            return bool(answer.status == 200)
    except (URLError, ConnectionError, TimeoutError):
        return False


class Sent:
    """What became of one sequence."""

    def __init__(self, port: int, sequence: bytes, token: str) -> None:
        self.outer, self.inner = uuid4().hex, uuid4().hex
        for word, value in (("TOKEN", token), ("OUTER", self.outer), ("INNER", self.inner)):
            sequence = self._filled(sequence, word.encode(), value.encode())
        self.answer, began = b"", time.monotonic()
        with socket.create_connection(("127.0.0.1", port), timeout=LONGEST_S) as line:
            self._talk(line, sequence)
        self.took = time.monotonic() - began

    @staticmethod
    def _filled(sequence: bytes, word: bytes, value: bytes) -> bytes:
        return sequence.replace(word, value)

    def _talk(self, line: socket.socket, sequence: bytes) -> None:
        self.ended, until = False, time.monotonic() + LONGEST_S + 5
        try:
            line.sendall(sequence)
        except OSError:  # refused before it was read whole
            self.ended = True
        while time.monotonic() < until:
            line.settimeout(QUIET_S if self.answer else until - time.monotonic())
            try:
                more = line.recv(65536)
            except TimeoutError:
                return
            except OSError:
                more = b""
            if not more:
                self.ended = True
                return
            self.answer += more

    @property
    def statuses(self) -> list[int]:
        """The statuses that were answered."""
        return [int(status) for status in ANSWER.findall(self.answer)]


def sent(port: int, many: dict[str, bytes], token: str) -> dict[str, Sent]:
    """Every sequence, on a connection of its own, all at once."""
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(lambda one: Sent(port, one, token), many.values())
        return dict(zip(many, found, strict=True))


@pytest.fixture
def token(app: Flask, scene: builders.Scene) -> str:
    return scene["CT"].token


def seen(request_id: str) -> int:
    """How many requests of that id reached a view: each leaves a line in the trail."""
    found: list[Any] = trail_of(request_id)
    return len(found)


def test_there_are_enough_sequences() -> None:
    assert len(sequences.BROKEN) + len(sequences.SLOW) + len(sequences.PIPELINED) >= 80


def test_what_is_broken_is_done_once_or_not_at_all(served: int, token: str) -> None:
    found = sent(served, sequences.BROKEN, token)
    assert alive(served)
    assert not (told := wrong(found)), "\n".join(told)


def wrong(found: dict[str, Sent]) -> list[str]:
    """What was answered by a fault, not at all, too late, or done when it must not be."""
    told = []
    for name, one in found.items():
        faults = {
            "nothing": not (one.answer or one.ended),
            "late": one.took > LONGEST_S + QUIET_S,
            "fault": any(status >= 500 for status in one.statuses),
            "twice": seen(one.outer) > 1,
            "hidden": seen(one.inner) > 0,
        }
        if what := [fault for fault, is_so in faults.items() if is_so]:
            told.append(
                f"{name}: {what} {one.statuses} after {one.took:.1f} s {one.answer[:150]!r}"
            )
    return told


def test_who_never_ends_is_not_waited_for(served: int, token: str) -> None:
    headers = {name: said for name, said in sequences.SLOW.items() if b"\r\n\r\n" not in said}
    found = sent(served, headers, token)
    for name in sequences.SLOW.keys() - headers.keys():  # each keeps a thread waiting
        found |= sent(served, {name: sequences.SLOW[name]}, token)
    assert not (told := wrong(found)), "\n".join(told)
    assert alive(served)


def test_what_is_asked_one_after_another_is_answered_each_once(served: int, token: str) -> None:
    for name, one in sent(served, sequences.PIPELINED, token).items():
        assert len(one.statuses) == (100 if name == "a hundred" else 2), name
        assert seen(one.outer) == seen(one.inner) == 1, name


def test_nobody_says_where_they_come_from_by_a_header(served: int, token: str) -> None:
    names = [name for name in sequences.LINES if name.endswith("forwarded-for")]
    for name, one in sent(served, {n: sequences.LINES[n] for n in names}, token).items():
        assert [event["client_ip"] for event in trail_of(one.outer)] == ["127.0.0.1"], name


def test_who_keeps_many_lines_open_keeps_nobody_out(served: int) -> None:
    idle = [socket.create_connection(("127.0.0.1", served)) for _ in range(200)]
    try:
        for line in idle:
            line.sendall(b"GET /livez HT")
        time.sleep(LONGEST_S)
        assert alive(served)
    finally:
        for line in idle:
            line.close()
    with db.transaction():
        assert alive(served)
