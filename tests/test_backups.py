"""A backup is whole or it says so; a restored clinic is the clinic that was."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from api import backups, clock, config, db, field_keys, schema, vault
from api.audit import inspecting
from api.audit.trail import SYSTEM
from api.backups import charts
from api.backups.making import connected
from api.core import refusals, replay, sealing
from api.core.patients import patients
from api.core.treatment import notes
from api.errors import Unsafe
from tests import postgres
from tests.builders import Scene, make_patient
from tests.conftest import empty_database, small_database


@pytest.fixture(scope="module", autouse=True)
def of_its_own(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A database in which no other test leaves anything: it is copied again and again."""
    with small_database(tmp_path_factory.mktemp("small")):
        yield


@pytest.fixture
def programs(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's programs on the PATH, as they are where PostgreSQL's clients are installed."""
    found, why = postgres.find_programs()
    if database == "postgres":
        if found is None or not (found / "pg_dump").exists():
            pytest.fail(f"there is no pg_dump: {why}")
        monkeypatch.setenv("PATH", f"{found}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def backup(scene: Scene, call: Any, programs: None, tmp_path: Path) -> Path:
    """A backup of the database of the tests, with one patient and a moment of theirs at least."""
    told = {"text": "The old trail, and I saw it."}
    assert call("PS").post(f"/patients/{scene.patient['id']}/moments", told).status_code == 201
    return backups.make(tmp_path / "shelf", lambda _: None)


def told(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "manifest.json").read_text())
    return content


def test_a_backup_is_checked_whole_and_says_so(backup: Path) -> None:
    said: list[str] = []
    backups.check(backup, said.append)
    assert "protected rows were opened" in said[-1] and not said[-1].startswith("0 ")
    assert backups.newest_checked(backup.parent) is not None
    assert told(backup)["keys"] == field_keys.key_ids()


def test_a_changed_byte_is_found(backup: Path) -> None:
    file = backup / str(told(backup)["file"])
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(backups.BadBackup, match="SHA-256"):
        backups.check(backup, print)
    assert backups.newest_checked(backup.parent) is None


def test_rows_that_are_lacking_are_found(backup: Path) -> None:
    manifest = told(backup)
    counts = dict(manifest["counts"])  # type: ignore[call-overload]
    counts["patients"] += 1
    (backup / "manifest.json").write_text(json.dumps(manifest | {"counts": counts}))
    with pytest.raises(backups.BadBackup, match="patients"):
        backups.check(backup, print)


def test_without_the_key_it_was_written_with_a_backup_is_not_whole(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    field_keys.make_keys(tmp_path / "keys")
    with other_keys(tmp_path, monkeypatch), pytest.raises(backups.BadBackup, match="keys"):
        backups.check(backup, print)


def test_a_key_of_the_same_name_that_is_another_key_is_found(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    field_keys.make_keys(tmp_path / "keys")
    file = tmp_path / "keys" / "field-keys.json"
    other = json.loads(file.read_text())
    [kid] = field_keys.key_ids()
    [secret] = other["keys"].values()
    file.write_text(json.dumps({"current": kid, "keys": {kid: secret}}))
    with other_keys(tmp_path, monkeypatch), pytest.raises(backups.BadBackup, match="opened"):
        backups.check(backup, print)


def test_what_is_protected_in_a_table_without_ids_is_opened_too(
    scene: Scene, programs: None, tmp_path: Path
) -> None:
    mine = {"clinic_id": scene.clinic_id, "user_id": scene["CT"].user_id, "key_hash": "ab" * 32}
    sealed = vault.seal_json({}, replay.PLACE, "another row", scene.clinic_id)
    more = {"request_hash": "cd" * 32, "created_at": clock.now(), "status": 201, "answer": sealed}
    with db.transaction() as store:
        store.append(replay.idempotency_keys, [mine | more])
    try:
        folder = backups.make(tmp_path / "shelf", print)
        with pytest.raises(backups.BadBackup, match="of idempotency_keys can't be opened"):
            backups.check(folder, print)
    finally:
        with db.transaction() as store:
            gone = replay.idempotency_keys.c.key_hash == mine["key_hash"]
            store.execute(replay.idempotency_keys.delete().where(gone))


class other_keys:  # noqa: N801 it reads as what it does
    """Within it the data folder is another, with its keys."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch

    def __enter__(self) -> None:
        self.before = os.environ["FRESHTRAIL_DATA"]
        self.monkeypatch.setenv("FRESHTRAIL_DATA", str(self.folder))
        forget()

    def __exit__(self, *_: object) -> None:
        self.monkeypatch.setenv("FRESHTRAIL_DATA", self.before)
        forget()


def forget() -> None:
    """What a process reads once is read again."""
    for read in (config.settings, vault._key, vault._cipher):
        read.cache_clear()
    field_keys._look(even_if_young=True)


def test_what_is_restored_is_what_was_there(backup: Path, scene: Scene, tmp_path: Path) -> None:
    with empty_database(tmp_path):
        backups.restore(backup, lambda _: None)
        with db.transaction() as store:
            asked = select(patients).where(patients.c.id == scene.patient["id"])
            row = store.row(asked, opens=patients)
        assert row is not None and row["clinic_id"] == scene.clinic_id


def test_from_a_shelf_that_takes_no_mark_it_is_checked_and_restored(
    backup: Path, tmp_path: Path, shell: Any
) -> None:
    (backup / "checked.json").mkdir()  # keeps an administrator of the machine out, too
    told = shell("backup", "check", str(backup))
    assert told.exit_code == 0, told.output
    said = "That it was checked could not be written down (IsADirectoryError)"
    assert said in told.output and told.output.endswith("The backup is whole.\n")
    with empty_database(tmp_path):
        told = shell("restore", str(backup))
    assert told.exit_code == 0 and "could not" not in told.output, told.output


def test_the_chain_of_no_clinic_goes_along(app: Flask, programs: None, tmp_path: Path) -> None:
    refused = refusals.Group("2026-11-25T02:00Z", "192.0.2.9", "v1", "throttled")
    refusals.write({refused: 4})
    with db.within(SYSTEM), db.transaction():
        while sealing.seal_due():
            pass
    made = backups.make(tmp_path / "shelf", lambda _: None)
    backups.check(made, lambda _: None)
    with empty_database(tmp_path):
        backups.restore(made, lambda _: None)
        schema.upgrade()  # which lets the application in again
        found = refusals.told(datetime(2026, 11, 25, tzinfo=UTC))
        with inspecting.one_moment(config.settings().url) as connection:
            [report] = inspecting.inspect(connection, None, [SYSTEM])
    assert found["192.0.2.9", "v1", "throttled"].times == 4
    assert report.verdict.sealed > 0 and report.verdict.tampering == []


def test_nothing_is_restored_over_what_is_there(backup: Path, tmp_path: Path) -> None:
    with pytest.raises(backups.BadBackup, match=r"there already|not empty"):
        backups.restore(backup, print)


def test_a_backup_made_while_others_write_is_one_moment(
    scene: Scene, programs: None, tmp_path: Path
) -> None:
    from threading import Event, Thread

    stop = Event()

    def write() -> None:
        while not stop.is_set():
            with db.transaction():
                make_patient(scene.clinic_id)

    writer = Thread(target=write)
    writer.start()
    try:
        folder = backups.make(tmp_path / "shelf", print)
    finally:
        stop.set()
        writer.join()
    backups.check(folder, print)


def test_a_broken_reference_is_found(backup: Path, database: str) -> None:
    if database != "sqlite":
        return  # PostgreSQL does not restore one
    file = backup / "database.sqlite"
    with closing(sqlite3.connect(file)) as copy:
        copy.execute("PRAGMA foreign_keys=OFF")
        copy.execute("UPDATE patients SET clinic_id = ?", ("0" * 32,))
        copy.commit()
    from api.backups import shelf

    (backup / "manifest.json").write_text(json.dumps(told(backup) | {"sha256": shelf.digest(file)}))
    with pytest.raises(backups.BadBackup, match="names one of"):
        backups.check(backup, print)


@pytest.fixture
def shell(application: Flask) -> Iterator[object]:
    """`shell(*words)` runs a command."""

    def run(*words: str) -> Result:
        return application.test_cli_runner().invoke(args=words)

    yield run


def test_the_commands_say_what_they_do(
    shell: object, scene: Scene, programs: None, tmp_path: Path
) -> None:
    made = shell("backup", "make", "--to", str(tmp_path / "shelf"), "--check")  # type: ignore[operator]
    assert made.exit_code == 0, made.output
    folder = made.output.splitlines()[-1].removeprefix("Done: ")
    again = shell("backup", "check", folder)  # type: ignore[operator]
    assert again.output.endswith("The backup is whole.\n")
    over = shell("restore", folder)  # type: ignore[operator]
    assert over.exit_code == 1 and "Error:" in over.output


SECRET = "Firnwort for the author alone"


@pytest.fixture
def apart(scene: Scene, call: Any, programs: None, tmp_path: Path, monkeypatch: Any) -> Any:
    """A psychotherapy note; a backup with it, and the copy of charts' keys that goes with that."""
    monkeypatch.setenv("CHART_KEY_DIR", str(tmp_path / "chart-keys"))
    config.settings.cache_clear()
    note = {"kind": "psychotherapy", "text": SECRET}
    made = call("CT").post(f"/patients/{scene.patient['id']}/notes", note)
    assert made.status_code == 201
    folder = backups.make(tmp_path / "shelf", lambda _: None)
    [copy] = backups.copies()
    yield made.json, folder, copy
    monkeypatch.undo()
    config.settings.cache_clear()


def read_restored(note: Any, scene: Scene) -> Any:
    schema.upgrade()  # lets the application in again
    with db.transaction():
        return notes.read_note(scene["CT"].actor, UUID(note["id"]))


def shred(scene: Scene) -> None:
    with db.transaction():
        notes.shred(scene.clinic_id, [scene.patient["id"]], "retention")


def test_a_backup_holds_no_key_of_a_chart_and_with_the_copy_it_is_whole(
    apart: Any, scene: Scene, tmp_path: Path
) -> None:
    note, folder, copy = apart
    assert told(folder)["counts"]["chart_keys"] == 0  # type: ignore[index]
    held = json.loads(copy.read_text())["keys"]
    mine = [row for row in held if row["patient_id"] == str(scene.patient["id"])]
    whole = (folder / str(told(folder)["file"])).read_bytes()
    assert len(mine) == 1 and mine[0]["key"].encode() not in whole
    assert SECRET not in copy.read_text() and oct(copy.stat().st_mode)[-3:] == "600"
    said: list[str] = []
    backups.check(folder, said.append)
    assert any("keys of charts are at hand" in one for one in said)
    with empty_database(tmp_path):
        backups.restore(folder, lambda _: None, copy)
        assert read_restored(note, scene)["text"] == SECRET


def test_without_the_copy_of_charts_keys_nothing_is_restored_and_it_says_which(
    apart: Any, scene: Scene, tmp_path: Path
) -> None:
    _note, folder, copy = apart
    content = json.loads(copy.read_text())
    [mine] = [row for row in content["keys"] if row["patient_id"] == str(scene.patient["id"])]
    content["keys"].remove(mine)
    other = tmp_path / "other.json"
    other.write_text(json.dumps(content))
    kid = f"chart-{mine['id'].replace('-', '')}"
    with empty_database(tmp_path), pytest.raises(backups.BadBackup, match=kid):
        backups.restore(folder, print, other)
    copy.unlink()
    with pytest.raises(backups.BadBackup, match=f"no.*lies in CHART_KEY_DIR.*{kid}"):
        backups.check(folder, print)
    other.write_text("{}")
    with pytest.raises(backups.BadBackup, match="is no copy of charts' keys"):
        backups.check(folder, print, other)


def test_a_charts_key_that_was_moved_to_another_chart_is_found(
    apart: Any, scene: Scene, call: Any, tmp_path: Path
) -> None:
    _note, folder, copy = apart
    content = json.loads(copy.read_text())
    [mine] = [row for row in content["keys"] if row["patient_id"] == str(scene.patient["id"])]
    foreign = vault.seal_json(
        vault.new_chart_key(), "chart_keys.key", db.new_id(), scene.clinic_id, vault.PSYCHOTHERAPY
    )
    mine["key"] = foreign
    other = tmp_path / "other.json"
    other.write_text(json.dumps(content))
    with pytest.raises(backups.BadBackup, match="^chart-.* can't be opened with the field keys"):
        backups.check(folder, print, other)


def test_once_a_key_is_destroyed_and_its_copies_are_gone_an_old_backup_is_mute(
    apart: Any, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, folder, old = apart
    shred(scene)
    monkeypatch.setattr("api.backups.charts.NAME", "chart-keys-2%Y%m%dT%H%M%SZ.json")
    backups.make(tmp_path / "later", lambda _: None)
    _old, newer = backups.copies()
    with empty_database(tmp_path):
        backups.restore(folder, lambda _: None, newer)
        gone = read_restored(note, scene)
        assert gone["text"] is None and gone["destroyed_at"] is not None
    held = {row["id"]: row["key"] for row in json.loads(old.read_text())["keys"]}
    now = {row["id"]: row["key"] for row in json.loads(newer.read_text())["keys"]}
    lost = [one for one in held if held[one] and not now[one]]
    assert len(lost) == 1, "the copy of before is what still opens it"


def test_copies_that_were_replaced_long_ago_are_thrown_away(
    apart: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _note, _folder, copy = apart
    content = copy.read_text()
    names = [f"chart-keys-202601{day:02}T000000Z.json" for day in (1, 2, 3)]
    for name in names:
        (copy.parent / name).write_text(content)
    said: list[str] = []
    (copy.parent / "chart-keys-of-mine.json").write_text(content)
    made = charts.write([*charts.read(copy).rows.values()], datetime.now(UTC), said.append)
    left = {path.name for path in copy.parent.glob("chart-keys-*")}
    assert left == {names[2], copy.name, made.name, "chart-keys-of-mine.json"}, "3rd: until today"
    assert not backups.outdated(datetime.now(UTC))


def test_where_keys_are_lost_no_copy_is_thrown_away(apart: Any) -> None:
    _note, _folder, copy = apart
    for day in (1, 2):
        (copy.parent / f"chart-keys-202601{day:02}T000000Z.json").write_text(copy.read_text())
    for seconds, left in ((5, 4), (9, 5)):  # the newest copy lacks them, too, the second time
        said: list[str] = []
        charts.write([], datetime.now(UTC) + timedelta(seconds=seconds), said.append)
        assert len(backups.copies()) == left and "not there any more" in said[-1]


def test_a_file_that_is_named_otherwise_is_not_the_newest_copy(
    apart: Any, scene: Scene, tmp_path: Path
) -> None:
    _note, _folder, copy = apart
    (copy.parent / "chart-keys-of-mine.json").write_text(copy.read_text())
    shred(scene)
    charts.write(taken(), datetime.now(UTC) + timedelta(seconds=5), print)
    rows = charts.read(None).rows.values()
    [mine] = [row for row in rows if row["patient_id"] == scene.patient["id"]]
    assert mine["key"] is None and mine["destroyed_at"] is not None


def taken() -> list[db.Values]:
    with connected(config.settings().owner_url) as connection:
        return charts.take(connection)


def test_a_copy_that_cannot_be_read_is_named_and_keeps_nobody_from_a_backup(
    apart: Any, tmp_path: Path
) -> None:
    _note, _folder, copy = apart
    copy.write_text("{")
    said: list[str] = []
    charts.write([], datetime.now(UTC) + timedelta(seconds=5), said.append)
    assert said[0].startswith(f"{copy.name} is no copy of charts' keys") and copy.exists()


def test_of_a_backup_that_fails_nothing_is_left(
    apart: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("api.backups.making.count", is_full)
    monkeypatch.setattr("api.backups.charts.take_out", is_full)
    with pytest.raises(OSError, match="No space"):
        backups.make(tmp_path / "full", lambda _: None)
    assert not [*(tmp_path / "full").iterdir()]


def test_what_a_killed_backup_left_goes_with_the_next(apart: Any, tmp_path: Path) -> None:
    shelf, said = tmp_path / "another", []
    killed, young, foreign = (
        shelf / name for name in ("20260101T000000Z", "20260102T000000Z", "x")
    )
    for folder in (killed, young, foreign):
        folder.mkdir(parents=True)
        (folder / "database.sqlite").write_text("charts' keys")
    for path in (killed, killed / "database.sqlite", foreign, foreign / "database.sqlite"):
        os.utime(path, (0, 0))
    whole = backups.make(shelf, said.append)
    assert {*shelf.iterdir()} == {young, foreign, whole}
    assert f"Removed {killed}, which was never finished." in said


def test_keys_of_charts_and_backups_never_lie_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for keys, shelf in (("a", "a"), ("a/keys", "a"), ("a", "a/shelf"), ("a/b/../keys", "a")):
        monkeypatch.setenv("CHART_KEY_DIR", str(tmp_path / keys))
        monkeypatch.setenv("BACKUP_DIR", str(tmp_path / shelf))
        config.settings.cache_clear()
        with pytest.raises(Unsafe, match="lie apart"):
            config.settings()
    monkeypatch.undo()
    config.settings.cache_clear()
