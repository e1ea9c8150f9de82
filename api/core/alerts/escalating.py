"""Escalating: whoever is on call is told, then who stands behind them; run by the worker."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select

from api import clock
from api.core import on_call
from api.core.alerts import clocks, telling
from api.core.alerts.rules import rules
from api.core.alerts.table import (
    HANDED_OVER,
    NO_CHANNEL,
    NOBODY,
    alerts,
    notification_attempts,
)
from api.core.clocks import DUE, WHERE, here
from api.core.team_reach import alert_duties
from api.db import Instant, Values, store, within


def begin(row: Values) -> None:
    """A live alert was raised, or became more urgent: its event, and its first steps."""
    telling.tell(row, "alert.raised")
    look_at(row, clock.now())


def escalate_due(now: datetime) -> bool:
    """Take the due steps of one open alert, in the transaction that is open; False when none is.

    Several workers may do so at a time: none takes an alert that another holds.
    """
    row = store().row(_next(now), opens=alerts)
    if row is not None:
        look_at(row, now)
    return row is not None


def escalate() -> bool:
    """Take the due steps of one open alert now."""
    return escalate_due(clock.now())


def _clinics_with_due() -> Any:
    waiting = select(alerts.c.clinic_id).where(*_is_due(clock.now()))
    return waiting.group_by(alerts.c.clinic_id).order_by(func.min(alerts.c.look_again_at))


DUE.append(escalate)
WHERE[escalate] = _clinics_with_due


def _is_due(now: datetime) -> list[Any]:
    return [alerts.c.look_again_at <= now, alerts.c.state == clocks.OPEN]


def _next(now: datetime) -> Any:
    due = select(alerts).where(here(alerts), *_is_due(now))
    ordered = due.order_by(alerts.c.look_again_at, alerts.c.id).limit(1)
    return ordered.with_for_update(skip_locked=True)


def overdue_since() -> datetime | None:
    """Since when the escalation that has waited the longest is due; None when none waits."""
    a = alerts.c
    oldest = select(func.min(a.look_again_at, type_=Instant()).label("at"))
    with within(finding=True):
        row = store().row(oldest.where(a.state == clocks.OPEN, a.look_again_at <= clock.now()))
    return None if row is None else row["at"]


def look_at(row: Values, now: datetime) -> None:
    """Tell those of an open alert whose time has come and who were not told yet."""
    plan, begins_at = rules().clocks[row["priority"]], row["clock_began_at"]
    named = {step.to: on_call.people(row["clinic_id"], step.to, now) for step in plan.steps}
    empty = [step for step, people in named.items() if not people]
    steps = clocks.steps_due(plan, begins_at, empty, now)
    if steps:
        _take(row, {step.to: named[step.to] for step in steps}, now)
    again = clocks.look_again_at(plan, begins_at, now, rules().look_again_after)
    mine = (alerts.c.clinic_id == row["clinic_id"], alerts.c.id == row["id"])
    store().execute(alerts.update().where(*mine).values(look_again_at=again))


def _take(row: Values, named: dict[str, list[UUID]], now: datetime) -> None:
    channel = on_call.channel_of(row["clinic_id"])
    before = {(a["step"], a["clinician_id"], a["outcome"]) for a in _attempts(row)}
    _open_chart(row, {person for people in named.values() for person in people}, now)
    for step, people in named.items():
        outcome = NOBODY if not people else HANDED_OVER if channel else NO_CHANNEL
        told: list[UUID | None] = [*people] or [None]
        for person in told:
            if (step, person, outcome) not in before:
                _attempt(row, {"step": step, "clinician_id": person, "outcome": outcome}, channel)


def _attempts(row: Values) -> list[Values]:
    """The attempts made since the alert has this priority."""
    a = notification_attempts.c
    mine = (a.clinic_id == row["clinic_id"], a.alert_id == row["id"])
    return store().rows(select(notification_attempts).where(*mine, a.priority == row["priority"]))


def _attempt(row: Values, values: Values, channel: str | None) -> None:
    keys = {name: row[name] for name in ("clinic_id", "patient_id", "priority")}
    more = {"alert_id": row["id"], "channel": channel, "at": clock.now()}
    store().add(notification_attempts, keys | more | values)
    if values["outcome"] == HANDED_OVER:
        telling.tell(row, "alert.escalated", clinician_id=values["clinician_id"])


def _open_chart(row: Values, people: Iterable[UUID], now: datetime) -> None:
    """Whoever is told reaches the chart by duty from now on."""
    keys = {"clinic_id": row["clinic_id"], "alert_id": row["id"]}
    d = alert_duties.c
    mine = (d.clinic_id == row["clinic_id"], d.alert_id == row["id"])
    known = {one["clinician_id"] for one in store().rows(select(d.clinician_id).where(*mine))}
    more = {"patient_id": row["patient_id"], "duty_from": now, "duty_until": None}
    rows = [keys | more | {"clinician_id": who} for who in sorted(set(people) - known)]
    if rows:
        store().execute(insert(alert_duties), rows)


def end_duties(row: Values, resolved_at: datetime) -> None:
    """A resolved alert opens the chart for one more day, to whom it was escalated."""
    d, until = alert_duties.c, resolved_at + rules().duty_after
    mine = (d.clinic_id == row["clinic_id"], d.alert_id == row["id"], d.duty_until.is_(None))
    store().execute(alert_duties.update().where(*mine).values(duty_until=until))
