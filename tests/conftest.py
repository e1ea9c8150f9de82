"""Every test runs on SQLite and on real PostgreSQL; each makes a clinic of its own."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_DATA = Path(tempfile.mkdtemp(prefix="freshtrail-"))
os.environ.update(FRESHTRAIL_MODE="test", FRESHTRAIL_DATA=str(_DATA), WEB_WORKERS="1")
os.environ.setdefault("RATE_PER_PRINCIPAL", "1000000")
os.environ.setdefault("RATE_PER_CLINIC", "1000000")
os.environ.setdefault("RATE_SIGN_IN", "1000000")
for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL", "RESEARCH_DATABASE_URL", "FRESHTRAIL_CLOCK"):
    os.environ.pop(name, None)

import hypothesis  # noqa: E402
from flask import Flask  # noqa: E402
from flask.testing import FlaskClient  # noqa: E402
from sqlalchemy import create_engine, make_url, select, text  # noqa: E402

from api import clock, config, db, field_keys  # noqa: E402
from api.access import keys  # noqa: E402
from api.audit import checkpoints  # noqa: E402
from api.core import refusals  # noqa: E402
from api.core.throttle import throttles  # noqa: E402
from api.db import engines, stores, walls  # noqa: E402
from tests import builders, roles, shadows  # noqa: E402

ENGINES = ("sqlite", "postgres")
hypothesis.settings.register_profile("the same draws", derandomize=True)
if os.environ.get("DRAW_ANEW", "") in ("", "0"):
    hypothesis.settings.load_profile("the same draws")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--require-postgres` makes a missing PostgreSQL an error instead of a visible skip."""
    parser.addoption("--require-postgres", action="store_true", help="fail without PostgreSQL")


def pytest_configure(config: pytest.Config) -> None:
    """Keys of this run, in a folder that goes with it."""
    field_keys.make_keys(_DATA / "keys")
    keys.make_keys(_DATA / "keys")
    checkpoints.make_key(_DATA / "keys")
    stores.Store = roles.Building  # type: ignore[misc]
    engines.SYNCHRONOUS = "synchronous=OFF"  # the rows of tests need outlast nothing
    shadows.forbid()
    minute = clock.now()
    refusals.tally = refusals.Tally(lambda: minute)  # it never ends: nothing is written unasked


def pytest_runtest_setup() -> None:
    """Let our loggers be heard: a linter that ran within another test has silenced them."""
    for name, log in logging.root.manager.loggerDict.items():
        if isinstance(log, logging.Logger) and name.partition(".")[0] == "freshtrail":
            log.disabled = False


ONLY = {"on_postgres_alone": "postgres", "on_sqlite_alone": "sqlite"}
"""The fixtures that say of which engine alone something can be told."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test of one engine alone is not made for the other, rather than skipped there."""
    wrong = [item for item in items if _is_of_another_engine(item)]
    items[:] = [item for item in items if item not in set(wrong)]
    config.hook.pytest_deselected(items=wrong)


