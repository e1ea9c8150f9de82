"""The dosing session over v1: shapes and statuses of ledger, plan, monitoring and protocols."""

from datetime import timedelta
from typing import Any

import pytest

from api import clock, db
from api.core.treatment.sessions import sessions
from api.v1.forms import show_instant
from tests import builders
from tests.conftest import Caller
from tests.core.dosing import under_way
from tests.v1.conftest import is_problem
from tests.v1.test_integration import FORBIDDEN


@pytest.fixture
def session(scene: Any) -> db.Values:
    with db.transaction():
        return under_way(scene)


@pytest.fixture
def path(session: db.Values) -> str:
    return f"/sessions/{session['id']}"


@pytest.fixture
def colleague(app: Any, scene: Any) -> Any:
    """`colleague("prescribe")`: a client of somebody on the care team with that privilege."""

    def with_privilege(*privileges: str) -> Caller:
        with db.transaction():
            one = builders.make_person(scene.clinic_id, privileges=list(privileges))
            builders.join_team(scene.patient, one, "prescriber")
        scene.people["+".join(privileges)] = one
        return Caller(app.test_client(), one.token)

    return with_privilege


def ago(minutes: float) -> str:
    return show_instant(clock.now() - timedelta(minutes=minutes))


def dose(minutes: float = 60, event_id: str = "d1", **more: Any) -> db.Values:
    about = {"client_event_id": event_id, "measured_at": ago(minutes)}
    what = {"medicine": "ketamine", "route": "intramuscular", "dose_mg": 60, "weight_kg": 75}
    return about | what | more


def reading(minutes: float, event_id: str, **more: Any) -> db.Values:
    values = {"systolic_mmhg": 124, "diastolic_mmhg": 80} | more
    return {"client_event_id": event_id, "measured_at": ago(minutes)} | values


def test_a_dose_is_recorded_once_and_read_again(call: Any, path: str) -> None:
    ct, body = call("CT"), dose()
    made = ct.post(f"{path}/doses", body)
    assert made.status_code == 201 and made.headers["ETag"] == '"1"', made.text
    assert made.headers["Location"] == f"/api/v1/ledger-entries/{made.json['id']}"
    assert (made.json["sequence"], made.json["dose_mg_per_kg"]) == (1, 0.8)
    assert (made.json["result"], made.json["superseded_by"]) == ("stored", None)
    assert {one["rule"] for one in made.json["judgements"]} == {"consent_missing", "not_planned"}
    again = ct.post(f"{path}/doses", body)
    assert (again.status_code, again.json["result"]) == (200, "already_stored")
    assert again.json["id"] == made.json["id"] and "Location" not in again.headers
    other = ct.post(f"{path}/doses", body | {"dose_mg": 61})
    assert is_problem(other, 409) and other.json["code"] == "other_content"
    read = ct.get(f"/ledger-entries/{made.json['id']}")
    assert read.json == {k: v for k, v in made.json.items() if k != "result"}
    assert ct.get(f"/ledger-entries/{made.json['id']}", If_None_Match='"1"').status_code == 304


def test_a_replayed_request_is_the_same_answer(call: Any, path: str) -> None:
    ct, key = call("CT"), {"Idempotency-Key": "k1"}
    body = reading(5, "v1")
    first, again = (ct.post(f"{path}/vitals", body, **key) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true" and again.json == first.json


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("systolic_mmhg", 29),
        ("systolic_mmhg", 301),
        ("systolic_mmhg", "124"),
        ("diastolic_mmhg", 9),
        ("diastolic_mmhg", 124),
        ("heart_rate_bpm", 720),
        ("spo2_percent", 9),
        ("respirations_per_min", 81),
        ("sedation_moaas", 6),
        ("dissociation", 11),
        ("client_event_id", ""),
        ("client_event_id", "a\u00e9"),
        ("client_event_id", None),
        ("measured_at", "yesterday"),
        ("mood", 3),
    ],
)
def test_a_slip_is_refused_and_named(call: Any, path: str, field: str, value: Any) -> None:
    answer = call("CT").post(f"{path}/vitals", reading(5, "v1") | {field: value})
    assert is_problem(answer, 422)
    assert {one["pointer"] for one in answer.json["errors"]} == {f"/{field}"}


