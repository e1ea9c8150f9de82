"""How alerts stand: what is unacknowledged, what holds a dose, what is overdue by the clock."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from api.core.alerts import clocks
from api.core.alerts.rules import holding
from api.core.alerts.table import alerts
from api.db import Values, store


def due_at(row: Values) -> datetime | None:
    """By when somebody must act next on an alert."""
    times = (row["acknowledge_due_at"], row["contact_due_at"], row["contacted_at"])
    return clocks.due_at(row["state"], *times)


def is_overdue(row: Values, now: datetime) -> bool:
    """Whether an alert waits longer than its clock allows, whether or not a worker runs."""
    return clocks.is_overdue(due_at(row), now)


def unacknowledged(clinic_id: UUID, check_in_ids: Sequence[UUID]) -> dict[UUID, list[Values]]:
    """The open alerts of each of these check-ins; asks nobody, for callers that did."""
    a = alerts.c
    statement = select(alerts).where(
        a.clinic_id == clinic_id, a.check_in_id.in_(check_in_ids), a.state == clocks.OPEN
    )
    found: dict[UUID, list[Values]] = {}
    for row in store().rows(statement) if check_in_ids else []:
        found.setdefault(row["check_in_id"], []).append(row)
    return found


def holds_dosing(clinic_id: UUID, patient_id: UUID) -> bool:
    """Whether an alert that keeps a dosing session from starting is not resolved."""
    a = alerts.c
    statement = select(a.id).where(
        a.clinic_id == clinic_id,
        a.patient_id == patient_id,
        a.priority.in_(holding()),
        a.state != clocks.RESOLVED,
        a.deleted_at.is_(None),
    )
    return store().row(statement.limit(1)) is not None
