"""Sealing: what was committed is sealed soon, once, in order, whoever else seals or writes."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import delete, select, text, update

from api import clock, config, db
from api.audit import checkpoints, inspecting
from api.audit.seal import audit_heads, audit_seals, seal_due
from api.audit.trail import audit_events
from api.core import sealing
from tests.builders import Scene
from tests.conftest import Caller
from tests.racing import at_once

LOOKS = int(os.environ.get("AUDIT_LOOKS", "20"))
"""Verifications while others write; `AUDIT_LOOKS=200` makes all."""
PAUSE_S = 0.02
"""Between two writes of one writer: each look reads the whole chain, which grows meanwhile."""


def seal_all() -> None:
    """Do what the worker does until nothing is left."""
    for step in (sealing.seal_due, sealing.tell_due):
        while True:
            with db.transaction():
                if not step():
                    break


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of checkpoints of its own."""
    monkeypatch.setenv("CHECKPOINT_DIR", str(tmp_path))
    config.settings.cache_clear()
    with db.transaction() as store:  # what other tests told lies in other folders
        store.execute(update(audit_heads).values(told_seq=0))
    yield tmp_path
    monkeypatch.delenv("CHECKPOINT_DIR")
    config.settings.cache_clear()


def look(folder: Path, clinic_id: UUID) -> inspecting.Report:
    """The clinic's chain, verified."""
    with inspecting.one_moment(config.settings().url) as connection:
        [report] = inspecting.inspect(connection, folder, [clinic_id])
    return report


