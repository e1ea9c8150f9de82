"""The worklist, between two sessions and today over v1: shapes and statuses."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from api import clock, db
from tests import builders
from tests.v1.conftest import is_problem
from tests.v1.test_integration import FORBIDDEN, words_in


@pytest.fixture
def dosed(scene: Any) -> Any:
    """A dose of three days ago, and a session of tomorrow."""
    at = clock.now() - timedelta(days=3)
    times = {"starts_at": at - timedelta(hours=2), "ends_at": at, "completed_at": at}
    held = {"kind": "dosing", "state": "completed"} | times
    with db.transaction():
        builders.make_session(scene.patient, scene["CT"])
        return builders.make_session(scene.patient, scene["CT"], **held)


def test_the_worklist_names_the_patient_and_every_reason(call: Any, scene: Any, dosed: Any) -> None:
    answer = call("CT").get("/worklist")
    assert answer.status_code == 200 and "ETag" not in answer.headers
    assert set(answer.json) == {"items", "next_cursor", "escalation"}
    [row] = answer.json["items"]
    assert set(row) == {"patient", "due_at", "reasons"}
    assert row["patient"] == {"id": str(scene.patient["id"]), "display_name": "Ada Example"}
    window, consent, unsigned = row["reasons"]
    assert (window["code"], window["session_id"]) == (
        *("window_without_integration", str(dosed["id"])),
    )
    assert window["due_at"] == row["due_at"] and window["booked_at"].endswith("Z")
    assert consent["code"] == "treatment_consent_missing"
    assert (unsigned["code"], unsigned["session_id"]) == ("note_unsigned", str(dosed["id"]))
    assert (unsigned["unsigned_sessions"], unsigned["unsigned_notes"]) == (1, 0)
    for wrong in (
        "limit=0",
        "updated_since=2026-01-01T00:00:00Z",
        "cursor=x&limit=1",
        "state=open",
    ):
        assert call("CT").get(f"/worklist?{wrong}").status_code in (400, 422), wrong


def test_the_worklist_is_walked_by_cursor(call: Any, scene: Any) -> None:
    with db.transaction():
        for _each in range(2):
            builders.join_team(builders.make_patient(scene.clinic_id), scene["CT"])
    seen, path = [], "/worklist?limit=1"
    while path:
        page = call("CT").get(path).json
        seen += [row["patient"]["id"] for row in page["items"]]
        path = page["next_cursor"] and f"/worklist?limit=1&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 3


def test_between_is_read_since_a_session_or_a_day(call: Any, chart: str, dosed: Any) -> None:
    answer = call("CT").get(f"{chart}/between")
    assert answer.status_code == 200 and "ETag" not in answer.headers
    assert answer.json == call("CT").get(f"{chart}/between?since=last_session").json
    assert answer.json["session"]["id"] == str(dosed["id"])
    day = call("CT").get(f"{chart}/between?since=2026-01-31").json
    assert (day["session"], day["since_on"]) == (None, "2026-01-31")
    for wrong in ("since=yesterday", "since=2199-01-01", "since=", "until=2026-01-01"):
        assert is_problem(call("CT").get(f"{chart}/between?{wrong}"), 422), wrong
    assert is_problem(call("PS").get(f"{chart}/between"), 403)


def test_the_calendar_includes_between_for_clinicians(call: Any, scene: Any, dosed: Any) -> None:
    rows = call("CT").get("/sessions?include=between").json["items"]
    assert [row["between"]["session"]["id"] for row in rows] == [str(dosed["id"])]
    assert "between" not in call("CT").get("/sessions").json["items"][0]
    busy = call("CN").get("/sessions?include=between").json["items"]
    assert [set(row) for row in busy] == [{"busy", "starts_at", "ends_at"}]
    for who in ("PS", "CA"):
        assert is_problem(call(who).get("/sessions?include=between"), 403)
    assert is_problem(call("CT").get("/sessions?include=notes"), 422)


def test_a_patient_reads_their_day(call: Any, dosed: Any) -> None:
    answer = call("PS").get("/me/today")
    assert answer.status_code == 200 and "ETag" not in answer.headers
    assert next(iter(answer.json)) == "crisis"
    assert answer.json["question"]["key"] == "what_to_practise"
    assert answer.json["next_visit"]["kind"] == "integration"
    assert is_problem(call("CT").get("/me/today"), 403)
    assert is_problem(call("PS").get("/me/today?on=2026-01-01"), 422)


def test_no_day_of_a_patient_blames_counts_or_counts_down(
    call: Any, chart: str, dosed: Any
) -> None:
    ps = call("PS")
    said = [ps.get("/me/today")]
    goal = ps.post(f"{chart}/goals", {"title": "Rest", "category": "rest_sleep"}).json
    ps.post(f"/goals/{goal['id']}/practices", {"new_trail": "Breathe"})
    plan = {"instrument": "gad-7", "rule": "after_dose", "n": 3}
    assert call("CT").post(f"{chart}/check-in-plans", plan).status_code == 201
    said.append(ps.get("/me/today"))
    assert said[1].json["due"] and said[1].json["next_step"]
    words = set().union(*(words_in(json.loads(one.text)) for one in said))
    for forbidden in (*FORBIDDEN, "until", "countdown", "closes_on", "window_day"):
        found = re.compile(rf"(?<![a-z]){re.escape(forbidden)}(?![a-z])", re.IGNORECASE)
        assert [one for one in words if found.search(one)] == [], forbidden
