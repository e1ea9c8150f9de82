"""The doctor's red lines, each with what makes it red: roles, the trail, deliveries, disks."""

import shutil
from collections import namedtuple
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from api import clock, config, db, doctor
from api.access.users import clinics
from api.audit import checkpoints
from api.audit.trail import audit_events
from api.core import on_call, sealing
from api.outbox import events, signing
from api.outbox.tables import webhook_deliveries, webhooks
from tests import roles
from tests.builders import Scene
from tests.conftest import small_database, use_database

LATE = timedelta(minutes=6)


@pytest.fixture(scope="module", autouse=True)
def of_its_own(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A database in which no other test leaves anything: the doctor looks through all clinics."""
    with small_database(tmp_path_factory.mktemp("small")):
        yield


def seen(name: str) -> list[tuple[str, str]]:
    return [(finding.level, finding.words) for finding in doctor.examine(name)]


def levels(name: str) -> list[str]:
    return [level for level, _ in seen(name)]


def test_on_sqlite_there_are_no_roles(on_sqlite_alone: None, scene: Scene) -> None:
    assert levels("roles") == ["ok"]


def test_a_role_that_may_more_than_it_needs_is_red(on_postgres_alone: None, scene: Scene) -> None:
    [(level, words)] = seen("roles")
    assert level == "red" and "fsync" in words, "the servers of tests need not outlast a power cut"
    before = config.settings().url
    use_database(roles.as_role(before, roles.OWNER))
    try:
        found = seen("roles")
    finally:
        use_database(before)
    assert {level for level, _ in found} == {"red"}
    for why in ("role of DATABASE_URL owns the tables", "passes through row-level security"):
        assert any(why in words for _, words in found)


def test_a_role_that_may_what_it_needs_is_well(
    on_postgres_alone: None, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.roles.__globals__["startup"], "of_postgres", lambda _: iter(()))
    assert levels("roles") == ["ok"]


def test_a_clinic_of_whom_nobody_is_on_call_and_nobody_would_be_told_is_red(
    scene: Scene, call: Any
) -> None:
    assert levels("on call") == ["red", "red"]
    with db.transaction() as store:
        others = [row["id"] for row in store.rows(select(clinics.c.id))]
    now = clock.now()
    shift = {"clinician_id": scene["CT"].user_id, "from_at": now - LATE, "to_at": now + LATE}
    for clinic_id in others:
        with db.within(clinic_id), db.transaction() as store:
            people = on_call.users
            mine = select(people.c.id).where(people.c.clinic_id == clinic_id)
            [someone, *_] = store.rows(mine.where(people.c.role == "clinician"))
            keys = shift | {"clinician_id": someone["id"]}
            on_call._set_shifts(clinic_id, [keys])
            row = on_call._held(clinic_id)
            on_call._written(clinic_id, row, dict.fromkeys(on_call.BACKUPS.values()))
    assert [words for _, words in seen("on call")] == [
        "in at least one clinic no channel is set by which to tell them"
    ]
    for clinic_id in others:
        with db.within(clinic_id), db.transaction():
            row = on_call._held(clinic_id)
            on_call._written(clinic_id, row, {"channel": "by telephone"})
    assert levels("on call") == ["ok"]


def test_a_delivery_that_nobody_makes_is_red(scene: Scene) -> None:
    assert levels("outbox") == ["ok"]
    of = {"clinic_id": scene.clinic_id}
    hook = {"url": "https://x.example/", "events": ["goal.created"], "ed25519_key": None}
    by = {"created_by": scene["CA"].user_id, "secret": signing.new_secret()}
    _, event = events.row(scene.clinic_id, "goal.created", {})
    with db.transaction() as store:
        store.execute(events.outbox_events.insert().values(event))
        made = store.add(webhooks, of | hook | by)
        keys = {"webhook_id": made["id"], "event_id": event["id"], "attempts": 0}
        due = {"state": "pending", "next_at": clock.now() - LATE}
        row = store.add(webhook_deliveries, of | keys | due)
    assert seen("outbox") == [("red", "delivery has been due for 6 minutes")]
    with db.transaction() as store:
        store.change(webhook_deliveries, row, {"state": "delivered"})
    assert levels("outbox") == ["ok"]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene: Scene) -> Iterator[Path]:
    """Where checkpoints are written meanwhile; all of before is sealed, and told."""
    monkeypatch.setenv("CHECKPOINT_DIR", str(tmp_path / "told"))
    config.settings.cache_clear()
    do_all(sealing.seal_due)
    do_all(sealing.tell_due)
    yield tmp_path / "told"
    monkeypatch.undo()
    config.settings.cache_clear()


def do_all(step: Any) -> None:
    more = True
    while more:
        with db.transaction():
            more = step()


def test_what_is_not_sealed_or_not_told_for_long_is_red(scene: Scene, told: Path) -> None:
    assert levels("trail") == ["ok"]
    keys = {"clinic_id": scene.clinic_id, "id": db.new_id(), "door": "v1", "request_id": "r"}
    event = keys | {"at": clock.now() - LATE, "action": "x:y", "outcome": "ok"}
    with db.transaction() as store:
        store.append(audit_events, [event])
    assert seen("trail") == [("red", "an event has not been sealed for 6 minutes")]
    do_all(sealing.seal_due)
    assert seen("trail") == [("red", "what is sealed has been in no checkpoint for 6 minutes")]
    do_all(sealing.tell_due)
    assert levels("trail") == ["ok"]


def test_an_event_of_just_now_is_not_late(scene: Scene, call: Any, told: Path) -> None:
    call("CT").get("/patients")
    assert levels("trail") == ["ok"]


def test_where_no_checkpoint_can_be_written_it_is_red(
    scene: Scene, told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "deeper"):
        monkeypatch.setenv("CHECKPOINT_DIR", str(place))
        config.settings.cache_clear()
        assert seen("trail") == [("red", f"checkpoints can't be written to {place}")]
    monkeypatch.setenv("CHECKPOINT_DIR", str(tmp_path / "not" / "made" / "yet"))
    config.settings.cache_clear()
    assert levels("trail") == ["ok"]
    monkeypatch.setitem(vars(config.settings()), "keys", tmp_path)
    checkpoints._key.cache_clear()
    try:
        [(level, words)] = seen("trail")
    finally:
        monkeypatch.undo()
        checkpoints._key.cache_clear()
    assert level == "red" and "keys make" in words


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free", "level"), [(9, "red"), (10, "ok"), (95, "ok")])
def test_a_disk_that_is_nearly_full_is_red(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, database: str, free: int, level: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 100 - free, free))
    [(found, words)] = seen("disk")
    here = "data, database, checkpoints" if database == "sqlite" else "data, checkpoints"
    assert found == level and words == f"{free}% free where there are {here}, backups"


def test_each_disk_is_looked_at(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    apart = Path("/dev/shm")  # a disk of its own wherever there is a /dev
    assert apart.stat().st_dev != config.settings().data.stat().st_dev
    monkeypatch.setenv("BACKUP_DIR", str(apart / "not-there"))
    config.settings.cache_clear()
    real = shutil.disk_usage

    def usage(path: Path) -> Any:
        return Usage(100, 97, 3) if path == apart else real(path)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    found = seen("disk")
    monkeypatch.undo()
    config.settings.cache_clear()
    assert found[-1] == ("red", "3% free where there are backups") and len(found) == 2


def test_a_signing_key_that_cannot_be_opened_is_named(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = config.settings().keys / "sign-half.pem"
    half.write_text("-----BEGIN")
    try:
        found = seen("keys")
    finally:
        half.unlink()
    assert found[0] == ("red", "sign-half.pem can't be opened (ValueError).")
