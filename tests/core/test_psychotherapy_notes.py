"""Psychotherapy notes: in their author's answers and no other's, under a key of their own."""

from typing import Any

import pytest
from sqlalchemy import select, update

from api import db, vault
from api.access.users import users
from api.audit import trail
from api.core import care_team, changes, worklist
from api.core.treatment import notes
from api.core.treatment.notes import tables
from api.errors import NotAllowed, NotFound, NotSignedIn, Unavailable
from api.outbox.events import outbox_events
from tests import builders
from tests.builders import Scene
from tests.core.noting import colleague, held_session, ids, locked_session, note, refused

PAGE = db.Page(100)
SECRET = "Snowdrop under the lamp"


def apart(scene: Scene, session: Any = None, by: Any = "CT") -> Any:
    """A psychotherapy note, drafted."""
    return note(scene, session, by, kind="psychotherapy", text=SECRET)


def test_its_author_reads_changes_signs_and_adds_to_it(scene: Scene) -> None:
    session, ct = held_session(scene), scene["CT"]
    made = apart(scene, session)
    assert (made["kind"], made["state"], made["text"]) == ("psychotherapy", "draft", SECRET)
    assert ids(notes.list_session_notes(ct.actor, session["id"], PAGE)) == [made["id"]]
    assert ids(notes.list_patient_notes(ct.actor, scene.patient["id"], PAGE)) == [made["id"]]
    changed = notes.change_note(ct.actor, made["id"], 1, {"text": f"{SECRET}, again"})
    assert changed["version"] == 2
    assert notes.sign_note(ct.actor, made["id"])["state"] == "signed"
    with refused("addenda", state="signed"):
        notes.change_note(ct.actor, made["id"], None, {"text": "Other."})
    notes.add_addendum(ct.actor, made["id"], {"text": "And this."})
    whole = notes.read_note(ct.actor, made["id"])
    assert [one["text"] for one in whole["addenda"]] == ["And this."]
    kept = notes.list_note_versions(ct.actor, made["id"], PAGE).items
    assert [row["deed"] for row in kept] == ["written", "changed", "signed"]


@pytest.mark.parametrize("who", ["PS", "PO", "CN", "XT", "XP", "colleague"])
def test_to_everybody_else_it_is_not_there(scene: Scene, who: str) -> None:
    session = held_session(scene)
    made = apart(scene, session)
    notes.sign_note(scene["CT"].actor, made["id"])
    scene.people["colleague"] = colleague(scene, "supervisor", "cosign", "direct")
    reader = scene[who]
    with pytest.raises(NotFound) as refusal:
        notes.read_note(reader.actor, made["id"])
    with pytest.raises(NotFound) as nowhere:
        notes.read_note(reader.actor, db.new_id())
    assert refusal.value.detail == nowhere.value.detail
    if who in ("PS", "colleague"):
        for listing in (
            notes.list_session_notes(reader.actor, session["id"], PAGE),
            notes.list_patient_notes(reader.actor, scene.patient["id"], PAGE),
            notes.list_patient_notes(reader.actor, scene.patient["id"], PAGE, "psychotherapy"),
        ):
            assert listing.items == [] and not listing.tombstones


def test_no_colleague_does_anything_with_it(scene: Scene) -> None:
    made, chief = apart(scene), colleague(scene, "supervisor", "cosign", "direct")
    one = made["id"]
    notes.sign_note(scene["CT"].actor, one)
    for deed in (
        lambda: notes.change_note(chief.actor, one, None, {"text": "x"}),
        lambda: notes.sign_note(chief.actor, one),
        lambda: notes.add_addendum(chief.actor, one, {"text": "x"}),
        lambda: notes.cosign_note(chief.actor, one),
        lambda: notes.ask_unlock(chief.actor, one, {"reason": "x"}),
        lambda: notes.list_unlock_requests(chief.actor, one, PAGE),
        lambda: notes.list_note_versions(chief.actor, one, PAGE),
        lambda: notes.approve_unlock(chief.actor, one, db.new_id(), {}),
        lambda: notes.hold_note(chief.actor, one, {}),
        lambda: notes.remove_note(chief.actor, one, None),
    ):
        with pytest.raises(NotFound):
            deed()


def test_nobody_can_agree_to_unlock_or_cosign_what_nobody_reads(scene: Scene) -> None:
    made, ct = apart(scene), scene["CT"]
    notes.sign_note(ct.actor, made["id"])
    with refused("addenda", state="signed"):
        notes.ask_unlock(ct.actor, made["id"], {"reason": "A name."})
    with refused():
        notes.hold_note(ct.actor, made["id"], {})
    assert notes.list_unlock_requests(ct.actor, made["id"], PAGE).items == []
    chief = colleague(scene, "supervisor", "cosign")
    own = apart(scene, by=chief)
    notes.sign_note(chief.actor, own["id"])
    with pytest.raises(NotAllowed):
        notes.cosign_note(chief.actor, own["id"])


