"""Codes of subjects lie apart: the way there and back, who keeps them, and what the doctor says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from api import config, db, doctor, schema, startup
from api.core.release import codes
from tests import builders, roles
from tests.conftest import empty_database
from tests.research.clinic import Clinic, make_clinic

NAMED = text("SELECT subject_id FROM research_subjects")


@pytest.fixture
def other_database(application: Flask, database: str, tmp_path: Path) -> Iterator[str]:
    """An empty database; the application points at it meanwhile."""
    with empty_database(tmp_path), application.app_context():
        yield database
    db.leave_store()


def coded() -> Clinic:
    """A clinic in which everybody has a code."""
    made = make_clinic(5, seed=71)
    with db.within(made.clinic_id):
        codes.give_codes(made.clinic_id, made.project_id)
    return made


def told(made: Clinic) -> dict[object, str]:
    with db.within(made.clinic_id):
        return dict(codes.codes(made.clinic_id, made.project_id))


def is_read_by(role: str, made: Clinic) -> bool:
    """Whether a role reads a code."""
    engine = db.make_engine(roles.as_role(config.settings().url, role))
    try:
        about = engine.execution_options(within=db.Within(made.clinic_id))
        with about.connect() as connection:
            return connection.execute(NAMED).first() is not None
    except ProgrammingError:
        return False
    finally:
        engine.dispose()


def findings() -> list[doctor.Finding]:
    """What the doctor says of research, as the application's role sees it."""
    with db.within(finding=True):
        return [one for one in doctor.examine() if one.name == "research"]


def without_its_own_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings name no role for research."""
    monkeypatch.setenv("RESEARCH_DATABASE_URL", "")
    config.settings.cache_clear()


def test_codes_that_are_there_go_along_and_back(other_database: str) -> None:
    schema.upgrade()
    roles.let_research_in()
    made = coded()
    before = told(made)
    schema.move("0021")
    with db.transaction() as store:  # as the version of before has them
        there = store.execute(NAMED).scalars().all()
        if store.on_postgres:
            place = text("SELECT to_regclass('public.research_subjects') IS NOT NULL")
            assert store.execute(place).scalar() is True
    assert sorted(there) == sorted(before.values()) and len(before) == 5
    schema.upgrade()
    assert told(made) == before
    if other_database == "postgres":
        assert is_read_by(roles.RESEARCH, made) and not is_read_by(roles.APPLICATION, made)


def test_without_a_role_of_its_own_the_applications_keeps_the_codes_and_the_doctor_says_so(
    other_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_its_own_role(monkeypatch)
    schema.upgrade()
    made = coded()
    assert len(told(made)) == 5
    [finding] = findings()
    if other_database == "sqlite":
        assert finding.level == "ok" and "SQLite" in finding.words
        return
    assert finding.level == "warn" and "RESEARCH_DATABASE_URL" in finding.words
    assert is_read_by(roles.APPLICATION, made) and not is_read_by(roles.RESEARCH, made)
    config.settings.cache_clear()


@pytest.mark.parametrize("names_it", [True, False])
def test_once_another_role_keeps_them_the_applications_never_does_again(
    on_postgres_alone: None, other_database: str, monkeypatch: pytest.MonkeyPatch, names_it: bool
) -> None:
    schema.upgrade()
    roles.let_research_in()
    made = coded()
    if not names_it:
        without_its_own_role(monkeypatch)
    schema.upgrade()
    assert is_read_by(roles.RESEARCH, made) and not is_read_by(roles.APPLICATION, made)
    [finding] = findings()
    assert finding.level == "ok"
    assert ("the worker needs" in finding.words) is not names_it
    monkeypatch.undo()
    config.settings.cache_clear()


def test_a_role_that_can_not_give_codes_is_red_and_one_that_reads_names_is_told(
    on_postgres_alone: None, other_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.upgrade()
    roles.let_research_in()
    for role, level in ((roles.BACKUP, "red"), (roles.OWNER, "warn"), (roles.RESEARCH, "ok")):
        url = roles.as_role(config.settings().url, role)
        monkeypatch.setenv("RESEARCH_DATABASE_URL", url)
        config.settings.cache_clear()
        found = [one.level for one in findings()]
        assert level in found, role
    monkeypatch.undo()
    config.settings.cache_clear()


def test_the_wall_around_the_codes_is_looked_at_too(
    on_postgres_alone: None, other_database: str
) -> None:
    schema.upgrade()
    with db.transaction() as store:
        store.execute(text("ALTER TABLE research_subjects NO FORCE ROW LEVEL SECURITY"))
    assert startup.standing().unwalled == ("research_subjects",)


def test_a_clinic_of_another_is_not_asked_for(app: Flask) -> None:
    made = coded()
    with db.transaction():
        other = builders.make_clinic("Another")
    with db.within(other):
        assert codes.codes(other, made.project_id) == {}
    assert set(told(made)) == set(made.patients)
