"""Outages: the database goes away, is cut off, is full or busy, and the server goes on afterwards.

`python -m tests.outages` (part of `make faults`) does each of them OUTAGE_TIMES times (20).
Meanwhile requests are answered 503 with `Retry-After`, soon; `/livez` stays 200 and `/readyz` says
503. Once the database is back they are answered again, without a restart, and nothing is lost.
"""

import json
import os
import signal
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import chain
from pathlib import Path
from select import select
from threading import Thread

import psycopg
from sqlalchemy import make_url

from tests import fuzz, postgres
from tests.faults import PATIENT, Lost, Server, free_port, read

SAID_S = 2.0
"""How soon a request is told that the database is away."""
BACK_S = 5.0
"""How soon requests are answered, once it is there again."""
SURE = 10
"""How often it is read and written before and after: every process has lines that end meanwhile,
and no answer may show it."""
PATIENCE_S = 30.0
AT_ONCE = 6
"""How many requests are under way when the server is asked to end."""
HELD_S = 1.0
Place = str | tuple[str, int]
"""The path of a socket, or host and port."""


@dataclass
class Wire:
    """A wire of our own between the server and PostgreSQL, which can be cut."""

    target: Place
    port: int = field(default_factory=free_port)
    lines: list[socket.socket] = field(default_factory=list)
    listener: socket.socket | None = None

    def mend(self) -> None:
        """Listen, and pass on what comes."""
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", self.port))
        made.listen(64)
        self.listener = made
        Thread(target=self._accept, args=(made,), daemon=True).start()

    def cut(self) -> None:
        """Nothing passes any more: what is open is reset, what is new is refused."""
        ends, self.listener, self.lines = [self.listener, *self.lines], None, []
        for end in filter(None, ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX if isinstance(self.target, str) else socket.AF_INET)
            try:
                far.connect(self.target)
            except OSError:  # nobody is there
                near.close()
                far.close()
                continue
            self.lines += [near, far]
            Thread(target=_pass_on, args=(near, far), daemon=True).start()


def place_of(url: str) -> Place:
    """Where the PostgreSQL of a URL listens."""
    made = make_url(url)
    host = made.host or str(made.query["host"])
    port = made.port or int(str(made.query.get("port", 5432)))
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)


def _pass_on(near: socket.socket, far: socket.socket) -> None:
    with suppress(OSError, ValueError), near, far:
        while True:
            for end in select([near, far], [], [])[0]:
                if not (data := end.recv(65536)):
                    return
                (far if end is near else near).sendall(data)


@dataclass
class Asker:
    """A patient of a served demo clinic who reads and writes."""

    server: Server
    bearer: str = ""
    patient_id: str = ""
    kept: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bearer = fuzz.token(f"http://127.0.0.1:{self.server.port}", PATIENT)
        self.patient_id = str(read(self.server, "/me", self.bearer)["patient_id"])

    def ask(self, path: str, said: str = "") -> tuple[int, dict[str, str], float]:
        """Status, headers and seconds of a GET, or of the POST of a moment that was `said`."""
        begins = time.monotonic()
        link = HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        headers = {"Authorization": f"Bearer {self.bearer}", "Content-Type": "application/json"}
        body = json.dumps({"text": said}) if said else None
        try:
            link.request("POST" if said else "GET", path, body, headers)
            answer = link.getresponse()
            told = json.loads(answer.read() or b"{}")
            if answer.status == 201:
                self.kept.append(told["id"])
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, time.monotonic() - begins
        except (OSError, HTTPException):
            return 0, {}, time.monotonic() - begins
        finally:
            link.close()

    def write(self, said: str = "A word.") -> tuple[int, dict[str, str], float]:
        """A moment."""
        return self.ask(f"/api/v1/patients/{self.patient_id}/moments", said)

    def asks(self) -> tuple[Callable[[], tuple[int, dict[str, str], float]], ...]:
        """A read in several trips, one in a single trip, and a write."""
        hot = f"/api/v1/patients/{self.patient_id}"
        return (lambda: self.ask("/api/v1/me"), lambda: self.ask(hot), self.write)

    def missing(self) -> list[tuple[str, int]]:
        """What was answered and is not there, and what was said instead."""
        found = [(one, self.ask(f"/api/v1/moments/{one}")[0]) for one in self.kept]
        return [(one, status) for one, status in found if status != 200]


@contextmanager
def served(url: str) -> Iterator[Asker]:
    """A served demo clinic, and somebody who asks."""
    with tempfile.TemporaryDirectory(prefix="outage-", ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder), url)
        try:
            server.start()
            yield Asker(server)
        finally:
            server.kill()


