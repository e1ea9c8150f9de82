"""What the tests of integration do as a persona of the scene; the patient themself by default."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from api import clock, db
from api.core.integration import goals, insights, moments, practices, steps
from tests import builders
from tests.builders import Scene

DAY = timedelta(days=1)
EVER = db.Page(100, since=clock.now() - 3650 * DAY)
"""Every change there ever was."""


def today(scene: Scene) -> date:
    """The patient's own calendar day."""
    return clock.today(scene.patient["time_zone"])


def insight(scene: Scene, who: str = "PS", **more: Any) -> db.Values:
    """An insight of the scene's patient."""
    values = {"text": "Rest need not be earned."} | more
    return insights.note_insight(scene[who].actor, scene.patient["id"], values)


def goal(scene: Scene, who: str = "PS", **more: Any) -> db.Values:
    """A goal of the scene's patient."""
    values = {"title": "Say no kindly", "category": "boundaries"} | more
    return goals.set_goal(scene[who].actor, scene.patient["id"], values)


def practice(scene: Scene, under: db.Values, who: str = "PS", **more: Any) -> db.Values:
    """A practice under a goal."""
    values = {"new_trail": "Take a breath"} | more
    return practices.start_practice(scene[who].actor, under["id"], values)


def step(scene: Scene, of: db.Values, ago: int = 0, who: str = "PS", **more: Any) -> db.Values:
    """A step of a practice, done so many of the patient's days ago."""
    values = {"kind": "done", "walked_on": today(scene) - ago * DAY} | more
    return steps.log_step(scene[who].actor, of["id"], values)


def moment(scene: Scene, who: str = "PS", **more: Any) -> db.Values:
    """A moment of the scene's patient."""
    values = {"text": "I laughed instead."} | more
    return moments.notice_moment(scene[who].actor, scene.patient["id"], values)


def noon(scene: Scene, ago: int = 0) -> datetime:
    """Midday where the patient lives, so many of their days ago."""
    zone = ZoneInfo(scene.patient["time_zone"])
    return datetime.combine(today(scene) - ago * DAY, time(12), zone)


def held(scene: Scene, kind: str, at: datetime, **more: Any) -> db.Values:
    """A session of the scene's patient that was completed at an instant, its record signed."""
    times = {"starts_at": at - DAY / 12, "ends_at": at, "completed_at": at, "signed_at": at}
    patient = more.pop("patient", scene.patient)
    return builders.make_session(patient, kind=kind, state="completed", **times | more)


def dose(scene: Scene, ago: int = 0) -> db.Values:
    """A dose so many of the patient's days ago, at midday."""
    return held(scene, "dosing", noon(scene, ago))


def trail(scene: Scene, of: db.Values, who: str = "PS", on: date | None = None) -> db.Values:
    """The trail of a practice as somebody reads it."""
    return practices.read_trail(scene[who].actor, of["id"], on)


def asked_of_the_database(asking: Callable[[], Any]) -> int:
    """How many statements something takes."""
    seen: list[str] = []
    db.watchers.append(seen.append)
    try:
        asking()
    finally:
        db.watchers.remove(seen.append)
    return len(seen)


def refused_at(refusal: Any) -> list[str]:
    """The pointers that an `Invalid` names."""
    return [pointer for pointer, _detail in refusal.value.errors]
