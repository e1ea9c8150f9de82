"""Readiness, discharge, set and setting over v1: shapes, statuses, one list for both answers."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api import clock, db
from api.access.policies import Privilege
from api.audit.trail import audit_events
from api.v1.forms import show_instant
from tests import builders, readying
from tests.builders import Scene

FIVE = [
    "consent_missing_treatment",
    "consent_missing_off_label_medicine",
    "eligibility_unsigned",
    "dose_plan_missing",
    "baseline_vitals_missing",
]
OVER = {"overrides": [{"code": code, "reason": "As agreed."} for code in FIVE]}


@pytest.fixture
def dose(scene: Scene) -> str:
    """A dosing session of today at which the patient has arrived."""
    with db.transaction():
        row = readying.dosing_session(scene)
    return f"/sessions/{row['id']}"


def let(scene: Scene, *privileges: Privilege) -> None:
    with db.transaction():
        readying.let(scene["CT"].user_id, *privileges)


def test_start_refuses_with_the_very_list_of_readiness(call: Any, dose: str) -> None:
    told = call("CT").get(f"{dose}/readiness")
    assert (told.status_code, told.json["ready"]) == (200, False)
    assert "ETag" not in told.headers
    refused = call("CT").post(f"{dose}/start")
    assert (refused.status_code, refused.json["state"]) == (409, "arrived")
    assert refused.json["reasons"] == told.json["reasons"]
    assert refused.json["missing"] == FIVE and "start" not in refused.json["allowed"]
    assert set(told.json["reasons"][0]) == {"code", "detail", "about", "overridable_by"}


def test_each_reason_is_passed_over_by_a_prescriber_with_words(
    call: Any, scene: Scene, dose: str
) -> None:
    assert call("CT").post(f"{dose}/start", OVER).status_code == 403
    let(scene, Privilege.PRESCRIBE)
    for bad in (
        {"overrides": [{"code": FIVE[0]}]},
        {"overrides": [{"code": "because", "reason": "x"}]},
        {"overrides": [{"code": FIVE[0], "reason": " "}]},
    ):
        assert call("CT").post(f"{dose}/start", bad).status_code == 422
    begun = call("CT").post(f"{dose}/start", OVER)
    assert (begun.status_code, begun.json["state"]) == (200, "in_progress")
    assert [one["code"] for one in begun.json["overrides"]] == FIVE
    events = db.store().rows(
        select(audit_events).where(
            audit_events.c.clinic_id == scene.clinic_id,
            audit_events.c.action == "session:update",
            audit_events.c.outcome == "ok",
        )
    )
    assert all(f"overrides.{code}" in events[-1]["field_names"] for code in FIVE)


def test_who_confirmed_long_ago_confirms_again_before_a_dose_and_before_passing_over(
    call: Any, scene: Scene, dose: str
) -> None:
    let(scene, Privilege.PRESCRIBE, Privilege.DISCHARGE)
    with db.transaction():
        builders.let_sign_in_age(scene["CT"])
    refused = call("CT").post(f"{dose}/start", OVER)
    assert refused.status_code == 401 and "max_age" in refused.headers["WWW-Authenticate"]
    over = {"overrides": [{"code": "oriented", "reason": "x"}]}
    assert call("CT").post(f"{dose}/complete", over).status_code == 401
    assert call("CT").post(f"{dose}/complete").status_code == 409


def test_a_patient_is_asked_about_for_a_day_and_a_route(call: Any, scene: Scene) -> None:
    path = f"/patients/{scene.patient['id']}/readiness"
    told = call("CT").get(f"{path}?kind=dosing").json
    assert [one["code"] for one in told["reasons"]] == FIVE[:3]
    assert (told["session_id"], told["at_session"], told["interactions"]) == (None, FIVE[3:], [])
    ahead = (clock.today("UTC") + timedelta(days=9)).isoformat()
    there = call("CT").get(f"{path}?on={ahead}&route=intranasal").json
    assert there["protocol"]["key"] == "esketamine_intranasal" and there["on"] == ahead
    assert [one["code"] for one in there["reasons"]] == [FIVE[0], FIVE[2]]
    for query in ("kind=intake", "on=2020-01-01", "on=x", "route=rectal", "when=now"):
        assert call("CT").get(f"{path}?{query}").status_code == 422, query


def test_an_interaction_is_told_with_its_sources(call: Any, scene: Scene) -> None:
    chart = f"/patients/{scene.patient['id']}"
    made = call("CT").post(f"{chart}/medications", {"name": "Alprazolam"})
    assert made.status_code == 201 and made.headers["ETag"] == '"1"'
    assert call("CT").post(f"{chart}/medications/confirm").status_code == 200
    told = call("CT").get(f"{chart}/readiness").json
    [found] = told["interactions"]
    assert (found["code"], found["record_id"]) == ("benzodiazepine", made.json["id"])
    assert found["sources"] and told["lists"]["medications_confirmed_on"]
    listed = call("CT").get(f"{chart}/medications").json
    assert listed["confirmed_on"] and listed["confirmed_by"]["id"] == str(scene["CT"].user_id)


def test_complete_refuses_with_what_the_discharge_lacks_until_it_is_there(
    call: Any, scene: Scene, dose: str
) -> None:
    let(scene, Privilege.PRESCRIBE)
    call("CT").post(f"{dose}/start", OVER)
    now = show_instant(clock.now())
    given = {"medicine": "ketamine", "route": "intramuscular", "dose_mg": 50, "weight_kg": 70}
    assert (
        call("CT")
        .post(f"{dose}/doses", {"client_event_id": "d", "measured_at": now} | given)
        .status_code
        == 201
    )
    refused = call("CT").post(f"{dose}/complete")
    told = call("CT").get(f"{dose}/discharge").json
    assert refused.status_code == 409 and refused.json["missing"] == told["missing"]
    body = readying.LEAVING | {"next_contact_at": show_instant(clock.now() + timedelta(days=1))}
    put = call("CT")("PUT", f"{dose}/discharge", body)
    assert (put.status_code, put.headers["ETag"]) == (200, '"1"')
    assert put.json["missing"] == ["monitoring_points", "observation_time"]
    assert call("CT")("PUT", f"{dose}/discharge", body).status_code in (412, 428)
    over = {"overrides": [{"code": c, "reason": "Moved to a ward."} for c in put.json["missing"]]}
    assert call("CT").post(f"{dose}/complete", over).status_code == 403
    let(scene, Privilege.DISCHARGE)
    ended = call("CT").post(f"{dose}/complete", over)
    assert (ended.status_code, ended.json["state"]) == (200, "completed")


@pytest.mark.parametrize(
    "body",
    [
        {"aldrete": {"activity": 3}},
        {"aldrete": {"activity": 2.0}},
        {"aldrete_total": 10},
        {"oriented": "yes"},
        {"next_contact_at": "tomorrow"},
        {"suicidal_intent": False},
        {"escort_name": ""},
    ],
)
def test_a_discharge_of_the_wrong_form_is_refused(call: Any, dose: str, body: Any) -> None:
    assert call("CT")("PUT", f"{dose}/discharge", body).status_code == 422


def test_set_and_setting_go_there_and_back(call: Any, dose: str) -> None:
    empty = call("CT").get(f"{dose}/setting")
    assert (empty.status_code, empty.headers["ETag"], empty.json["version"]) == (200, '"0"', 0)
    body = {"intention": "To rest.", "set": {"mood": "calm"}, "touch_agreement": "hand_only"}
    put = call("CT")("PUT", f"{dose}/setting", body)
    assert (put.status_code, put.json["intention"], put.json["version"]) == (200, "To rest.", 1)
    assert put.json["set"]["mood"] == "calm"
    assert call("PS").get(f"{dose}/setting").status_code == 404
    for bad in ({"touch_agreement": "always"}, {"eyeshade": 1}, {"mood": "calm"}):
        assert call("CT")("PUT", f"{dose}/setting", bad, **{"if-match": "1"}).status_code == 422


def test_a_companion_attests_without_a_sign_in_and_opens_nothing_else(
    call: Any, app: Any, scene: Scene, dose: str
) -> None:
    made = call("CT").post(f"{dose}/attestation-links", {"kind": "escort"})
    assert made.status_code == 201 and made.json["token"] in made.json["address"]
    path = made.json["address"].removeprefix("/api/v1")
    form = call(None).get(path)
    assert form.status_code == 200 and set(form.json) == {"kind", "words", "expires_at"}
    for bad in ({"name": "Sam"}, {"name": "Sam", "agreed": False}, {"agreed": True}):
        assert call(None).post(path, bad).status_code == 422
    body, key = {"name": "Sam Example", "agreed": True}, {"Idempotency-Key": "k1"}
    said = call(None).post(path, body, **key)
    assert said.status_code == 201 and set(said.json) == {"id", "kind", "attested_at", "words"}
    again = call(None).post(path, body, **key)
    assert again.headers["Idempotent-Replayed"] == "true" and again.json == said.json
    assert call(None).post(path, body).status_code == 404
    assert call(None).get(path).status_code == 404
    headers = {"Authorization": f"Bearer {made.json['token']}"}
    for other in ("/me", f"/patients/{scene.patient['id']}", dose):
        assert app.test_client().get(f"/api/v1{other}", headers=headers).status_code == 401
    [row] = call("CT").get(f"{dose}/attestation-links").json["items"]
    assert row["attested"]["name"] == "Sam Example" and "token" not in row
    trail = db.store().rows(select(audit_events).where(audit_events.c.door == "link"))
    mine = [one for one in trail if one["clinic_id"] == scene.clinic_id]
    done = [one["action"] for one in mine if one["outcome"] == "ok"]
    assert sorted(done) == ["attestation:attest", "attestation:attest", "attestation:open"]


def test_the_board_and_a_course_are_told_over_http(call: Any, scene: Scene, dose: str) -> None:
    [chair] = call("CT").get("/dosing-board").json["items"]
    assert f"/sessions/{chair['id']}" == dose and chair["minutes_since_dose"] is None
    body = {"medicine": "ketamine", "route": "oral", "planned_doses": 3}
    made = call("CT").post(f"/patients/{scene.patient['id']}/courses", body)
    assert made.status_code == 201, made.json
    path = made.headers["Location"].removeprefix("/api/v1")
    one = call("CT").get(path)
    assert one.json["practice"]["thin"] is False and one.headers["ETag"] == '"1"'
    version = call("CT").get(dose).json["version"]
    joined = call("CT").patch(dose, {"course_id": one.json["id"]}, version)
    assert joined.json["course_id"] == one.json["id"]
    ps = call("PS").get(path).json
    assert "practice" not in ps and ps["doses"]["planned"] == 3
    for bad in ({"planned_doses": 0}, {"planned_doses": 10**12}, {"route": "rectal"}):
        assert call("CT").patch(path, bad, 1).status_code == 422


@pytest.mark.parametrize("beside", ["discharge", "setting"])
def test_what_is_there_is_not_put_anew_without_its_version(
    call: Any, dose: str, beside: str
) -> None:
    body = {"discharge": {"oriented": True}, "setting": {"music": "Quiet."}}[beside]
    ct, path = call("CT"), f"{dose}/{beside}"
    assert ct("PUT", path, body).status_code == 200
    assert ct("PUT", path, body).status_code == 428
    assert ct("PUT", path, body, if_match="7").status_code == 412
    assert ct("PUT", path, body, if_match="1").status_code == 200


@pytest.mark.parametrize(
    ("change", "if_match", "status"),
    [({}, None, 428), ({}, "7", 412), ({"aldrete": {"activity": 9}}, "1", 422)],
)
def test_intent_is_heard_also_where_the_form_is_refused(
    call: Any, scene: Scene, dose: str, change: Any, if_match: str | None, status: int
) -> None:
    ct, path = call("CT"), f"{dose}/discharge"
    assert ct("PUT", path, {"oriented": True}).status_code == 200
    said = {"suicidality_asked": True, "suicidal_intent": True} | change
    more = {} if if_match is None else {"if_match": if_match}
    told = ct("PUT", path, said, **more)
    assert told.status_code == status and told.json["crisis"]["emergency"]
    kept = [a for a in ct.get("/alerts").json["items"] if a["priority"] == "immediate"]
    assert [alert["rule"] for alert in kept] == ["suicidal_intent_at_discharge"], kept
    assert ct("PUT", path, said, **more).status_code == status
    assert len(ct.get("/alerts").json["items"]) == 1


def test_intent_that_somebody_else_claims_is_not_heard(call: Any, scene: Scene, dose: str) -> None:
    said = {"suicidality_asked": True, "suicidal_intent": True}
    assert call("CN")("PUT", f"{dose}/discharge", said, if_match="7").status_code == 404
    assert call("CT").get("/alerts").json["items"] == []
