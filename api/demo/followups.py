"""Later check-ins of the demo, synthetic: how it might have gone on after the baseline.

Nobody gave these answers. They start from the baseline and move, item by item, towards less or
now and then more; item 9 of the PHQ-9 never rises above the baseline.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from api import clock, db
from api.core.outcomes.checkins import add_check_in, check_ins
from api.demo.people import SEED, ZONE, Cast
from api.demo.survey import BASELINE_DAYS_AGO

DAYS_AFTER = (14, 35, 56)
ANSWERED = 0.8
"""How likely each follow-up is answered."""
EVENING = time(19, 30)
LEAST, MOST = 0, 3
BETTER, WORSE = 0.3, 0.06
"""How likely an item falls, or rises, by one from one check-in to the next."""
SAFETY = "phq9-9"


def load(cast: Cast, say: Callable[[str], None]) -> None:
    """Write the later check-ins of every respondent."""
    random, count = Random(SEED + 2), 0
    baseline = clock.today(ZONE) - timedelta(days=BASELINE_DAYS_AGO)
    for start in _baselines(cast):
        answers, faith = dict(start["answers"]), random.uniform(0.5, 1.5)
        for after in DAYS_AFTER:
            answers = _later(random, answers, faith)
            if random.random() < ANSWERED:
                _write(start, answers, baseline + timedelta(days=after))
                count += 1
    say(f"  {count} later check-ins (synthetic)")


def _baselines(cast: Cast) -> list[db.Values]:
    """The imported check-ins, in the order of the survey, so that a seed always means the same."""
    statement = select(check_ins).where(
        check_ins.c.clinic_id == cast.clinic_id, check_ins.c.source == "import"
    )
    rows = db.store().rows(statement, check_ins)
    place = {patient["id"]: number for number, patient in enumerate(cast.patients.values())}
    return sorted(rows, key=lambda row: (place[row["patient_id"]], row["instrument"]))


def _later(random: Random, answers: dict[str, int], faith: float) -> dict[str, int]:
    moved = {}
    for link_id, value in answers.items():
        draw = random.random()
        step = -1 if draw < BETTER * faith else int(draw > 1 - WORSE and link_id != SAFETY)
        moved[link_id] = min(MOST, max(LEAST, value + step))
    return moved


def _write(start: db.Values, answers: dict[str, Any], day: date) -> None:
    values = {
        "instrument": start["instrument"],
        "answers": answers,
        "answered_on": day,
        "answered_at": min(datetime.combine(day, EVENING, ZoneInfo(ZONE)), clock.now()),
        "answered_by": "patient",
        "source": "synthetic",
    }
    add_check_in(start["clinic_id"], start["patient_id"], values)
