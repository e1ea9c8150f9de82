"""Reminders of what is due: when they go out, and when they stop."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import select

from api import clock, db
from api.access.users import sign_ins, users
from api.core.outcomes import plans
from api.core.patients import patients
from api.core.treatment.sessions import booking
from api.outbox.events import outbox_events
from tests.builders import Scene, make_scene
from tests.core.planning import ZONE, answer, dose, plan, read


def remind(scene: Scene) -> list[str]:
    """Everything the worker finds to do now; the check-ins it called due."""
    known = len(told(scene))
    for _ in range(500):
        if not plans.remind_due():
            break
    else:
        raise AssertionError("the worker never rests")
    return told(scene)[known:]


def told(scene: Scene) -> list[str]:
    e = outbox_events.c
    statement = select(e.subject).where(e.clinic_id == scene.clinic_id, e.name == "check_in.due")
    return [row["subject"]["check_in_plan_id"] for row in db.store().rows(statement)]


def at(n: int, hour: int = 10) -> Any:
    """A moment of the patient's day, n days from now."""
    moment = datetime.combine(DAY_ONE + timedelta(days=n), time(hour), ZoneInfo(ZONE))
    return time_machine.travel(moment.astimezone(UTC), tick=True)


DAY_ONE = date(2026, 10, 30)
"""Two days before the clocks go back in Denver."""


def test_a_reminder_goes_out_when_due_and_on_the_last_day_and_never_more(app: Any) -> None:
    with at(0, 8):
        scene = make_scene()
        made = plan(scene, rule="once", n=1, answer_within_days=2)
        assert remind(scene) == []
    mine = [str(made["id"])]
    for n, hour, expected in (
        (0, 12, []),
        (1, 8, []),
        (1, 9, mine),
        (1, 15, []),
        (2, 10, []),
        (3, 8, []),
        (3, 10, mine),
        (3, 16, []),
        (4, 10, []),
        (9, 10, []),
    ):
        with at(n, hour):
            assert remind(scene) == expected, (n, hour)


def test_after_a_standstill_one_reminder_stands_for_all(app: Any) -> None:
    with at(0, 8):
        scene = make_scene()
        made = plan(scene, rule="once", n=0, answer_within_days=2)
    with at(2, 3):
        assert remind(scene) == [], "not at night"
    with at(2, 10):
        assert remind(scene) == [str(made["id"])]
    with at(2, 14):
        assert remind(scene) == []


def test_who_has_answered_is_not_reminded(app: Any) -> None:
    with at(0, 8):
        scene = make_scene()
        plan(scene, rule="once", n=0)
        answer(scene)
    with at(0, 10):
        assert remind(scene) == []


def test_a_plan_falls_silent_after_three_in_a_row_and_wakes_with_an_answer(app: Any) -> None:
    with at(0, 8):
        scene = make_scene()
        plan(scene, rule="every_n_days", n=1)
    reminded = []
    for n in range(6):
        with at(n, 10):
            reminded.append(len(remind(scene)))
    assert reminded == [1, 1, 1, 0, 0, 0]
    with at(6, 8):
        lasts = {"ends_at": clock.now() + timedelta(days=1)}
        db.store().execute(sign_ins.update().values(lasts))
        answer(scene)
    with at(7, 10):
        assert len(remind(scene)) == 1


@pytest.mark.parametrize("wish", [{"reminder_channel": "none"}, "discharged", "ended"])
def test_a_wish_for_no_reminders_is_kept(app: Any, wish: Any) -> None:
    with at(0, 8):
        scene = make_scene()
        made = plan(scene, rule="once", n=0)
        if wish == "ended":
            plans.end_check_in_plan(scene["CT"].actor, made["id"], 1)
        elif wish == "discharged":
            mine = patients.c.id == scene.patient["id"]
            db.store().execute(patients.update().where(mine).values(status=wish))
        else:
            mine = users.c.id == scene["PS"].user_id
            db.store().execute(users.update().where(mine).values(preferences=wish))
    with at(0, 10):
        assert remind(scene) == []


def test_a_dose_that_is_moved_takes_its_reminder_along(app: Any) -> None:
    with at(0, 8):
        scene = make_scene()
        booked, made = dose(scene, 3), plan(scene, n=-1)
        remind(scene)
        moved = {n: booked[n] + timedelta(days=2) for n in ("starts_at", "ends_at")}
        booking.change_session(scene["CT"].actor, booked["id"], 1, moved)
    with at(2, 10):
        assert remind(scene) == []
    with at(4, 10):
        assert remind(scene) == [str(made["id"])]


def test_to_look_at_a_plan_makes_no_version_of_it(scene: Scene) -> None:
    made = plan(scene, rule="once", n=0)
    remind(scene)
    assert read(scene, made)["version"] == 1
