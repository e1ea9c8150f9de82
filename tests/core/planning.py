"""What tests of check-in plans need: plans made and read, doses booked, check-ins answered."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from api import clock, db
from api.core.outcomes import checkins, plans
from tests.builders import Scene, make_session

ZONE = "America/Denver"


def plan(scene: Scene, who: str = "CT", **values: Any) -> db.Values:
    full = {"instrument": "gad-7", "rule": "after_dose", "n": 7} | values
    return plans.plan_check_ins(scene[who].actor, scene.patient["id"], full)


def read(scene: Scene, made: db.Values, who: str = "CT") -> db.Values:
    return plans.read_check_in_plan(scene[who].actor, made["id"])


def dose(scene: Scene, in_days: int, **more: Any) -> db.Values:
    at = datetime.combine(today() + timedelta(days=in_days), time(11), ZoneInfo(ZONE))
    times = {"starts_at": at, "ends_at": at + timedelta(hours=2)}
    return make_session(scene.patient, scene["CT"], kind="dosing", **times, **more)


def today() -> date:
    return clock.today(ZONE)


def answer(scene: Scene, who: str = "PS", **more: Any) -> db.Values:
    db.store().commit()  # a hot write begins on a connection of its own
    values = {"instrument": "gad-7", "answers": {"gad7-1": 1}, "complete": True} | more
    return checkins.log_checkin(scene[who].actor, scene.patient["id"], values)


def days_ago(n: int) -> date:
    """A day of the patient's calendar."""
    return today() - timedelta(days=n)
