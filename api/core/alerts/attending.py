"""Attending to alerts: listed, read, acknowledged, and resolved with a note."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, select

from api import clock
from api.access.policies import Actor
from api.access.users import named
from api.audit import trail
from api.core import gate, on_call
from api.core.alerts import clocks, escalating, standing, telling
from api.core.alerts.table import alerts, notification_attempts
from api.core.patients import display_name, patients
from api.db import Listing, Page, Values, found, page, store
from api.errors import Conflict, Invalid

HIDDEN = ("clinic_id", "patient_id", "deleted_at", "look_again_at", "raised_by")
NAMES = ("legal_given", "legal_family", "preferred_name")


def list_alerts(
    actor: Actor,
    asked: Page,
    state: str | None = None,
    priority: str | None = None,
    historical: bool | None = None,
    patient_id: UUID | None = None,
) -> Listing:
    """The alerts of charts in reach, the latest first, and beside them whether escalation runs."""
    granted = gate.admit(actor, "alert:read")
    wanted: Values = {"state": state, "priority": priority, "historical": historical}
    wanted |= {"patient_id": patient_id}
    a = alerts.c
    statement = _with_patients().where(
        a.clinic_id == actor.clinic_id,
        gate.in_reach(actor, granted, a.patient_id),
        *(a[name] == value for name, value in wanted.items() if value is not None),
    )
    listing = page(statement, alerts, asked, [a.raised_at], newest_first=True, opens=alerts)
    trail.touches(row["patient_id"] for row in listing.items)
    listing.items = _shown(actor, listing.items)
    listing.beside = {"escalation": on_call.escalation(actor.clinic_id)}
    return listing


def read_alert(actor: Actor, alert_id: UUID) -> Values:
    """One alert, with whom it was to be told to and what came of that."""
    row = gate.find_in_chart(actor, "alert:read", alerts, alert_id)
    return _whole(actor, row)


def acknowledge_alert(actor: Actor, alert_id: UUID, values: Values) -> Values:
    """Somebody has seen it and takes care of it; nobody else is told any more."""
    seen = gate.find_in_chart(actor, "alert:acknowledge", alerts, alert_id)
    row, now = _held(seen), clock.now()
    _refuse_unless(clocks.OPEN, row)
    changes = {
        "state": clocks.ACKNOWLEDGED,
        "acknowledged_at": now,
        "acknowledged_by": actor.user_id,
        "acknowledge_note": values["note"],
        "look_again_at": None,
        "contacted_at": _contacted(row, values, now),
    }
    return _moved(actor, row, changes, values)


def resolve_alert(actor: Actor, alert_id: UUID, values: Values) -> Values:
    """What was found and done is written down, and the alert is closed."""
    seen = gate.find_in_chart(actor, "alert:resolve", alerts, alert_id)
    row, now = _held(seen), clock.now()
    _refuse_unless(clocks.ACKNOWLEDGED, row)
    changes = {
        "state": clocks.RESOLVED,
        "resolved_at": now,
        "resolved_by": actor.user_id,
        "resolve_note": values["note"],
        "disposition": values.get("disposition"),
        "contacted_at": _contacted(row, values, now) or row["contacted_at"],
    }
    escalating.end_duties(row, now)
    return _moved(actor, row, changes, values)


def _moved(actor: Actor, row: Values, changes: Values, values: Values) -> Values:
    trail.wrote(["state", *values])
    after = store().change(alerts, row, changes)
    telling.tell(after, f"alert.{after['state']}")
    return _whole(actor, after)


def _contacted(row: Values, values: Values, now: datetime) -> datetime | None:
    at: datetime | None = values.get("contacted_at")
    if at is not None and at > now:
        raise Invalid([("/contacted_at", "This lies ahead.")])
    return at


def _held(row: Values) -> Values:
    """The alert as it is now, kept from others until this transaction ends."""
    a = alerts.c
    statement = select(alerts).where(a.clinic_id == row["clinic_id"], a.id == row["id"])
    return found(store().row(statement.with_for_update(), opens=alerts))


def _refuse_unless(state: str, row: Values) -> None:
    if row["state"] != state:
        detail = "An alert is acknowledged first, then resolved, once each."
        raise Conflict(detail, state=row["state"], allowed=clocks.ALLOWED[row["state"]])


def _with_patients() -> Select[Any]:
    same = and_(patients.c.clinic_id == alerts.c.clinic_id, patients.c.id == alerts.c.patient_id)
    return select(alerts, *(patients.c[name] for name in NAMES)).join(patients, same)


def _whole(actor: Actor, row: Values) -> Values:
    p = patients.c
    named = select(*(p[name] for name in NAMES)).where(
        p.clinic_id == row["clinic_id"], p.id == row["patient_id"]
    )
    [shown] = _shown(actor, [row | found(store().row(named))])
    return shown | {"notification_attempts": _attempts(row)}


def _shown(actor: Actor, rows: list[Values]) -> list[Values]:
    """Alerts as clinicians see them; one query more, however many they are."""
    who = {row[name] for row in rows for name in ("acknowledged_by", "resolved_by")} - {None}
    names, now = named(actor.clinic_id, who), clock.now()
    return [_show(row, names, now) for row in rows]


def _show(row: Values, names: dict[UUID, Values], now: datetime) -> Values:
    shown = {key: value for key, value in row.items() if key not in (*HIDDEN, *NAMES)}
    return shown | {
        "patient": {"id": row["patient_id"], "display_name": display_name(row)},
        "due_at": standing.due_at(row),
        "overdue": standing.is_overdue(row, now),
        "allowed": clocks.ALLOWED[row["state"]],
        "acknowledged_by": names.get(row["acknowledged_by"]),
        "resolved_by": names.get(row["resolved_by"]),
    }


def _attempts(row: Values) -> list[Values]:
    """Everybody who was to be told, in the order of the attempts."""
    a = notification_attempts.c
    statement = (
        select(notification_attempts)
        .where(a.clinic_id == row["clinic_id"], a.alert_id == row["id"])
        .order_by(a.at, a.id)
    )
    rows = store().rows(statement, opens=notification_attempts)
    names = named(row["clinic_id"], {one["clinician_id"] for one in rows} - {None})
    kept = ("at", "step", "priority", "channel", "outcome")
    return [
        {key: one[key] for key in kept} | {"clinician": names.get(one["clinician_id"])}
        for one in rows
    ]
