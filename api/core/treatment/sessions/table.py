"""The table of sessions and its closed vocabularies."""

from datetime import timedelta

from sqlalchemy import CheckConstraint, Column, Index, Integer, String, Text, Uuid, and_

from api.core.treatment.moves import STATES
from api.db import Instant, Sealed, of, tenant_table

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
    Column("signed_at", Instant),
    Column("moved_at", Instant),
    Column("reason", String(40)),
    Column("source", String(20), nullable=False, default="app"),
    Column("overrides", Sealed),
    Column("protocol_key", String(60)),
    Column("protocol_version", Integer),
    Column("window_days", Integer),
    Column("first_dose_at", Instant),
    Column("last_dose_at", Instant),
    Column("esketamine_at", Instant),
    Column("course_id", Uuid),
    of("courses", "course_id"),
    CheckConstraint(f"kind IN {KINDS}", name="kind"),
    CheckConstraint(f"state IN {STATES}", name="state"),
    CheckConstraint(f"mode IN {MODES}", name="mode"),
    CheckConstraint(f"source IN {SOURCES}", name="source"),
    CheckConstraint("starts_at < ends_at", name="order"),
)
"""`room_key` is the room's name folded, so that "Room 2" and "room 2" are one room. `overrides` are
the reasons not to start or complete that were passed over, with theirs; `signed_at` is since when
every owed part of the record has its signature; `course_id` is the course of treatment that the
session belongs to. The protocol is the version it began with, `window_days` how long that has the
window after its dose; `first_dose_at` and `last_dose_at`
follow the standing doses of its ledger, `esketamine_at` the first of them that is of esketamine."""
Index("ix_sessions_calendar", sessions.c.clinic_id, sessions.c.starts_at)
Index("ix_sessions_course", *sessions.c["clinic_id", "course_id"])
Index("ix_sessions_changes", sessions.c.clinic_id, sessions.c.updated_at)
UNSIGNED = and_(sessions.c.state == "completed", sessions.c.signed_at.is_(None))
Index(
    "ix_sessions_unsigned",
    *sessions.c["clinic_id", "patient_id"],
    sqlite_where=UNSIGNED,
    postgresql_where=UNSIGNED,
)
ESKETAMINE = sessions.c.esketamine_at.is_not(None)
Index(
    "ix_sessions_esketamine",
    *sessions.c["clinic_id", "patient_id"],
    sqlite_where=ESKETAMINE,
    postgresql_where=ESKETAMINE,
)
