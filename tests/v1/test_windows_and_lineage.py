"""Windows, lineage, the journal, replies, attainment and protocols over v1: shapes and statuses."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from api import clock, db
from api.core.outcomes.instruments.catalogue import catalogue
from tests import builders
from tests.v1.conftest import is_problem
from tests.v1.test_integration import FORBIDDEN, words_in


@pytest.fixture
def dosed(scene: Any) -> Any:
    """A dose of three days ago."""
    at = clock.now() - timedelta(days=3)
    times = {"starts_at": at - timedelta(hours=2), "ends_at": at, "completed_at": at}
    with db.transaction():
        return builders.make_session(
            scene.patient, scene["CT"], kind="dosing", state="completed", **times
        )


@pytest.fixture
def practice(call: Any, chart: str) -> Any:
    """A practice of the patient, and what it grew from."""
    ps = call("PS")
    insight = ps.post(f"{chart}/insights", {"text": "Rest need not be earned."}).json
    body = {"title": "Say no kindly", "category": "boundaries", "insight_id": insight["id"]}
    goal = ps.post(f"{chart}/goals", body).json
    return ps.post(f"/goals/{goal['id']}/practices", {"new_trail": "Take a breath"}).json


def test_a_window_is_read_by_the_care_team_whole_and_by_the_patient_without_an_end(
    call: Any, chart: str, dosed: Any, practice: Any
) -> None:
    step = call("PS").post(f"/practices/{practice['id']}/steps", {"kind": "detour"}).json
    moment = call("PS").post(f"{chart}/moments", {"text": "I laughed instead."}).json
    assert step["window_day"] == moment["window_day"] == 3
    (theirs,) = call("CT").get(f"{chart}/windows").json["items"]
    (mine,) = call("PS").get(f"{chart}/windows").json["items"]
    assert theirs["id"] == theirs["session_id"] == str(dosed["id"])
    assert (theirs["open"], theirs["window_day"], theirs["phase"]) == (True, 3, "fresh_snow")
    assert theirs["needs"] == ["integration"] and theirs["protocol"]["key"] == "ketamine"
    assert [one["id"] for one in theirs["steps"]] == [step["id"]]
    assert [one["id"] for one in theirs["moments"]] == [moment["id"]]
    assert set(theirs) - set(mine) == {
        *("dosed_at", "phases", "closes_on", "ended_by", "protocol", "needs", "truncated"),
    }
    assert mine["steps"] == theirs["steps"] and "how long" in mine["words"]
    assert "ETag" not in call("CT").get(f"{chart}/windows").headers


def test_the_roster_is_asked_whom_we_are_missing(
    call: Any, scene: Any, chart: str, dosed: Any
) -> None:
    ct, mine = call("CT"), str(scene.patient["id"])
    for query, there in (
        ("window=open", True),
        ("window=open&needs=integration", True),
        ("window=closed", False),
        ("window=none", False),
        ("needs=consent", True),
        ("window=open&q=ada&status=active", True),
        ("window=open&q=nobody", False),
    ):
        answer = ct.get(f"/patients?{query}")
        assert answer.status_code == 200, answer.text
        assert ([one["id"] for one in answer.json["items"]] == [mine]) == there, query
    for query in ("window=ajar", "needs=sleep", "window=open&window=open"):
        assert is_problem(ct.get(f"/patients?{query}"), 422)
    assert call("CN").get("/patients?window=open").json["items"] == []
    assert is_problem(call("AY").get("/patients?window=open"), 403)


def test_nobody_finds_patients_by_what_they_do_not_read(call: Any, scene: Any, dosed: Any) -> None:
    mine = str(scene.patient["id"])
    for query in (
        *("window=open", "window=closed", "window=none", "needs=integration", "needs=check_in"),
        *("window=open&q=ada", "needs=check_in&status=active", "window=none&needs=consent"),
    ):
        refused = call("CA").get(f"/patients?{query}")
        assert is_problem(refused, 403) and mine not in refused.text, query
    found = call("CA").get("/patients?needs=consent").json["items"]
    assert mine in [one["id"] for one in found]


def test_a_lineage_reads_in_both_directions_and_orphans_are_for_the_care_team(
    call: Any, chart: str, dosed: Any, practice: Any
) -> None:
    theirs = call("CT").get(f"{chart}/lineage?after_days=0").json
    (insight,), (goal,), (walked,) = theirs["insights"], theirs["goals"], theirs["practices"]
    assert insight["goal_ids"] == [goal["id"]] and goal["insight_id"] == insight["id"]
    assert goal["practice_ids"] == [walked["id"]] and walked["goal_id"] == goal["id"]
    assert [one["id"] for one in theirs["sessions"]] == [str(dosed["id"])]
    assert theirs["orphans"] == [] and insight["orphan"] is None
    alone = call("PS").post(f"{chart}/insights", {"text": "The sea."}).json
    (orphan,) = call("CT").get(f"{chart}/lineage?after_days=0").json["orphans"]
    assert (orphan["kind"], orphan["id"]) == ("insight", alone["id"])
    mine = call("PS").get(f"{chart}/lineage?after_days=0")
    assert "orphan" not in mine.text and mine.status_code == 200
    assert is_problem(call("CT").get(f"{chart}/lineage?after_days=-1"), 422)


def test_a_page_of_the_journal_is_written_changed_and_removed(call: Any, chart: str) -> None:
    ps = call("PS")
    made = ps.post(f"{chart}/journal", {"text": "Light.", "mood": 6})
    assert made.status_code == 201 and made.json["shared_with"] == "me"
    path = f"/journal/{made.json['id']}"
    assert made.headers["Location"] == f"/api/v1{path}"
    assert is_problem(call("CT").get(path), 404)
    assert ps.patch(path, {"shared_with": "care_team"}, 1).json["reading"]["by"] == "care_team"
    assert call("CT").get(path).json["mood"] == 6
    assert is_problem(call("CT").patch(path, {"mood": 1}, 2), 403)
    for body in ({}, {"mood": 11}, {"mood": "6"}, {"text": ""}, {"text": "x", "kind": "y"}):
        assert is_problem(ps.post(f"{chart}/journal", body), 422)
    assert ps.delete(path, 2).status_code == 204
    assert is_problem(ps.get(path), 404)


def test_a_kind_word_costs_one_call(call: Any, chart: str, practice: Any) -> None:
    step = call("PS").post(f"/practices/{practice['id']}/steps", {"kind": "done"}).json
    moment = call("PS").post(f"{chart}/moments", {"text": "I laughed instead."}).json
    for path in (f"/steps/{step['id']}", f"/moments/{moment['id']}"):
        said = call("CT").post(f"{path}/replies", {"text": "Glad to read this."})
        assert said.status_code == 201 and said.headers["Location"] == f"/api/v1{path}"
        read = call("PS").get(path)
        assert read.json["replies"] == [said.json] and read.headers["ETag"] == '"2"'
        assert is_problem(call("PS").post(f"{path}/replies", {"text": "Mine."}), 403)
        assert is_problem(call("CN").post(f"{path}/replies", {"text": "Mine."}), 404)
        assert is_problem(call("CT").post(f"{path}/replies", {"text": ""}), 422)


def test_goals_are_scaled_weighed_and_rated(call: Any, chart: str, practice: Any) -> None:
    path, ct = f"/goals/{practice['goal_id']}", call("CT")
    weighed = ct.patch(path, {"attainment_weight": 2, "confidence": 7}, 1).json
    assert (weighed["attainment_weight"], weighed["confidence"]) == (2, 7)
    made = ct.post(f"{path}/ratings", {"level": 2})
    assert made.status_code == 201 and made.headers["Location"] == f"/api/v1{path}"
    assert ct.get(f"{chart}/goal-attainment").json["t_score"] == 70.0
    assert ct.get(path).json["attained_level"] == 2
    assert [one["level"] for one in ct.get(f"{path}/ratings").json["items"]] == [2]
    mine = call("PS").get(path)
    assert mine.json["attained_level"] == 2 and "weight" not in mine.text
    for body in ({}, {"level": 3}, {"level": "1"}, {"level": 1, "rated_on": "2199-01-01"}):
        assert is_problem(ct.post(f"{path}/ratings", body), 422)
    assert is_problem(call("PS").post(f"{path}/ratings", {"level": 2}), 403)
    assert is_problem(call("PS").get(f"{chart}/goal-attainment"), 403)


def test_protocols_tell_patients_what_to_do_and_staff_how_long_a_window_is(call: Any) -> None:
    listed = call("CT").get("/protocols").json["items"]
    (brief,) = (one for one in listed if one["key"] == "ketamine")
    assert {len(one["window"]["phases"]) for one in listed} == {3} and len(listed) == 4
    whole = call("CT").get("/protocols/ketamine").json
    assert brief == whole and whole["window"]["days"] == 7
    assert [one["phase"] for one in whole["window"]["phases"]] == [
        *("rest", "fresh_snow", "settling"),
    ]
    mine = call("PS").get("/protocols/ketamine?locale=de-DE").json
    assert set(mine) == {"key", "version", "title", "patient_instructions"}
    assert mine["patient_instructions"]["after"] and mine["patient_instructions"]["before"]
    assert is_problem(call("CT").get("/protocols/none"), 404)


@pytest.mark.skipif("srbai" not in catalogue(), reason="the instrument is not shipped here")
def test_automaticity_stands_beside_the_trail_and_is_never_blended(
    call: Any, chart: str, practice: Any, scene: Any
) -> None:
    ps, path = call("PS"), f"/practices/{practice['id']}"
    answers = {"srbai-1": 2, "srbai-2": 4, "srbai-3": 3, "srbai-4": 4}
    body = {"instrument": "srbai", "answers": answers, "complete": True}
    assert practice["automaticity"] is None
    for at, change in (("2026-01-02T12:00:00Z", {}), ("2026-01-01T12:00:00Z", {"srbai-1": 7})):
        told = body | {"answers": answers | change, "answered_at": at}
        made = ps.post(f"{chart}/check-ins", told | {"practice_id": practice["id"]})
        assert made.status_code == 201, made.text
    left = {"answers": {"srbai-1": 7}, "practice_id": practice["id"]}
    assert ps.post(f"{chart}/check-ins", body | left).status_code == 201
    read = call("CT").get(path).json
    assert read["automaticity"] == {"mean": 3.25, "answered_at": "2026-01-02T12:00:00Z"}
    assert read["trail"] == practice["trail"]
    row = call("CT").get(f"{chart}/check-ins?instrument=srbai").json["items"][0]
    assert row["practice"] == {"id": practice["id"], "title": "Take a breath"}
    for who in ("PS", "CT"):
        wrong = {"instrument": "phq-9", "answers": {}, "practice_id": practice["id"]}
        assert is_problem(call(who).post(f"{chart}/check-ins", wrong), 422)
        elsewhere = body | {"practice_id": str(scene.patient["id"])}
        assert is_problem(call(who).post(f"{chart}/check-ins", elsewhere), 422)
    ps.patch(path, {"shared_with": "me"}, 1)
    assert is_problem(ps.post(f"{chart}/check-ins", body | {"practice_id": practice["id"]}), 422)
    for where in ("check-ins", "check-ins?instrument=srbai", "windows", "lineage"):
        assert practice["id"] not in call("CT").get(f"{chart}/{where}").text
    assert practice["id"] in ps.get(f"{chart}/check-ins").text


def test_no_answer_here_blames_or_measures_a_patient(
    call: Any, chart: str, dosed: Any, practice: Any
) -> None:
    ps = call("PS")
    ps.post(f"/practices/{practice['id']}/steps", {"kind": "skipped", "skip_reason": "no_cue"})
    said = [
        ps.post(f"{chart}/journal", {"text": "Light."}),
        *(ps.get(f"{chart}/{name}") for name in ("windows", "lineage", "journal", "goals")),
        ps.get("/protocols"),
    ]
    words = set().union(*(words_in(json.loads(one.text)) for one in said))
    for forbidden in (*FORBIDDEN, "orphan", "until", "countdown", "closes_on"):
        found = re.compile(rf"(?<![a-z]){re.escape(forbidden)}(?![a-z])", re.IGNORECASE)
        shown = {one for one in words if found.search(one)}
        assert {one for one in shown if "until the day after" not in one} == set(), forbidden
