"""Whom a plan waits for, and who let it pass, in SQL: what `coming` reckons one by one.

All that a plan asks may be answered a fixed number of days and ends when it asks anew, so that the
last day for which it asked tells all.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    String,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)

from api import clock
from api.core.integration.tables import ME, practices
from api.core.outcomes.plans import schedule
from api.core.outcomes.plans.table import check_in_occurrences, check_in_plans
from api.core.patients import patients
from api.core.treatment.moves import FREEING
from api.core.treatment.sessions import sessions
from api.core.treatment.windows import dosed_at
from api.db import Instant, among, day_at, days_between, days_on, store

SEEN_BACK: Final = timedelta(days=schedule.BACK + schedule.N[schedule.AFTER_DOSE][1])
"""How old a visit may be for a plan to hang on it."""
SEEN_AHEAD: Final = timedelta(days=schedule.N[schedule.BEFORE_VISIT][1] + 30)
"""How far ahead a visit may lie for something to be asked of it today."""
ASKS_OF: Final = "active"
"""The status of a practice of which a plan asks; of one that rests or walks by itself none does."""
ENDED: Final = "discharged"
"""The status of a patient of whom no plan asks anything any more."""


def waits(clinic_id: UUID) -> ColumnElement[bool]:
    """The condition that a patient may answer something that a plan asks, due or late.

    Asks once in which time zones the clinic's patients live.
    """
    plan, p, zones = check_in_plans.c, patients.c, _zones(clinic_id)
    mine = [plan.clinic_id == p.clinic_id, plan.patient_id == p.id, *_asks()]
    asked_on, today = _asked_last(zones), _today(zones)
    is_open = asked_on >= days_on(today, -_open_for())
    found = exists().where(*mine, is_open, ~_answered_since(asked_on))
    return and_(p.status != ENDED, found.correlate(patients))


def let_pass(clinic_id: UUID, whom: Select[Any]) -> Select[Any]:
    """A select of what the last thing was that a plan asked of these patients, if it was let pass.

    With the plan `due_on`, until when it could be answered in time and at all, and `today` where
    its patient lives; of late, and not answered since. Asks in which time zones they live.
    """
    plan, p, zones = check_in_plans.c, patients.c, _zones(clinic_id)
    lives = and_(p.clinic_id == plan.clinic_id, p.id == plan.patient_id)
    columns = (plan.id, plan.patient_id, plan.instrument, plan.practice_id)
    asked = (
        select(
            *columns,
            _asked_last(zones).label("due_on"),
            _in_time_for().label("in_time_for"),
            _open_for().label("open_for"),
            _today(zones).label("today"),
        )
        .join(patients, lives)
        .where(plan.clinic_id == clinic_id, among(plan.patient_id, whom), *_asks())
        .subquery("asked")
    )
    a, k = asked.c, check_in_occurrences.alias("told").c
    told = exists().where(k.clinic_id == clinic_id, k.plan_id == a.id, *_is_answer(k, a.due_on))
    return select(
        *(a[column.key] for column in columns),
        *(a.due_on, a.today),
        days_on(a.due_on, a.in_time_for).label("until_on"),
        days_on(a.due_on, a.open_for).label("late_until_on"),
    ).where(
        a.due_on < days_on(a.today, -a.in_time_for),
        a.due_on >= days_on(a.today, -(a.open_for + schedule.MISSED_FOR)),
        ~told.correlate(asked),
    )


def _asks() -> list[ColumnElement[bool]]:
    """The conditions that a plan stands, and its practice is walked and shared if it has one."""
    plan, pr = check_in_plans.c, practices.c
    there = exists().where(
        pr.clinic_id == plan.clinic_id,
        pr.id == plan.practice_id,
        pr.status == ASKS_OF,
        pr.shared_with != ME,
        pr.deleted_at.is_(None),
    )
    walked = or_(plan.practice_id.is_(None), there.correlate(check_in_plans))
    return [plan.deleted_at.is_(None), walked]


def _zones(clinic_id: UUID) -> list[str]:
    lived_in = select(patients.c.time_zone).where(patients.c.clinic_id == clinic_id).distinct()
    return [row["time_zone"] for row in store().rows(lived_in)] or ["UTC"]


def _today(zones: list[str]) -> ColumnElement[Any]:
    return case({zone: clock.today(zone) for zone in zones}, value=patients.c.time_zone)


def _asked_last(zones: list[str]) -> ColumnElement[Any]:
    """The last day up to today for which a plan asked, or null."""
    plan, today = check_in_plans.c, _today(zones)
    once = days_on(plan.starts_on, plan.n)
    last = case((plan.ends_on < today, plan.ends_on), else_=today)
    every = days_on(last, -(days_between(plan.starts_on, last) % plan.n))
    asked = case(
        (plan.rule == schedule.ONCE, once),
        (plan.rule == schedule.EVERY, every),
        else_=_asked_of_visits(zones),
    )
    return case((and_(*_is_asked(asked, today)), asked), else_=None)


def _is_asked(on: Any, today: Any) -> list[ColumnElement[bool]]:
    plan = check_in_plans.c
    ends = or_(plan.ends_on.is_(None), on <= plan.ends_on)
    return [on <= today, on >= plan.starts_on, ends]


def _asked_of_visits(zones: list[str]) -> ColumnElement[Any]:
    plan, s = check_in_plans.c, sessions.c
    before = plan.rule == schedule.BEFORE_VISIT
    at = visited_at()
    on = day_at(at, _ahead(zones, at))
    due_on = days_on(on, case((before, -plan.n), else_=plan.n))
    k = check_in_occurrences.alias("answered").c
    anchor = func.replace(k.anchor, "-", "") == func.replace(cast(s.id, String), "-", "")
    done = exists().where(
        k.clinic_id == plan.clinic_id, k.plan_id == plan.id, anchor, *_is_answer(k)
    )
    last = select(func.max(due_on, type_=Date())).where(
        s.clinic_id == plan.clinic_id,
        s.patient_id == plan.patient_id,
        *is_visit(),
        or_(before, s.kind == "dosing"),
        *_is_asked(due_on, _today(zones)),
        ~done.correlate(check_in_plans, sessions),
    )
    return last.correlate(check_in_plans, patients).scalar_subquery()


def visited_at() -> ColumnElement[datetime]:
    """When a visit was or will be: that of the dose, else when it began, else as it is booked."""
    s = sessions.c
    given = case((s.kind == "dosing", dosed_at()), else_=None)
    return func.coalesce(given, s.started_at, s.starts_at, type_=Instant())


def is_visit() -> list[ColumnElement[bool]]:
    """The conditions that a session is one on which plans hang."""
    s = sessions.c
    seen = s.starts_at >= clock.now() - SEEN_BACK
    return [seen, s.state.not_in(FREEING), s.deleted_at.is_(None)]


def _open_for() -> ColumnElement[int]:
    """How many days after its day something may be answered at all, as `schedule` has it.

    Late as long again as in time, a day at the least, and never past the visit or the dose before
    which it is asked.
    """
    within = check_in_plans.c.answer_within_days
    return _at_most(case((within == 0, 1), else_=2 * within))


def _in_time_for() -> ColumnElement[int]:
    return _at_most(check_in_plans.c.answer_within_days)


def _at_most(days: ColumnElement[int]) -> ColumnElement[int]:
    plan = check_in_plans.c
    return case(
        (and_(plan.rule == schedule.BEFORE_VISIT, plan.n < days), plan.n),
        (and_(plan.rule == schedule.AFTER_DOSE, plan.n < 0, -plan.n < days), -plan.n),
        else_=days,
    )


def _answered_since(on: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether that for which a plan asked on a day was answered, or something after it."""
    plan, k = check_in_plans.c, check_in_occurrences.alias("told").c
    told = exists().where(k.clinic_id == plan.clinic_id, k.plan_id == plan.id, *_is_answer(k, on))
    return told.correlate(check_in_plans, patients)


