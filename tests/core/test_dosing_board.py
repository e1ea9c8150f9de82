"""The dosing board: today's chairs with what a nurse must know, in a bounded number of trips."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from api import clock, db
from api.core import dosing_board
from api.errors import NotAllowed
from tests import builders, readying
from tests.builders import Scene

ZONE = "America/Denver"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def board(scene: Scene, persona: str = "CT") -> list[db.Values]:
    return dosing_board.list_dosing_board(scene[persona].actor, db.Page()).items


def test_a_chair_says_how_long_ago_the_dose_was_and_what_is_due_next(scene: Scene) -> None:
    session = readying.dosing_session(scene, state="in_progress")
    readying.planned(scene, session)
    dose = clock.now() - 20 * MINUTE
    readying.measured(scene, session, at=dose - 5 * MINUTE)
    readying.dosed(scene, session, at=dose)
    readying.measured(scene, session, at=dose + 16 * MINUTE, systolic_mmhg=186, diastolic_mmhg=84)
    [chair] = board(scene)
    assert chair["id"] == session["id"] and chair["patient"]["display_name"] == "Ada Example"
    assert (chair["minutes_since_dose"], chair["doses"]) == (20, {"count": 1, "total_mg": 50})
    assert chair["planned"] == {"medicine": "ketamine", "route": readying.ROUTE, "dose_mg": 50}
    assert chair["last_vitals"]["readings"]["systolic_mmhg"] == 186
    assert chair["last_vitals"]["measured_at"] == dose + 16 * MINUTE
    assert chair["next_due"]["code"] == "first_hour"
    assert [one["rule"] for one in chair["judgements"] if one["field"]] == ["systolic_alert"]
    assert all(one["protocol"]["version"] == 1 for one in chair["judgements"])


def test_a_correction_takes_its_judgement_off_the_board(scene: Scene) -> None:
    session = readying.dosing_session(scene, state="in_progress")
    readying.measured(scene, session, systolic_mmhg=186)
    entry = readying.ledger_of(scene, session)[0]
    readying.measured(scene, session, corrects_id=entry["id"], reason="Typed 186 for 126.")
    [chair] = board(scene)
    assert chair["judgements"] == []
    assert chair["last_vitals"]["readings"]["systolic_mmhg"] == 122


def test_the_board_has_todays_chairs_in_reach_and_those_that_still_run(scene: Scene) -> None:
    noon = datetime.combine(clock.today(ZONE), time(12), ZoneInfo(ZONE))
    today = readying.dosing_session(scene, starts_at=noon, ends_at=noon + HOUR)
    last_night = clock.now() - 30 * HOUR
    times = {"starts_at": last_night, "ends_at": last_night + 2 * HOUR}
    running = readying.dosing_session(scene, state="in_progress", **times)
    readying.dosing_session(scene, state="completed", **times)
    readying.dosing_session(scene, state="cancelled")
    builders.make_session(scene.patient, scene["CT"], kind="integration", state="arrived")
    builders.make_session(scene.other_patient, kind="dosing", state="in_progress")
    assert [one["id"] for one in board(scene)] == [running["id"], today["id"]]
    assert board(scene, "XT") == []
    for name in ("PS", "CA", "AY"):
        with pytest.raises(NotAllowed):
            board(scene, name)


def test_ten_chairs_take_as_many_queries_as_one(scene: Scene) -> None:
    def chair(_number: int) -> None:
        patient = builders.make_patient(scene.clinic_id)
        builders.join_team(patient, scene["CT"])
        at = clock.now() - 5 * MINUTE
        times = {"starts_at": at, "ends_at": at + HOUR}
        one = {"kind": "dosing", "state": "in_progress"} | times
        session = builders.make_session(patient, scene["CT"], **one)
        readying.measured(scene, session)

    chair(0)
    few = queries(scene)
    for number in range(9):
        chair(number)
    assert queries(scene) == few and len(board(scene)) == 10


def queries(scene: Scene) -> int:
    """How many statements one reading takes."""
    seen: list[Any] = []
    connection = db.store().connection

    def count(*_told: Any) -> None:
        seen.append(1)

    event.listen(connection, "before_cursor_execute", count)
    board(scene)
    event.remove(connection, "before_cursor_execute", count)
    return len(seen)