def test_without_a_key_none_is_told_and_with_one_that_is_made_later_all_is(
    scene: Scene,
    call: Any,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    call("CT").get("/patients")
    sealing._say_that_none_is_written.cache_clear()
    with monkeypatch.context() as patch:
        patch.setitem(vars(config.settings()), "keys", tmp_path / "keys")
        for _ in range(3):
            seal_all()
        assert look(folder, scene.clinic_id).checkpoints == 0
        assert [one.getMessage()[:24] for one in caplog.records] == ["no checkpoint is written"]
        checkpoints.make_key(tmp_path / "keys")
        seal_all()
    assert look(folder, scene.clinic_id).checkpoints == 1


def test_every_event_is_sealed_once_in_order_and_proven(
    scene: Scene, call: Any, folder: Path
) -> None:
    for _ in range(3):
        call("CT").get(f"/patients/{scene.patient['id']}")
        call("XT").get(f"/patients/{scene.patient['id']}")
    assert look(folder, scene.clinic_id).unsealed == 3
    seal_all()
    report = look(folder, scene.clinic_id)
    assert (report.verdict.sealed, report.unsealed, report.verdict.tampering) == (3, 0, [])
    assert report.checkpoints == 1
    call("CT").get("/patients")
    seal_all()
    report = look(folder, scene.clinic_id)
    assert (report.verdict.sealed, report.checkpoints, report.verdict.tampering) == (4, 2, [])


def test_what_a_change_left_in_the_trail_is_sealed_once_the_chain_has_begun_too(
    scene: Scene, call: Any, folder: Path
) -> None:
    consents = f"/patients/{scene.patient['id']}/consents"
    for kind, status in (("touch", 201), ("recording", 201), ("touch", 409), ("nothing", 422)):
        answer = call("CT").post(consents, {"kind": kind, "text_version": "1"})
        assert answer.status_code == status, answer.text
        call("CT").get("/patients")
        seal_all()
        report = look(folder, scene.clinic_id)
        assert (report.unsealed, report.verdict.tampering) == (0, []), kind
    assert report.verdict.sealed == 8


def test_what_is_not_committed_is_not_sealed_and_nothing_is_passed_over(
    app: Flask, scene: Scene, call: Any, folder: Path
) -> None:
    if db.engine().dialect.name == "sqlite":
        return  # one writer: nobody commits out of order
    waits, goes = Event(), Event()

    def slow() -> None:
        with app.app_context(), db.transaction() as store:
            row = {"clinic_id": scene.clinic_id, "id": db.new_id(), "action": "x", "outcome": "ok"}
            store.append(audit_events, [row | {"at": clock.now(), "door": "v1", "request_id": "s"}])
            waits.set()
            goes.wait(20)

    thread = Thread(target=slow)
    thread.start()
    waits.wait(20)
    call("CT").get("/patients")
    seal_all()
    assert look(folder, scene.clinic_id).verdict.sealed == 0
    goes.set()
    thread.join()
    seal_all()
    report = look(folder, scene.clinic_id)
    assert (report.verdict.sealed, report.unsealed, report.verdict.tampering) == (2, 0, [])


def test_two_who_seal_at_once_seal_everything_once(
    app: Flask, scene: Scene, call: Any, folder: Path
) -> None:
    for _ in range(12):
        call("CT").get("/patients")
    at_once(app, [lambda: [seal_due(db.store()) for _ in range(3)] for _ in range(4)])
    seal_all()
    report = look(folder, scene.clinic_id)
    assert (report.verdict.sealed, report.unsealed, report.verdict.tampering) == (12, 0, [])


def test_seals_can_be_neither_changed_nor_deleted(scene: Scene, call: Any, folder: Path) -> None:
    call("CT").get("/patients")
    seal_all()
    for statement in (
        update(audit_seals).values(seq=audit_seals.c.seq + 1),
        delete(audit_seals),
    ):
        with pytest.raises(Exception, match="append only"), db.transaction() as store:
            store.execute(statement)


def test_an_edited_event_is_found_in_the_database_itself(
    scene: Scene, call: Any, folder: Path
) -> None:
    for _ in range(3):
        call("CT").get("/patients")
    seal_all()
    with db.transaction() as store:
        without_triggers(store)
        second = select(audit_seals.c.event_id).where(
            audit_seals.c.clinic_id == scene.clinic_id, audit_seals.c.seq == 2
        )
        store.execute(
            update(audit_events)
            .where(audit_events.c.id == second.scalar_subquery())
            .values(action="nothing:at_all")
        )
        found = inspecting.inspect(store.connection, folder, [scene.clinic_id])
        first = found[0].verdict.first()
        assert first is not None and (first.seq, first.what) == (2, "edited_field")
        db.leave_store()


def test_from_a_checkpoint_on_only_what_came_after_it_is_read(
    scene: Scene, call: Any, folder: Path
) -> None:
    for _ in range(2):
        for _ in range(3):
            call("CT").get("/patients")
        seal_all()
    with inspecting.one_moment(config.settings().url) as connection:
        [report] = inspecting.inspect(connection, folder, [scene.clinic_id], 5)
    assert (report.begin, report.verdict.sealed, report.verdict.tampering) == (3, 6, [])


def without_triggers(store: db.Store) -> None:
    """What only an owner of the tables can do; undone with the transaction."""
    if store.on_postgres:
        store.execute(text("ALTER TABLE audit_events DISABLE TRIGGER ALL"))
    else:
        store.execute(text("DROP TRIGGER audit_events_no_update"))


def test_verifying_while_others_write_cries_wolf_over_nothing(
    app: Flask, scene: Scene, folder: Path
) -> None:
    stop, token = Event(), scene["CT"].token

    def write() -> None:
        with app.app_context():
            caller = Caller(app.test_client(), token)
        while not stop.wait(PAUSE_S):
            caller.get("/patients")

    def seal() -> None:
        while not stop.is_set():
            with app.app_context():
                seal_all()

    threads = [Thread(target=each) for each in (write, write, seal)]
    for thread in threads:
        thread.start()
    try:
        found = [look(folder, scene.clinic_id) for _ in range(LOOKS)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not [one.verdict.tampering for one in found if one.verdict.tampering]
    seal_all()
    assert look(folder, scene.clinic_id).verdict.sealed > 0
