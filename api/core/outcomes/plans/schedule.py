"""When a plan asks: its days, how long each may be answered, and what has become of it. Pure.

Days are the patient's own calendar days, so that no change of the clocks moves one; what is an
instant (a visit, a reminder) is turned in the patient's time zone, at the edge.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

ONCE, EVERY, BEFORE_VISIT, AFTER_DOSE = RULES = (
    "once",
    "every_n_days",
    "before_visit",
    "after_dose",
)
N: Final = {ONCE: (0, 365), EVERY: (1, 365), BEFORE_VISIT: (0, 30), AFTER_DOSE: (-30, 365)}
"""The least and the most `n` of a rule, in days."""
N_UNLESS_TOLD: Final = {ONCE: 0, BEFORE_VISIT: 1}
"""The `n` of a rule that needs none."""
WITHIN, MAX_WITHIN = 2, 30
"""How many days a check-in may be answered unless a plan says otherwise, and the most."""
UPCOMING, DUE, LATE, MISSED, ANSWERED = STATES = ("upcoming", "due", "late", "missed", "answered")
OPEN: Final = (DUE, LATE)
"""The states in which answers are still taken for the day they were asked for."""
AHEAD, BACK = 60, 180
"""How many days of an `every_n_days` plan are looked at, ahead and back."""
MISSED_FOR: Final = 14
"""For how many days somebody is told that a check-in was missed; a convention of this project."""
SPEAK_FROM, SPEAK_UNTIL = time(9), time(20)
"""Between which hours of the patient's day a reminder may go out."""
ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """How a plan asks, from its first day to its last (None: until it is ended)."""

    rule: str
    n: int
    within: int
    starts_on: date
    ends_on: date | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """A session that a plan may hang on, by the patient's own day."""

    id: Any
    on: date
    is_dose: bool


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that a plan asks: in time to `until_on`, late to `late_until_on`, then no more.

    `anchor` is what stays the same when the day moves: the visit, or the day itself.
    """

    anchor: str
    due_on: date
    until_on: date
    late_until_on: date


def occurrences(
    rule: Rule,
    visits: Iterable[Visit],
    today: date,
    told: Iterable[date] = (),
    near: bool = False,
) -> list[Occurrence]:
    """What the plan asks, the first first; no day in `told` (answered already), none twice.

    With `near` only what may be open today, and what comes next.
    """
    days: dict[date, tuple[str, date]] = {}
    done = set(told)
    for anchor, due_on, closes_on in _asked(rule, visits, today, near):
        inside = rule.starts_on <= due_on and (rule.ends_on is None or due_on <= rule.ends_on)
        if inside and due_on not in done:
            days.setdefault(due_on, (anchor, closes_on))
    following = pairwise([*sorted(done.union(days)), date.max])
    return [
        _cut(_whole(rule, due_on, *days[due_on]), after)
        for due_on, after in following
        if due_on not in done
    ]


def state(one: Occurrence, answered: bool, today: date) -> str:
    """What has become of an occurrence, today."""
    if answered:
        return ANSWERED
    if today < one.due_on:
        return UPCOMING
    if today <= one.until_on:
        return DUE
    return LATE if today <= one.late_until_on else MISSED


def local_day(moment: datetime, zone: str) -> date:
    """The calendar day of an instant where the patient lives."""
    return moment.astimezone(ZoneInfo(zone)).date()


def reminders(one: Occurrence) -> list[date]:
    """The days on which an occurrence is brought to mind, while it is open: two at the most."""
    return sorted({one.due_on, one.until_on})


def speaks_at(day: date, zone: str) -> datetime:
    """The instant, in UTC, from which a reminder of that day may go out.

    Where a zone skips the hour (or the day) it is the first instant after it.
    """
    return datetime.combine(day, SPEAK_FROM, ZoneInfo(zone)).astimezone(UTC)


def may_speak(now: datetime, zone: str, quiet: tuple[time, time] | None = None) -> bool:
    """Whether now is an hour at which a reminder may reach the patient."""
    hour = now.astimezone(ZoneInfo(zone)).time()
    if not SPEAK_FROM <= hour < SPEAK_UNTIL:
        return False
    if quiet is None:
        return True
    begins, ends = quiet
    inside = begins <= hour < ends if begins <= ends else hour >= begins or hour < ends
    return not inside


def next_reminder(asked: Iterable[Occurrence], zone: str, now: datetime) -> datetime | None:
    """When a reminder of any of these is next to go out, after now; None for never."""
    moments = (speaks_at(day, zone) for one in asked for day in reminders(one))
    return min((moment for moment in moments if moment > now), default=None)


Asked = tuple[str, date, date]


def _asked(rule: Rule, visits: Iterable[Visit], today: date, near: bool) -> Iterable[Asked]:
    """Anchor, day and the day on which it closes at the latest, of everything in sight."""
    if rule.rule == ONCE:
        day = rule.starts_on + timedelta(days=rule.n)
        yield "once", day, date.max
    elif rule.rule == EVERY:
        yield from ((day.isoformat(), day, date.max) for day in _every(rule, today, near))
    else:
        for visit in sorted(visits, key=lambda each: (each.on, str(each.id))):
            if rule.rule == BEFORE_VISIT:
                yield str(visit.id), visit.on - timedelta(days=rule.n), visit.on
            elif visit.is_dose:
                closes_on = visit.on if rule.n < 0 else date.max
                yield str(visit.id), visit.on + timedelta(days=rule.n), closes_on


def _every(rule: Rule, today: date, near: bool) -> Iterable[date]:
    """Every n days from the first, as far back and ahead as is looked at."""
    back = today - timedelta(days=2 * rule.n if near else BACK)
    behind = max(0, (back - rule.starts_on).days)
    day = rule.starts_on + timedelta(days=-(-behind // rule.n) * rule.n)
    last = max(today, rule.starts_on) + timedelta(days=rule.n if near else max(AHEAD, rule.n))
    while day <= last:
        yield day
        day += timedelta(days=rule.n)


def _whole(rule: Rule, due_on: date, anchor: str, closes_on: date) -> Occurrence:
    """An occurrence by itself; what is asked before a visit is of no use after it."""
    until_on = min(due_on + timedelta(days=rule.within), max(due_on, closes_on))
    late_until_on = min(until_on + max(ONE_DAY, timedelta(days=rule.within)), closes_on)
    return Occurrence(anchor, due_on, until_on, max(until_on, late_until_on))


def _cut(one: Occurrence, following: date) -> Occurrence:
    """The occurrence ends at the latest when the plan asks anew."""
    last = following - ONE_DAY
    until_on, late_until_on = min(one.until_on, last), min(one.late_until_on, last)
    return Occurrence(one.anchor, one.due_on, until_on, late_until_on)
