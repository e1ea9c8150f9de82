"""Quiet: whether a practice is silent past its grace, and whether today that is asked about. Pure.

Silent is one of which nothing is written down, neither a step nor a detour nor a skipped one. It
is asked once for each silence: on the days after the grace, until the practice is touched.
"""

from datetime import date, timedelta
from typing import Final

from api.core.integration.trails import Log

ASKED_DAYS: Final = 7
"""On how many days after the grace the question stands, so that a weekly reader meets it."""


def asks(log: Log, begun_on: date, touched_on: date, on: date) -> bool:
    """Whether the question stands on a day; a practice changed in its silence has answered."""
    return 0 < _silent_days(log, begun_on, on) <= ASKED_DAYS and (
        _silent_days(log, begun_on, touched_on) <= 0
    )


def _silent_days(log: Log, begun_on: date, on: date) -> int:
    """Days past the grace without a word; days on which the trail stood still do not count."""
    last_on = max((walk.on for walk in log.walks if walk.on <= on), default=begun_on)
    since = range(1, (on - last_on).days + 1)
    waited = sum(not _stood_still(log, last_on + timedelta(days=day)) for day in since)
    return waited - log.params.grace_days


def _stood_still(log: Log, day: date) -> bool:
    return any(p.from_on <= day and (p.to_on is None or day < p.to_on) for p in log.pauses)
