"""`REPLICA_URL`: releases are read from a real streaming replica, and from no older moment."""

from collections.abc import Iterator
from contextlib import ExitStack
from threading import Timer

import psycopg
import pytest
from flask import Flask
from sqlalchemy import URL, text
from sqlalchemy.exc import InternalError

from api import config, schema
from api.core.release import snapshot as reading
from tests import postgres, roles
from tests.conftest import use_database
from tests.research.clinic import Clinic, make_clinic, make_release

PORT = "5433"


class Replica:
    """A standby beside its primary, in the same folder."""

    def __init__(self, primary: postgres.Cluster) -> None:
        self._of, self._data = primary, primary.folder / "replica"
        where = ("-h", primary.folder, "-p", "5432", "-U", "postgres")
        self._run("pg_basebackup", *where, "-D", self._data, "-R", "-X", "stream", "-c", "fast")
        log = primary.folder / "replica.log"
        self._run("pg_ctl", "start", "-s", "-w", "-D", self._data, "-l", log, "-o", f"-p {PORT}")

    def _run(self, program: str, *words: object) -> None:
        postgres._run(self._of.owner, self._of.programs / program, *map(str, words))

    def ask(self, statement: str) -> object:
        """The first value of a statement."""
        told = f"host={self._of.folder} port={PORT} user=postgres dbname=freshtrail"
        with psycopg.connect(told, autocommit=True) as connection:
            row = connection.execute(statement.encode()).fetchone()
        return row and row[0]

    @property
    def url(self) -> str:
        """Its address."""
        query = {"host": str(self._of.folder), "port": PORT}
        return str(URL.create("postgresql+psycopg", "postgres", database="freshtrail", query=query))

    def stop(self) -> None:
        """Stop the server."""
        self._run("pg_ctl", "stop", "-s", "-m", "immediate", "-D", self._data)


@pytest.fixture(scope="module")
def replica(on_postgres_alone: None, application: Flask) -> Iterator[Replica]:
    """A migrated primary, which the application uses meanwhile, with its replica."""
    before = config.settings().url
    with ExitStack() as stack:
        try:
            primary = postgres.start()
        except postgres.NoServer as reason:
            pytest.skip(f"no replica: {reason}")
        stack.callback(primary.stop)
        stack.callback(use_database, before)
        roles.make_roles(primary.url())
        url = primary.create("freshtrail")
        with psycopg.connect(f"host={primary.folder} user=postgres", autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE freshtrail OWNER TO {roles.OWNER}".encode())
        use_database(roles.as_role(url, roles.APPLICATION))
        schema.upgrade()
        roles.let_research_in()
        made = Replica(primary)
        stack.callback(made.stop)
        yield made


@pytest.fixture
def reads(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replica]:
    """The settings name the replica."""
    monkeypatch.setenv("REPLICA_URL", replica.url)
    config.settings.cache_clear()
    yield replica
    monkeypatch.undo()
    config.settings.cache_clear()


@pytest.fixture(scope="module")
def made(replica: Replica, application: Flask) -> Clinic:
    with application.app_context():
        return make_clinic(80, seed=51)


def test_a_snapshot_is_the_replicas_and_can_not_write(app: Flask, reads: Replica) -> None:
    with reading.snapshot() as snap:
        [row] = snap.rows(text("SELECT pg_is_in_recovery() AS standby"))  # type: ignore[arg-type]
        assert row["standby"] is True
        with pytest.raises(InternalError, match="during recovery"):
            list(snap.rows(text("SELECT pg_current_xact_id()")))  # type: ignore[arg-type]


def test_a_release_read_from_the_replica_is_that_of_the_primary(
    app: Flask, made: Clinic, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_primary = make_release(made)
    monkeypatch.setenv("REPLICA_URL", replica.url)
    config.settings.cache_clear()
    try:
        before = replica.ask("SELECT sum(seq_scan + idx_scan) FROM pg_stat_user_tables")
        by_replica = make_release(made)
        after = replica.ask("SELECT sum(seq_scan + idx_scan) FROM pg_stat_user_tables")
    finally:
        monkeypatch.undo()
        config.settings.cache_clear()
    assert by_replica["state"] == "ready"
    assert int(str(after)) > int(str(before))
    tables = [
        {f["name"]: f["sha256"] for f in one["manifest"]["files"] if f["name"].endswith("parquet")}
        for one in (by_primary, by_replica)
    ]
    assert tables[0] == tables[1] and tables[0]


def test_a_replica_that_is_behind_is_waited_for(app: Flask, made: Clinic, reads: Replica) -> None:
    reads.ask("SELECT pg_wal_replay_pause()")
    later = Timer(1.5, reads.ask, ("SELECT pg_wal_replay_resume()",))
    later.start()
    try:
        new = make_clinic(60, seed=52)  # only the primary has them
        one = make_release(new)
    finally:
        later.join()
    assert one["state"] == "ready"


def test_a_replica_that_stays_behind_makes_no_release(
    app: Flask, made: Clinic, reads: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "REPLAY_S", 0.5)
    reads.ask("SELECT pg_wal_replay_pause()")
    try:
        assert make_release(made)["state"] == "failed"
    finally:
        reads.ask("SELECT pg_wal_replay_resume()")