def _is_of_another_engine(item: pytest.Item) -> bool:
    asked = getattr(item, "fixturenames", ())
    engine = getattr(getattr(item, "callspec", None), "params", {}).get("database")
    return any(name in asked and engine != only for name, only in ONLY.items())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    import shutil

    db.engine.cache_clear()
    shutil.rmtree(_DATA, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database on real PostgreSQL, migrated."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        roles.make_roles(given)
        yield from database_on(roles.as_role(given, roles.OWNER))
        return
    from tests import postgres

    try:
        cluster = postgres.start()
    except postgres.NoServer as reason:
        if request.config.getoption("--require-postgres"):
            raise
        pytest.skip(f"PostgreSQL tests not run: {reason}")
    roles.make_roles(cluster.url())
    databases = database_on(roles.as_role(cluster.url(), roles.OWNER))
    yield next(databases)
    use_database(cluster.url())
    next(databases, None)
    cluster.stop()


def database_on(server: str) -> Iterator[str]:
    """A fresh database on a server that is there already; dropped afterwards.

    `server` is reached as the owner; what comes is the address for the application.
    """
    name = f"freshtrail_test_{db.new_id().hex}"
    maintenance = create_engine(server, isolation_level="AUTOCOMMIT")
    with maintenance.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    there = make_url(server).set(database=name).render_as_string(hide_password=False)
    yield roles.as_role(there, roles.APPLICATION)
    with maintenance.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    maintenance.dispose()


@pytest.fixture(scope="session", params=ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which engine this pass runs on; its URL is what the application connects to."""
    if request.param == "sqlite":
        url = f"sqlite:///{_DATA / 'test.sqlite'}"
    else:
        url = request.getfixturevalue("postgres_url")
    use_database(url)
    _migrate(url)
    yield request.param
    use_database(url)


@pytest.fixture(scope="session")
def on_postgres_alone(database: str) -> None:
    """What SQLite has not: roles, policies, replicas."""
    assert database == "postgres"


@pytest.fixture(scope="session")
def on_sqlite_alone(database: str) -> None:
    """What only a file has."""
    assert database == "sqlite"


def use_database(url: str) -> None:
    """Point the application at a database; connections to the one before are closed."""
    for made in (db.engine, db.one_trip_pool):
        if made.cache_info().currsize:
            pool = made()
            if pool is not None:
                pool.dispose()
            made.cache_clear()
    roles.forget()
    os.environ["DATABASE_URL"] = url
    is_postgres = url.startswith("postgresql")
    os.environ["MIGRATION_DATABASE_URL"] = roles.as_role(url, roles.OWNER) if is_postgres else ""
    os.environ["RESEARCH_DATABASE_URL"] = roles.as_role(url, roles.RESEARCH) if is_postgres else ""
    config.settings.cache_clear()


@contextmanager
def empty_database(folder: Path) -> Iterator[None]:
    """An empty database of the engine in use; the application points at it meanwhile."""
    before = config.settings().url
    sqlite = before.startswith("sqlite")
    fresh = (
        iter([f"sqlite:///{folder / 'other.sqlite'}"])
        if sqlite
        else database_on(config.settings().owner_url)
    )
    use_database(next(fresh))
    try:
        yield
    finally:
        use_database(before)
        next(fresh, None)


@contextmanager
def small_database(folder: Path) -> Iterator[None]:
    """The same, migrated: for what looks through all that is there, which grows with the tests."""
    with empty_database(folder):
        _migrate(config.settings().url)
        yield


def _migrate(url: str) -> None:
    from api import schema

    schema.upgrade()
    roles.let_research_in()


@pytest.fixture(scope="session")
def application(database: str) -> Flask:
    """The application."""
    from api.cli import app

    return app


@pytest.fixture
def app(application: Flask) -> Iterator[Flask]:
    """The application within a context, and a store that is undone after the test."""
    with db.transaction() as store:  # what others tried is not held against this test
        if store.row(select(throttles.c.key).limit(1)) is not None:
            store.execute(throttles.delete())
    with application.app_context():
        yield application
    db.leave_store()
    walls.say(None)


@pytest.fixture
def scene(app: Flask) -> builders.Scene:
    """A clinic with every persona, kept."""
    with db.transaction():
        return builders.make_scene()


class Caller:
    """A client of the API as one persona: sends JSON, carries the token."""

    def __init__(self, client: FlaskClient, token: str | None) -> None:
        self.client, self.token = client, token

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request; `if_match="1"` becomes the header If-Match, quoted."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if "if-match" in sent:
            sent["if-match"] = f'"{sent["if-match"]}"'
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        more = {} if body is None else {"json": body}
        full = path if path.startswith("/research/") else f"/api/v1{path}"
        return self.client.open(full, method=method, headers=sent, buffered=True, **more)

    def get(self, path: str, **headers: str) -> Any:
        """GET."""
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST; an empty object unless a body is given."""
        return self("POST", path, {} if body is None else body, **headers)

    def patch(self, path: str, body: Any, version: int, **headers: str) -> Any:
        """PATCH at a version."""
        return self("PATCH", path, body, **{"if-match": str(version)}, **headers)

    def delete(self, path: str, version: int) -> Any:
        """DELETE at a version."""
        return self("DELETE", path, **{"if-match": str(version)})


@pytest.fixture
def call(app: Flask, scene: builders.Scene) -> Any:
    """`call("CT").get("/patients")`: a client for each persona of the scene."""

    def as_persona(name: str | None) -> Caller:
        token = scene[name].token if name else None
        return Caller(app.test_client(), token)

    return as_persona