def test_a_dose_that_nobody_can_have_meant_is_refused(call: Any, path: str) -> None:
    for wrong in (
        {"dose_mg": 0},
        {"dose_mg": 6000},
        {"weight_kg": 7.5},
        {"weight_kg": 1e300},
        {"medicine": "aspirin"},
        {"route": "im"},
        {"measured_at": "2199-01-01T00:00:00Z"},
    ):
        answer = call("CT").post(f"{path}/doses", dose(**wrong))
        assert is_problem(answer, 422), answer.text
        assert [one["pointer"] for one in answer.json["errors"]] == [f"/{next(iter(wrong))}"]
    assert call("CT").get(f"{path}/ledger").json["items"] == []


def test_an_entry_of_another_patient_is_refused_by_name(call: Any, path: str, scene: Any) -> None:
    body = reading(5, "v1", patient_id=str(scene.other_patient["id"]))
    answer = call("CT").post(f"{path}/vitals", body)
    assert is_problem(answer, 422) and answer.json["code"] == "wrong_patient"


def test_a_batch_of_fourteen_sent_twice_is_stored_once_with_its_typo_named(
    call: Any, path: str, session: db.Values
) -> None:
    ct = call("CT")
    entries = [{"type": "vitals", **reading(60 - n, f"v{n}")} for n in range(14)]
    entries[6]["systolic_mmhg"] = 1240
    entries[9]["systolic_mmhg"] = 186
    body = {"entries": entries, "device_sent_at": ago(2)}
    first, again = (ct.post(f"{path}/ledger", body) for _ in range(2))
    assert first.status_code == again.status_code == 200, first.text
    outcomes = [one["outcome"] for one in first.json["results"]]
    assert outcomes == ["stored"] * 6 + ["refused"] + ["stored"] * 7
    assert first.json["results"][6]["errors"][0]["pointer"] == "/systolic_mmhg"
    assert [one["outcome"] for one in again.json["results"]].count("already_stored") == 13
    listed = ct.get(f"{path}/ledger?limit=100").json["items"]
    assert [one["sequence"] for one in listed] == list(range(1, 14))
    judged = first.json["results"][9]["entry"]["judgements"]
    assert (judged[0]["rule"], judged[0]["protocol"]["version"]) == ("systolic_alert", 1)
    (alert,) = ct.get("/alerts?state=open").json["items"]
    assert (alert["session_id"], alert["rule"]) == (str(session["id"]), "blood_pressure")
    whole = ct.get(f"/alerts/{alert['id']}")
    assert whole.status_code == 200 and alert["check_in_id"] is None


def test_anything_may_stand_in_a_batch_and_nothing_breaks_it(call: Any, path: str) -> None:
    ct = call("CT")
    strange = [None, 3, "x", [], {}, {"type": 5}, {"type": "dose"}, {"type": "vitals", "x": 1}]
    strange += [{"type": "vitals", "\ud800": 1}, {"client_event_id": "\ud800"}]
    strange += [{"type": "dose", "client_event_id": "\udfff", "n" * 5000: 1}]
    answer = ct.post(f"{path}/ledger", {"entries": strange})
    assert answer.status_code == 200, answer.text
    assert {one["outcome"] for one in answer.json["results"]} == {"refused"}
    assert all(one["errors"] for one in answer.json["results"])
    assert answer.json["results"][9]["client_event_id"] == "?"
    assert len(answer.data) < 5000
    assert is_problem(ct.post(f"{path}/ledger", {"entries": []}), 422)
    assert is_problem(ct.post(f"{path}/ledger", {"entries": [{}] * 501}), 422)
    assert is_problem(ct.post(f"{path}/ledger", {"entries": {}}), 422)


def test_five_hundred_entries_are_taken_in_one_batch(call: Any, path: str) -> None:
    ct = call("CT")
    vitals = {"systolic_mmhg": 124, "diastolic_mmhg": 80, "heart_rate_bpm": 70}
    entries = [
        {"type": "vitals", "client_event_id": f"v{n}", "measured_at": ago(60), **vitals}
        for n in range(500)
    ]
    answer = ct.post(f"{path}/ledger", {"entries": entries})
    assert answer.status_code == 200, answer.text
    assert {one["outcome"] for one in answer.json["results"]} == {"stored"}
    assert answer.json["results"][-1]["entry"]["sequence"] == 500


