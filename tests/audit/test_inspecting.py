"""Inspecting: every chain of a database is read, each by itself, with what lies outside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import delete, select, text, update

from api import clock, config, db
from api.audit import checkpoints, inspecting
from api.audit.chain import START
from api.audit.seal import audit_heads, audit_seals
from api.audit.trail import audit_event_patients, audit_events
from api.core import sealing
from tests import builders
from tests.builders import Scene
from tests.conftest import small_database


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene: Scene) -> Iterator[Path]:
    """A folder of checkpoints of its own."""
    monkeypatch.setenv("CHECKPOINT_DIR", str(tmp_path))
    config.settings.cache_clear()
    with db.transaction() as store:  # what other tests told lies in other folders
        store.execute(update(audit_heads).values(told_seq=0))
    yield tmp_path
    monkeypatch.delenv("CHECKPOINT_DIR")
    config.settings.cache_clear()


def write(clinic_id: UUID, count: int) -> list[Any]:
    """So many events of a clinic; gives their ids."""
    now = clock.now()
    rows = [
        {"clinic_id": clinic_id, "id": db.new_id(), "action": "x:y", "outcome": "ok"}
        | {"at": now.replace(microsecond=number), "door": "v1", "request_id": "r"}
        for number in range(count)
    ]
    with db.transaction() as store:
        store.append(audit_events, rows)
    return rows


def seal() -> None:
    for step in (sealing.seal_due, sealing.tell_due):
        more = True
        while more:
            with db.transaction():
                more = step()


def look(
    folder: Path | None, *clinics: UUID, since: int = 1, **more: Any
) -> dict[UUID, inspecting.Report]:
    with inspecting.one_moment(config.settings().url) as connection:
        found = inspecting.inspect(connection, folder, clinics or None, since, **more)
    return {report.clinic_id: report for report in found}


def told(report: inspecting.Report) -> list[tuple[int, str]]:
    return [(one.seq, one.what) for one in report.verdict.tampering]


def test_every_clinic_that_has_a_chain_is_read_and_each_by_itself(
    scene: Scene, folder: Path
) -> None:
    here, there = scene.clinic_id, scene["XT"].clinic_id
    write(here, 3)
    write(there, 2)
    seal()
    late = write(there, 4)
    write(here, 1)
    found = look(folder)
    assert {here, there} <= found.keys() and [*found] == sorted(found)
    assert (found[here].verdict.sealed, found[there].verdict.sealed) == (3, 2)
    assert (found[here].unsealed, found[there].unsealed) == (1, 4)
    assert found[there].oldest_unsealed_at == late[0]["at"]
    assert told(found[here]) == told(found[there]) == []
    seal()
    found = look(folder)
    assert (found[there].unsealed, found[there].oldest_unsealed_at) == (0, None)
    assert look(folder, here).keys() == {here}


def test_a_chain_that_is_gone_whole_is_known_by_its_checkpoints(scene: Scene, folder: Path) -> None:
    gone = db.new_id()
    checkpoints.write(folder, gone, 3, "ab" * 32, clock.now())
    found = look(folder)
    assert told(found[gone]) == [(1, "table_emptied")]
    assert gone not in look(None)


def test_a_chain_of_many_pages_is_read_to_its_end(
    scene: Scene, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[int] = []
    real = inspecting._patients

    def counted(connection: Any, clinic_id: UUID, ids: list[UUID]) -> Any:
        pages.append(len(ids))
        return real(connection, clinic_id, ids)

    monkeypatch.setattr(inspecting, "AT_ONCE", 2)
    monkeypatch.setattr(inspecting, "_patients", counted)
    write(scene.clinic_id, 5)
    seal()
    [report] = look(folder, scene.clinic_id).values()
    assert (report.verdict.sealed, told(report), pages) == (5, [], [2, 2, 1])
    [report] = look(folder, scene.clinic_id, since=4).values()
    assert (report.verdict.sealed, report.begin, told(report)) == (5, 1, [])


def test_how_far_the_reading_is_is_told_over_all_chains(
    scene: Scene, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = scene.clinic_id, scene["XT"].clinic_id
    write(here, 3)
    write(there, 2)
    seal()
    monkeypatch.setattr(inspecting, "AT_ONCE", 2)
    said: list[tuple[int, int]] = []
    look(folder, here, there, say=lambda done, of: said.append((done, of)))
    assert said == [(2, 5), (3, 5), (5, 5)]
    said.clear()
    look(folder, here, since=3, say=lambda done, of: said.append((done, of)))
    assert said == [(2, 3), (3, 3)]  # no checkpoint before the third
    with db.transaction() as store:
        store.execute(update(audit_heads).where(audit_heads.c.clinic_id == here).values(seq=1))
    said.clear()
    look(folder, here, say=lambda done, of: said.append((done, of)))
    assert said == [(2, 2), (3, 3)]  # a head that was edited says too little


def test_checkpoints_are_asked_for_only_where_there_is_a_folder(scene: Scene, folder: Path) -> None:
    write(scene.clinic_id, 2)
    seal()
    checkpoints.file_of(folder, scene.clinic_id).unlink()
    [report] = look(None, scene.clinic_id).values()
    assert (report.checkpoints, told(report)) == (0, [])
    for place in (folder, folder / "nowhere"):
        [report] = look(place, scene.clinic_id).values()
        assert told(report) == [(2, "checkpoint_edited_or_missing")]


def test_only_files_of_checkpoints_are_read(scene: Scene, folder: Path) -> None:
    (folder / "words.txt").write_text("words")
    write(scene.clinic_id, 1)
    seal()
    [report] = look(folder, scene.clinic_id).values()
    assert (report.checkpoints, told(report)) == (1, [])


HALF = [checkpoints.Checkpoint(0, "", "", good=False)]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("met", ["nothing", "half a line"])
def test_a_checkpoint_that_is_just_being_written_is_looked_at_once_more(
    scene: Scene, folder: Path, monkeypatch: pytest.MonkeyPatch, met: str, count: int
) -> None:
    write(scene.clinic_id, count)
    seal()
    early = {} if met == "nothing" else {scene.clinic_id: HALF}
    monkeypatch.setattr(inspecting, "_told", lambda _folder: early)
    # one that was written after this look at the database is not held against it
    checkpoints.write(folder, scene.clinic_id, 9, "ab" * 32, clock.now())
    [report] = look(folder, scene.clinic_id).values()
    assert (report.checkpoints, told(report)) == (1, [])


def test_the_first_checkpoint_of_all_is_not_held_against_a_chain_that_was_not_told_of(
    scene: Scene, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(scene.clinic_id, 2)
    with db.transaction():
        while sealing.seal_due():
            pass
    monkeypatch.setattr(inspecting, "_told", lambda _folder: {})
    checkpoints.file_of(folder, scene.clinic_id).write_text("half a li")
    [report] = look(folder, scene.clinic_id).values()
    assert (report.verdict.sealed, report.checkpoints, told(report)) == (2, 0, [])


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_clinic_without_a_chain_is_told_of_by_a_line_that_stays_half_alone(
    scene: Scene, folder: Path, monkeypatch: pytest.MonkeyPatch, has_ended: bool
) -> None:
    fresh = db.new_id()
    monkeypatch.setattr(inspecting, "_told", lambda _folder: {fresh: HALF})
    if has_ended:
        checkpoints.write(folder, fresh, 1, "ab" * 32, clock.now())
    else:
        checkpoints.file_of(folder, fresh).write_text("half a li")
    [report] = look(folder, fresh).values()
    assert told(report) == ([] if has_ended else [(1, "checkpoint_edited_or_missing")])


def test_a_checkpoint_that_stays_spoiled_is_told(scene: Scene, folder: Path) -> None:
    write(scene.clinic_id, 2)
    seal()
    path = checkpoints.file_of(folder, scene.clinic_id)
    path.write_text(path.read_text().replace("\n2\n", "\n3\n"))
    [report] = look(folder, scene.clinic_id).values()
    assert told(report) == [(2, "checkpoint_edited_or_missing")]


def grown(clinic_id: UUID, folder: Path) -> list[int]:
    """Two checkpoints, one after the other; where each ends in the file."""
    path, ends = checkpoints.file_of(folder, clinic_id), []
    for _ in range(2):
        write(clinic_id, 2)
        seal()
        ends.append(path.stat().st_size)
    return ends


def cut(clinic_id: UUID, folder: Path, size: int) -> None:
    """Leave so many bytes of a clinic's checkpoints."""
    with checkpoints.file_of(folder, clinic_id).open("r+b") as file:
        file.truncate(size)


