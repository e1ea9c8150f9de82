"""A course of treatment over HTTP alone, from sign-in to a trail that grew."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask

from api import clock, db
from api.access.policies import Privilege, Role
from tests import builders, readying
from tests.conftest import Caller

ZONE = "America/Denver"
FIRST = {f"phq9-{i}": 2 for i in range(1, 6)}
LACKING = [
    "consent_missing_treatment",
    "consent_missing_off_label_medicine",
    "eligibility_unsigned",
    "dose_plan_missing",
    "baseline_vitals_missing",
]
"""Why the dose may not start: all of it is passed over."""
SECOND = {f"phq9-{i}": 1 for i in range(6, 9)} | {"phq9-9": 0}


def sign_in(app: Flask, email: str) -> Caller:
    """Sign in as a person would."""
    body = {"email": email, "password": builders.PASSWORD}
    answer = Caller(app.test_client(), None).post("/auth/token", body)
    assert answer.status_code == 200, answer.json
    return Caller(app.test_client(), answer.json["access_token"])


def clinic_of_alma() -> dict[str, str]:
    """A clinic as the demo has it; answers the e-mail of each account."""
    here, elsewhere = builders.make_clinic("Demo"), builders.make_clinic("Other")
    alma = builders.make_patient(here, legal_given="Alma", legal_family="Firnfeld")
    staff = builders.make_person(here, privileges=[Privilege.PRESCRIBE])
    people = {
        "clinician": staff,
        "clinician2": builders.make_person(here),
        "other": builders.make_person(elsewhere),
        "analyst": builders.make_person(here, Role.ANALYST),
        "patient": builders.make_person(here, Role.PATIENT, patient_id=alma["id"]),
    }
    builders.join_team(alma, staff)
    return {name: person.email for name, person in people.items()}


def test_a_course_of_treatment(app: Flask) -> None:
    with db.transaction():
        emails = clinic_of_alma()
    nora = sign_in(app, emails["clinician"])
    me = nora.get("/me").json
    found = nora.get("/patients?q=firn").json["items"]
    assert [p["display_name"] for p in found] == ["Alma Firnfeld"]
    alma = f"/patients/{found[0]['id']}"
    paths = [alma, *_sessions_run(nora, alma, me["clinician_id"])]
    goal, practice = _goal_agreed(nora, alma)
    paths += [goal, practice, f"{practice}/trail", f"{practice}/steps"]
    patient = sign_in(app, emails["patient"])
    _steps_walked(patient, practice)
    checkin = _phq9_answered_in_two_parts(patient, alma)
    _clinician_sees_the_number(nora, alma, checkin)
    paths += [checkin, f"{alma}/outcomes", f"{alma}/check-ins", f"{alma}/goals"]
    for name, status in (("clinician2", 404), ("other", 404), ("analyst", 403)):
        stranger = sign_in(app, emails[name])
        assert [stranger.get(path).status_code for path in paths] == [status] * len(paths)


def _sessions_run(nora: Caller, alma: str, clinician_id: str) -> list[str]:
    made = []
    for kind, days_ago in (("dosing", 20), ("integration", 18)):
        starts = clock.now() - timedelta(days=days_ago)
        body = {
            "kind": kind,
            "starts_at": starts.isoformat().replace("+00:00", "Z"),
            "ends_at": (starts + timedelta(hours=3)).isoformat().replace("+00:00", "Z"),
            "clinician_ids": [clinician_id],
            "mode": "in_person",
            "room": "Birch",
        }
        booked = nora.post(f"{alma}/sessions", body)
        assert booked.status_code == 201, booked.json
        assert booked.json["state"] == "scheduled"
        made.append(f"/sessions/{booked.json['id']}")
    refused = nora.post(f"{made[0]}/complete")
    assert refused.status_code == 409
    assert refused.json["state"] == "scheduled" and "arrive" in refused.json["allowed"]
    for path in made:
        _held(nora, path)
        moved = nora.get(path)
        assert moved.json["state"] == "completed" and "reopen" in moved.json["allowed"]
    return made


def _held(nora: Caller, path: str) -> None:
    """A session from arrival to its end; what the dose lacks is passed over, each with words."""
    for move in ("arrive", "start", "complete"):
        moved = readying.start(nora, path) if move == "start" else nora.post(f"{path}/{move}")
        assert moved.status_code == 200, moved.json
    passed_over = [one["code"] for one in nora.get(path).json["overrides"]]
    assert passed_over == ([] if nora.get(path).json["kind"] != "dosing" else LACKING)


def _goal_agreed(nora: Caller, alma: str) -> tuple[str, str]:
    goal = nora.post(f"{alma}/goals", {"title": "Say no kindly", "category": "boundaries"})
    assert goal.status_code == 201, goal.json
    assert goal.json["lifecycle_status"] == "active"
    path = f"/goals/{goal.json['id']}"
    practice = nora.post(f"{path}/practices", {"new_trail": "Take a breath and say: not today"})
    assert practice.status_code == 201, practice.json
    assert practice.json["trail"] == {"strength": 0.0, "stage": None, "furthest_stage": None}
    return path, f"/practices/{practice.json['id']}"


def _steps_walked(patient: Caller, practice: str) -> None:
    today = datetime.now(ZoneInfo(ZONE)).date()
    for days_ago in range(15, -1, -1):
        day = (today - timedelta(days=days_ago)).isoformat()
        logged = patient.post(f"{practice}/steps", {"walked_on": day, "kind": "done"})
        assert logged.status_code == 201, logged.json
        assert logged.json["weight"] == 1
    trail = patient.get(f"{practice}/trail").json
    assert trail["strength"] == 0.516275
    assert (trail["stage"], trail["steps_total"]) == ("path", 16)


def _phq9_answered_in_two_parts(patient: Caller, alma: str) -> str:
    begun = patient.post(f"{alma}/check-ins", {"instrument": "phq-9", "answers": FIRST})
    assert begun.status_code == 201, begun.json
    assert begun.json["state"] == "draft" and "scores" not in begun.json
    path = f"/check-ins/{begun.json['id']}"
    more = patient.patch(path, {"answers": SECOND}, begun.json["version"])
    assert more.status_code == 200, more.json
    done = patient.post(f"{path}/complete")
    assert done.status_code == 200, done.json
    assert done.json["state"] == "complete" and "scores" not in done.json
    return path


def _clinician_sees_the_number(nora: Caller, alma: str, checkin: str) -> None:
    scores = nora.get(checkin).json["scores"]
    assert (scores["total"], scores["band"]) == (13, "moderate")
    outcomes: Any = nora.get(f"{alma}/outcomes?instrument=phq-9").json
    assert outcomes["instrument"] == "phq-9"
    assert [(point["total"], point["band"]) for point in outcomes["series"]] == [(13, "moderate")]
