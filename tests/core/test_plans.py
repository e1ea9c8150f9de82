"""Check-in plans of a patient: what moves them, what answers them, and what each reader is told."""

from datetime import date, timedelta
from typing import Any

import pytest

from api import clock, db
from api.core.integration import practices
from api.core.outcomes import checkins, plans
from api.core.outcomes.plans import keeping
from api.core.patients import patients
from api.core.today import read_today
from api.core.treatment.sessions import booking
from api.core.treatment.sessions.table import sessions
from api.errors import Conflict, Invalid, NotAllowed, NotFound, Stale
from tests.builders import Scene
from tests.core.planning import ZONE, answer, dose, plan, read, today
from tests.core.walking import goal, practice


def test_a_plan_says_on_which_day_it_asks_next(scene: Scene) -> None:
    assert plan(scene)["next_due_on"] is None
    dose(scene, 3)
    assert plan(scene)["next_due_on"] == today() + timedelta(days=10)
    assert plan(scene, n=-1)["next_due_on"] == today() + timedelta(days=2)
    assert plan(scene, rule="once", n=None)["next_due_on"] == today()
    assert plan(scene, rule="before_visit", n=None)["next_due_on"] == today() + timedelta(days=2)
    assert plan(scene, rule="every_n_days", n=5)["next_due_on"] == today()


def test_to_move_a_dose_moves_what_is_not_yet_answered(scene: Scene) -> None:
    booked, made = dose(scene, 3), plan(scene)
    moved = {name: booked[name] + timedelta(days=4) for name in ("starts_at", "ends_at")}
    booking.change_session(scene["CT"].actor, booked["id"], 1, moved)
    assert read(scene, made)["next_due_on"] == today() + timedelta(days=14)
    off = sessions.update().where(sessions.c.id == booked["id"]).values(state="cancelled")
    db.store().execute(off)
    assert read(scene, made)["next_due_on"] is None


def test_what_was_answered_stays_where_it_was_when_the_dose_moves(scene: Scene) -> None:
    held, made = dose(scene, -7, state="completed"), plan(scene, starts_on=today())
    assert made["open"]["state"] == "due"
    done = answer(scene)
    later = {name: held[name] + timedelta(days=3) for name in ("starts_at", "ends_at")}
    db.store().execute(sessions.update().where(sessions.c.id == held["id"]).values(later))
    [one] = read(scene, made)["occurrences"]
    assert (one["state"], one["due_on"]) == ("answered", today())
    assert one["check_in_id"] == done["id"] and one["was_late"] is False


def test_a_check_in_answers_every_plan_that_asked_and_none_that_did_not(scene: Scene) -> None:
    weekly = plan(scene, rule="every_n_days", n=7)
    once = plan(scene, rule="once", n=0)
    other = plan(scene, instrument="phq-9", rule="once", n=0)
    ahead = plan(scene, rule="once", n=2)
    answer(scene)
    for made, state in ((weekly, None), (once, None), (other, "due"), (ahead, None)):
        now = read(scene, made)["open"]
        assert (now and now["state"]) == state
    assert read(scene, ahead)["occurrences"][0]["state"] == "upcoming"
    assert read(scene, weekly)["next_due_on"] == today() + timedelta(days=7)


def test_a_draft_answers_nothing_until_it_is_complete(scene: Scene) -> None:
    made = plan(scene, rule="once", n=0)
    draft = answer(scene, complete=False)
    assert read(scene, made)["open"]["state"] == "due"
    checkins.complete_checkin(scene["PS"].actor, draft["id"], {})
    assert read(scene, made)["occurrences"][0]["check_in_id"] == draft["id"]


def test_a_late_answer_is_taken_and_said_to_be_late(scene: Scene) -> None:
    made = plan(
        scene, rule="once", n=0, answer_within_days=1, starts_on=today() - timedelta(days=2)
    )
    assert made["open"]["state"] == "late"
    answer(scene)
    [one] = read(scene, made)["occurrences"]
    assert (one["state"], one["was_late"]) == ("answered", True)


def test_an_answer_of_an_earlier_day_counts_for_what_was_asked_then(scene: Scene) -> None:
    starts_on = today() - timedelta(days=14)
    made = plan(scene, rule="every_n_days", n=7, answer_within_days=2, starts_on=starts_on)
    answer(scene, answered_at=clock.now() - timedelta(days=13))
    seen = {o["due_on"]: o["state"] for o in read(scene, made)["occurrences"]}
    assert seen[starts_on] == "answered"
    assert seen[starts_on + timedelta(days=7)] == "missed" and seen[today()] == "due"


def test_the_patient_is_never_told_of_being_late_or_of_what_was_missed(scene: Scene) -> None:
    late = plan(
        scene, rule="once", n=0, answer_within_days=1, starts_on=today() - timedelta(days=2)
    )
    starts_on = today() - timedelta(days=14)
    missed = plan(scene, rule="every_n_days", n=7, answer_within_days=1, starts_on=starts_on)
    told = [read(scene, made, "PS") for made in (late, missed)]
    assert told[0]["open"] == {
        "due_on": today() - timedelta(days=2),
        "check_in_id": None,
        "state": "open",
    }
    assert {o["state"] for o in told[1]["occurrences"]} == {"open", "coming"}
    for word in ("late", "missed", "overdue", "until"):
        assert word not in str([t | {"template": None} for t in told]).replace("template", "")


def test_of_a_discharged_patient_nothing_is_asked(scene: Scene) -> None:
    made = plan(scene, rule="once", n=0)
    mine = patients.c.id == scene.patient["id"]
    db.store().execute(patients.update().where(mine).values(status="discharged"))
    assert (read(scene, made)["next_due_on"], read(scene, made)["open"]) == (None, None)


