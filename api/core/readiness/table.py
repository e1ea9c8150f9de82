"""The table of what was found before a patient left a session."""

from sqlalchemy import Column, UniqueConstraint, Uuid

from api.db import Instant, Sealed, of, tenant_table

discharges = tenant_table(
    "discharges",
    Column("session_id", Uuid, nullable=False),
    Column("findings", Sealed),
    Column("next_contact_at", Instant),
    Column("recorded_by", Uuid, nullable=False),
    of("sessions", "session_id"),
    of("users", "recorded_by"),
    UniqueConstraint("clinic_id", "session_id"),
)
"""Once for each session; `findings` holds scores, criteria and the name of the escort."""
