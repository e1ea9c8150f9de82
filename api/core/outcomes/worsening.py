"""Worsening: a check-in that is reliably worse than the baseline is a safety signal of its own."""

from collections.abc import Mapping
from typing import Any

from api import clock
from api.core.alerts.rules import rules
from api.core.integration.entries import patient_of
from api.core.outcomes import change
from api.core.outcomes.checkins import safety
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
    if not _can_be_worse(one.definition, row["total"], reached):
        return []
    told = change_now(patient_of(row), row["instrument"])
    is_newest = told["current"] is not None and told["current"]["checkin_id"] == row["id"]
    worse = told["change"]["reliable"]["verdict"] == "deteriorated"
    return [FLAG] if is_newest and worse else []


def _can_be_worse(definition: Mapping[str, Any], total: float, reached: Values | None) -> bool:
    if definition.get("change") is None:
        return False
    if reached is None:
        return change.rules_of(definition).reliable is not None
    best = reached["highest" if definition["higher_is"] == "better" else "lowest"]
    if best is None or total == best:
        return False
    rule = change.rules_of(definition).reliable
    return rule is not None and abs(total - best) >= rule["points"]


safety.WATCHERS.append(reliably_worse)
