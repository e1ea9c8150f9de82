"""Consents over v1: shapes and statuses; the rules are in tests/core."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from api import clock, db
from tests.builders import let_sign_in_age, make_session


@pytest.fixture
def path(scene: Any) -> str:
    return f"/patients/{scene.patient['id']}/consents"


AGREED = {"kind": "treatment", "text_version": "2026-1"}


def test_a_clinician_records_a_paper_consent_and_is_its_witness(
    call: Any, scene: Any, path: str
) -> None:
    made = call("CT").post(path, AGREED | {"shown_as": "On paper, two pages."})
    assert made.status_code == 201, made.json
    assert made.headers["Location"] == f"/api/v1/consents/{made.json['id']}"
    assert made.headers["ETag"] == '"1"'
    assert made.json["witnessed_by"] == str(scene["CT"].user_id)
    assert made.json["state"] == "in_force" and made.json["withdrawn_at"] is None
    assert made.json["granted_at"].endswith("Z")
    assert made.json["shown_as"] == "On paper, two pages."
    assert call("PS").get(f"/consents/{made.json['id']}").json == made.json


def test_a_patient_signs_with_a_fresh_sign_in_alone(call: Any, scene: Any, path: str) -> None:
    fresh = call("PS").post(path, AGREED)
    assert fresh.status_code == 201 and fresh.json["witnessed_by"] is None
    with db.transaction():
        let_sign_in_age(scene["PS"])
    stale = call("PS").post(path, {"kind": "touch", "text_version": "1"})
    assert stale.status_code == 401
    assert 'error="insufficient_user_authentication"' in stale.headers["WWW-Authenticate"]
    assert call("PS").post(f"/consents/{fresh.json['id']}/withdraw").status_code == 200


def test_withdrawing_is_said_once(call: Any, path: str) -> None:
    made = call("PS").post(path, AGREED)
    gone = call("PS").post(f"/consents/{made.json['id']}/withdraw", {"reason": "Not for me."})
    assert gone.status_code == 200, gone.json
    assert (gone.json["state"], gone.json["reason"]) == ("withdrawn", "Not for me.")
    assert gone.json["withdrawn_at"] and gone.headers["ETag"] == '"2"'
    again = call("PS").post(f"/consents/{made.json['id']}/withdraw")
    assert (again.status_code, again.json["state"]) == (409, "withdrawn")
    for reader in ("CA", "PR"):
        assert call(reader).get(f"/consents/{made.json['id']}").json["reason"] is None


def test_consents_are_reaffirmed_at_a_session_of_the_same_patient(
    call: Any, scene: Any, path: str
) -> None:
    with db.transaction():
        mine = make_session(scene.patient)
        theirs = make_session(scene.other_patient)
    made = call("CT").post(path, AGREED)
    reaffirm = f"/consents/{made.json['id']}/reaffirm"
    said = call("CT").post(reaffirm, {"session_id": str(mine["id"])})
    assert said.status_code == 200, said.json
    assert [r["session_id"] for r in said.json["reaffirmations"]] == [str(mine["id"])]
    assert call("CT").post(reaffirm, {"session_id": str(mine["id"])}).json == said.json
    for wrong in (theirs["id"], uuid4()):
        assert call("CT").post(reaffirm, {"session_id": str(wrong)}).status_code == 422
    call("CT").post(f"/consents/{made.json['id']}/withdraw")
    assert call("CT").post(reaffirm, {"session_id": str(mine["id"])}).status_code == 409
    [listed] = call("PS").get(path).json["items"]
    assert UUID(listed["reaffirmations"][0]["session_id"]) == mine["id"]


def test_consents_are_listed_by_kind_and_state(call: Any, path: str) -> None:
    for kind in ("treatment", "touch", "research"):
        call("CT").post(path, {"kind": kind, "text_version": "1"})
    touch = call("CT").get(f"{path}?kind=touch").json["items"]
    call("CT").post(f"/consents/{touch[0]['id']}/withdraw")
    kinds = [c["kind"] for c in call("CT").get(f"{path}?state=in_force").json["items"]]
    assert kinds == ["treatment", "research"]
    assert len(call("CT").get(f"{path}?limit=2").json["items"]) == 2


def test_the_wrong_form_is_refused(call: Any, scene: Any, path: str) -> None:
    ahead = (clock.now() + timedelta(hours=1)).isoformat()
    for wrong in (
        {"kind": "everything", "text_version": "1"},
        {"kind": "treatment"},
        AGREED | {"text_version": 1},
        AGREED | {"granted_at": ahead},
        AGREED | {"granted_at": "2026-01-01"},
        AGREED | {"witnessed_by": str(scene["CA"].user_id)},
        AGREED | {"witnessed_by": str(scene["XT"].user_id)},
        AGREED | {"withdrawn_at": None},
        AGREED | {"version": 1},
    ):
        assert call("CT").post(path, wrong).status_code == 422, wrong
    witness = AGREED | {"witnessed_by": str(scene["CT"].user_id)}
    assert call("PS").post(path, witness).status_code == 422
