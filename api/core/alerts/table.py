"""The tables of alerts and of the attempts to tell somebody of them."""

from typing import Final

from sqlalchemy import Boolean, CheckConstraint, Column, Index, String, Uuid, text

from api.core.alerts.clocks import STATES
from api.core.alerts.rules import PRIORITIES, STEPS
from api.db import Instant, Sealed, of, tenant_table

HANDED_OVER, NO_CHANNEL, NOBODY = OUTCOMES = ("handed_over", "no_channel", "nobody")
DISPOSITIONS: Final = (
    "no_present_danger",
    "safety_plan_made",
    "referred",
    "emergency_services",
    "entered_by_mistake",
    "other",
)

alerts = tenant_table(
    "alerts",
    Column("check_in_id", Uuid),
    Column("session_id", Uuid),
    Column("entry_id", Uuid),
    Column("instrument", String(60)),
    Column("rule", String(60), nullable=False),
    Column("flag", String(60), nullable=False),
    Column("rules_version", String(20), nullable=False),
    Column("priority", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("historical", Boolean(create_constraint=True, name="historical"), nullable=False),
    Column("from_refused", Boolean(create_constraint=True, name="from_refused"), nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("raised_by", Uuid),
    Column("answered_at", Instant, nullable=False),
    Column("clock_began_at", Instant),
    Column("acknowledge_due_at", Instant),
    Column("contact_due_at", Instant),
    Column("look_again_at", Instant),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", Uuid),
    Column("acknowledge_note", Sealed),
    Column("contacted_at", Instant),
    Column("resolved_at", Instant),
    Column("resolved_by", Uuid),
    Column("resolve_note", Sealed),
    Column("disposition", String(40)),
    of("check_ins", "check_in_id"),
    of("sessions", "session_id"),
    of("ledger_entries", "entry_id"),
    of("users", "raised_by"),
    of("users", "acknowledged_by"),
    of("users", "resolved_by"),
    CheckConstraint(f"priority IN {PRIORITIES}", name="priority"),
    CheckConstraint(f"state IN {STATES}", name="state"),
    CheckConstraint(f"disposition IN {DISPOSITIONS}", name="disposition"),
    CheckConstraint("historical = (clock_began_at IS NULL)", name="clock"),
)
"""A safety signal that somebody must acknowledge, from a check-in or from the ledger of a session
(`entry_id` is the entry that said it first, or worst). `flag` is the worst that was said; a
historical alert has no clock; `look_again_at` is when the worker must, null once nobody is to be
told."""
notification_attempts = tenant_table(
    "notification_attempts",
    Column("alert_id", Uuid, nullable=False),
    Column("priority", String(20), nullable=False),
    Column("step", String(20), nullable=False),
    Column("clinician_id", Uuid),
    Column("channel", Sealed),
    Column("outcome", String(20), nullable=False),
    Column("at", Instant, nullable=False),
    of("alerts", "alert_id"),
    of("users", "clinician_id"),
    CheckConstraint(f"priority IN {PRIORITIES}", name="priority"),
    CheckConstraint(f"step IN {STEPS}", name="step"),
    CheckConstraint(f"outcome IN {OUTCOMES}", name="outcome"),
)
"""Whom an alert of this priority was to be told to, and what came of it; nothing here changes."""
_OPEN = text("state = 'open'")
_OPEN_IN_SESSION = text("state = 'open' AND session_id IS NOT NULL")
Index(
    "uq_alerts_open_session",
    *alerts.c["clinic_id", "session_id", "rule"],
    unique=True,
    sqlite_where=_OPEN_IN_SESSION,
    postgresql_where=_OPEN_IN_SESSION,
)
Index(
    "uq_alerts_open",
    *alerts.c["clinic_id", "check_in_id", "rule"],
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)
Index("ix_alerts_raised", *alerts.c["clinic_id", "raised_at"])
Index("ix_alerts_look_again", alerts.c.look_again_at)
Index("ix_notification_attempts_alert", *notification_attempts.c["clinic_id", "alert_id"])