def away(
    asker: Asker, leave: Callable[[], None], come_back: Callable[[], None]
) -> tuple[float, float]:
    """The database leaves and comes back; the seconds until a refusal and until an answer."""
    process = asker.server.process
    _goes_on(asker)
    leave()
    slowest = 0.0
    for ask in (*asker.asks(), lambda: asker.ask("/readyz")):
        status, headers, took = ask()
        slowest = max(slowest, took)
        if status != 503 or took > SAID_S + 0.5:
            raise Lost(f"answered {status} after {took:.2f} s while the database is away")
        if "retry-after" not in headers:
            raise Lost("no Retry-After")
    if asker.ask("/livez")[0] != 200:
        raise Lost("/livez is not 200 while the database is away")
    come_back()
    begins = time.monotonic()
    while asker.write("Back.")[0] != 201:
        if time.monotonic() - begins > BACK_S:
            raise Lost(f"no answer {BACK_S} s after the database was there again")
        time.sleep(0.05)
    _goes_on(asker)
    if asker.server.process is not process or asker.server.has_ended():
        raise Lost("it was started anew")
    return slowest, time.monotonic() - begins


def _goes_on(asker: Asker) -> None:
    for ask in asker.asks() * SURE:
        if (status := ask()[0]) not in (200, 201):
            raise Lost(f"answered {status} while the database is there")


def _rounds(name: str, times: int, run: Callable[[], tuple[float, float]]) -> str:
    said, back = zip(*(run() for _ in range(times)), strict=True)
    return f"{name}: {times} times; refused within {max(said):.2f} s, back within {max(back):.2f} s"


def on_postgres(times: int) -> Iterator[str]:
    """The wire to PostgreSQL is cut, PostgreSQL dies, and the server is asked to end."""
    cluster = postgres.start(durable=True)
    wire = Wire(place_of(cluster.url()))
    try:
        cluster.create("outage")
        wire.mend()
        over_wire = f"postgresql+psycopg://postgres@127.0.0.1:{wire.port}/outage"
        with served(over_wire) as asker:
            yield _rounds("the wire is cut", times, lambda: away(asker, wire.cut, wire.mend))
            name = "PostgreSQL is dead"
            yield _rounds(name, times, lambda: away(asker, cluster.fell, cluster.start))
            yield _judged(asker)
        # A database of its own: a clinic's keys lie in its folder, and fit no other's fields.
        url, lock = cluster.create("drained"), _lock_postgres(cluster.folder, "drained")
        yield from drained("PostgreSQL", url, times, lock)
    finally:
        wire.cut()
        cluster.stop()


def _judged(asker: Asker) -> str:
    if missing := asker.missing():
        raise Lost(f"{len(missing)} of {len(asker.kept)} lost: {missing[:5]}")
    return f"{len(asker.kept)} answered, 0 lost"


def on_sqlite(times: int) -> Iterator[str]:
    """The server is asked to end while requests wait for their turn."""
    yield from drained("SQLite", "", times, _lock_sqlite)


Lock = Callable[[Asker], Callable[[], None]]
"""Takes what every write waits for, and answers how to give it back."""


def _lock_sqlite(asker: Asker) -> Callable[[], None]:
    link = sqlite3.connect(asker.server.folder / "freshtrail.sqlite", isolation_level=None)
    link.execute("PRAGMA busy_timeout=5000")
    link.execute("BEGIN IMMEDIATE")

    def give_back() -> None:
        link.execute("ROLLBACK")
        link.close()

    return give_back


def _lock_postgres(folder: Path, dbname: str) -> Lock:
    def lock(_asker: Asker) -> Callable[[], None]:
        link = psycopg.connect(f"host={folder} port=5432 user=postgres dbname={dbname}")
        link.execute("LOCK TABLE audit_events IN EXCLUSIVE MODE")
        return link.close

    return lock


def drained(name: str, url: str, times: int, lock: Lock) -> Iterator[str]:
    """Requests are under way when SIGTERM comes: each is answered, and then the server ends."""
    with tempfile.TemporaryDirectory(prefix="outage-", ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder), url)
        longest = 0.0
        for _ in range(times):
            server.start()
            try:
                longest = max(longest, _drain(Asker(server), lock))
            finally:
                server.kill()
        told = f"{times} times; {AT_ONCE} under way each, all answered, over in {longest:.1f} s"
        yield f"SIGTERM, {name}: {told}"


def _drain(asker: Asker, lock: Lock) -> float:
    process, answers = asker.server.process, []
    assert process is not None
    give_back = lock(asker)
    threads = [Thread(target=lambda: answers.append(asker.write()[0])) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    time.sleep(HELD_S / 2)
    begins = time.monotonic()
    process.send_signal(signal.SIGTERM)
    time.sleep(HELD_S)
    give_back()
    for thread in threads:
        thread.join()
    if answers != [201] * AT_ONCE:
        raise Lost(f"under way at SIGTERM, and answered {answers}")
    if code := process.wait(PATIENCE_S):
        raise Lost(f"ended with {code}")
    return time.monotonic() - begins


def main() -> int:
    """All of it, on both databases; 0 when nothing was lost."""
    times = int(os.environ.get("OUTAGE_TIMES", "20"))
    try:
        for told in chain(on_sqlite(times), on_postgres(times)):
            print(f"-- {told}", flush=True)
    except Lost as problem:
        print(f"-- LOST: {problem}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
