"""Reminding: what has become due is brought to mind, kindly, a few times, and then no more.

The stop rule: two reminders of one occurrence at the most, none once it is answered or its time is
over, none after three in a row that nobody answered, none at night or in the patient's quiet
hours, none where they chose no reminders, none for what they can't be shown.
"""

from datetime import datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from api import clock
from api.access.users import users
from api.core import clocks
from api.core.outcomes.instruments.shelf import find_instrument
from api.core.outcomes.plans import coming, schedule
from api.core.outcomes.plans.answering import keep
from api.core.outcomes.plans.coming import Planned
from api.core.outcomes.plans.table import check_in_plans
from api.db import Values, store
from api.outbox import events

LOOK_AGAIN: Final = timedelta(hours=1)
"""How long a plan that hangs on visits is left alone: they may be moved meanwhile."""
LOOK_DAILY: Final = timedelta(days=1)
SILENT_AFTER: Final = 3
"""So many in a row unanswered, and the plan is silent until one is answered."""


def remind_due() -> bool:
    """Look at the one plan that has waited longest, and remind if it is time; false: none waits.

    One plan in the transaction that is open, for the worker; two may call at once.
    """
    p, now = check_in_plans.c, clock.now()
    waiting = select(check_in_plans).where(clocks.here(check_in_plans), *_is_due(now))
    one = waiting.order_by(p.look_at).limit(1).with_for_update(skip_locked=True)
    plan = store().row(one)
    if plan is None:
        return False
    patient = coming.patient_of_plan(plan)
    planned = coming.asked_of(patient, [plan])
    due = next((each for each in planned if each.state == schedule.DUE), None)
    if due is not None and _calls_for_one(patient, planned, due, now):
        sent = _whose_hour_came(due, patient["time_zone"], now)
        keep(due, {"reminders": sent, "reminded_at": now})
        _tell(due)
    _look_again(plan, patient, planned, now)
    return True


def _is_due(now: datetime) -> list[Any]:
    return [check_in_plans.c.look_at <= now, check_in_plans.c.deleted_at.is_(None)]


def _clinics_with_due() -> Any:
    waiting = select(check_in_plans.c.clinic_id).where(*_is_due(clock.now()))
    return waiting.group_by(check_in_plans.c.clinic_id).order_by(func.min(check_in_plans.c.look_at))


def _calls_for_one(patient: Values, planned: list[Planned], due: Planned, now: datetime) -> bool:
    """Whether the occurrence that is due is brought to mind now."""
    if _is_silent(planned, due) or not _can_be_shown(due):
        return False
    preferences, zone = _preferences(patient), patient["time_zone"]
    if preferences.get("reminder_channel") == "none":
        return False
    sent = due.kept["reminders"] if due.kept else 0
    is_time = _whose_hour_came(due, zone, now) > sent
    return is_time and schedule.may_speak(now, zone, _quiet(preferences))


def _whose_hour_came(due: Planned, zone: str, now: datetime) -> int:
    """How many reminders were to go out by now; after a standstill one stands for all of them."""
    days = schedule.reminders(due.occurrence)
    return sum(schedule.speaks_at(day, zone) <= now for day in days)


def _is_silent(planned: list[Planned], due: Planned) -> bool:
    before = [one for one in planned if one.occurrence.due_on < due.occurrence.due_on]
    last = before[-SILENT_AFTER:]
    return len(last) == SILENT_AFTER and all(one.state == schedule.MISSED for one in last)


def _can_be_shown(due: Planned) -> bool:
    return not find_instrument(due.plan["clinic_id"], due.plan["instrument"]).is_text_missing


def _preferences(patient: Values) -> Values:
    mine = (users.c.clinic_id == patient["clinic_id"], users.c.patient_id == patient["id"])
    row = store().row(select(users.c.preferences).where(*mine))
    return dict(row["preferences"] or {}) if row else {}


def _quiet(preferences: Values) -> tuple[time, time] | None:
    hours: Any = preferences.get("quiet_hours")
    if not hours:
        return None
    return time.fromisoformat(hours["from"]), time.fromisoformat(hours["to"])


def _tell(due: Planned) -> None:
    """The outgoing event; ids alone."""
    ids = {"patient_id": due.plan["patient_id"], "check_in_plan_id": due.plan["id"]}
    if due.plan["practice_id"] is not None:
        ids["practice_id"] = due.plan["practice_id"]
    events.append(store(), due.plan["clinic_id"], "check_in.due", ids)


def _look_again(plan: Values, patient: Values, planned: list[Planned], now: datetime) -> None:
    """Set when the plan is looked at next; that is no change of the plan and makes no version."""
    p = check_in_plans.c
    mine = (p.clinic_id == plan["clinic_id"], p.id == plan["id"])
    at = _next_look(plan, patient["time_zone"], planned, now)
    store().execute(check_in_plans.update().where(*mine).values(look_at=at))


def _next_look(plan: Values, zone: str, planned: list[Planned], now: datetime) -> datetime | None:
    hangs = plan["rule"] in (schedule.BEFORE_VISIT, schedule.AFTER_DOSE)
    ahead = [one for one in planned if one.state in (schedule.UPCOMING, schedule.DUE)]
    if not ahead and not hangs and planned:
        return None
    waits = hangs or any(one.state == schedule.DUE for one in ahead)
    latest = now + (LOOK_AGAIN if waits else LOOK_DAILY)
    following = schedule.next_reminder([one.occurrence for one in ahead], zone, now)
    return latest if following is None else min(latest, following)


clocks.DUE.append(remind_due)
clocks.WHERE[remind_due] = _clinics_with_due
