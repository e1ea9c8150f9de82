"""Whom a plan waits for: the condition in SQL says what is reckoned in Python, for any plan."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st
from sqlalchemy import select, update

from api import clock, db
from api.core import roster
from api.core.integration import practices as walking_practices
from api.core.outcomes import plans
from api.core.outcomes.plans import check_in_occurrences, schedule, waiting
from api.core.patients import patients
from tests import builders
from tests.builders import Scene
from tests.core import planning
from tests.core.walking import asked_of_the_database, goal, practice

ZONES = ("America/Denver", "Pacific/Kiritimati", "Asia/Kathmandu", "Pacific/Niue")


def in_need(scene: Scene, who: str = "CT", **asked: Any) -> set[Any]:
    listing = roster.list_patients_in_need(
        scene[who].actor, db.Page(100), needs="check_in", **asked
    )
    return {row["id"] for row in listing.items}


def test_a_check_in_that_can_be_answered_is_a_need_until_it_is(scene: Scene) -> None:
    assert in_need(scene) == set()
    planning.plan(scene, rule="once", n=1)
    assert in_need(scene) == set()
    planning.plan(scene, rule="once", n=0)
    assert in_need(scene) == {scene.patient["id"]}
    assert in_need(scene, "CN") == in_need(scene, "XT") == set()
    assert in_need(scene, q="nobody") == in_need(scene, window="open") == set()
    planning.answer(scene)
    assert in_need(scene) == set()


def test_what_is_late_is_a_need_what_is_missed_no_more(scene: Scene) -> None:
    planning.plan(scene, rule="once", n=0, starts_on=planning.days_ago(4))
    assert in_need(scene) == {scene.patient["id"]}
    planning.plan(scene, instrument="phq-9", rule="once", n=0, starts_on=planning.days_ago(5))
    db.store().execute(update(plans.check_in_plans).values(starts_on=planning.days_ago(5)))
    assert in_need(scene) == set()


def test_a_plan_that_ended_or_whose_patient_left_needs_nothing(scene: Scene) -> None:
    made = planning.plan(scene, rule="once", n=0)
    where = patients.c.id == scene.patient["id"]
    db.store().execute(patients.update().where(where).values(status="discharged"))
    assert in_need(scene) == set()
    db.store().execute(patients.update().where(where).values(status="active"))
    plans.end_check_in_plan(scene["CT"].actor, made["id"], None)
    assert in_need(scene) == set()


@pytest.mark.parametrize("change", [{"status": "familiar"}, {"shared_with": "me"}])
def test_of_a_practice_that_rests_or_is_kept_nothing_is_asked(
    scene: Scene, change: db.Values
) -> None:
    walked = practice(scene, goal(scene))
    planning.plan(scene, instrument="srbai", rule="once", n=0, practice_id=walked["id"])
    assert in_need(scene) == {scene.patient["id"]}
    walking_practices.change_practice(scene["PS"].actor, walked["id"], None, change)
    assert in_need(scene) == set()


def test_it_is_asked_in_few_queries_however_many_they_are(scene: Scene) -> None:
    planning.plan(scene, rule="once", n=0)
    few = asked_of_the_database(lambda: in_need(scene))
    for zone in ZONES:
        one = builders.make_patient(scene.clinic_id, time_zone=zone)
        builders.join_team(one, scene["CT"])
    assert asked_of_the_database(lambda: in_need(scene)) == few <= 3


def test_any_plan_waits_for_whom_python_says_it_does(scene: Scene) -> None:
    random, expected, found = Random(7), set(), set()
    passed, told = {}, {}
    for number in range(160):
        one = builders.make_patient(scene.clinic_id, time_zone=random.choice(ZONES))
        made = _any_plan(scene, random, one)
        _any_visits(random, one)
        _any_answers(random, one, made)
        asked = plans.open_check_ins(scene.clinic_id, {one["id"]: one["time_zone"]})
        expected |= {number} if asked else set()
        condition = waiting.waits(scene.clinic_id)
        here = select(patients.c.id).where(patients.c.id == one["id"], condition)
        found |= {number} if db.store().row(here) else set()
        passed[number] = _let_pass(plans.asked_of(one, [made]), one)
        mine = select(patients.c.id).where(patients.c.id == one["id"])
        rows = db.store().rows(waiting.let_pass(scene.clinic_id, mine))
        days = ((row["due_on"], row["until_on"], row["late_until_on"]) for row in rows)
        told[number] = [(on, until, last >= rows[0]["today"]) for on, until, last in days]
    assert found == expected and 20 < len(expected) < 140
    assert told == passed and 20 < sum(map(len, passed.values())) < 140


def _let_pass(asked: list[plans.Planned], patient: db.Values) -> list[Any]:
    """What is to be found: the last that was asked, if it is late, or missed of late."""
    past = [one for one in asked if one.state != schedule.UPCOMING]
    if not past or past[-1].state not in (schedule.LATE, schedule.MISSED):
        return []
    one = past[-1].occurrence
    since = (clock.today(patient["time_zone"]) - one.late_until_on).days
    told = (one.due_on, one.until_on, past[-1].state == schedule.LATE)
    return [told] if since <= schedule.MISSED_FOR else []


def _any_plan(scene: Scene, random: Random, patient: db.Values) -> db.Values:
    rule = random.choice(schedule.RULES)
    least, most = schedule.N[rule]
    n = random.randint(max(least, -6), min(most, 12))
    within = random.randint(0, n - 1 if rule == "every_n_days" else 6)
    starts_on = clock.today(patient["time_zone"]) - timedelta(random.randint(0, 40))
    ends_on = random.choice([None, None, starts_on + timedelta(random.randint(0, 40))])
    values = {"rule": rule, "n": n, "answer_within_days": within, "starts_on": starts_on}
    keys = {"clinic_id": scene.clinic_id, "patient_id": patient["id"]}
    more = {"instrument": "gad-7", "made_by": scene["CT"].user_id, "ends_on": ends_on}
    return db.store().add(plans.check_in_plans, values | keys | more)


def _any_visits(random: Random, patient: db.Values) -> None:
    """At any hour, so that the day is another one where the patient lives than in UTC."""
    for _visit in range(random.randint(0, 4)):
        at = clock.now() + timedelta(hours=random.randint(-24 * 25, 24 * 10))
        times = {"starts_at": at, "ends_at": at + timedelta(hours=1)}
        state = random.choice(["scheduled", "cancelled", "completed"])
        if state == "completed":
            times["completed_at"] = at + timedelta(hours=random.randint(0, 30))
        kind = random.choice(["dosing", "integration"])
        builders.make_session(patient, kind=kind, state=state, **times)


def _any_answers(random: Random, patient: db.Values, made: db.Values) -> None:
    asked = plans.asked_of(patient, [made])
    for one in random.sample(asked, min(len(asked), random.randint(0, 2))):
        if one.state == schedule.UPCOMING:
            continue
        day = {"due_on": one.occurrence.due_on, "until_on": one.occurrence.until_on}
        keys = {name: made[name] for name in ("clinic_id", "patient_id")}
        keys |= {"plan_id": made["id"], "anchor": one.occurrence.anchor, "reminders": 0}
        done = _checked_in(made, one.occurrence.due_on) if random.random() < 0.8 else None
        db.store().add(check_in_occurrences, keys | day | {"check_in_id": done})


def _checked_in(made: db.Values, on: Any) -> Any:
    from api.core.outcomes.checkins import check_ins

    at = datetime.combine(on, datetime.min.time(), UTC)
    values = {"instrument": "gad-7", "instrument_version": "1", "scoring_version": "1"}
    values |= {"state": "complete", "source": "app", "answered_by": "patient", "answers": {}}
    values |= {"answered_at": at, "answered_on": on, "scores": {}}
    keys = {name: made[name] for name in ("clinic_id", "patient_id")}
    return db.store().add(check_ins, values | keys)["id"]


@given(
    st.sampled_from(["America/Denver", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Tokyo"]),
    st.integers(0, 540 * 24 * 60),
)
def test_the_clock_of_a_zone_is_known_at_every_minute(zone: str, minutes_ago: int) -> None:
    at = (clock.now() - timedelta(minutes=minutes_ago)).replace(microsecond=0)
    ahead = next(ahead for until, ahead in waiting._periods(zone) if at < until)
    assert timedelta(seconds=ahead) == at.astimezone(ZoneInfo(zone)).utcoffset()
