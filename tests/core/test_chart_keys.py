"""A key for each chart's psychotherapy notes: with it gone, they are gone from every copy."""

import sqlite3
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import select, update

from api import config, db, vault
from api.access.policies import Role
from api.audit import trail
from api.core import holds, merges, resealing
from api.core.chart_keys import chart_keys as keys
from api.core.treatment import notes
from api.core.treatment.notes import finding, keeping, tables
from api.db import engines
from api.errors import Conflict, Unavailable
from tests import builders
from tests.builders import Scene
from tests.core.noting import held_session, ids, note, refused
from tests.racing import at_once

PAGE = db.Page(100)
SECRET = "Snowdrop under the lamp"
APART = (tables.psychotherapy_notes, tables.psychotherapy_note_versions)


def apart(scene: Scene, session: Any = None, by: Any = "CT") -> Any:
    """A psychotherapy note, drafted; committed."""
    with db.transaction():
        return draft(scene, session, by)


def draft(scene: Scene, session: Any = None, by: Any = "CT") -> Any:
    """The same in the transaction that is open."""
    return note(scene, session, by, kind="psychotherapy", text=SECRET)


def raw(table: Any, clinic_id: Any) -> list[db.Values]:
    """The rows of a clinic as they lie in the database."""
    with db.transaction() as store:
        return store.rows(select(table).where(table.c.clinic_id == clinic_id).order_by(table.c.id))


def shred(scene: Scene, *charts: Any) -> int:
    with db.transaction():
        return notes.shred(scene.clinic_id, [*(charts or [scene.patient["id"]])], "retention")


def read(scene: Scene, note_id: Any, by: str = "CT") -> db.Values:
    with db.transaction():
        return notes.read_note(scene[by].actor, note_id)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`later()`: charts' keys are not used yet, as before; `later("on")`: they are, again."""

    def said(how: str = "later") -> None:
        monkeypatch.setenv("CHART_KEYS", how)
        config.settings.cache_clear()

    yield said
    monkeypatch.undo()
    config.settings.cache_clear()


def test_every_chart_has_a_key_of_its_own_made_at_its_first_note(scene: Scene) -> None:
    with db.transaction():
        other = builders.make_patient(scene.clinic_id)
        builders.join_team(other, scene["CT"])
    assert raw(keys, scene.clinic_id) == []
    apart(scene)
    with db.transaction():
        value = {"kind": "psychotherapy", "text": SECRET}
        notes.write_patient_note(scene["CT"].actor, other["id"], value)
    apart(scene)
    made = raw(keys, scene.clinic_id)
    assert [row["patient_id"] for row in made] == [scene.patient["id"], other["id"]]
    assert all(row["key"].startswith("v1.") for row in made)
    for table in APART:
        for row in raw(table, scene.clinic_id):
            [own] = [key["id"] for key in made if key["patient_id"] == row["patient_id"]]
            assert vault.chart_key_of(row["text"]) == row["chart_key_id"] == own


def test_of_many_first_notes_at_once_all_lie_under_one_key(
    scene: Scene, application: Flask
) -> None:
    made = at_once(application, [lambda: draft(scene)] * 6)
    assert all(isinstance(one, dict) for one in made), made
    [key] = raw(keys, scene.clinic_id)
    rows = raw(tables.psychotherapy_notes, scene.clinic_id)
    assert {row["chart_key_id"] for row in rows} == {key["id"]} and len(rows) == 6
    assert {read(scene, row["id"])["text"] for row in rows} == {SECRET}


@pytest.mark.parametrize("across", ["charts", "clinics"])
def test_a_key_moved_to_another_row_opens_nothing(scene: Scene, across: str) -> None:
    made = apart(scene)
    if across == "charts":
        with db.transaction():
            other = builders.make_patient(scene.clinic_id)
            builders.join_team(other, scene["CT"])
            value = {"kind": "psychotherapy", "text": "Other."}
            notes.write_patient_note(scene["CT"].actor, other["id"], value)
        mine, foreign = raw(keys, scene.clinic_id)
    else:
        mine = foreign = raw(keys, scene.clinic_id)[0]
        row = mine | {"clinic_id": scene.people["XT"].actor.clinic_id}
        with pytest.raises(Unavailable):
            db.open_chart_key(row["key"], row["id"], row["clinic_id"])
        return
    with db.transaction() as store:
        moved = update(keys).where(keys.c.id == mine["id"]).values(key=foreign["key"])
        store.execute(moved)
    with pytest.raises(Unavailable):
        read(scene, made["id"])
    with db.transaction() as store:  # other tests look through this database
        store.execute(update(keys).where(keys.c.id == mine["id"]).values(key=mine["key"]))
    assert read(scene, made["id"])["text"] == SECRET