def test_ratings_events_phases_and_corrections_share_one_ledger(call: Any, path: str) -> None:
    ct = call("CT")
    given = ct.post(f"{path}/doses", dose(40)).json
    rating = ct.post(f"{path}/ratings", reading_of("r1", scale="dissociation", value=6))
    phase = ct.post(f"{path}/phases", reading_of("p1", phase="peak"))
    event = ct.post(
        f"{path}/events",
        reading_of("e1", code="nausea", grade=1, action="watched", outcome="resolved"),
    )
    for made in (rating, phase, event):
        assert made.status_code == 201, made.text
    assert (event.json["onset_min"], event.json["outcome"]) == (10, "resolved")
    fix = dose(39, "d2", corrects_id=given["id"], reason="It was a minute later.")
    right = ct.post(f"{path}/doses", fix).json
    first = ct.get(f"{path}/ledger?limit=2")
    assert [one["type"] for one in first.json["items"]] == ["dose", "rating"]
    assert first.json["items"][0]["superseded_by"] == right["id"]
    rest = ct.get(f"{path}/ledger?cursor={first.json['next_cursor']}").json["items"]
    assert [one["sequence"] for one in rest] == [3, 4, 5]
    only = ct.get(f"{path}/ledger?type=dose").json["items"]
    assert [one["dose_mg"] for one in only] == [60, 60]
    since = ct.get(f"{path}/ledger?updated_since={right['recorded_at'].replace('+', '%2B')}").json
    assert [one["id"] for one in since["items"]] == [given["id"], right["id"]]


def reading_of(event_id: str, **more: Any) -> db.Values:
    return {"client_event_id": event_id, "measured_at": ago(30)} | more


def test_the_dose_plan_is_a_prescribers_with_a_fresh_sign_in(
    call: Any, path: str, colleague: Any, scene: Any
) -> None:
    body = {"medicine": "ketamine", "route": "intramuscular", "dose_mg": 60, "max_total_mg": 90}
    assert is_problem(call("CT")("PUT", f"{path}/dose-plan", body), 403)
    assert is_problem(call("CT").get(f"{path}/dose-plan"), 404)
    rx = colleague("prescribe")
    made = rx("PUT", f"{path}/dose-plan", body)
    assert made.status_code == 200 and made.headers["ETag"] == '"1"', made.text
    assert (made.json["dose_mg"], made.json["protocol"]["key"]) == (60, "ketamine_iv_im")
    assert is_problem(rx("PUT", f"{path}/dose-plan", body), 428)
    again = rx("PUT", f"{path}/dose-plan", body | {"dose_mg": 50}, **{"if-match": "1"})
    assert (again.status_code, again.json["version"]) == (200, 2)
    assert is_problem(rx("PUT", f"{path}/dose-plan", body, **{"if-match": "1"}), 412)
    assert call("CT").get(f"{path}/dose-plan").json == again.json
    for wrong in ({"max_total_mg": 20}, {"dose_mg": -1}, {"rationale": ""}, {"x": 1}):
        answer = rx("PUT", f"{path}/dose-plan", body | wrong, **{"if-match": "2"})
        assert is_problem(answer, 422)
    with db.transaction():
        builders.let_sign_in_age(scene["prescribe"])
    assert rx("PUT", f"{path}/dose-plan", body, **{"if-match": "2"}).status_code == 401
    assert call("CT").post(f"{path}/doses", dose()).status_code == 201


def test_monitoring_names_points_and_judgements(call: Any, path: str) -> None:
    ct = call("CT")
    ct.post(f"{path}/vitals", reading(65, "v0", heart_rate_bpm=70, spo2_percent=98))
    ct.post(f"{path}/doses", dose(60))
    ct.post(f"{path}/vitals", reading(45, "v1", heart_rate_bpm=70, spo2_percent=91))
    told = ct.get(f"{path}/monitoring")
    assert told.status_code == 200 and "ETag" not in told.headers, told.text
    points = {(p["code"], p["minute"]): p["state"] for p in told.json["points"]}
    assert points[("baseline", None)] == points[("first_hour", 15)] == "done"
    assert points[("first_hour", 30)] == "missed"
    judged = [one["rule"] for one in told.json["judgements"]]
    assert "spo2_alert" in judged and "not_planned" in judged
    assert told.json["next_due"]["state"] in ("due", "late")


def test_only_the_care_team_reads_or_writes_a_ledger(call: Any, path: str) -> None:
    for who, status in (("PS", 403), ("CA", 403), ("AY", 403), ("CN", 404), ("XT", 404)):
        for name in ("ledger", "monitoring", "dose-plan"):
            assert is_problem(call(who).get(f"{path}/{name}"), status)
        assert is_problem(call(who).post(f"{path}/doses", dose()), status)
        assert is_problem(call(who).post(f"{path}/ledger", {"entries": [dose()]}), status)


