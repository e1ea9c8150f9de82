"""The clocks of alerts as pure functions of time: by when, overdue since, who is told next."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from api.core.alerts.rules import AT_ONCE, Clock, Step

OPEN, ACKNOWLEDGED, RESOLVED = STATES = ("open", "acknowledged", "resolved")
ALLOWED = {OPEN: ["acknowledge"], ACKNOWLEDGED: ["resolve"], RESOLVED: []}
"""What may be done with an alert of each state; time does nothing, nothing closes by itself."""
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Times:
    """When a clock began, and by when an alert is to be acknowledged and the patient reached."""

    begins_at: datetime
    acknowledge_due_at: datetime
    contact_due_at: datetime


def begin(clock: Clock, moment: datetime, zone: str) -> Times:
    """The times of a clock that is set going at `moment` in the clinic's time zone."""
    begins_at = moment if clock.starts == AT_ONCE else _next_working_day(clock, moment, zone)
    return Times(begins_at, begins_at + clock.acknowledge_within, begins_at + clock.contact_within)


def _next_working_day(clock: Clock, moment: datetime, zone: str) -> datetime:
    """When the next working day begins: a day after this one, no Saturday and no Sunday."""
    day = moment.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    opens = datetime.combine(day, time.fromisoformat(clock.starts), ZoneInfo(zone))
    return opens.astimezone(moment.tzinfo)


def due_at(
    state: str,
    acknowledge_due_at: datetime | None,
    contact_due_at: datetime | None,
    contacted_at: datetime | None,
) -> datetime | None:
    """By when somebody must act next: acknowledge, then reach the patient; None: no clock runs."""
    if state == OPEN:
        return acknowledge_due_at
    return contact_due_at if state == ACKNOWLEDGED and contacted_at is None else None


def is_overdue(due: datetime | None, now: datetime) -> bool:
    """Whether what was due has not been done in time; read off the clock, whoever looks."""
    return due is not None and now > due


def steps_due(
    clock: Clock, begins_at: datetime, empty: Collection[str], now: datetime
) -> list[Step]:
    """The steps whose time has come; after one that has nobody to tell, the next is not waited for.

    `empty` names the steps that nobody stands for.
    """
    taken: list[Step] = []
    for step in clock.steps:
        is_time = begins_at + step.after <= now
        if not is_time and not (taken and taken[-1].to in empty):
            break
        taken.append(step)
    return taken


def look_again_at(
    clock: Clock, begins_at: datetime, now: datetime, interval: timedelta
) -> datetime:
    """When the worker must look at an open alert again.

    At its next step; and once the first was due, every `interval` as well, for somebody else may
    be on call by then, or a channel be set.
    """
    ahead = [begins_at + step.after for step in clock.steps if begins_at + step.after > now]
    if begins_at + clock.steps[0].after > now:
        return min(ahead)
    return min([*ahead, now + interval])
