"""Worsening: a check-in that is reliably worse than the baseline is a safety signal of its own."""

from api import clock
from api.core.alerts.rules import rules
from api.core.integration.entries import patient_of
from api.core.outcomes.checkins import safety
from api.core.outcomes.instruments.definition import Instrument
from api.core.outcomes.instruments.shelf import find_instrument
from api.core.outcomes.series import change_now
from api.db import Values

FLAG = "reliable_deterioration"


def reliably_worse(row: Values, reached: Values | None = None) -> list[str]:
    """The flag of a complete check-in that is the newest of its series and reliably worse.

    One that was old when it came, as in an import, says nothing of today; nor does an instrument
    for which no reliable change is known. The series is read only where the range that it had
    `reached` does not already tell that there was nothing so much better.
    """
    if row["total"] is None or clock.now() - row["answered_at"] > rules().historical_after:
        return []
    one = find_instrument(row["clinic_id"], row["instrument"], row["instrument_version"])
    if not _can_be_worse(one, row["total"], reached):
        return []
    told = change_now(patient_of(row), row["instrument"])
    is_newest = told["current"] is not None and told["current"]["checkin_id"] == row["id"]
    worse = told["change"]["reliable"]["verdict"] == "deteriorated"
    return [FLAG] if is_newest and worse else []


def _can_be_worse(one: Instrument, total: float, reached: Values | None) -> bool:
    rule = one.change_rules.reliable
    if rule is None or reached is None:
        return rule is not None
    best = reached["highest" if one.higher_is == "better" else "lowest"]
    return best is not None and total != best and abs(total - best) >= rule["points"]


safety.WATCHERS.append(reliably_worse)
