"""Faults: server and database are killed under writers, and nothing that was answered is lost.

`python -m tests.faults` (`make faults`) kills a hundred times each: workers of the server, its
master, PostgreSQL's postmaster, one of its backends; and the server on SQLite. A worker is killed
while all of them answer. Twenty writers go on meanwhile, each sending again under the same
`Idempotency-Key` what was not answered. After that no answered write is missing, none is there
twice, and each left its event in the trail. After each kill `audit verify` looks at what was sealed
since the one before, after each kind of kill at all of it, while the writers write on.
FAULT_KILLS=N kills N times each, FAULT_SEED=N at other moments, FAULT_ON=sqlite (or postgres) on
one database alone. After a kill nobody may wait for longer than 5 s to be answered;
FAULT_RECOVERED_S=N says otherwise, where others use the machine.
"""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import chain
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any
from uuid import UUID

import psutil  # type: ignore[import-untyped]
from sqlalchemy import create_engine, make_url, text

from tests import fuzz, postgres, roles

PATIENT = "patient@demo.example"
WRITERS, WORKERS = 20, 2
GIVE_UP_S = 60
"""How long anything is waited for."""
VERIFY_S = 600
"""How long `audit verify` may take: there are a hundred thousand events, and writers beside it."""
PATIENCE_S = {"the server": 300.0}
"""How long a writer tries to get one write answered, where the server is down most of the time."""
AGAIN_S = 0.05
RECOVERED_S = float(os.environ.get("FAULT_RECOVERED_S", "5"))
"""How long nobody may be answered, once whatever was killed is started anew."""
OLD_S = 6
"""A worker that dies sooner makes the server give up, and wait for who starts it anew."""
SERVE = (str(fuzz.BIN / "flask"), "--app", "wsgi", "serve")
VERIFY = (str(fuzz.BIN / "flask"), "--app", "wsgi", "audit", "verify")
LISTEN = psutil.CONN_LISTEN
NONE_SEALED, UNSEALED = ": 0 sealed", "not sealed yet"
SEALED = re.compile(r": (\d+) sealed")


class Lost(AssertionError):
    """What must not happen; the message says what."""


