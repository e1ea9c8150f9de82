"""Production does not start with what could undo its own walls; each reason is told in words."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from api import config, db, field_keys, startup
from api.access import keys
from api.audit import checkpoints
from api.errors import Unsafe
from tests import builders, roles
from tests.conftest import use_database

SOUND = startup.Standing(180000, "on", "on", False, False, False, False, (), "/run", False)


@pytest.fixture
def postgres(on_postgres_alone: None, app: Any) -> None:
    """Only where there are roles."""


@pytest.fixture
def as_role(postgres: None) -> Iterator[Any]:
    """Lets the application connect as another role."""
    before = config.settings().url

    def become(role: str) -> list[str]:
        use_database(roles.as_role(before, role))
        return list(startup.of_postgres(startup.standing()))

    yield become
    use_database(before)


def owner(*statements: str) -> None:
    url = config.settings().owner_url
    engine = create_engine(roles.as_role(url, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_the_applications_role_is_refused_for_nothing_but_this_hasty_server(as_role: Any) -> None:
    [only] = as_role(roles.APPLICATION)
    assert "fsync" in only, "the servers of tests need not survive a power cut"


@pytest.mark.parametrize(
    ("role", "why"),
    [
        (roles.OWNER, "owns the tables"),
        (roles.OWNER, "passes through"),
        (roles.BACKUP, "passes through"),
        ("postgres", "passes through"),
        ("postgres", "owns the tables"),
        ("postgres", "may rewrite the trail"),
    ],
)
def test_a_role_that_may_too_much_is_refused(as_role: Any, role: str, why: str) -> None:
    assert any(why in reason for reason in as_role(role))


def test_a_role_that_could_become_the_owner_is_refused_too(as_role: Any) -> None:
    owner("CREATE ROLE may_become LOGIN", f"GRANT {roles.OWNER} TO may_become")
    try:
        reasons = "\n".join(as_role("may_become"))
    finally:
        owner("DROP ROLE may_become")
    assert "owns the tables" in reasons and "passes through" in reasons


def test_the_other_ways_to_the_database_are_looked_at_too(
    as_role: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert config.settings().research_url and list(startup.of_others()) == []
    mine = config.settings().url

    def told(**more: str) -> list[str]:
        changed = replace(config.settings(), research_url="", **more)
        monkeypatch.setattr(startup, "settings", lambda: changed)
        return list(startup.of_others())

    assert told(replica_url=mine) == []
    owns = "\n".join(told(replica_url=roles.as_role(mine, roles.OWNER)))
    assert "role of REPLICA_URL owns the tables" in owns and "REPLICA_URL passes" in owns
    changed = replace(config.settings(), research_url=roles.as_role(mine, "postgres"))
    monkeypatch.setattr(startup, "settings", lambda: changed)
    everything = "\n".join(startup.of_others())
    for why in ("passes through", "owns the tables", "may rewrite the trail"):
        assert f"RESEARCH_DATABASE_URL {why}" in everything
    away = make_url(mine).set(host="127.0.0.1", port=1, query={})
    assert told(replica_url=away.render_as_string(hide_password=False)) == []
    assert "REPLICA_URL does not answer" in caplog.text


def test_without_tls_no_other_way_leads_to_another_host() -> None:
    [reason] = startup.of_role(replace(SOUND, host="replica.clinic.example"), "REPLICA_URL")
    assert "replica.clinic.example is not encrypted" in reason


def test_production_does_not_start_without_a_checkpoint_key(
    app: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert list(startup.of_keys()) == []
    changed = replace(config.settings(), mode="production")
    monkeypatch.setattr(startup, "settings", lambda: changed)
    monkeypatch.setitem(vars(config.settings()), "keys", tmp_path)
    checkpoints._key.cache_clear()
    try:
        keys.make_keys(tmp_path)
        field_keys.make_keys(tmp_path)
        monkeypatch.setattr(startup, "vault_fits", lambda: None)
        with pytest.raises(
            Unsafe, match="There is no checkpoint key; `flask --app wsgi keys make`"
        ):
            startup.refuse_unsafe()
    finally:
        monkeypatch.undo()
        checkpoints._key.cache_clear()


def test_a_table_without_the_wall_is_named(as_role: Any) -> None:
    owner("ALTER TABLE goals NO FORCE ROW LEVEL SECURITY")
    try:
        assert "Without row-level security: goals." in as_role(roles.APPLICATION)
    finally:
        owner("ALTER TABLE goals FORCE ROW LEVEL SECURITY")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"version": 150013}, "too old"),
        ({"version": 140020}, "too old"),
        ({"version": 160009}, "too old"),
        ({"version": 170005}, "too old"),
        ({"fsync": "off"}, "fsync"),
        ({"synchronous_commit": "off"}, "fsync"),
        ({"host": "db.clinic.example"}, "not encrypted"),
        ({"host": "10.0.0.7"}, "not encrypted"),
    ],
)
def test_a_server_that_is_not_sound_is_refused(wrong: dict[str, Any], why: str) -> None:
    [reason] = startup.of_postgres(replace(SOUND, **wrong))
    assert why in reason


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"version": 150014},
        {"version": 170006},
        {"host": "db.clinic.example", "has_tls": True},
        {"host": "127.0.0.1"},
        {"host": "localhost"},
    ],
)
def test_a_sound_one_is_not(right: dict[str, Any]) -> None:
    assert list(startup.of_postgres(replace(SOUND, **right))) == []


@pytest.mark.parametrize("password", ["", "short", "postgres", "app-of-a-clinic"])
def test_a_password_that_can_be_guessed_is_refused(password: str) -> None:
    url = make_url("postgresql+psycopg://app-of-a-clinic@host/freshtrail").set(password=password)
    assert startup.is_weak(url)
    assert not startup.is_weak(url.set(password="8mTqw0Kc-long-enough"))


def test_no_password_at_all_is_for_sockets_and_certificates() -> None:
    assert not startup.is_weak(make_url("postgresql+psycopg://app@/freshtrail?host=/run"))


def test_debugging_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(startup.of_settings()) == []
    monkeypatch.setenv("FLASK_DEBUG", "1")
    [reason] = startup.of_settings()
    assert "FLASK_DEBUG" in reason


def test_demo_accounts_are_refused(app: Any) -> None:
    with db.transaction():
        builders.make_scene()
    assert any("demo accounts" in reason for reason in startup.of_database())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        '{"current": "a", "keys": {}}',
        '{"current": "a", "keys": {"a": ""}}',
        '{"current": "a", "keys": {"a": "c2hvcnQ="}}',
        '{"current": "a", "keys": {"a": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}',
    ],
)
def test_field_keys_that_are_empty_short_or_no_secret_are_refused(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / field_keys.FILE).write_text(content)
    with pytest.raises(Unsafe, match="field keys"):
        field_keys.read_keys(tmp_path)


def test_the_keys_of_another_database_are_refused(
    app: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.transaction():
        builders.make_scene()
    startup.vault_fits()
    field_keys.make_keys(tmp_path / "keys")
    try:
        with monkeypatch.context() as patch:
            patch.setenv("FRESHTRAIL_DATA", str(tmp_path))
            config.settings.cache_clear()
            field_keys._look(even_if_young=True)
            with pytest.raises(Unsafe, match="not those of this database"):
                startup.vault_fits()
    finally:
        config.settings.cache_clear()
        field_keys._look(even_if_young=True)
    startup.vault_fits()


def test_sqlite_keeps_what_was_answered_through_a_power_cut(tmp_path: Path) -> None:
    """Asked in a process of its own: the tests themselves are hasty."""
    ask = "from api import db; link = db.engine().connect()"
    ask += "; print(link.exec_driver_sql('PRAGMA synchronous').scalar())"
    env = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'own.sqlite'}"}
    told = subprocess.run([sys.executable, "-c", ask], env=env, capture_output=True, text=True)
    assert told.stdout.strip() == "2", told.stderr