def test_a_note_whose_key_is_lacking_is_not_answered_as_empty(scene: Scene) -> None:
    made = apart(scene)
    [key] = raw(keys, scene.clinic_id)
    with db.transaction() as store:
        store.execute(keys.delete().where(keys.c.clinic_id == scene.clinic_id))
    with pytest.raises(Unavailable):
        read(scene, made["id"])
    with db.transaction() as store:  # other tests look through this database
        store.execute(keys.insert().values(**key))
    assert read(scene, made["id"])["text"] == SECRET


def test_once_the_key_is_destroyed_its_author_is_told_that_the_words_are_gone(
    scene: Scene,
) -> None:
    ct, made = scene["CT"], apart(scene)
    with db.transaction():
        notes.sign_note(ct.actor, made["id"])
        notes.add_addendum(ct.actor, made["id"], {"text": SECRET})
    assert shred(scene) > 0
    [key] = raw(keys, scene.clinic_id)
    assert key["key"] is None and key["destroyed_at"] and key["reason"] == "retention"
    gone = read(scene, made["id"])
    assert (gone["text"], gone["sections"], gone["allowed"]) == (None, None, [])
    assert gone["destroyed_at"] == key["destroyed_at"] and gone["addenda"][0]["text"] is None
    with db.transaction():
        listing = notes.list_patient_notes(ct.actor, scene.patient["id"], PAGE)
        assert [one["text"] for one in listing.items] == [None]
        kept = notes.list_note_versions(ct.actor, made["id"], PAGE).items
        assert {(one["text"], one["destroyed_at"]) for one in kept} == {(None, key["destroyed_at"])}
    for deed in (
        lambda: notes.change_note(ct.actor, made["id"], None, {"text": "x"}),
        lambda: notes.sign_note(ct.actor, made["id"]),
        lambda: notes.add_addendum(ct.actor, made["id"], {"text": "x"}),
    ):
        with db.transaction(), refused():
            deed()
    with db.transaction():
        notes.remove_note(ct.actor, made["id"], None)