def test_an_author_who_left_the_care_team_keeps_their_own(scene: Scene) -> None:
    ct, other = scene["CT"], colleague(scene)
    made, plain = apart(scene), note(scene)
    listing = care_team.list_care_team(other.actor, scene.patient["id"], PAGE)
    (mine,) = [row for row in listing.items if row["clinician"]["id"] == ct.user_id]
    care_team.end_membership(other.actor, scene.patient["id"], mine["id"])
    assert notes.read_note(ct.actor, made["id"])["text"] == SECRET
    assert ids(notes.list_patient_notes(ct.actor, scene.patient["id"], PAGE)) == [made["id"]]
    notes.sign_note(ct.actor, made["id"])
    with pytest.raises(NotFound):
        notes.read_note(ct.actor, plain["id"])
    with pytest.raises(NotFound):
        apart(scene)


def test_a_disabled_author_reads_nothing(scene: Scene) -> None:
    made, ct = apart(scene), scene["CT"]
    moment = made["created_at"]
    db.store().execute(update(users).where(users.c.id == ct.user_id).values(disabled_at=moment))
    with pytest.raises(NotSignedIn):
        notes.read_note(ct.actor, made["id"])


def test_a_locked_session_does_not_stop_it_for_it_is_no_part_of_the_record(scene: Scene) -> None:
    session = locked_session(scene)
    made = apart(scene, session)
    notes.change_note(scene["CT"].actor, made["id"], 1, {"text": "Other."})
    assert notes.sign_note(scene["CT"].actor, made["id"])["state"] == "signed"


def test_it_is_sealed_with_a_key_that_opens_nothing_else(scene: Scene) -> None:
    made = apart(scene)
    table = tables.psychotherapy_notes
    raw = db.store().row(select(table).where(table.c.id == made["id"]))
    assert raw is not None and "Snowdrop" not in str(raw)
    bound = ("psychotherapy_notes.text", raw["id"], raw["clinic_id"])
    ring = {**db.store().ring}
    assert list(ring) == [vault.chart_kid(raw["chart_key_id"])]
    assert vault.unseal_json(raw["text"], *bound, vault.PSYCHOTHERAPY, ring) == SECRET
    for purpose in (vault.PSYCHOTHERAPY, vault.SEAL):
        with pytest.raises(Unavailable):
            vault.unseal_json(raw["text"], *bound, purpose)
    plain = note(scene, text="Plain.")
    row = db.store().row(select(tables.notes).where(tables.notes.c.id == plain["id"]))
    assert row is not None
    with pytest.raises(Unavailable):
        vault.unseal_json(
            row["text"], "notes.text", row["id"], row["clinic_id"], vault.PSYCHOTHERAPY
        )


def test_its_words_lie_in_no_other_table(scene: Scene) -> None:
    made = apart(scene, held_session(scene))
    notes.sign_note(scene["CT"].actor, made["id"])
    apart_from = {table.name for table in tables.VERSIONS.values()} | {"psychotherapy_notes"}
    unasked = db.walls.APART if db.store().on_postgres else ()  # ids of research; not ours to read
    for table in (one for one in db.metadata.sorted_tables if one.name not in unasked):
        rows = [str(tuple(row)) for row in db.store().execute(select(table))]
        assert not any(SECRET in row for row in rows), table.name
        if table.name not in apart_from:
            assert not any(str(made["id"]) in row for row in rows), table.name


def test_nothing_is_told_of_it(scene: Scene) -> None:
    mine = select(outbox_events).where(outbox_events.c.clinic_id == scene.clinic_id)
    before = len(db.store().rows(mine))
    made = apart(scene)
    notes.sign_note(scene["CT"].actor, made["id"])
    notes.add_addendum(scene["CT"].actor, made["id"], {"text": "And this."})
    assert len(db.store().rows(mine)) == before
    told = changes.list_changes(scene["CT"].actor, None, 100)
    assert made["id"] not in [row["id"] for row in told["items"]]
    deed = trail.current()
    assert deed is not None and deed.type == "notes" and "psycho" not in str(deed)


def test_a_draft_of_it_is_on_its_authors_worklist_and_on_no_other(scene: Scene) -> None:
    other = colleague(scene)
    apart(scene)

    def reasons(who: builders.Person) -> list[str]:
        rows = worklist.list_worklist(who.actor, PAGE).items
        return [one["code"] for row in rows for one in row["reasons"]]

    assert "note_unsigned" in reasons(scene["CT"])
    assert "note_unsigned" not in reasons(other)


def test_its_author_takes_it_back_with_every_word(scene: Scene) -> None:
    made, ct = apart(scene), scene["CT"]
    notes.sign_note(ct.actor, made["id"])
    added = notes.add_addendum(ct.actor, made["id"], {"text": SECRET})
    notes.remove_note(ct.actor, made["id"], None)
    for one in (made, added):
        with pytest.raises(NotFound):
            notes.read_note(ct.actor, one["id"])
    for table in (tables.psychotherapy_notes, tables.psychotherapy_note_versions):
        mine = table.c.clinic_id == scene.clinic_id
        kept = db.store().rows(select(table).where(mine), table)
        assert len(kept) >= 2
        assert {row["text"] for row in kept} <= {None}, table.name
