"""A pytest plugin that tries each change of the code in a fork, by the tests that reach it."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import _lru_cache_wrapper
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
from _pytest.runner import runtestprotocol
from mutmut.state import state
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from tests import conftest

CHANGED: Final = "MUTANT_UNDER_TEST"
"""What the changed modules read: the change that is awake, or `stats` to be told who is called."""
WAITS_S: Final = 20
"""Seconds beyond what its tests take after which a change is held for one that never ends."""
Tests = dict[str, list[pytest.Item]]


def pytest_configure(config: pytest.Config) -> None:
    """A draw that fails is enough: none is made smaller or kept."""
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    profile = {"derandomize": True, "database": None, "phases": phases, "deadline": None}
    hypothesis.settings.register_profile("mutants", **profile)
    hypothesis.settings.load_profile("mutants")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Instead of the tests: who reaches what, then each change."""
    names = json.loads(Path("mutants.json").read_text())
    tell = session.config.get_terminal_writer().line
    start = time.monotonic()
    os.environ[CHANGED] = ""
    _warm(session)
    reached, takes = _who_reaches_what(session, {n.rpartition(".")[0] for n in names}, tell)
    tell(f"{len(takes)} tests, {len(names)} changes, {time.monotonic() - start:.0f} s so far")
    everything = [item for item in session.items if any(item in of for of in reached.values())]
    assert _tried(session, "", everything, takes) == "survived", "they fail without a change"
    found = {}
    for name in names:
        tests = reached.get(name.partition("__mutmut_")[0], [])
        found[name] = _tried(session, name, tests, takes) if tests else "reached by no test"
        if found[name] != "killed":
            tell(f"{name}: {found[name]}")
    Path("mutants.found.json").write_text(json.dumps(found))
    tell(f"{time.monotonic() - start:.0f} s")
    return True


def _passes(session: pytest.Session, item: pytest.Item) -> bool:
    """Whether a test passes; what the whole session shares stays as it is."""
    reports = runtestprotocol(item, log=False, nextitem=session)  # type: ignore[arg-type]
    return not any(report.failed for report in reports)


def _warm(session: pytest.Session) -> None:
    """Import the application and make the database, for all forks."""
    first = next((i for i in session.items if "scene" in getattr(i, "fixturenames", ())), None)
    if first is not None:
        assert _passes(session, first), first.nodeid
        conftest.use_database(os.environ["DATABASE_URL"])


def _who_reaches_what(
    session: pytest.Session, modules: Collection[str], tell: Callable[[str], None]
) -> tuple[Tests, dict[str, float]]:
    """The tests of each function, the quickest first, and how long each takes.

    What the changed modules remember is forgotten before each: else only the first would reach it.
    """

    def look() -> dict[str, Any]:
        told = {}
        for item in session.items:
            _forget(modules)
            state()._stats.clear()
            start = time.monotonic()
            passes = _passes(session, item)
            told[item.nodeid] = (passes, time.monotonic() - start, sorted(state()._stats))
        return told

    _, told = _in_a_fork(look, "stats", 1200)
    assert isinstance(told, dict), told
    reached: Tests = {}
    for item in sorted(session.items, key=lambda item: float(told[item.nodeid][1])):
        passes, _, functions = told[item.nodeid]
        if not passes:
            tell(f"left out, for it fails as things are: {item.nodeid}")
            continue
        for function in functions:
            reached.setdefault(function, []).append(item)
    return reached, {nodeid: seconds for nodeid, (_, seconds, _) in told.items()}


def _tried(
    session: pytest.Session, name: str, tests: list[pytest.Item], takes: dict[str, float]
) -> str:
    """`killed`, `timeout`, `survived`, or `broke` where no test told anything."""

    def look() -> str | None:
        return next((item.nodeid for item in tests if not _passes(session, item)), None)

    ended, told = _in_a_fork(look, name, WAITS_S + 3 * sum(takes[i.nodeid] for i in tests))
    if not ended:
        return "timeout"
    if told == [None]:
        return "survived"
    return "killed" if told and told[0] in takes else "broke"


def _in_a_fork(work: Callable[[], Any], name: str, most_s: float) -> tuple[bool, Any]:
    """Whether the work ended in time, and what it told: None when it broke."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        answer = Path(folder) / "answer.json"
        pid = os.fork()
        if pid == 0:
            try:
                os.setpgid(0, 0)
                os.environ[CHANGED] = name
                _move_in(Path(folder) / "data")
                told = work()
                answer.write_text(json.dumps(told if isinstance(told, dict) else [told]))
            except BaseException:
                answer.write_text(json.dumps([traceback.format_exc()]))
            finally:
                os._exit(0)
        ended = _wait(pid, most_s)
        if _is_on_postgres():
            _maintain(f'DROP DATABASE IF EXISTS "{Path(folder).name}" WITH (FORCE)')
        return ended, json.loads(answer.read_text()) if answer.exists() else None


def _move_in(folder: Path) -> None:
    """A database and keys of one's own, and nothing remembered of those before."""
    if conftest._DATA.exists():
        shutil.copytree(conftest._DATA, folder)
    conftest._DATA = folder
    os.environ["FRESHTRAIL_DATA"] = str(folder)
    if _is_on_postgres():
        conftest.use_database(_copied(os.environ["DATABASE_URL"], folder.parent.name))
    elif os.environ.get("DATABASE_URL"):
        conftest.use_database(f"sqlite:///{folder / 'test.sqlite'}")
    _forget([name for name in sys.modules if name.partition(".")[0] == "api"])
    conftest.field_keys._Held.masters, conftest.field_keys._Held.stamp = None, ()


def _forget(modules: Collection[str]) -> None:
    for name in modules:
        for value in vars(sys.modules[name]).values() if name in sys.modules else ():
            if isinstance(value, _lru_cache_wrapper):
                value.cache_clear()


def _is_on_postgres() -> bool:
    return os.environ.get("DATABASE_URL", "").startswith("postgresql")


def _copied(url: str, name: str) -> str:
    """A copy of a database of PostgreSQL, to which nobody is connected."""
    _maintain(f'CREATE DATABASE "{name}" TEMPLATE "{make_url(url).database}"')
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _maintain(statement: str) -> None:
    owner = make_url(conftest.config.settings().owner_url).set(database="postgres")
    engine = create_engine(owner, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))


def _wait(pid: int, most_s: float) -> bool:
    """Whether it ended by itself; what it started ends with it."""
    last = time.monotonic() + most_s
    ended = False
    while not ended and time.monotonic() < last:
        ended = os.waitpid(pid, os.WNOHANG)[0] == pid
        if not ended:
            time.sleep(0.003)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if not ended:
        os.waitpid(pid, 0)
    return ended
