"""The download: everything a patient reads is in it, and nothing else."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import db
from api.access.policies import TABLE, Role
from api.audit.trail import audit_events
from api.v1.download import PARTS
from tests import builders
from tests.core import noting
from tests.house import matrix
from tests.house.matrix import World

LISTS = {
    "history": "history",
    "access-log": "access_log",
    "amendment-requests": "amendment_requests",
    "erasure-requests": "erasure_requests",
    "companions": "companions",
    "care-team": "care_team",
    "check-in-plans": "check_in_plans",
    "check-ins": "check_ins",
}
"""The parts that are not called as the last word of their list's address."""
MADE = (
    *("goal_id", "practice_id", "step_id", "insight_id", "moment_id", "journal_id", "consent_id"),
    *("check_in_id", "plan_id", "session_id", "allergy_id", "medication_id", "diagnosis_id"),
    *("course_id", "membership_id", "asked_id"),
)


@pytest.fixture
def world(app: Flask) -> World:
    made = World(app)
    for name in MADE:
        made.id(name)
    return made


def test_every_list_of_a_chart_that_a_patient_reads_is_a_part(application: Flask) -> None:
    lists = {
        route.split("/")[-1]
        for route, offer in matrix.routes(application).items()
        if route.startswith("GET /patients/{patient_id}/")
        and offer.paged
        and Role.PATIENT in TABLE[offer.action]
    }
    assert {LISTS.get(name, name) for name in lists} <= set(PARTS)


def test_it_holds_what_each_list_answers(world: World) -> None:
    patient, chart = world.caller("PS"), f"/patients/{world.ids['patient_id']}"
    whole = patient.get(f"{chart}/download")
    assert whole.status_code == 200, whole.text
    assert whole.headers["Content-Disposition"].startswith("attachment")
    assert whole.headers["Cache-Control"] == "no-store"
    assert whole.json["patient"] == patient.get(chart).json
    for name in (*PARTS,):
        path = next((path for path, part in LISTS.items() if part == name), name)
        listed = patient.get(f"{chart}/{path}?limit=100")
        if listed.status_code == 200 and name != "access_log":
            assert whole.json[name] == listed.json["items"], name
    for name in MADE:
        assert world.ids[name] in whole.text, name


def test_what_the_patient_may_not_read_is_not_in_it(world: World) -> None:
    with db.transaction():
        draft = noting.note(world.scene, text="A draft of theirs.")
        apart = noting.note(world.scene, kind="psychotherapy", text="Apart.")
        other = builders.make_goal(world.scene.patient)
    told = world.caller("PS").get(f"/patients/{world.ids['patient_id']}/download")
    assert str(other["id"]) in told.text
    for hidden in (str(draft["id"]), str(apart["id"]), "A draft of theirs", "Apart."):
        assert hidden not in told.text
    assert '"flags"' not in told.text and '"scores"' not in told.text


def test_a_long_list_is_in_it_to_its_end(
    call: Any, scene: Any, chart: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.v1.download.AT_ONCE", 2)
    with db.transaction():
        goals = [builders.make_goal(scene.patient) for _ in range(5)]
        practices = [builders.make_practice(goal) for goal in goals]
        for practice in practices:
            for _ in range(3):
                builders.make_step(practice)
    told = call("PS").get(f"{chart}/download").json
    assert [len(told[name]) for name in ("goals", "practices", "steps")] == [5, 5, 15]
    assert len({row["id"] for row in told["steps"]}) == 15


def test_it_leaves_one_event_about_the_patient(call: Any, scene: Any, chart: str) -> None:
    assert call("PS").get(f"{chart}/download").status_code == 200
    with db.transaction() as store:
        mine = audit_events.c.clinic_id == scene.clinic_id
        [event] = store.rows(select(audit_events).where(mine))
    told = (event["action"], event["record_id"], event["outcome"])
    assert told == ("patient:download", scene.patient["id"], "ok")


def test_it_takes_a_fresh_sign_in(call: Any, scene: Any, chart: str) -> None:
    with db.transaction():
        builders.let_sign_in_age(scene["PS"])
    assert call("PS").get(f"{chart}/download").status_code == 401
