"""Courses of treatment: what is planned, what came of it, and the practice beside the doses."""

from datetime import timedelta
from typing import Any

import pytest

from api import clock, db
from api.core import courses
from api.core.treatment import courses as planned, sessions
from api.core.treatment.dosing.vocabulary import MEDICINES, ROUTES
from api.errors import Conflict, Invalid, NotAllowed, NotFound
from tests import builders, readying
from tests.builders import Scene

PLAN = {"medicine": "ketamine", "route": "intramuscular", "planned_doses": 6, "interval_days": 7}
DAY = timedelta(days=1)


def plan(scene: Scene, **more: Any) -> db.Values:
    return courses.plan_course(scene["CT"].actor, scene.patient["id"], PLAN | more)


def read(scene: Scene, course: db.Values, persona: str = "CT") -> db.Values:
    return courses.read_course(scene[persona].actor, course["id"])


def held(scene: Scene, course: db.Values, kind: str, days_ago: int, **more: Any) -> db.Values:
    at = clock.now() - days_ago * DAY
    times = {"starts_at": at - timedelta(hours=2), "ends_at": at, "completed_at": at}
    values = {"kind": kind, "state": "completed", "course_id": course["id"]} | times | more
    return builders.make_session(scene.patient, scene["CT"], **values)


def test_a_course_counts_its_doses_and_what_is_left(scene: Scene) -> None:
    course = plan(scene)
    assert course["doses"] == {"planned": 6, "given": 0, "booked": 0, "called_off": 0, "left": 6}
    held(scene, course, "preparation", 20)
    held(scene, course, "dosing", 14)
    held(scene, course, "integration", 13)
    held(scene, course, "dosing", 7)
    held(scene, course, "dosing", 3, state="cancelled", completed_at=None)
    ahead = {"starts_at": clock.now() + DAY, "ends_at": clock.now() + 2 * DAY}
    booked = {"kind": "dosing", "course_id": course["id"]} | ahead
    builders.make_session(scene.patient, scene["CT"], **booked)
    held(scene, {"id": None}, "dosing", 1)
    told = read(scene, course)
    assert told["doses"] == {"planned": 6, "given": 2, "booked": 1, "called_off": 1, "left": 4}
    assert told["sessions"] == {"preparation": 1, "integration": 1}
    assert told["cumulative_dose_mg"] == 0


def test_the_cumulative_dose_is_that_of_the_doses_that_stand(scene: Scene) -> None:
    course = plan(scene)
    session = readying.dosing_session(scene, course_id=course["id"])
    readying.dosed(scene, session, client_event_id="a")
    entry = readying.ledger_of(scene, session)[0]
    again = {"corrects_id": entry["id"], "reason": "Misread.", "dose_mg": 40}
    readying.dosed(scene, session, client_event_id="b", **again)
    readying.dosed(scene, session, client_event_id="c", dose_mg=12.5, booster=True)
    assert read(scene, course)["cumulative_dose_mg"] == 52.5
    listed = courses.list_courses(scene["CT"].actor, scene.patient["id"], db.Page()).items
    assert [one["cumulative_dose_mg"] for one in listed] == [52.5]


def test_more_medicine_and_less_practice_is_seen_beside_the_course(scene: Scene) -> None:
    course = plan(scene)
    held(scene, course, "dosing", 3)
    goal = builders.make_goal(scene.patient)
    practice = builders.make_practice(goal, created_at=clock.now() - 50 * DAY)
    for days_ago in range(30, 50):
        builders.make_step(practice, walked_on=clock.today("UTC") - days_ago * DAY)
    builders.make_step(practice, walked_on=clock.today("UTC") - 2 * DAY)
    hidden = clock.today("UTC") - DAY
    builders.make_step(practice, walked_on=hidden, shared_with="me")
    told = read(scene, course)["practice"]
    assert told["doses"] == {"lately": 1, "before": 0}
    assert told["steps"] == {"lately": 1, "before": 20}
    assert (told["active_practices"], told["thin"]) == (1, True)
    for days_ago in range(3, 15):
        builders.make_step(practice, walked_on=clock.today("UTC") - days_ago * DAY)
    assert read(scene, course)["practice"]["thin"] is False


def test_sessions_belong_to_a_course_of_the_same_patient_that_goes_on(scene: Scene) -> None:
    course = plan(scene)
    starts_at = clock.now() + DAY
    values = {
        "kind": "dosing",
        "mode": "in_person",
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(hours=2),
        "clinician_ids": [scene["CT"].user_id],
        "course_id": course["id"],
    }
    who, patient_id = scene["CT"].actor, scene.patient["id"]
    booked = sessions.book_session(who, patient_id, dict(values))
    assert booked["course_id"] == course["id"]
    builders.join_team(scene.other_patient, scene["CT"])
    later = {"starts_at": starts_at + DAY, "ends_at": starts_at + DAY + timedelta(hours=2)}
    with pytest.raises(Invalid):
        sessions.book_session(scene["CT"].actor, scene.other_patient["id"], values | later)
    courses.change_course(scene["CT"].actor, course["id"], 1, {"status": "stopped"})
    with pytest.raises(Conflict):
        sessions.book_session(scene["CT"].actor, patient_id, values | later)
    off = sessions.change_session(scene["CT"].actor, booked["id"], 1, {"course_id": None})
    assert off["course_id"] is None


def test_an_ended_course_is_changed_only_by_taking_it_up_again(scene: Scene) -> None:
    course = plan(scene, status="active")
    courses.change_course(scene["CT"].actor, course["id"], 1, {"status": "completed"})
    with pytest.raises(Conflict):
        courses.change_course(scene["CT"].actor, course["id"], 2, {"planned_doses": 9})
    values = {"status": "active", "planned_doses": 9}
    again = courses.change_course(scene["CT"].actor, course["id"], 2, values)
    assert (again["status"], again["doses"]["left"]) == ("active", 9)


def test_a_patient_reads_the_plan_and_nothing_that_weighs_them(scene: Scene) -> None:
    course = plan(scene, aim="To sleep again.", rationale="Three antidepressants failed.")
    told = read(scene, course, "PS")
    assert told["aim"] == "To sleep again." and told["doses"]["planned"] == 6
    assert not {"rationale", "practice", "cumulative_dose_mg"} & set(told)
    with pytest.raises(NotAllowed):
        courses.plan_course(scene["PS"].actor, scene.patient["id"], dict(PLAN))
    for name in ("CN", "XT", "PO"):
        with pytest.raises(NotFound):
            read(scene, course, name)


def test_a_course_is_planned_in_the_words_of_the_ledger() -> None:
    assert planned.ROUTES == ROUTES and planned.MEDICINES == MEDICINES