def test_of_destroyed_keys_no_copy_is_left_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pages were divided old copies of rows lie, unless each was overwritten at once."""
    connect = sqlite3.connect

    def plainly(*where: Any, **how: Any) -> Any:
        made = connect(*where, **how)
        made.execute("PRAGMA secure_delete = OFF")  # as SQLite is built but by Debian
        return made

    monkeypatch.setattr("sqlite3.dbapi2.connect", plainly)
    engine = engines.make_engine(f"sqlite:///{tmp_path / 'keys.sqlite'}")
    written = {uuid4().hex: vault.new_chart_key() for _ in range(1000)}
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE keys (id TEXT PRIMARY KEY, key TEXT)")
        for row in written.items():
            connection.exec_driver_sql("INSERT INTO keys VALUES (?, ?)", row)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE keys SET key = NULL")
    engine.dispose()
    assert not [*tmp_path.glob("*-wal")], "it was merged when the last connection closed"
    lies = (tmp_path / "keys.sqlite").read_bytes()
    assert all(one.encode() in lies for one in written), "the search did look at the right file"
    assert not [key for key in written.values() if key.encode() in lies]


def test_what_is_written_afterwards_lies_under_a_new_key(scene: Scene) -> None:
    old = apart(scene)
    shred(scene)
    new = apart(scene)
    assert read(scene, new["id"])["text"] == SECRET and read(scene, old["id"])["text"] is None
    assert [row["destroyed_at"] is None for row in raw(keys, scene.clinic_id)] == [False, True]


def test_under_a_legal_hold_no_key_is_destroyed(scene: Scene) -> None:
    made = apart(scene)
    officer = builders.make_person(scene.clinic_id, Role.PRIVACY_OFFICER)
    with db.transaction():
        hold = holds.place_hold(officer.actor, scene.patient["id"], {"reason": "A court asks."})
    with pytest.raises(Conflict):
        shred(scene)
    assert read(scene, made["id"])["text"] == SECRET
    with db.transaction():
        holds.release_hold(officer.actor, hold["id"])
    assert shred(scene) == 2 and read(scene, made["id"])["text"] is None


def test_the_deed_that_destroys_names_the_chart_in_the_trail(scene: Scene) -> None:
    apart(scene)
    with db.transaction():
        trail.forget()
        trail.begin("chart:purge")
        notes.shred(scene.clinic_id, [scene.patient["id"]], "retention")
        deed = trail.current()
        assert deed is not None and deed.patients == {scene.patient["id"]}
        trail.forget()


def test_notes_of_before_are_read_and_go_to_the_charts_key(
    scene: Scene, later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # clinics of other tests by the thousand are not looked through
    monkeypatch.setattr(resealing, "clinics_there", lambda _store: [scene.clinic_id])
    later()
    made = apart(scene)
    assert raw(keys, scene.clinic_id) == []
    assert not raw(tables.psychotherapy_notes, scene.clinic_id)[0]["chart_key_id"]
    later("on")
    assert read(scene, made["id"])["text"] == SECRET
    with db.transaction():
        changed = notes.change_note(scene["CT"].actor, made["id"], None, {"text": "Half of it."})
    assert read(scene, made["id"])["text"] == "Half of it." and changed["version"] == 2
    assert resealing.left() == {"psychotherapy_note_versions": 1}
    assert resealing.reseal(lambda _: None) == 0 and resealing.left() == {}
    for table in APART:
        for row in raw(table, scene.clinic_id):
            assert vault.chart_key_of(row["text"]) == row["chart_key_id"] is not None
    with db.transaction():
        kept = notes.list_note_versions(scene["CT"].actor, made["id"], PAGE).items
    assert [one["text"] for one in kept] == [SECRET, "Half of it."]


def test_what_still_lies_under_the_clinics_key_is_blanked_when_a_chart_is_shredded(
    scene: Scene, later: Any
) -> None:
    later()
    old = apart(scene)
    later("on")
    apart(scene)
    assert shred(scene) == 4
    gone = read(scene, old["id"])
    assert gone["text"] is None and gone["destroyed_at"] is not None and gone["allowed"] == []
    assert shred(scene) == 0, "nobody could read them before, either"
    for table in APART:
        assert not [
            row
            for row in raw(table, scene.clinic_id)
            if row["text"] and not row["text"].startswith("v1.chart-")
        ]


def test_where_a_chart_had_no_key_its_author_is_told_that_the_words_are_gone(
    scene: Scene, later: Any
) -> None:
    later()
    made = apart(scene)
    shred(scene)
    [key] = raw(keys, scene.clinic_id)
    assert key["key"] is None
    with db.transaction():
        kept = notes.list_note_versions(scene["CT"].actor, made["id"], PAGE).items
    told = [*kept, read(scene, made["id"])]
    assert {(one["text"], one["destroyed_at"]) for one in told} == {(None, key["destroyed_at"])}
    with db.transaction(), refused():
        notes.sign_note(scene["CT"].actor, made["id"])


def test_an_answer_that_is_remembered_is_not_given_again_when_a_chart_is_shredded(
    scene: Scene, call: Any, later: Any
) -> None:
    later()
    with db.transaction():
        other = builders.make_patient(scene.clinic_id)
        builders.join_team(other, scene["CT"])
    body = {"kind": "psychotherapy", "text": SECRET}

    def send(chart: Any) -> Any:
        key = {"Idempotency-Key": f"twice-{chart['id']}"}
        return call("CT").post(f"/patients/{chart['id']}/notes", body, **key)

    for chart in (scene.patient, other):
        assert send(chart).status_code == 201
        replayed = send(chart)
        assert SECRET in replayed.text and "Idempotent-Replayed" in replayed.headers
    shred(scene)
    again = send(scene.patient)
    assert again.status_code == 404 and SECRET not in again.text
    assert SECRET in send(other).text, "what was told of another chart stays"
    assert len(raw(tables.psychotherapy_notes, scene.clinic_id)) == 2, "and nothing is written anew"


def test_a_note_whose_key_is_destroyed_between_reading_and_writing_stays_readable_as_gone(
    scene: Scene,
) -> None:
    ct, made = scene["CT"].actor, apart(scene)
    with db.transaction():
        row, _ = keeping.hold(ct, finding.find_note(ct, "note:sign", made["id"]))
        notes.shred(scene.clinic_id, [scene.patient["id"]], "retention")
        said = {"state": "signed", "signed_at": row["created_at"], "digest": "0" * 64}
        with refused():
            keeping.change(ct, row, said, "signed")
    gone = read(scene, made["id"])
    assert gone["text"] is None and gone["destroyed_at"] is not None and gone["version"] == 1


def test_after_a_merge_and_after_it_is_undone_the_author_reads_their_notes(scene: Scene) -> None:
    with db.transaction():
        twice = builders.make_patient(scene.clinic_id)
        builders.join_team(twice, scene["CN"])
        session = builders.make_session(twice, scene["CN"])
    why = {"reason": "Admitted twice."}
    value = {"kind": "psychotherapy", "text": SECRET}
    with db.transaction():
        cn = scene["CN"].actor
        before = notes.write_patient_note(cn, twice["id"], value)
    own = apart(scene)
    with db.transaction():
        merges.merge_patient(scene["CA"].actor, twice["id"], why | {"into": scene.patient["id"]})
    assert read(scene, before["id"], "CN")["text"] == SECRET
    with db.transaction():
        meanwhile = notes.write_session_note(cn, session["id"], value)
    with db.transaction():
        merges.unmerge_patient(scene["CA"].actor, twice["id"], why)
    for one in (before, meanwhile):
        assert read(scene, one["id"], "CN")["text"] == SECRET
    under = {row["patient_id"]: row["id"] for row in raw(keys, scene.clinic_id)}
    for table in APART:
        for row in raw(table, scene.clinic_id):
            assert row["chart_key_id"] == under[row["patient_id"]], table.name
    shred(scene)
    assert read(scene, own["id"])["text"] is None
    assert read(scene, meanwhile["id"], "CN")["text"] == SECRET


def test_shredding_merged_charts_takes_all_of_them_and_nothing_of_others(scene: Scene) -> None:
    with db.transaction():
        twice, third = (builders.make_patient(scene.clinic_id) for _ in range(2))
        for one in (twice, third):
            builders.join_team(one, scene["CT"])
    value, ct = {"kind": "psychotherapy", "text": SECRET}, scene["CT"].actor
    with db.transaction():
        made = [notes.write_patient_note(ct, one["id"], value) for one in (twice, third)]
    with db.transaction():
        into = {"reason": "Admitted twice.", "into": scene.patient["id"]}
        merges.merge_patient(scene["CA"].actor, twice["id"], into)
    shred(scene, scene.patient["id"], twice["id"])
    assert [read(scene, one["id"])["text"] for one in made] == [None, SECRET]


def test_whoever_writes_while_a_key_is_destroyed_loses_nothing_unsaid(
    scene: Scene, application: Flask
) -> None:
    apart(scene)
    charts = [scene.patient["id"]]
    destroying = lambda: notes.shred(scene.clinic_id, charts, "retention")  # noqa: E731
    written, _ = at_once(application, [lambda: draft(scene), destroying])
    assert isinstance(written, dict), written
    told = read(scene, written["id"])
    assert (told["text"] is None) == (told["destroyed_at"] is not None)


def test_reading_takes_the_key_along_and_asks_for_it_nowhere_else(scene: Scene) -> None:
    from sqlalchemy import event

    made, asked = apart(scene), []

    def listen(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(statement)

    event.listen(db.engine(), "before_cursor_execute", listen)
    try:
        read(scene, made["id"])
    finally:
        event.remove(db.engine(), "before_cursor_execute", listen)
    about = [one for one in asked if "chart_keys" in one]
    assert len(about) == 2, "the note, and what was added to it"
    assert all("FROM psychotherapy_notes" in one for one in about)


def test_the_keys_ring_is_forgotten_with_the_transaction(scene: Scene) -> None:
    made = apart(scene)
    with db.transaction() as store:
        notes.read_note(scene["CT"].actor, made["id"])
        assert list(store.ring) == [vault.chart_kid(raw_key(store, scene))]
        ring = store.ring
    assert ring == {}


def raw_key(store: Any, scene: Scene) -> Any:
    return store.row(select(keys).where(keys.c.clinic_id == scene.clinic_id))["id"]


def test_a_session_note_and_its_list_are_opened_by_one_key(scene: Scene) -> None:
    session = held_session(scene)
    db.store().commit()
    made = [apart(scene, session) for _ in range(3)]
    with db.transaction():
        listing = notes.list_session_notes(scene["CT"].actor, session["id"], PAGE)
        assert sorted(ids(listing)) == sorted(one["id"] for one in made)
        assert len(db.store().ring) == 1