@dataclass
class Server:
    """A served demo clinic that can be killed and started again on the same port."""

    folder: Path
    url: str
    port: int = field(default_factory=lambda: free_port())
    process: "subprocess.Popen[bytes] | None" = None
    tree: Path | None = None
    serve: tuple[str, ...] = SERVE

    @property
    def owner_url(self) -> str:
        """Its database as the owner of the tables, where the server itself is not that."""
        if make_url(self.url or "sqlite://").username != roles.APPLICATION:
            return ""
        return roles.as_role(self.url, roles.OWNER)

    def environ(self) -> dict[str, str]:
        """What it is told, and every command that looks at its clinic."""
        env = os.environ | {"FRESHTRAIL_MODE": "demo", "FRESHTRAIL_DATA": str(self.folder)}
        env |= {"PORT": str(self.port), "DATABASE_URL": self.url, "RATE_SIGN_IN": "1000000"}
        env |= {name: "1000000" for name in ("RATE_PER_PRINCIPAL", "RATE_PER_CLINIC")}
        env |= {"WEB_WORKERS": str(WORKERS), "MIGRATION_DATABASE_URL": self.owner_url}
        return env | {"RESEARCH_DATABASE_URL": ""}

    def start(self) -> None:
        """Start it and wait until it is ready."""
        quiet, env = subprocess.DEVNULL, self.environ()
        self.process = subprocess.Popen(
            self.serve, env=env, stdout=quiet, stderr=quiet, start_new_session=True, cwd=self.tree
        )
        fuzz.wait_for(f"http://127.0.0.1:{self.port}/readyz", self.process)

    def has_ended(self) -> bool:
        """Whether it gave up by itself, as it does when a worker dies twice within seconds."""
        return self.process is not None and self.process.poll() is not None

    def verify_trail(self, wholly: bool = False, since: int = 1) -> str:
        """What `audit verify` says of its chains; raises `Lost` unless nothing was touched.

        `wholly` waits until the worker has sealed the last event; with `since`, from that link on.
        """
        ends = time.monotonic() + VERIFY_S
        while True:
            told = subprocess.run(
                (*VERIFY, "--since", str(since)),
                env=self.environ(),
                cwd=self.tree,
                capture_output=True,
                text=True,
                timeout=VERIFY_S,
            )
            said = told.stdout.strip()
            if told.returncode != 0 or NONE_SEALED in said or time.monotonic() > ends:
                raise Lost(f"audit verify: {told.returncode}, {said}{told.stderr[-500:]}")
            if not wholly or UNSEALED not in said:
                return said
            time.sleep(1)

    def told_of(self) -> set[UUID]:
        """The moments of whose making the trail has the event; a repeat that was given the first
        answer has one that names none."""
        file = f"sqlite:///{self.folder / 'freshtrail.sqlite'}"
        engine = create_engine(self.owner_url or self.url or file)
        asked = text(
            "SELECT record_id FROM audit_events WHERE action = 'moment:notice' AND outcome = 'ok'"
            " AND record_id IS NOT NULL"
        )
        with engine.connect() as connection:
            found = {UUID(str(one)) for one in connection.execute(asked).scalars()}
        engine.dispose()
        return found

    def kill(self) -> None:
        """Kill all of it at once."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def master(self) -> int:
        """The process of the server proper; the supervisor is its parent."""
        assert self.process is not None
        return next(pid for pid in children(self.process.pid) if "granian" in command(pid))

    def is_up(self, pid: int) -> bool:
        """Whether a worker answers, and has lived long enough to be killed."""
        return age_s(pid) > OLD_S and answers(pid, self.port)

    def workers(self) -> list[int]:
        """The processes of its workers, whether they answer yet or not."""
        return [pid for pid in children(self.master()) if "resource_tracker" not in command(pid)]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def children(pid: int) -> list[int]:
    """The children of a process."""
    told = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return [int(word) for word in told.stdout.split()]


def command(pid: int) -> str:
    """The command line of a process."""
    told = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True)
    return told.stdout


def answers(pid: int, port: int) -> bool:
    """Whether a process listens on the port: a worker does once it has read all its code."""
    with suppress(psutil.NoSuchProcess):
        open_lines = psutil.Process(pid).net_connections("inet")
        return any(one.status == LISTEN and one.laddr.port == port for one in open_lines)
    return False


def age_s(pid: int) -> int:
    """How long a process has lived, in seconds."""
    told = subprocess.run(["ps", "-o", "etimes=", "-p", str(pid)], capture_output=True, text=True)
    return int(told.stdout or 0)


@dataclass
class Writers:
    """Twenty who write moments, and what they were answered."""

    server: Server
    patient_id: str
    bearer: str
    stop: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)
    answered: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    last_at: float = 0.0
    patience_s: float = GIVE_UP_S
    sealed: int = 1
    """How many events were seen to be sealed as they were written."""
    threads: list[Thread] = field(default_factory=list)

    def start(self) -> None:
        """Let them write."""
        self.threads = [Thread(target=self._write, args=(n,)) for n in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        """Let each finish what it is at."""
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def _write(self, number: int) -> None:
        count = 0
        while not self.stop.is_set():
            count += 1
            said = f"writer {number}, moment {count}"
            try:
                self._until_answered(said, f"faults-{number}-{count}-{os.getpid()}")
            except Exception as problem:  # a writer that ends unseen would prove nothing
                self.faults.append(repr(problem))
                return

    def _until_answered(self, said: str, key: str) -> None:
        began = time.monotonic()
        while time.monotonic() - began < self.patience_s:
            if self.faults:
                return  # it is lost already
            status, answer = self._post(said, key)
            if status == 201:
                with self.lock:
                    self.answered[said] = answer["id"]
                    self.last_at = time.monotonic()
                return
            if status == 401:
                with suppress(OSError, HTTPException, ValueError):  # it may be killed meanwhile
                    self.bearer = fuzz.token(f"http://127.0.0.1:{self.server.port}", PATIENT)
            elif status not in (0, 409, 429, 503):
                raise Lost(f"{said}: answered {status}, {answer.get('detail')}")
            time.sleep(AGAIN_S)
        raise Lost(f"{said}: no answer within {self.patience_s:.0f} s")

    def _post(self, said: str, key: str) -> tuple[int, dict[str, Any]]:
        link = HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        headers = {"Authorization": f"Bearer {self.bearer}", "Idempotency-Key": key}
        headers["Content-Type"] = "application/json"
        path = f"/api/v1/patients/{self.patient_id}/moments"
        try:
            link.request("POST", path, json.dumps({"text": said}), headers)
            answer = link.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, HTTPException, ValueError):
            return 0, {}
        finally:
            link.close()


def waits_for_an_answer(writers: Writers, since: float) -> float:
    """Seconds from `since` until somebody is answered again; raises `Lost` after too long."""
    while writers.last_at <= since:
        if time.monotonic() - since > GIVE_UP_S or writers.faults:
            raise Lost(f"nobody is answered; {writers.faults}")
        if writers.server.has_ended():
            writers.server.start()  # as the service manager of a real one would
            since = time.monotonic()
        time.sleep(0.01)
    return writers.last_at - since


def rounds(writers: Writers, kills: int, kill: Callable[[], None], chance: random.Random) -> float:
    """Kill again and again; the longest that nobody was answered after it, in seconds.

    Raises `Lost` when what the trail got since the kill before doesn't verify; after the last one
    all of it is looked at.
    """
    longest = 0.0
    for left in reversed(range(kills)):
        time.sleep(chance.uniform(0.05, 0.4))
        kill()
        longest = max(longest, waits_for_an_answer(writers, time.monotonic()))
        if left:
            said = writers.server.verify_trail(since=writers.sealed)
            writers.sealed = max(map(int, SEALED.findall(said)))
    return longest


def judge(writers: Writers) -> str:
    """End the writers, compare what they were answered with what is there; raises `Lost`."""
    writers.end()
    if writers.faults:
        raise Lost("; ".join(writers.faults))
    there: dict[str, list[str]] = {}
    for row in walk(writers):
        there.setdefault(row["text"], []).append(row["id"])
    ours = {said: ids for said, ids in there.items() if said.startswith("writer ")}
    missing = [s for s, one in writers.answered.items() if one not in ours.get(s, [])]
    doubled = [said for said, ids in ours.items() if len(ids) > 1]
    if missing or doubled:
        raise Lost(f"{len(missing)} lost, {len(doubled)} twice: {(missing + doubled)[:5]}")
    made = {UUID(one) for ids in ours.values() for one in ids}
    if alone := made - writers.server.told_of():
        raise Lost(f"{len(alone)} without their event")
    return f"{len(writers.answered)} answered, each with its event; 0 lost, 0 twice"


def walk(writers: Writers) -> Iterator[dict[str, Any]]:
    """Every moment that is there."""
    path, cursor = f"/patients/{writers.patient_id}/moments?limit=100", ""
    while cursor is not None:
        page = read(writers.server, f"{path}{cursor}", writers.bearer)
        yield from page["items"]
        path = path.partition("?")[0]
        cursor = page["next_cursor"] and f"?limit=100&cursor={page['next_cursor']}"


def read(server: Server, path: str, bearer: str) -> dict[str, Any]:
    """The answer to a GET."""
    link = HTTPConnection("127.0.0.1", server.port, timeout=30)
    link.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {bearer}"})
    told: dict[str, Any] = json.loads(link.getresponse().read())
    link.close()
    return told


@contextmanager
def written_on(url: str) -> Iterator[Writers]:
    """Writers at work on a server of their own; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder), url)
        try:
            server.start()
            bearer = fuzz.token(f"http://127.0.0.1:{server.port}", PATIENT)
            writers = Writers(server, str(read(server, "/me", bearer)["patient_id"]), bearer)
            writers.start()
            try:
                yield writers
            finally:
                writers.end()
        finally:
            server.kill()


