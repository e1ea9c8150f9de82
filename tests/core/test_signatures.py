"""The two-chair record: who owes which part of it, who signed, and what a signature binds."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from api import clock, db
from api.access.users import users
from api.core import team_reach
from api.core.treatment import notes, sessions, signatures, signing
from api.db import Values
from api.errors import NotAllowed, NotFound, NotSignedIn
from tests import builders
from tests.builders import Scene
from tests.core.noting import colleague, held_session, note, refused, signed_note


def parts(told: Values) -> list[str]:
    """The parts of a record, in their order."""
    return [one["part"] for one in told["parts"]]


def row_of(session: Values) -> Values:
    """The session as it lies in the database."""
    found = db.store().row(select(sessions.sessions).where(sessions.sessions.c.id == session["id"]))
    assert found is not None
    return found


def test_a_dosing_session_owes_a_part_for_each_chair_in_the_room(scene: Scene) -> None:
    prescriber, nurse = colleague(scene, "prescriber"), colleague(scene, "nurse")
    session = held_session(scene, scene["CT"], nurse, prescriber, kind="dosing")
    told = signing.list_signatures(scene["CT"].actor, session["id"])
    assert parts(told) == told["missing"] == ["therapist", "prescriber", "nurse"]
    by = {one["part"]: [who["id"] for who in one["by"]] for one in told["parts"]}
    assert by == {
        "therapist": [scene["CT"].user_id],
        "prescriber": [prescriber.user_id],
        "nurse": [nurse.user_id],
    }


@pytest.mark.parametrize(
    ("profession", "privileges", "part"),
    [
        ("therapist", (), "therapist"),
        ("guide", (), "therapist"),
        ("supervisor", ("cosign",), "therapist"),
        ("prescriber", (), "prescriber"),
        ("nurse", ("administer",), "nurse"),
        (None, ("prescribe",), "prescriber"),
        (None, ("administer",), "nurse"),
        (None, (), "therapist"),
    ],
)
def test_everybody_sits_in_one_chair(
    scene: Scene, profession: str, privileges: tuple[str, ...], part: str
) -> None:
    who = colleague(scene, profession, *privileges)
    session = held_session(scene, who, kind="dosing")
    assert parts(signing.list_signatures(who.actor, session["id"])) == [part]
    assert signing.sign_part(who.actor, session["id"], part)["missing"] == []


def test_other_sessions_owe_one_part(scene: Scene) -> None:
    nurse = colleague(scene, "nurse")
    both = held_session(scene, nurse, scene["CT"])
    assert parts(signing.list_signatures(nurse.actor, both["id"])) == ["therapist"]
    alone = held_session(scene, nurse, kind="follow_up")
    assert parts(signing.list_signatures(nurse.actor, alone["id"])) == ["nurse"]
    nobody = builders.make_session(scene.patient, state="completed", completed_at=clock.now())
    assert parts(signing.list_signatures(nurse.actor, nobody["id"])) == ["therapist"]


def test_the_record_is_signed_when_the_last_part_is(scene: Scene) -> None:
    nurse = colleague(scene, "nurse")
    session = held_session(scene, scene["CT"], nurse, kind="dosing")
    first = signing.sign_part(scene["CT"].actor, session["id"], "therapist")
    assert (first["missing"], first["signed_at"]) == (["nurse"], None)
    assert not signatures.is_signed(row_of(session))
    with refused("nurse"):
        signing.sign_part(scene["CT"].actor, session["id"], "therapist")
    last = signing.sign_part(nurse.actor, session["id"], "nurse")
    assert last["missing"] == [] and last["signed_at"] is not None
    signed_by = {one["part"]: one["signed_by"]["id"] for one in last["parts"]}
    assert signed_by == {"therapist": scene["CT"].user_id, "nurse": nurse.user_id}
    assert signatures.is_signed(row_of(session))
    with refused("addenda", state="signed"):
        signing.sign_part(nurse.actor, session["id"], "nurse")


def test_nobody_signs_for_another_chair_and_a_colleague_of_the_chair_may(scene: Scene) -> None:
    nurse, other = colleague(scene, "nurse"), colleague(scene, "nurse")
    session = held_session(scene, scene["CT"], nurse, kind="dosing")
    with pytest.raises(NotAllowed):
        signing.sign_part(scene["CT"].actor, session["id"], "nurse")
    with pytest.raises(NotFound):
        signing.sign_part(scene["CN"].actor, session["id"], "therapist")
    with refused("therapist", "nurse"):
        signing.sign_part(colleague(scene, "prescriber").actor, session["id"], "prescriber")
    assert signing.sign_part(other.actor, session["id"], "nurse")["missing"] == ["therapist"]
    builders.let_sign_in_age(scene["CT"])
    with pytest.raises(NotSignedIn):
        signing.sign_part(scene["CT"].actor, session["id"], "therapist")


@pytest.mark.parametrize("state", ["scheduled", "arrived", "in_progress", "cancelled", "no_show"])
def test_a_record_is_signed_once_the_session_is_over(scene: Scene, state: str) -> None:
    session = builders.make_session(scene.patient, scene["CT"], state=state)
    with refused(state=state):
        signing.sign_part(scene["CT"].actor, session["id"], "therapist")
    assert row_of(session)["signed_at"] is None


def test_a_signature_binds_what_was_there(scene: Scene) -> None:
    nurse = colleague(scene, "nurse")
    session = held_session(scene, scene["CT"], nurse, kind="dosing")
    made = signed_note(scene, session)
    signing.sign_part(scene["CT"].actor, session["id"], "therapist")
    signed_note(scene, session, text="Another.")
    signing.sign_part(nurse.actor, session["id"], "nurse")
    g = signatures.session_signatures
    rows = db.store().rows(select(g).where(g.c.session_id == session["id"]).order_by(g.c.id), g)
    first, second = rows
    assert list(first["covers"]["notes"]) == [str(made["id"])]
    assert len(second["covers"]["notes"]) == 2
    assert first["digest"] != second["digest"] and len(first["digest"]) == 64
    assert first["session_version"] == session["version"]


def test_the_digest_is_of_every_word() -> None:
    record = {"session": {"version": 1}, "notes": [{"id": "a", "digest": "x"}], "ledger": []}
    other = {**record, "notes": [{"id": "a", "digest": "y"}]}
    assert signing.digest_of(record) == signing.digest_of(dict(reversed(record.items())))
    assert signing.digest_of(record) != signing.digest_of(other)


def test_only_an_unsigned_session_is_reopened_and_its_signatures_stand_no_more(
    scene: Scene,
) -> None:
    nurse = colleague(scene, "nurse")
    session = held_session(scene, scene["CT"], nurse, kind="dosing")
    signing.sign_part(nurse.actor, session["id"], "nurse")
    sessions.reopen_session(scene["CT"].actor, session["id"], {})
    told = signing.list_signatures(scene["CT"].actor, session["id"])
    assert told["missing"] == ["therapist", "nurse"]


def test_the_patient_sees_the_clinical_record_from_the_signature_on(scene: Scene) -> None:
    session = held_session(scene, also_covered=["follow_up"])
    before = sessions.read_session(scene["PS"].actor, session["id"])
    assert not {"started_at", "completed_at", "also_covered", "signed_at"} & set(before)
    signing.sign_part(scene["CT"].actor, session["id"], "therapist")
    after = sessions.read_session(scene["PS"].actor, session["id"])
    assert after["also_covered"] == ["follow_up"] and after["completed_at"] is not None
    assert after["version"] == before["version"] + 1
    assert not {"reason", "overrides", "moved_at"} & set(after)


def test_it_is_known_since_when_the_last_session_waits(scene: Scene) -> None:
    clinic_id, patient_id = scene.clinic_id, scene.patient["id"]
    assert signatures.unsigned_since(clinic_id, patient_id) is None
    old = held_session(scene, completed_at=clock.now() - timedelta(days=9))
    last = held_session(scene)
    assert signatures.unsigned_since(clinic_id, patient_id) == last["completed_at"]
    signing.sign_part(scene["CT"].actor, last["id"], "therapist")
    assert signatures.unsigned_since(clinic_id, patient_id) is None
    assert not signatures.is_signed(row_of(old))


def test_what_is_owed_of_many_sessions_costs_no_more_questions(scene: Scene) -> None:
    from tests.core.test_goals import asked_of_the_database

    made = [held_session(scene, kind=kind) for kind in ("dosing", "integration", "dosing")]
    one = asked_of_the_database(lambda: signatures.owed(made[0]))
    assert asked_of_the_database(lambda: signatures.owed_of(scene.clinic_id, made)) == one <= 5


def test_a_note_apart_is_no_part_of_the_record(scene: Scene) -> None:
    session = held_session(scene)
    note(scene, session, kind="psychotherapy", text="For me alone.")
    told = signing.list_signatures(scene["CT"].actor, session["id"])
    assert told["unsigned_notes"] == []
    assert signing.sign_part(scene["CT"].actor, session["id"], "therapist")["missing"] == []
    more = note(scene, session, kind="psychotherapy", text="And this.")
    assert notes.sign_note(scene["CT"].actor, more["id"])["state"] == "signed"


def test_a_draft_of_who_left_the_care_team_holds_nobody_up(scene: Scene) -> None:
    left = colleague(scene, "therapist")
    session = held_session(scene, scene["CT"])
    kept = note(scene, session, left)
    with refused(state="completed"):
        signing.sign_part(scene["CT"].actor, session["id"], "therapist")
    gone = update(team_reach.care_team).where(team_reach.care_team.c.clinician_id == left.user_id)
    db.store().execute(gone.values(ended_at=clock.now()))
    with pytest.raises(NotFound):
        notes.sign_note(left.actor, kept["id"])
    told = signing.sign_part(scene["CT"].actor, session["id"], "therapist")
    assert told["signed_at"] is not None
    assert [one["id"] for one in told["unsigned_notes"]] == [kept["id"]]


def test_a_draft_of_who_left_stays_beside_the_record_and_holds_nobody_up(scene: Scene) -> None:
    left = colleague(scene, "therapist")
    session = held_session(scene, scene["CT"], left)
    kept = note(scene, session, left)
    with refused(state="completed"):
        signing.sign_part(scene["CT"].actor, session["id"], "therapist")
    gone = update(users).where(users.c.id == left.user_id)
    db.store().execute(gone.values(disabled_at=clock.now()))
    told = signing.sign_part(scene["CT"].actor, session["id"], "therapist")
    assert told["signed_at"] is not None
    assert [one["id"] for one in told["unsigned_notes"]] == [kept["id"]]
