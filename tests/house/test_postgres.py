"""The PostgreSQL that tests start: it serves, it is nobody else's, and it leaves nothing behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text

from tests import postgres

ROOT = Path(__file__).parents[2]
KILLED = """
import os, signal
from tests import postgres
print(postgres.start().folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def _needs_programs(request: pytest.FixtureRequest) -> None:
    programs, why = postgres.find_programs()
    if programs is None and not request.config.getoption("--require-postgres"):
        pytest.skip(f"PostgreSQL tests not run: {why}")


def is_running(pid: int) -> bool:
    """Whether a process does anything still."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    line = Path(f"/proc/{pid}/cmdline")  # empty if it has ended and waits to be collected
    return not line.exists() or line.read_bytes() != b""


def test_a_cluster_serves_and_leaves_nothing_behind() -> None:
    cluster = postgres.start()
    pid = int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
    engine = create_engine(cluster.create("a clinic"), poolclass=NullPool)
    with engine.connect() as connection:
        version = connection.execute(text("SELECT version()")).scalar_one()
        listens = connection.execute(text("SHOW listen_addresses")).scalar_one()
        lower = connection.execute(text("SELECT lower('ÄÖ')")).scalar_one()
    assert (version.split()[0], listens, lower) == ("PostgreSQL", "", "äö")
    assert is_running(pid)
    cluster.stop()
    cluster.stop()
    assert not cluster.folder.exists()
    assert not is_running(pid)


def test_a_killed_run_leaves_nothing_behind_either() -> None:
    told = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True)
    folder = Path(told.stdout.strip())
    assert folder.name.startswith("pg-"), told.stderr
    patience = time.monotonic() + 20
    while folder.exists() and time.monotonic() < patience:
        time.sleep(0.05)
    assert not folder.exists()


def test_a_given_server_comes_first_and_none_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", "postgresql+psycopg://somewhere/")
    assert postgres.find_server() == ("postgresql+psycopg://somewhere/", "TEST_DATABASE_URL")
    monkeypatch.delenv("TEST_DATABASE_URL")
    monkeypatch.setattr(postgres, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    server, why = postgres.find_server()
    assert server is None and "initdb is not on the PATH" in why
    with pytest.raises(postgres.NoServer, match="initdb"):
        postgres.start()
