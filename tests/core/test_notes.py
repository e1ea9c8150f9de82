"""Notes: drafted by an author, signed, locked with their record, added to, unlocked by another."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api import clock, db
from api.audit import trail
from api.core.treatment import notes, sessions, signatures, signing
from api.core.treatment.notes import tables
from api.errors import Invalid, NotAllowed, NotFound, NotSignedIn, Stale
from api.outbox.events import outbox_events
from tests import builders
from tests.builders import Scene
from tests.core.noting import (
    SOAP,
    colleague,
    held_session,
    ids,
    locked_session,
    note,
    refused,
    signed_note,
)

PAGE = db.Page(100)


def test_a_draft_is_its_authors_to_change_and_the_team_reads_it(scene: Scene) -> None:
    made, other = note(scene, held_session(scene)), colleague(scene)
    assert (made["state"], made["allowed"], made["version"]) == ("draft", ["sign", "hold"], 1)
    changed = notes.change_note(scene["CT"].actor, made["id"], 1, {"text": "We spoke again."})
    assert (changed["text"], changed["version"]) == ("We spoke again.", 2)
    assert notes.read_note(other.actor, made["id"])["text"] == "We spoke again."
    with pytest.raises(NotAllowed):
        notes.change_note(other.actor, made["id"], 2, {"text": "Mine."})
    with pytest.raises(NotAllowed):
        notes.sign_note(other.actor, made["id"])
    with pytest.raises(Stale):
        notes.change_note(scene["CT"].actor, made["id"], 1, {"text": "Late."})
    same = notes.change_note(scene["CT"].actor, made["id"], 2, {})
    assert same["version"] == 2


@pytest.mark.parametrize("template", tables.TEMPLATES)
def test_a_template_is_told_from_its_sections_and_signed_once_all_are_written(
    scene: Scene, template: str
) -> None:
    first, *others = names = tables.TEMPLATES[template]
    whole = note(scene, sections=dict.fromkeys(reversed(names), "Words."))
    assert whole["template"] == template and list(whole["sections"]) == list(names)
    part = note(scene, sections={first: "Words."}, template=template)
    with refused(state="draft") as refusal:
        notes.sign_note(scene["CT"].actor, part["id"])
    assert refusal.value.extras["missing"] == others
    more = {"sections": dict.fromkeys(others, "More.")}
    notes.change_note(scene["CT"].actor, part["id"], None, more)
    assert notes.sign_note(scene["CT"].actor, part["id"])["state"] == "signed"


def test_sections_are_free_where_no_template_is_theirs(scene: Scene) -> None:
    made = note(scene, sections={"themes": "Rest.", "commitments": "A walk."})
    assert made["template"] == "free"
    gone = {"sections": {"themes": None, "next": "Autumn."}}
    after = notes.change_note(scene["CT"].actor, made["id"], 1, gone)
    assert after["sections"] == {"commitments": "A walk.", "next": "Autumn."}
    with pytest.raises(Invalid):
        notes.change_note(scene["CT"].actor, made["id"], 2, {"sections": None})
    with pytest.raises(Invalid) as refusal:
        note(scene, sections={"themes": "Rest."}, template="soap")
    assert [at for at, _ in refusal.value.errors] == ["/sections/themes"]
    with pytest.raises(Invalid):
        notes.write_patient_note(scene["CT"].actor, scene.patient["id"], {"kind": "progress"})


def test_a_signed_note_is_nobodys_to_change(scene: Scene) -> None:
    made = signed_note(scene, held_session(scene))
    assert made["state"] == "signed" and made["signed_at"] is not None
    with refused("addenda", "unlock-requests", "hold", state="signed"):
        notes.change_note(scene["CT"].actor, made["id"], None, {"text": "Other."})
    with refused("addenda", "unlock-requests", "hold", state="signed"):
        notes.sign_note(scene["CT"].actor, made["id"])
    with refused(state="signed"):
        notes.remove_note(scene["CT"].actor, made["id"], None)
    draft = note(scene)
    notes.remove_note(scene["CT"].actor, draft["id"], 1)
    with pytest.raises(NotFound):
        notes.read_note(scene["CT"].actor, draft["id"])


def test_signing_asks_for_a_fresh_sign_in(scene: Scene) -> None:
    made = note(scene)
    builders.let_sign_in_age(scene["CT"])
    for deed in (
        lambda: notes.sign_note(scene["CT"].actor, made["id"]),
        lambda: notes.hold_note(scene["CT"].actor, made["id"], {}),
        lambda: notes.approve_unlock(scene["CT"].actor, made["id"], made["id"], {}),
    ):
        with pytest.raises(NotSignedIn):
            deed()


def test_a_patient_reads_what_is_signed_and_no_draft(scene: Scene) -> None:
    session = held_session(scene)
    made, summary = note(scene, session), note(scene, kind="patient_summary")
    patient, chart = scene["PS"], scene.patient["id"]
    for one in (made, summary):
        with pytest.raises(NotFound):
            notes.read_note(patient.actor, one["id"])
    assert ids(notes.list_patient_notes(patient.actor, chart, PAGE)) == []
    for one in (made, summary):
        notes.sign_note(scene["CT"].actor, one["id"])
        assert "hold" not in notes.read_note(patient.actor, one["id"])
    assert ids(notes.list_patient_notes(patient.actor, chart, PAGE)) == [summary["id"], made["id"]]
    assert ids(notes.list_session_notes(patient.actor, session["id"], PAGE)) == [made["id"]]
    for stranger in ("PO", "CN", "XT", "XP"):
        with pytest.raises(NotFound):
            notes.read_note(scene[stranger].actor, made["id"])


def test_a_held_note_is_gone_for_its_patient_until_the_time_is_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, patient, chart = signed_note(scene), scene["PS"], scene.patient["id"]
    until = clock.now() + timedelta(days=2)
    told = {"reason": "It names her brother.", "expires_at": until}
    held = notes.hold_note(scene["CT"].actor, made["id"], told)
    assert held["hold"]["reason"] == told["reason"] and held["hold"]["expires_at"] == until
    notes.add_addendum(scene["CT"].actor, made["id"], {"text": "And her sister."})
    with pytest.raises(NotFound):
        notes.read_note(patient.actor, made["id"])
    listing = notes.list_patient_notes(patient.actor, chart, PAGE)
    assert listing.items == [] and listing.beside is not None
    (notice,) = listing.beside["held_back"]
    assert notice["expires_at"] == until and "brother" not in str(listing.beside)
    before = clock.now() - timedelta(days=1)
    changed = notes.list_patient_notes(patient.actor, chart, db.Page(100, since=before))
    assert [gone["id"] for gone in changed.tombstones or ()] == [made["id"]]
    later = until + timedelta(minutes=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    back = notes.read_note(_awake(patient), made["id"])
    assert [one["text"] for one in back["addenda"]] == ["And her sister."]
    changed = notes.list_patient_notes(_awake(patient), chart, db.Page(100, since=until))
    assert ids(changed) == [made["id"]]


def _awake(person: builders.Person) -> Any:
    """The person, signed in anew."""
    row = db.store().row(select(builders.users).where(builders.users.c.id == person.user_id))
    assert row is not None
    person.sign_in_id = builders.make_sign_in(row)
    return person.actor


def test_only_progress_notes_are_held_and_not_for_ever(scene: Scene) -> None:
    made, summary = note(scene), note(scene, kind="patient_summary")
    soon = {"reason": "A name.", "expires_at": clock.now() + timedelta(days=1)}
    with refused():
        notes.hold_note(scene["CT"].actor, summary["id"], soon)
    for days in (-1, 31):
        at = clock.now() + timedelta(days=days)
        with pytest.raises(Invalid):
            notes.hold_note(scene["CT"].actor, made["id"], soon | {"expires_at": at})
    notes.hold_note(scene["CT"].actor, made["id"], soon)
    notes.sign_note(scene["CT"].actor, made["id"])
    with pytest.raises(NotFound):
        notes.read_note(scene["PS"].actor, made["id"])
    freed = notes.release_note(scene["CT"].actor, made["id"], None)
    assert freed["hold"] is None
    assert notes.read_note(scene["PS"].actor, made["id"])["id"] == made["id"]
    with refused():
        notes.release_note(scene["CT"].actor, made["id"], None)


def test_an_addendum_is_dated_and_by_its_own_author(scene: Scene) -> None:
    made, other = signed_note(scene), colleague(scene)
    added = notes.add_addendum(other.actor, made["id"], {"text": "She called."})
    assert (added["state"], added["kind"]) == ("signed", "addendum")
    assert added["addendum_to"] == made["id"] and added["author"]["id"] == other.user_id
    draft = notes.add_addendum(other.actor, made["id"], {"text": "Later.", "as_draft": True})
    whole = notes.read_note(scene["CT"].actor, made["id"])
    assert [one["state"] for one in whole["addenda"]] == ["signed", "draft"]
    assert whole["version"] > made["version"]
    mine = notes.read_note(scene["PS"].actor, made["id"])
    assert [one["text"] for one in mine["addenda"]] == ["She called."]
    notes.change_note(other.actor, draft["id"], 1, {"text": "Later that day."})
    notes.sign_note(other.actor, draft["id"])
    mine = notes.read_note(scene["PS"].actor, made["id"])
    assert [one["text"] for one in mine["addenda"]] == ["She called.", "Later that day."]
    listing = notes.list_patient_notes(scene["CT"].actor, scene.patient["id"], PAGE)
    assert ids(listing) == [made["id"]]
    for unsigned in (note(scene), added):
        with refused():
            notes.add_addendum(scene["CT"].actor, unsigned["id"], {"text": "Too soon."})


def test_a_supervisor_cosigns_once_and_never_their_own(scene: Scene) -> None:
    chief = colleague(scene, "supervisor", "cosign")
    made = note(scene)
    with pytest.raises(NotAllowed):
        notes.cosign_note(scene["CT"].actor, made["id"])
    with refused(state="draft"):
        notes.cosign_note(chief.actor, made["id"])
    notes.sign_note(scene["CT"].actor, made["id"])
    assert "cosign" in notes.read_note(chief.actor, made["id"])["allowed"]
    done = notes.cosign_note(chief.actor, made["id"])
    assert done["cosigned_by"]["id"] == chief.user_id and done["state"] == "locked"
    with refused(state="locked"):
        notes.cosign_note(chief.actor, made["id"])
    own = signed_note(scene, by=chief)
    with pytest.raises(NotAllowed):
        notes.cosign_note(chief.actor, own["id"])


def test_an_unlock_is_asked_for_by_the_author_and_decided_by_another(scene: Scene) -> None:
    made, other = signed_note(scene), colleague(scene)
    why = {"reason": "The wrong name."}
    with pytest.raises(NotAllowed):
        notes.ask_unlock(other.actor, made["id"], why)
    asked = notes.ask_unlock(scene["CT"].actor, made["id"], why)
    assert (asked["state"], asked["allowed"]) == ("asked", [])
    with refused():
        notes.ask_unlock(scene["CT"].actor, made["id"], why)
    for decide in (notes.approve_unlock, notes.deny_unlock):
        with pytest.raises(NotAllowed):
            decide(scene["CT"].actor, made["id"], asked["id"], {})
    denied = notes.deny_unlock(other.actor, made["id"], asked["id"], {"note": "An addendum."})
    assert (denied["state"], denied["note"]) == ("denied", "An addendum.")
    assert notes.read_note(other.actor, made["id"])["state"] == "signed"
    with refused(state="denied"):
        notes.approve_unlock(other.actor, made["id"], asked["id"], {})
    again = notes.ask_unlock(scene["CT"].actor, made["id"], why)
    notes.approve_unlock(other.actor, made["id"], again["id"], {})
    opened = notes.read_note(scene["CT"].actor, made["id"])
    assert (opened["state"], opened["unlocks"], opened["signed_at"]) == ("draft", 1, None)
    with pytest.raises(NotFound):
        notes.read_note(scene["PS"].actor, made["id"])
    with refused():
        notes.remove_note(scene["CT"].actor, made["id"], None)
    listing = notes.list_unlock_requests(other.actor, made["id"], PAGE)
    assert [row["state"] for row in listing.items] == ["denied", "approved"]
    elsewhere = signed_note(scene)
    with pytest.raises(NotFound):
        notes.deny_unlock(other.actor, elsewhere["id"], again["id"], {})


def test_every_version_is_kept(scene: Scene) -> None:
    made, other = note(scene, sections=SOAP), colleague(scene)
    author = scene["CT"]
    notes.change_note(author.actor, made["id"], 1, {"text": "And more."})
    notes.sign_note(author.actor, made["id"])
    asked = notes.ask_unlock(author.actor, made["id"], {"reason": "A name."})
    notes.approve_unlock(other.actor, made["id"], asked["id"], {})
    notes.change_note(author.actor, made["id"], None, {"text": "And other words."})
    notes.sign_note(author.actor, made["id"])
    kept = notes.list_note_versions(other.actor, made["id"], PAGE).items
    deeds = ["written", "changed", "signed", "unlocked", "changed", "signed"]
    assert [row["deed"] for row in kept] == deeds
    assert [row["text"] for row in kept] == [
        *(None, "And more.", "And more.", "And more.", "And other words.", "And other words."),
    ]
    assert [row["number"] for row in kept] == [1, 2, 3, 4, 5, 6]
    first, second = (row["digest"] for row in kept if row["deed"] == "signed")
    assert first != second and len(first) == 64
    assert kept[3]["written_by"]["id"] == other.user_id


def test_a_locked_session_accepts_nothing_but_addenda(scene: Scene) -> None:
    session = locked_session(scene)
    (made,) = notes.list_session_notes(scene["CT"].actor, session["id"], PAGE).items
    assert made["state"] == "locked"
    ct = scene["CT"].actor
    for deed in (
        lambda: note(scene, session),
        lambda: note(scene, session, kind="patient_summary"),
        lambda: sessions.change_session(ct, session["id"], None, {"also_covered": ["intake"]}),
    ):
        with refused("addenda", state="signed"):
            deed()
    with refused(state="completed"):
        sessions.reopen_session(ct, session["id"], {})
    assert sessions.read_session(ct, session["id"])["allowed"] == []
    added = notes.add_addendum(ct, made["id"], {"text": "She called."})
    assert added["state"] == "locked"


def test_what_comes_too_late_is_a_draft_addendum_of_the_record(scene: Scene) -> None:
    session = locked_session(scene)
    row = db.store().row(select(sessions.sessions).where(sessions.sessions.c.id == session["id"]))
    assert row is not None
    entry = {"type": "vitals", "measured_at": "2026-11-25T17:00:00Z", "systolic_mmhg": 121}
    late = notes.draft_addendum(scene["CT"].actor, row, "BP 121/80 at 17:00.", entry)
    assert (late["state"], late["entry"], late["addendum_to"]) == ("draft", entry, None)
    listing = notes.list_session_notes(scene["CT"].actor, session["id"], PAGE)
    assert late["id"] in ids(listing)
    signed = notes.sign_note(scene["CT"].actor, late["id"])
    assert signed["state"] == "locked"
    mine = notes.list_session_notes(scene["PS"].actor, session["id"], PAGE)
    assert late["id"] in ids(mine) and "entry" not in mine.items[0]


def test_unlocking_what_a_signature_covers_makes_the_part_owed_again(scene: Scene) -> None:
    session, other = locked_session(scene), colleague(scene)
    (made,) = notes.list_session_notes(scene["CT"].actor, session["id"], PAGE).items
    added = notes.add_addendum(scene["CT"].actor, made["id"], {"text": "She called."})
    for each, still in ((added, True), (made, False)):
        asked = notes.ask_unlock(scene["CT"].actor, each["id"], {"reason": "A name."})
        notes.approve_unlock(other.actor, each["id"], asked["id"], {})
        told = signing.list_signatures(other.actor, session["id"])
        assert (told["signed_at"] is not None) == still
        if still:
            notes.sign_note(scene["CT"].actor, each["id"])
    assert told["missing"] == ["therapist"]
    assert [one["id"] for one in told["unsigned_notes"]] == [made["id"]]
    notes.sign_note(scene["CT"].actor, made["id"])
    again = signing.sign_part(scene["CT"].actor, session["id"], "therapist")
    assert again["missing"] == [] and again["signed_at"] is not None
    rows = db.store().rows(select(signatures.session_signatures))
    kept = [one["void_reason"] for one in rows if one["session_id"] == session["id"]]
    assert kept == ["note_unlocked", None]


def test_a_note_of_a_session_that_is_not_signed_holds_it_open(scene: Scene) -> None:
    session, other = held_session(scene), colleague(scene)
    theirs = note(scene, session, by=other)
    mine = note(scene, session)
    with refused() as refusal:
        signing.sign_part(scene["CT"].actor, session["id"], "therapist")
    assert refusal.value.extras["missing"] == ["note_unsigned"]
    assert set(refusal.value.extras["note_ids"]) == {mine["id"], theirs["id"]}
    notes.sign_note(scene["CT"].actor, mine["id"])
    notes.remove_note(other.actor, theirs["id"], None)
    assert signing.sign_part(scene["CT"].actor, session["id"], "therapist")["missing"] == []


def test_lists_are_narrowed_by_kind_and_state_and_walked_in_pages(scene: Scene) -> None:
    made = [note(scene, kind=kind) for kind in ("progress", "patient_summary", "progress")]
    notes.sign_note(scene["CT"].actor, made[0]["id"])
    actor, chart = scene["CT"].actor, scene.patient["id"]

    def listed(**asked: Any) -> list[Any]:
        return ids(notes.list_patient_notes(scene["CT"].actor, chart, PAGE, **asked))

    assert listed(kind="progress") == [made[2]["id"], made[0]["id"]]
    assert listed(state="draft") == [made[2]["id"], made[1]["id"]]
    assert listed(kind="patient_summary", state="signed") == []
    first = notes.list_patient_notes(actor, chart, db.Page(2))
    rest = notes.list_patient_notes(actor, chart, db.Page(2, after=first.next_after))
    assert ids(first) + ids(rest) == [one["id"] for one in reversed(made)]


def test_signing_is_told_to_others_by_ids_alone(scene: Scene) -> None:
    made = signed_note(scene, held_session(scene))
    rows = db.store().rows(select(outbox_events).where(outbox_events.c.name == "note.signed"))
    (event,) = [row for row in rows if row["clinic_id"] == scene.clinic_id]
    assert set(event["subject"]) == {"note_id", "patient_id", "session_id"}
    assert event["subject"]["note_id"] == str(made["id"])
    deed = trail.current()
    assert deed is not None and "We spoke." not in str(deed)


def test_the_words_of_a_note_lie_sealed(scene: Scene) -> None:
    made = note(scene, text="Snowdrop under the lamp", sections=None)
    notes.hold_note(
        scene["CT"].actor,
        made["id"],
        {"reason": "Snowdrop", "expires_at": clock.now() + timedelta(days=1)},
    )
    for table in (tables.notes, tables.note_versions):
        for row in db.store().rows(select(table)):
            assert "Snowdrop" not in str(row), table.name
