"""A chart that was removed for good: its code goes, and the next release is without the patient."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.exc import ProgrammingError

from api import config, db, schema
from api.access.users import users
from api.core.patients import patients
from api.core.purges import working
from api.core.release import codes, shelf
from tests import roles
from tests.builders import Scene, make_sign_in
from tests.conftest import empty_database
from tests.core.purging import agreed, as_it_is, work, years_later
from tests.research.clinic import Clinic, codes_of, make_clinic, make_release
from tests.research.reading import Files
from tests.research.test_codes_apart import findings


def scene_of(made: Clinic) -> Scene:
    return Scene(made.clinic_id, {}, {}, {})


def subjects(one: db.Values) -> set[str]:
    assert one["state"] == "ready", one
    return {row["subject_id"] for row in Files(shelf.folder(one))["subjects"]}


@pytest.fixture
def told(app: Flask) -> tuple[Clinic, db.Values]:
    """A clinic with a release, all of whose patients are of age."""
    made = make_clinic(150, seed=11)
    with db.transaction() as store:
        mine = patients.c.clinic_id == made.clinic_id
        store.execute(update(patients).where(mine).values(birth_on=date(1980, 5, 5)))
    return made, make_release(made)


def test_what_was_released_stays_and_nobody_can_say_whose_it_was(
    told: tuple[Clinic, db.Values],
) -> None:
    made, first = told
    known, before = codes_of(made, made.project_id), subjects(first)
    who = next(one for one, code in sorted(known.items()) if code in before)
    with years_later():
        purge = agreed(scene_of(made), who)
        work(scene_of(made))
        assert as_it_is(purge)["state"] == "done"
        left = codes_of(made, made.project_id)
        assert left == {one: code for one, code in known.items() if one != who}
        with db.transaction() as store:
            mine = select(users).where(users.c.id == made.analyst.user_id)
            made.analyst.sign_in_id = make_sign_in(db.found(store.row(mine)))
        second = make_release(made)
    assert subjects(first) == before, "what was published is published"
    assert known[who] not in subjects(second) and len(subjects(second)) > 50
    assert who not in codes_of(made, made.project_id)


@pytest.fixture
def as_before(application: Flask, tmp_path: Path) -> Iterator[None]:
    """A database in which the role for research was granted what it was granted before."""
    with empty_database(tmp_path), application.app_context():
        schema.upgrade()
        roles.let_research_in()
        owner = roles.outside(config.settings().owner_url)
        with owner.begin() as connection:
            taken = f"REVOKE DELETE ON research_codes.research_subjects FROM {roles.RESEARCH}"
            connection.execute(text(taken))
        yield
    db.leave_store()


def test_where_the_role_was_not_granted_anew_the_chart_is_closed_and_its_removal_waits(
    on_postgres_alone: None, as_before: None
) -> None:
    assert [one.level for one in findings()] == ["warn"]
    made = make_clinic(3, seed=71)
    with db.transaction() as store:
        mine = patients.c.clinic_id == made.clinic_id
        store.execute(update(patients).where(mine).values(birth_on=date(1980, 5, 5)))
    with db.within(made.clinic_id):
        codes.give_codes(made.clinic_id, made.project_id)
    who, scene = made.patients[0], scene_of(made)
    with years_later():
        purge = agreed(scene, who)
        with pytest.raises(ProgrammingError, match="permission denied"):
            work(scene)
        assert as_it_is(purge)["state"] == "running"
        assert working.purge_next() is False, "it fails, is logged, and keeps nobody else waiting"
        roles.let_research_in()
        assert [one.level for one in findings()] == ["ok"]
        work(scene)
        assert as_it_is(purge)["state"] == "done"
        assert who not in codes_of(made, made.project_id)
