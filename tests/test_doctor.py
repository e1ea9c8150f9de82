"""The doctor: what is well is a line, what is not is a red one, and the shell is told."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import delete, select, update

from api import clock, config, db, doctor
from api.access.users import clinics, users
from api.backups import charts
from api.backups.making import connected
from api.core import beats, resealing, suspending
from api.core.alerts import alerts
from api.core.beats import worker_beats
from api.core.chart_keys import chart_keys
from api.core.patients import patients
from api.outbox.letters import letters, write
from tests.builders import Scene
from tests.conftest import empty_database, small_database


@pytest.fixture(scope="module", autouse=True)
def of_its_own(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A database in which no other test leaves anything: the doctor looks through all clinics."""
    with small_database(tmp_path_factory.mktemp("small")):
        yield


def levels(name: str) -> list[str]:
    return [finding.level for finding in doctor.examine(name)]


def test_everything_is_looked_at_and_each_has_its_line(scene: Scene) -> None:
    found = [finding.name for finding in doctor.examine()]
    assert set(found) == set(doctor.LOOKS)


def test_a_chart_whose_key_is_lost_is_red_and_old_copies_are_warned_of(
    scene: Scene, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHART_KEY_DIR", str(tmp_path))
    config.settings.cache_clear()
    note = {"kind": "psychotherapy", "text": "For me alone."}
    assert call("CT").post(f"/patients/{scene.patient['id']}/notes", note).status_code == 201
    assert levels("keys of charts") == ["warn"], "no copy"
    old, new = (tmp_path / f"chart-keys-2026010{day}T000000Z.json" for day in (1, 2))
    new.write_text('{"keys": []}')
    assert levels("keys of charts") == ["warn"], "a copy without the key"
    copy_keys(new)
    assert levels("keys of charts") == ["ok"]
    old.write_text('{"keys": []}')
    assert levels("keys of charts") == ["warn"], "an old copy"
    old.unlink()
    copy_keys(new, "{")
    assert levels("keys of charts") == ["red"], "a copy that can't be read"
    copy_keys(new)
    mine = chart_keys.c.clinic_id == scene.clinic_id
    with db.transaction() as store:
        [row] = store.rows(select(chart_keys).where(mine))
        store.execute(delete(chart_keys).where(mine))
    assert levels("keys of charts") == ["red"]
    with db.transaction() as store:  # other tests look through this database
        store.execute(chart_keys.insert().values(**row))
    monkeypatch.undo()
    config.settings.cache_clear()


def copy_keys(path: Path, more: str = "") -> None:
    """Write down every key of the database, and after them whatever is given."""
    with connected(config.settings().owner_url) as connection:
        path.write_text(json.dumps({"keys": [*map(charts._plain, charts.take(connection))]}) + more)


def test_a_worker_that_is_silent_is_red(scene: Scene) -> None:
    with db.transaction() as store:
        store.execute(delete(worker_beats))
    assert levels("worker") == ["red"]
    with db.transaction():
        beats.beat("worker")
    assert levels("worker") == ["ok"]


def test_an_escalation_that_nobody_does_is_red(scene: Scene, open_alert: Any) -> None:
    assert levels("alerts") == ["ok"]
    with db.transaction() as store:
        late = clock.now() - timedelta(minutes=6)
        store.execute(update(alerts).where(alerts.c.id == open_alert).values(look_again_at=late))
    assert levels("alerts") == ["red"]


@pytest.fixture
def open_alert(scene: Scene, call: Any) -> Any:
    answers = {f"phq9-{n}": 1 for n in range(1, 10)}
    given = call("PS").post(
        f"/patients/{scene.patient['id']}/check-ins",
        {"instrument": "phq-9", "answers": answers, "complete": True},
    )
    assert given.status_code == 201
    with db.transaction() as store:
        row = store.row(select(alerts.c.id).where(alerts.c.patient_id == scene.patient["id"]))
        assert row is not None
        # other tests' alerts are not this one's concern
        others = update(alerts).where(alerts.c.id != row["id"])
        store.execute(others.values(look_again_at=None))
    return row["id"]


def test_crisis_resources_that_nobody_looked_at_again_are_red(scene: Scene) -> None:
    with db.transaction() as store:
        row = store.row(select(clinics).where(clinics.c.id == scene.clinic_id))
        assert row is not None
        name = row["name"]
        past = {"en-US": {"emergency": "911", "review_on": "2020-01-01"}}
        mine = update(clinics).where(clinics.c.id == row["id"])
        store.execute(mine.values(crisis_resources=past))
    lines = [f for f in doctor.examine("crisis") if f.words.startswith(name)]
    assert any(line.level == "red" and "2020-01-01" in line.words for line in lines)


def test_a_clinic_whose_charts_nobody_watches_over_is_warned_of(scene: Scene) -> None:
    [line] = [f for f in doctor.examine("officers") if f.words.startswith("Other Clinic")][:1]
    assert line.level == "warn" and "no privacy officer" in line.words
    assert "Test Clinic has" not in str([*doctor.examine("officers")])
    mine = users.update().where(users.c.id == scene["PR"].user_id)
    with db.within(scene.clinic_id), db.transaction() as store:
        store.execute(mine.values(disabled_at=clock.now()))
    assert "Test Clinic has" in str([*doctor.examine("officers")]), "a disabled one is none"


def test_a_suspended_clinic_is_warned_of(scene: Scene) -> None:
    assert levels("suspended") == ["ok"]
    with db.transaction():
        suspending.suspend_clinic(scene.clinic_id, "Invoice 17")
    [line] = doctor.examine("suspended")
    assert line.level == "warn" and line.words.startswith("Test Clinic is suspended since 20")
    with db.transaction():
        suspending.resume_clinic(scene.clinic_id, "Paid")
    assert levels("suspended") == ["ok"]


def test_a_copy_of_the_keys_that_is_another_is_red(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert levels("keys") == ["ok", "warn"]
    (tmp_path / "field-keys.json").write_text("{}")
    monkeypatch.setenv("KEYS_COPY_DIR", str(tmp_path))
    config.settings.cache_clear()
    assert levels("keys") == ["ok", "red"]
    monkeypatch.setenv("KEYS_COPY_DIR", str(config.settings().keys))
    config.settings.cache_clear()
    assert levels("keys") == ["ok", "ok"]
    monkeypatch.delenv("KEYS_COPY_DIR")
    config.settings.cache_clear()


def test_a_backup_that_nobody_checked_is_none(scene: Scene) -> None:
    assert levels("backup") == ["red"]


@pytest.fixture
def shell(application: Flask) -> Iterator[Any]:
    """`shell(*words)` runs a command."""

    def run(*words: str) -> Result:
        return application.test_cli_runner().invoke(args=words)

    yield run


def test_the_command_ends_with_one_when_anything_is_red(shell: Any, scene: Scene) -> None:
    told = shell("doctor")
    assert told.exit_code == 1 and "RED   backup" in told.output
    assert len(told.output.splitlines()) >= len(doctor.LOOKS)


def test_the_command_looks_at_what_is_named_alone(shell: Any, scene: Scene) -> None:
    told = shell("doctor", "backup", "disk")
    assert told.exit_code == 1, "a red one is among them"
    assert [line[4:].split()[0] for line in told.output.splitlines()] == ["backup", "disk"]
    refused = shell("doctor", "the-weather")
    assert refused.exit_code == 2 and "'backup'" in refused.output


def test_an_empty_database_is_told_of_and_hides_nothing(shell: Any, tmp_path: Path) -> None:
    with empty_database(tmp_path):
        told = shell("doctor")
    assert told.exit_code == 1 and "RED   schema" in told.output and "disk" in told.output


@pytest.mark.parametrize(
    ("more", "mail", "sign_in"),
    [
        ({}, ["ok"], ["ok"]),
        ({"mode": "production"}, ["red"], ["ok"]),
        ({"mode": "production", "require_totp": "off"}, ["red"], ["warn"]),
        ({"mode": "production", "reset_hours": 0}, ["red"], ["ok", "warn"]),
        ({"mode": "production", "reset_hours": 1}, ["red"], ["ok"]),
        ({"smtp_host": "m.example", "mail_from": "a@b.example"}, ["ok", "warn"], ["ok"]),
    ],
)
def test_mail_that_reaches_nobody_and_passwords_alone_are_told(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    more: dict[str, Any],
    mail: list[str],
    sign_in: list[str],
) -> None:
    changed = replace(config.settings(), **more)
    monkeypatch.setattr(doctor, "settings", lambda: changed)
    with db.transaction() as store:
        store.execute(delete(letters))
    assert (levels("mail"), levels("sign-in")) == (mail, sign_in)


def test_a_mail_that_waits_for_long_is_red(scene: Scene) -> None:
    with db.transaction() as store:
        write(store, "invitation", "somebody@test.example", "a-token")
        old = clock.now() - timedelta(minutes=6)
        store.execute(update(letters).values(created_at=old))
    assert levels("mail") == ["ok", "red"]
    with db.transaction() as store:
        store.execute(delete(letters))


def test_words_that_lie_in_clear_are_warned_of_until_they_are_sealed(scene: Scene) -> None:
    def warned() -> bool:
        return any("in clear" in finding.words for finding in doctor.examine("keys"))

    mine = patients.c.id == scene.patient["id"]
    assert not warned()
    with db.transaction() as store:
        store.execute(update(patients).where(mine).values(pronouns="they", gender_identity="x"))
    assert warned() and resealing.left()["patients"] == 1
    assert resealing.reseal(lambda _done: None) == 0
    assert not warned() and "patients" not in resealing.left()
    with db.transaction() as store:
        row = store.row(select(patients).where(mine), opens=patients)
    assert row is not None and (row["pronouns"], row["version"]) == (None, 1)
    assert (row["sealed_pronouns"], row["sealed_gender_identity"]) == ("they", "x")
