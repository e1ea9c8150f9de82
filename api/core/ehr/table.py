"""Tables of what an EHR writes: referrals, and by which numbers its records are found again."""

from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from api.db import Instant, Sealed, metadata, of, tenant_table

REFERRAL_STATUSES: Final = (
    "draft",
    "active",
    "on_hold",
    "revoked",
    "completed",
    "entered_in_error",
)
INTENTS: Final = ("proposal", "plan", "order", "original_order")
PRIORITIES: Final = ("routine", "urgent", "asap", "stat")

referrals = tenant_table(
    "referrals",
    Column("status", String(20), nullable=False),
    Column("intent", String(20), nullable=False),
    Column("priority", String(20)),
    Column("authored_at", Instant),
    Column("content", Sealed, nullable=False),
    Column("recorded_by", Uuid, nullable=False),
    of("users", "recorded_by"),
    CheckConstraint(f"status IN {REFERRAL_STATUSES}", name="status"),
    CheckConstraint(f"intent IN {INTENTS}", name="intent"),
    CheckConstraint(f"priority IS NULL OR priority IN {PRIORITIES}", name="priority"),
)
"""Patients sent here by others; `content {code, category[], requester, reason, note}`, where code
and category are `{coding[{system, code, display}], text}`."""
ehr_identifiers = tenant_table(
    "ehr_identifiers",
    Column("kind", String(40), nullable=False),
    Column("record_id", Uuid, nullable=False),
    Column("identifiers", Sealed, nullable=False),
    UniqueConstraint("clinic_id", "kind", "record_id"),
)
"""The numbers that other systems gave to a record of ours, `identifiers [{system, value}]`."""
ehr_identifier_words = Table(
    "ehr_identifier_words",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("blind", String(64), nullable=False),
    Column("record_id", Uuid, nullable=False),
    Column("patient_id", Uuid, nullable=False),
    PrimaryKeyConstraint("clinic_id", "kind", "blind"),
    of("patients", "patient_id"),
)
"""The same as a blind index: no two records of a kind carry one number."""
Index("ix_ehr_identifier_words_record", *ehr_identifier_words.c["clinic_id", "record_id"])