def test_with_another_n_a_plan_counts_from_today(scene: Scene) -> None:
    starts_on = today() - timedelta(days=28)
    made = plan(scene, rule="every_n_days", n=14, starts_on=starts_on)
    changed = plans.change_check_in_plan(scene["CT"].actor, made["id"], 1, {"n": 3})
    assert (changed["starts_on"], changed["next_due_on"], changed["version"]) == (
        today(),
        today(),
        2,
    )
    with pytest.raises(Stale):
        plans.change_check_in_plan(scene["CT"].actor, made["id"], 1, {"n": 4})
    with pytest.raises(Invalid):
        plans.change_check_in_plan(scene["CT"].actor, made["id"], 2, {"answer_within_days": 3})


def test_a_plan_that_was_ended_asks_nothing_and_leaves_a_tombstone(scene: Scene) -> None:
    made, since = plan(scene, rule="once", n=0), clock.now() - timedelta(minutes=1)
    plans.end_check_in_plan(scene["CT"].actor, made["id"], 1)
    with pytest.raises(NotFound):
        read(scene, made)
    listing = plans.list_check_in_plans(
        scene["PS"].actor, scene.patient["id"], db.Page(since=since)
    )
    assert listing.tombstones is not None
    assert [one["id"] for one in listing.tombstones] == [made["id"]]
    answer(scene)


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ({"instrument": "phq-99"}, "/instrument"),
        ({"rule": "every_n_days", "n": None}, "/n"),
        ({"rule": "every_n_days", "n": 0}, "/n"),
        ({"rule": "every_n_days", "n": 3, "answer_within_days": 3}, "/answer_within_days"),
        ({"rule": "after_dose", "n": None}, "/n"),
        ({"rule": "before_visit", "n": -1}, "/n"),
        ({"starts_on": date(2020, 1, 1)}, "/starts_on"),
        ({"ends_on": date(2020, 1, 1)}, "/ends_on"),
    ],
)
def test_a_rule_that_makes_no_sense_is_pointed_at(scene: Scene, values: Any, at: str) -> None:
    with pytest.raises(Invalid) as no:
        plan(scene, **values)
    assert [pointer for pointer, _ in no.value.errors] == [at]


def test_only_the_care_team_plans(scene: Scene) -> None:
    with pytest.raises(NotAllowed):
        plan(scene, "PS")
    with pytest.raises(NotFound):
        plan(scene, "CN")


def test_there_is_an_end_to_the_number_of_plans(scene: Scene) -> None:
    for _ in range(keeping.MAX_PLANS):
        plan(scene, rule="once", n=0)
    with pytest.raises(Conflict):
        plan(scene, rule="once", n=0)


def test_what_is_open_is_found_for_many_patients_in_three_queries(scene: Scene) -> None:
    dose(scene, -7, state="completed")
    made = plan(scene, starts_on=today() - timedelta(days=1))
    people = {scene.patient["id"]: ZONE, scene.other_patient["id"]: ZONE}
    asked_for: list[str] = []
    db.watchers.append(asked_for.append)
    try:
        found = plans.open_check_ins(scene.clinic_id, people)
    finally:
        db.watchers.remove(asked_for.append)
    assert [one.plan["id"] for one in found[scene.patient["id"]]] == [made["id"]]
    assert scene.other_patient["id"] not in found
    assert len([one for one in asked_for if one.startswith("SELECT")]) == 3


def test_a_plan_of_srbai_names_the_practice_of_which_it_asks(scene: Scene) -> None:
    walked, another = (practice(scene, goal(scene)) for _ in range(2))
    asks = {"instrument": "srbai", "rule": "once", "n": 0}
    made = plan(scene, practice_id=walked["id"], **asks)
    assert made["practice_id"] == walked["id"]
    assert made["practice"] == {"id": walked["id"], "title": walked["title"]}
    [due] = today_of(scene)
    assert due["practice"]["id"] == walked["id"]
    srbai = {"instrument": "srbai", "answers": {}}
    answer(scene, practice_id=another["id"], **srbai)
    assert read(scene, made)["open"] is not None, "asked of another practice"
    answer(scene, practice_id=walked["id"], **srbai)
    assert read(scene, made)["open"] is None and today_of(scene) == []


def today_of(scene: Scene) -> list[db.Values]:
    return list(read_today(scene["PS"].actor)["due"])


def test_a_plan_asks_of_a_practice_of_its_patient_that_is_shared(scene: Scene) -> None:
    kept = practice(scene, goal(scene), shared_with="me")
    db.store().execute(patients.update().values(default_sharing=None))
    shared = practice(scene, goal(scene))
    asks = {"instrument": "srbai", "rule": "once", "n": 0}
    for wrong in ({"practice_id": kept["id"]}, {"practice_id": db.new_id()}):
        with pytest.raises(Invalid):
            plan(scene, **asks, **wrong)
    with pytest.raises(Invalid):
        plan(scene, practice_id=shared["id"], rule="once", n=0)


def test_of_a_practice_that_became_private_a_plan_tells_nobody_else(scene: Scene) -> None:
    walked = practice(scene, goal(scene))
    made = plan(scene, instrument="srbai", rule="once", n=0, practice_id=walked["id"])
    practices.change_practice(scene["PS"].actor, walked["id"], None, {"shared_with": "me"})
    told = read(scene, made)
    assert (told["practice_id"], told["practice"], told["open"]) == (None, None, None)
    assert today_of(scene) == []
