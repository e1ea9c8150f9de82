"""The tables of a dosing session: its plan, its ledger, and what came after it was signed."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    UniqueConstraint,
    Uuid,
)

from api.core.treatment.dosing.vocabulary import MEDICINES, ROUTES, TYPES
from api.db import Instant, Sealed, of, tenant_table

MAX_EVENT_ID = 100

ledger_entries = tenant_table(
    "ledger_entries",
    Column("session_id", Uuid, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("client_event_id", String(MAX_EVENT_ID), nullable=False),
    Column("type", String(20), nullable=False),
    Column("measured_at", Instant, nullable=False),
    Column("device_sent_at", Instant),
    Column("device_clock_skew_ms", BigInteger),
    Column("recorded_by", Uuid, nullable=False),
    Column("late", Boolean(create_constraint=True, name="late"), nullable=False),
    Column("corrects_id", Uuid),
    Column("reason", Sealed),
    Column("content", Sealed, nullable=False),
    Column("judgements", Sealed, nullable=False),
    Column("protocol_key", String(60), nullable=False),
    Column("protocol_version", Integer, nullable=False),
    of("sessions", "session_id"),
    of("users", "recorded_by"),
    of("ledger_entries", "corrects_id"),
    CheckConstraint(f"type IN {TYPES}", name="type"),
    UniqueConstraint("clinic_id", "session_id", "sequence"),
    UniqueConstraint("clinic_id", "session_id", "client_event_id"),
    UniqueConstraint("clinic_id", "corrects_id"),
)
"""Append only: no row changes or goes. `content` is what was said, `judgements` what the version of
the protocol that it names said of it when it came; `measured_at` is the device's time, `created_at`
ours; an entry that another one corrects no longer stands."""
dose_plans = tenant_table(
    "dose_plans",
    Column("session_id", Uuid, nullable=False),
    Column("medicine", String(20), nullable=False),
    Column("route", String(20), nullable=False),
    Column("content", Sealed, nullable=False),
    Column("planned_by", Uuid, nullable=False),
    of("sessions", "session_id"),
    of("users", "planned_by"),
    CheckConstraint(f"medicine IN {MEDICINES}", name="medicine"),
    CheckConstraint(f"route IN {ROUTES}", name="route"),
    UniqueConstraint("clinic_id", "session_id"),
)
"""What is to be given in a session, one plan each; `content {dose_mg, max_total_mg, rationale}`."""
ledger_addenda = tenant_table(
    "ledger_addenda",
    Column("session_id", Uuid, nullable=False),
    Column("client_event_id", String(MAX_EVENT_ID), nullable=False),
    Column("content", Sealed, nullable=False),
    Column("addendum_id", Uuid, nullable=False),
    of("sessions", "session_id"),
    UniqueConstraint("clinic_id", "session_id", "client_event_id"),
)
"""Entries that came after the record was signed: each became a draft addendum, once."""
Index("ix_ledger_entries_doses", *ledger_entries.c["clinic_id", "patient_id", "type"])
