"""Safety: what the answers of a check-in say that somebody must know at once."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from api import clock
from api.core import alerts, on_call
from api.core.alerts.rules import LEFT_OPEN, SAFETY, by_urgency
from api.core.outcomes.checkins.table import COMPLETE
from api.core.outcomes.instruments.answers import Answers
from api.core.outcomes.instruments.definition import Instrument
from api.core.outcomes.instruments.scoring import safety_signals
from api.core.outcomes.instruments.shelf import find_instrument
from api.db import Values

UNPROMISED = "safety_unpromised"
BRING_HELP = (SAFETY, UNPROMISED, LEFT_OPEN)
"""The words that bring crisis resources with them."""


WATCHERS: list[Callable[[Values, Values | None], list[str]]] = []
"""What else is asked of a complete check-in once it is written: each answers flags.

Besides the check-in each is given the range of its series where that is known (`reached`).
"""


def signals(one: Instrument, answers: Answers, state: str) -> list[alerts.Signal]:
    """What the answers say: positive ones also in a draft, unanswered ones once it is complete."""
    said = [
        alerts.signal(rule.flag, rule.priority, rule.op != "missing")
        for rule in safety_signals(one, answers)
    ]
    return said if state == COMPLETE else positive(said)


def positive(said: list[alerts.Signal]) -> list[alerts.Signal]:
    """Those that an answer gives, and not the lack of one."""
    return [each for each in said if each.words == SAFETY]


def heed(
    row: Values, by: UUID | None, former: Values | None = None, reached: Values | None = None
) -> None:
    """Raise what a check-in says in the transaction that writes it; `former` is it as it was.

    `reached` holds the `lowest` and `highest` total of its series before it, if they were read.
    """
    said, known = signals(_asked(row), row["answers"], row["state"]), said_before(former)
    if row["state"] == COMPLETE:
        watched = [alerts.signal(flag) for watch in WATCHERS for flag in watch(row, reached)]
        said += watched
        known |= alerts.by_rule(watched) if former and former["state"] == COMPLETE else {}
    if said:
        alerts.raise_alerts(source(row, row["answered_at"], by), said, known)


def _asked(row: Values) -> Instrument:
    """The instrument of a check-in, in the version that it was begun in."""
    return find_instrument(row["clinic_id"], row["instrument"], row["instrument_version"])


def source(row: Values, answered_at: Any, by: UUID | None, refused: bool = False) -> alerts.Source:
    """Where the signals of a check-in come from."""
    keys = {name: row[name] for name in ("clinic_id", "patient_id", "instrument")}
    more = {"answered_at": answered_at, "raised_by": by, "from_refused": refused}
    return alerts.Source(check_in_id=row.get("id"), **keys, **more)


def said_before(former: Values | None) -> dict[str, str]:
    """The priority of what a check-in said as it was, by rule."""
    if former is None:
        return {}
    one = _asked(former)
    return alerts.by_rule(signals(one, former["answers"], former["state"]))


def words_key(patient: Values, row: Values, unacknowledged: list[Values]) -> tuple[str, str | None]:
    """Which words a patient reads beside a check-in, and the priority that says {when}.

    While an alert of it is unacknowledged those that bring help; else those of its state. A time
    is promised while escalation runs and the patient can still be reached in time, or never.
    """
    told = {alerts.words_of(alert["rule"]): alert for alert in reversed(by_urgency(unacknowledged))}
    if SAFETY in told:
        kept = _is_promised(patient, told[SAFETY])
        return (SAFETY if kept else UNPROMISED), told[SAFETY]["priority"]
    return (LEFT_OPEN if LEFT_OPEN in told else str(row["state"])), None


def _is_promised(patient: Values, alert: Values) -> bool:
    if alert["historical"] or patient["status"] == "discharged":
        return False
    in_time = clock.now() <= alert["contact_due_at"]
    return bool(in_time and on_call.escalation(alert["clinic_id"])["running"])