def _is_answer(k: Any, since: Any = None) -> list[ColumnElement[bool]]:
    conditions = [k.check_in_id.is_not(None), k.deleted_at.is_(None)]
    return conditions if since is None else [*conditions, k.due_on >= since]


def _ahead(zones: list[str], at: ColumnElement[datetime]) -> ColumnElement[int]:
    """By how many seconds the patient's clock is ahead of UTC at an instant."""
    lives = patients.c.time_zone
    told = [
        (and_(lives == zone, at < literal(until, Instant())), ahead)
        for zone in zones
        for until, ahead in _periods(zone)
    ]
    return case(*told, else_=0)


def _periods(zone: str) -> Iterator[tuple[datetime, int]]:
    """Until when the clock of a zone is how far ahead of UTC, in as much time as is looked at."""
    now = clock.now()
    at, end, known = now - SEEN_BACK - schedule.ONE_DAY, now + SEEN_AHEAD, ZoneInfo(zone)
    while at < end:
        following = at + schedule.ONE_DAY
        if _offset(at, known) != _offset(following, known):
            yield _turn(at, following, known), _offset(at, known)
        at = following
    yield datetime.max.replace(tzinfo=UTC), _offset(at, known)


def _turn(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, to the second, of the offset that holds at `after`."""
    first, last = int(before.timestamp()), int(after.timestamp())
    while last - first > 1:
        middle = (first + last) // 2
        at = datetime.fromtimestamp(middle, UTC)
        if _offset(at, zone) == _offset(before, zone):
            first = middle
        else:
            last = middle
    return datetime.fromtimestamp(last, UTC)


def _offset(at: datetime, zone: ZoneInfo) -> int:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None, "a time zone tells how far ahead it is"
    return int(offset.total_seconds())