def test_a_version_of_a_protocol_is_drafted_and_approved(call: Any, colleague: Any) -> None:
    address = "/protocols/ketamine_iv_im"
    body = {"citation": "Our own review.", "discharge": None}
    one, other = colleague("direct"), colleague("direct", "prescribe")
    assert is_problem(one.post(f"{address}/versions", body), 422)
    body = {
        "citation": "Our own review.",
        "monitoring_points": [
            {"code": "baseline", "when": "before_dose", "at_min": 30, "needs": ["spo2_percent"]},
        ],
    }
    made = one.post(f"{address}/versions", body)
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == f"/api/v1{address}/versions/2"
    assert one.get(f"{address}/versions/2").json["state"] == "draft"
    assert is_problem(one.post(f"{address}/versions/2/approve"), 409)
    assert is_problem(call("CT").post(f"{address}/versions/2/approve"), 403)
    done = other.post(f"{address}/versions/2/approve")
    assert done.status_code == 200 and done.json["state"] == "approved", done.text
    whole = call("CT").get(address).json
    assert (whole["version"], whole["citation"]) == (2, "Our own review.")
    assert [each["version"] for each in whole["versions"]] == [1, 2]
    assert {each["priority"] for each in whole["alert_clocks"]} == {
        *("immediate", "same_day", "next_working_day"),
    }
    assert set(call("PS").get(address).json) == {
        *("key", "version", "title", "patient_instructions"),
    }
    for wrong in (
        {"window": {"days": 9, "phases": []}},
        {"version": 7},
        {"key": "x"},
        {"thresholds": [{"rule": "x", "field": "mood", "action": "alert", "when": "always"}]},
        {"required_consents": ["anything"]},
        {"review_on": "soon"},
    ):
        assert is_problem(one.post(f"{address}/versions", wrong), 422)
    assert is_problem(one.post("/protocols/none/versions", {"owner": "X"}), 404)
    for nothing in (str(10**12), "0", "-1", "1.0", "%00", "\u0662", "two"):
        assert is_problem(one.get(f"{address}/versions/{nothing}"), 404)
        assert is_problem(one.post(f"{address}/versions/{nothing}/approve"), 404)
    for nowhere in ("%00", "x" * 300):
        assert is_problem(one.get(f"/protocols/{nowhere}"), 404)
        assert is_problem(one.get(f"/protocols/{nowhere}/versions/1"), 404)
        assert is_problem(one.post(f"/protocols/{nowhere}/versions", {"owner": "X"}), 404)


def test_a_patient_reads_what_they_were_given_once_it_is_signed(
    call: Any, path: str, session: db.Values
) -> None:
    at = show_instant(session["started_at"] + timedelta(minutes=5))
    body = {"medicine": "ketamine", "route": "intramuscular", "dose_mg": 60, "weight_kg": 75}
    body |= {"client_event_id": "g1", "measured_at": at}
    assert call("CT").post(f"{path}/doses", body).status_code == 201
    assert is_problem(call("PS").get(f"{path}/given"), 404)
    now = {"state": "completed", "completed_at": clock.now(), "signed_at": clock.now()}
    with db.transaction() as store:
        mine = sessions.c.id == session["id"]
        store.execute(sessions.update().where(mine).values(**now))
    told = call("PS").get(f"{path}/given")
    assert told.json == {
        "session_id": str(session["id"]),
        "doses": [
            {"given_at": at, "medicine": "ketamine", "route": "intramuscular", "dose_mg": 60}
        ],
        "phases": [],
    }
    assert not [word for word in FORBIDDEN if word in told.text]


def test_a_clinic_begins_a_protocol_of_its_own(colleague: Any) -> None:
    one, other = colleague("direct"), colleague("direct")
    address = "/protocols/our_quiet_room"
    body = {"based_on": "ketamine_iv_im", "title": "The quiet room"}
    made = one.post(f"{address}/versions", body)
    assert (made.status_code, made.json["version"]) == (201, 1), made.text
    assert made.headers["Location"] == f"/api/v1{address}/versions/1"
    assert is_problem(other.get(address), 404)
    assert is_problem(one.post(f"{address}/versions", body), 422)
    assert is_problem(one.post("/protocols/another/versions", body | {"based_on": "no\0"}), 422)
    assert is_problem(one.post("/protocols/another/versions", {"based_on": "none"}), 422)
    assert other.post(f"{address}/versions/1/approve").status_code == 200
    assert other.get(address).json["title"] == "The quiet room"