def on_sqlite(kills: int, seed: int, within: float = GIVE_UP_S) -> Iterator[str]:
    """The server on SQLite: workers killed, then all of it."""
    chance = random.Random(seed)
    with written_on("") as writers:
        for name, kill in (
            ("a worker", _a_worker(writers.server, chance)),
            ("the server", _all_of(writers.server)),
        ):
            writers.patience_s = PATIENCE_S.get(name, GIVE_UP_S)
            yield _told(f"SQLite, {name}", rounds(writers, kills, kill, chance), within)
            yield f"the trail holds: {writers.server.verify_trail()}"
        yield judge(writers)
        yield f"the whole trail holds: {writers.server.verify_trail(wholly=True)}"


def on_postgres(kills: int, seed: int, within: float = GIVE_UP_S) -> Iterator[str]:
    """The server on PostgreSQL: workers, the server, backends and the postmaster are killed."""
    cluster, chance = postgres.start(durable=True), random.Random(seed)
    try:
        roles.make_roles(cluster.url())
        url = roles.as_role(cluster.create("faults", roles.OWNER), roles.APPLICATION)
        with written_on(url) as writers:
            for name, kill in (
                ("a worker", _a_worker(writers.server, chance)),
                ("the server", _all_of(writers.server)),
                ("a backend", lambda: cluster.kill_backend(chance)),
                ("the postmaster", cluster.kill),
            ):
                writers.patience_s = PATIENCE_S.get(name, GIVE_UP_S)
                yield _told(f"PostgreSQL, {name}", rounds(writers, kills, kill, chance), within)
                yield f"the trail holds: {writers.server.verify_trail()}"
            yield judge(writers)
            yield f"the whole trail holds: {writers.server.verify_trail(wholly=True)}"
    finally:
        cluster.stop()