def test_a_file_cut_in_half_is_told_also_once_it_was_appended_to_and_until_an_intended_restore(
    scene: Scene, folder: Path, application: Flask
) -> None:
    here = scene.clinic_id
    first, last = grown(here, folder)
    cut(here, folder, (first + last) // 2)
    assert told(look(folder, here)[here]) == [(4, "checkpoint_edited_or_missing")]
    write(here, 1)
    seal()
    report = look(folder, here)[here]
    assert (report.checkpoints, told(report)) == (3, [(5, "checkpoint_edited_or_missing")])
    words = ["audit", "recovery", "--clinic", str(here)]
    assert application.test_cli_runner().invoke(args=words).exit_code == 0
    assert told(look(folder, here)[here]) == []


def test_an_end_that_was_never_told_since_the_power_went_is_no_alarm(
    scene: Scene, folder: Path
) -> None:
    here = scene.clinic_id
    first, last = grown(here, folder)
    cut(here, folder, (first + last) // 2)
    with db.transaction() as store:  # as it stood before the second was written
        mine = update(audit_heads).where(audit_heads.c.clinic_id == here)
        store.execute(mine.values(told_seq=2))
    assert told(look(folder, here)[here]) == []
    for _ in range(2):
        seal()
        assert told(look(folder, here)[here]) == []
        write(here, 1)


@pytest.mark.parametrize("left", [1, 0])
def test_checkpoints_that_were_taken_from_the_end_of_their_file_are_told_of(
    scene: Scene, folder: Path, left: int
) -> None:
    here = scene.clinic_id
    first, _last = grown(here, folder)
    cut(here, folder, first * left)
    assert told(look(folder, here)[here]) == [(4, "checkpoint_edited_or_missing")]


def test_those_that_were_written_since_the_first_look_are_no_alarm(
    scene: Scene, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = scene.clinic_id
    grown(here, folder)
    early = {here: [*checkpoints.read(folder, here)][:1]}
    monkeypatch.setattr(inspecting, "_told", lambda _folder: early)
    report = look(folder, here)[here]
    assert (report.checkpoints, told(report)) == (2, [])


def test_an_event_that_was_taken_out_is_told_in_its_place(scene: Scene, folder: Path) -> None:
    rows = write(scene.clinic_id, 4)
    seal()
    with db.transaction() as store:
        if store.on_postgres:
            store.execute(text("ALTER TABLE audit_events DISABLE TRIGGER ALL"))
        else:
            store.execute(text("DROP TRIGGER audit_events_no_delete"))
        seals = select(audit_seals.c.event_id).where(audit_seals.c.clinic_id == scene.clinic_id)
        third = store.execute(seals.where(audit_seals.c.seq == 3)).scalar_one()
        assert third in {row["id"] for row in rows}
        store.execute(delete(audit_events).where(audit_events.c.id == third))
        [report] = inspecting.inspect(store.connection, folder, [scene.clinic_id])
        assert told(report) == [(3, "deleted_row")]
        db.leave_store()


def test_a_chain_of_which_neither_clinic_nor_checkpoint_is_left_is_read_too(
    app: Flask, tmp_path: Path
) -> None:
    headless, unsealed = db.new_id(), db.new_id()
    of = {"hash": "ab" * 32, "seq": 1}
    with small_database(tmp_path):
        with db.transaction() as store:
            made = {"clinic_id": headless, "event_id": db.new_id(), "prev_hash": START}
            store.append(audit_seals, [made | of])
            ends = {"clinic_id": unsealed, "upto": -1, "sealed_at": clock.now(), "told_seq": 0}
            store.execute(audit_heads.insert().values(**ends, **of))
        found = look(None)
    assert {one: told(report) for one, report in found.items()} == {
        headless: [(1, "deleted_row"), (1, "head_edited")],
        unsealed: [(1, "table_emptied")],
    }


def test_whom_an_event_touched_is_asked_of_its_own_clinic(scene: Scene, folder: Path) -> None:
    [row] = write(scene.clinic_id, 1)
    seal()
    keys = {"clinic_id": scene["XT"].clinic_id, "event_id": row["id"]}
    with db.transaction() as store:
        store.append(audit_event_patients, [keys | {"patient_id": scene.patient["id"]}])
    [report] = look(folder, scene.clinic_id).values()
    assert told(report) == []


def test_events_of_two_clinics_that_bear_one_id_are_each_their_own(
    scene: Scene, folder: Path
) -> None:
    here, there = scene.clinic_id, scene["XT"].clinic_id
    [row] = write(there, 1)
    seal()
    with db.transaction() as store:
        store.append(audit_events, [row | {"clinic_id": here, "action": "z:z"}])
    found = look(folder, here, there)
    assert (found[here].unsealed, found[there].unsealed) == (1, 0)
    assert found[there].verdict.sealed == 1 and told(found[there]) == []
    seal()
    for report in look(folder, here, there).values():
        assert (report.verdict.sealed, report.unsealed, told(report)) == (1, 0, [])


def test_one_moment_is_seen_whatever_is_written_meanwhile(scene: Scene, folder: Path) -> None:
    write(scene.clinic_id, 1)
    seal()
    with inspecting.one_moment(config.settings().url) as connection:
        for _ in range(3):
            [report] = inspecting.inspect(connection, folder, [scene.clinic_id])
            assert (report.verdict.sealed, report.unsealed, told(report)) == (1, 0, [])
            write(scene.clinic_id, 1)
    assert look(folder, scene.clinic_id)[scene.clinic_id].unsealed == 3


def test_a_clinic_that_never_did_anything_has_nothing_to_tell(app: Flask, folder: Path) -> None:
    with db.transaction():
        quiet = builders.make_scene().clinic_id
    assert quiet not in look(folder)
    [report] = look(folder, quiet).values()
    assert (report.verdict.sealed, report.unsealed, told(report)) == (0, 0, [])
