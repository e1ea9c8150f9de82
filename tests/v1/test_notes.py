"""Notes and signatures over v1: shapes, statuses, and what each refusal says."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from api import clock, db
from api.access.policies import Role
from api.core.treatment import notes
from tests import builders
from tests.core import noting
from tests.v1.conftest import is_problem

SOAP = {"kind": "progress", "template": "soap", "sections": noting.SOAP}


@pytest.fixture
def session(scene: Any) -> str:
    """A completed session of the patient and the clinician on their care team."""
    with db.transaction():
        return str(noting.held_session(scene, scene["CT"])["id"])


@pytest.fixture
def chief(scene: Any, call: Any) -> Any:
    """A supervisor on the care team."""
    with db.transaction():
        more = {"profession": "supervisor", "privileges": ["cosign"]}
        scene.people["CO"] = builders.make_person(scene.clinic_id, Role.CLINICIAN, **more)
        builders.join_team(scene.patient, scene["CO"])
    return call("CO")


def test_a_note_is_drafted_changed_signed_and_read_by_its_patient(call: Any, session: str) -> None:
    ct, ps = call("CT"), call("PS")
    made = ct.post(f"/sessions/{session}/notes", SOAP)
    assert made.status_code == 201 and made.json["state"] == "draft"
    path = f"/notes/{made.json['id']}"
    assert made.headers["Location"] == f"/api/v1{path}" and made.headers["ETag"] == '"1"'
    assert made.json["session_id"] == session and made.json["template"] == "soap"
    assert is_problem(ps.get(path), 404)
    assert is_problem(ct("PATCH", path, {"text": "More."}), 428)
    changed = ct.patch(path, {"sections": {"plan": "A swim."}}, 1)
    assert changed.json["sections"] == noting.SOAP | {"plan": "A swim."}
    assert list(changed.json["sections"]) == ["subjective", "objective", "assessment", "plan"]
    signed = ct.post(f"{path}/sign")
    assert signed.json["state"] == "signed" and signed.headers["ETag"] == '"3"'
    refused = ct.patch(path, {"text": "More."}, 3)
    assert is_problem(refused, 409) and "addenda" in refused.json["allowed"]
    mine = ps.get(path).json
    assert mine["sections"]["plan"] == "A swim."
    assert not {"hold", "allowed", "unlocks", "entry", "cosigned_at"} & set(mine)
    assert [one["id"] for one in ps.get(f"/sessions/{session}/notes").json["items"]] == [mine["id"]]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "progress"},
        {"kind": "addendum", "text": "x"},
        {"kind": "progress", "text": ""},
        {"kind": "progress", "text": "x", "state": "signed"},
        {"kind": "progress", "text": "x", "author_id": "x"},
        {"kind": "progress", "sections": {}},
        {"kind": "progress", "sections": {"Plan B": "x"}},
        {"kind": "progress", "sections": {"plan": 5}},
        {"kind": "progress", "sections": {"plan": None}},
        {"kind": "progress", "sections": ["plan"]},
        {"kind": "progress", "template": "soap", "sections": {"data": "x"}},
        {"kind": "progress", "sections": {f"part_{n}": "x" for n in range(21)}},
        {"kind": "progress", "text": "x" * 20_001},
    ],
)
def test_what_is_no_note_is_refused(call: Any, chart: str, body: Any) -> None:
    assert is_problem(call("CT").post(f"{chart}/notes", body), 422)


def test_a_record_is_signed_by_its_chairs_and_then_locked(
    call: Any, scene: Any, session: str
) -> None:
    ct, path = call("CT"), f"/sessions/{session}/signatures"
    owed = ct.get(path)
    assert owed.json["missing"] == ["therapist"] and "ETag" not in owed.headers
    (part,) = owed.json["parts"]
    assert part["state"] == "owed" and part["signed_by"] is None
    assert [who["id"] for who in part["by"]] == [str(scene["CT"].user_id)]
    note = ct.post(f"/sessions/{session}/notes", SOAP).json
    drafts = ct.get(path).json["unsigned_notes"]
    assert [(one["id"], one["kind"]) for one in drafts] == [(note["id"], "progress")]
    refused = ct.post(path, {"part": "therapist"})
    assert is_problem(refused, 409) and refused.json["missing"] == ["note_unsigned"]
    assert refused.json["note_ids"] == [note["id"]]
    ct.post(f"/notes/{note['id']}/sign")
    for wrong in ({}, {"part": "guide"}, {"part": "therapist", "signed_at": "x"}):
        assert is_problem(ct.post(path, wrong), 422)
    made = ct.post(path, {"part": "therapist"})
    assert made.status_code == 201 and made.headers["Location"] == f"/api/v1{path}"
    assert made.json["missing"] == [] and made.json["parts"][0]["digest"]
    assert ct.get(f"/notes/{note['id']}").json["state"] == "locked"
    for method, where, body in (
        ("POST", f"/sessions/{session}/notes", SOAP),
        ("POST", f"/sessions/{session}/reopen", {}),
        ("POST", path, {"part": "therapist"}),
    ):
        assert is_problem(ct(method, where, body), 409), where
    patched = ct("PATCH", f"/sessions/{session}", {"also_covered": ["intake"]}, **{"If-Match": "*"})
    assert is_problem(patched, 409) and patched.json["allowed"] == ["addenda"]
    assert ct.get(f"/sessions/{session}").json["signed_at"] is not None
    assert "started_at" in call("PS").get(f"/sessions/{session}").json


def test_a_signed_note_is_added_to_cosigned_and_unlocked_by_another(
    call: Any, chart: str, chief: Any
) -> None:
    ct = call("CT")
    note = ct.post(f"{chart}/notes", {"kind": "progress", "text": "We spoke."}).json
    path = f"/notes/{note['id']}"
    assert is_problem(chief.post(f"{path}/cosign"), 409)
    ct.post(f"{path}/sign")
    assert is_problem(ct.post(f"{path}/cosign"), 403)
    assert chief.post(f"{path}/cosign").json["state"] == "locked"
    added = chief.post(f"{path}/addenda", {"text": "They called."})
    assert added.status_code == 201 and added.json["addendum_to"] == note["id"]
    asked = ct.post(f"{path}/unlock-requests", {"reason": "A name."})
    assert asked.status_code == 201
    assert asked.headers["Location"] == f"/api/v1{path}/unlock-requests"
    request = f"{path}/unlock-requests/{asked.json['id']}"
    assert is_problem(ct.post(f"{request}/approve"), 403)
    assert is_problem(chief.post(f"{path}/unlock-requests/{note['id']}/approve"), 404)
    assert chief.post(f"{request}/approve", {"note": "Agreed."}).json["state"] == "approved"
    assert is_problem(chief.post(f"{request}/deny"), 409)
    opened = ct.get(path).json
    assert (opened["state"], opened["unlocks"], opened["cosigned_by"]) == ("draft", 1, None)
    listed = chief.get(f"{path}/unlock-requests").json["items"]
    assert [(one["state"], one["note"]) for one in listed] == [("approved", "Agreed.")]
    kept = chief.get(f"{path}/versions").json["items"]
    assert [one["deed"] for one in kept] == ["written", "signed", "cosigned", "unlocked"]
    assert kept[1]["digest"] and kept[1]["text"] == "We spoke."


def test_a_note_is_held_with_reason_expiry_and_notice(call: Any, chart: str) -> None:
    ct, ps = call("CT"), call("PS")
    note = ct.post(f"{chart}/notes", {"kind": "progress", "text": "We spoke."}).json
    path = f"/notes/{note['id']}"
    ct.post(f"{path}/sign")
    until = (clock.now() + timedelta(days=2)).isoformat()
    for wrong in ({}, {"reason": "x"}, {"expires_at": until}, {"reason": "x", "expires_at": "now"}):
        assert is_problem(ct.post(f"{path}/hold", wrong), 422)
    held = ct.post(f"{path}/hold", {"reason": "A name.", "expires_at": until})
    assert held.json["hold"]["reason"] == "A name." and held.json["hold"]["held_by"]
    assert is_problem(ps.get(path), 404)
    page = ps.get(f"{chart}/notes").json
    assert page["items"] == [] and "You may ask" in page["held_back"][0]["words"]
    assert "held_back" not in ct.get(f"{chart}/notes").json
    assert is_problem(ct("DELETE", f"{path}/hold"), 428)
    freed = ct.delete(f"{path}/hold", held.json["version"])
    assert freed.status_code == 200 and freed.json["hold"] is None
    assert ps.get(path).json["text"] == "We spoke."
    assert ps.get(f"{chart}/notes").json["held_back"] == []


def test_a_psychotherapy_note_is_its_authors_alone(call: Any, chart: str, chief: Any) -> None:
    ct = call("CT")
    body = {"kind": "psychotherapy", "text": "For me alone."}
    made = ct.post(f"{chart}/notes", body, **{"Idempotency-Key": "k1"})
    again = ct.post(f"{chart}/notes", body, **{"Idempotency-Key": "k1"})
    assert made.status_code == again.status_code == 201 and made.data == again.data
    path = f"/notes/{made.json['id']}"
    assert ct.get(path).json["text"] == "For me alone."
    assert [one["id"] for one in ct.get(f"{chart}/notes").json["items"]] == [made.json["id"]]
    for other in (chief, call("PS"), call("CN")):
        assert is_problem(other.get(path), 404)
    assert chief.get(f"{chart}/notes?kind=psychotherapy").json["items"] == []
    assert is_problem(call("CA").get(path), 403)
    assert ct.delete(path, 1).status_code == 204 and is_problem(ct.get(path), 404)


def test_nobody_signs_without_a_fresh_sign_in(call: Any, scene: Any, session: str) -> None:
    ct = call("CT")
    note = ct.post(f"/sessions/{session}/notes", SOAP).json
    with db.transaction():
        builders.let_sign_in_age(scene["CT"])
    for path, body in (
        (f"/notes/{note['id']}/sign", {}),
        (f"/notes/{note['id']}/hold", {}),
        (f"/sessions/{session}/signatures", {"part": "therapist"}),
    ):
        answer = ct.post(path, body)
        assert is_problem(answer, 401)
        assert "insufficient_user_authentication" in answer.headers["WWW-Authenticate"]


def test_of_a_psychotherapy_note_whose_key_is_destroyed_its_author_reads_when(
    call: Any, scene: Any, chart: str
) -> None:
    ct, told = call("CT"), {"kind": "psychotherapy", "text": "Firnwort alone."}
    key = {"idempotency-key": uuid4().hex}
    made = ct.post(f"{chart}/notes", told, **key)
    again = ct.post(f"{chart}/notes", told, **key)
    assert again.json == made.json and again.headers["Idempotent-Replayed"] == "true"
    one = f"/notes/{made.json['id']}"
    ct.post(f"{one}/sign", {})
    with db.transaction():
        notes.shred(scene.clinic_id, [scene.patient["id"]], "retention")
    gone = ct.get(one)
    assert gone.status_code == 200 and "Firnwort" not in gone.text
    assert (gone.json["text"], gone.json["allowed"]) == (None, []) and gone.json["destroyed_at"]
    listed = ct.get(f"{chart}/notes?kind=psychotherapy")
    history = ct.get(f"{one}/versions")
    for answer in (listed, history):
        assert answer.status_code == 200 and "Firnwort" not in answer.text
        assert {row["text"] for row in answer.json["items"]} == {None}
        assert {row["destroyed_at"] for row in answer.json["items"]} == {gone.json["destroyed_at"]}
    added = ct.post(f"{one}/addenda", {"text": "More."})
    assert (added.status_code, added.json["allowed"]) == (409, [])
    assert ct.post(f"{chart}/notes", told, **key).status_code == 404, "nor is it replayed"
    plain = ct.post(f"{chart}/notes", {"kind": "progress", "text": "We spoke."})
    assert plain.json["destroyed_at"] is None
    assert ct.delete(one, gone.json["version"]).status_code == 204


def test_words_of_a_psychotherapy_note_taken_back_are_not_replayed(call: Any, session: str) -> None:
    ct, body = call("CT"), {"kind": "psychotherapy", "text": "A private word."}
    path, key = f"/sessions/{session}/notes", {"idempotency-key": "once"}
    made = ct.post(path, body, **key)
    assert ct.post(path, body, **key).headers["Idempotent-Replayed"] == "true"
    assert ct.delete(f"/notes/{made.json['id']}", 1).status_code == 204
    again = ct.post(path, body, **key)
    assert again.json["id"] != made.json["id"] and "Idempotent-Replayed" not in again.headers