def _told(what: str, longest: float, within: float) -> str:
    if longest > within:
        raise Lost(f"{what}: {longest:.1f} s until somebody was answered")
    return f"{what}: killed; the longest without an answer {longest:.2f} s"


def _a_worker(server: Server, chance: random.Random) -> Callable[[], None]:
    def kill() -> None:
        ends = time.monotonic() + GIVE_UP_S
        while len(old := [pid for pid in server.workers() if server.is_up(pid)]) < WORKERS:
            if time.monotonic() > ends:
                raise Lost("a worker does not come up")
            time.sleep(0.2)
        with suppress(ProcessLookupError):
            os.kill(chance.choice(old), signal.SIGKILL)

    return kill


def _all_of(server: Server) -> Callable[[], None]:
    def kill() -> None:
        server.kill()
        server.start()

    return kill


ON = {"sqlite": on_sqlite, "postgres": on_postgres}


def main() -> int:
    """All of it, on both databases unless told otherwise; 0 when nothing was lost."""
    kills = int(os.environ.get("FAULT_KILLS", "100"))
    seed = int(os.environ.get("FAULT_SEED", "20261125"))
    chosen = os.environ.get("FAULT_ON", "sqlite postgres").split()
    if unknown := [name for name in chosen if name not in ON]:
        sys.exit(f"FAULT_ON: {', '.join(ON)}, not {', '.join(unknown)}.")
    try:
        how = (kills, seed, RECOVERED_S)
        for told in chain.from_iterable(ON[name](*how) for name in chosen):
            print(f"-- {told}", flush=True)
    except Lost as problem:
        print(f"-- LOST: {problem}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
