"""The table of sessions and its closed vocabularies."""

from datetime import timedelta

from sqlalchemy import CheckConstraint, Column, Index, String, Text

from api.core.treatment.moves import STATES
from api.db import Instant, Sealed, tenant_table

KINDS = ("intake", "preparation", "dosing", "integration", "follow_up")
MODES = ("in_person", "telehealth", "at_home")
SOURCES = ("app", "synthetic")
LONGEST = timedelta(hours=24)
MAX_CLINICIANS = 6

sessions = tenant_table(
    "sessions",
    Column("kind", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("mode", String(20), nullable=False),
    Column("room", String(60)),
    Column("room_key", Text),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("also_covered", Sealed),
    Column("preparation", Sealed),
    Column("arrived_at", Instant),
    Column("started_at", Instant),
    Column("completed_at", Instant),
    Column("closed_at", Instant),
    Column("moved_at", Instant),
    Column("reason", String(40)),
    Column("source", String(20), nullable=False, default="app"),
    Column("overrides", Sealed),
    CheckConstraint(f"kind IN {KINDS}", name="kind"),
    CheckConstraint(f"state IN {STATES}", name="state"),
    CheckConstraint(f"mode IN {MODES}", name="mode"),
    CheckConstraint(f"source IN {SOURCES}", name="source"),
    CheckConstraint("starts_at < ends_at", name="order"),
)
"""`room_key` is the room's name folded, so that "Room 2" and "room 2" are one room. `overrides` are
the reasons not to start that a prescriber passed over, with theirs."""
Index("ix_sessions_calendar", sessions.c.clinic_id, sessions.c.starts_at)
Index("ix_sessions_changes", sessions.c.clinic_id, sessions.c.updated_at)
