"""The table of a clinic's own versions of protocols."""

from sqlalchemy import JSON, CheckConstraint, Column, Index, Integer, String, Uuid

from api.core.treatment.protocols.definition import APPROVED, DRAFT
from api.db import Instant, of, tenant_table

protocol_versions = tenant_table(
    "protocol_versions",
    Column("key", String(60), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("definition", JSON, nullable=False),
    Column("drafted_by", Uuid, nullable=False),
    Column("approved_by", Uuid),
    Column("approved_at", Instant),
    of("users", "drafted_by"),
    of("users", "approved_by"),
    CheckConstraint(f"state IN {(DRAFT, APPROVED)}", name="state"),
    patient=False,
)
"""One row a version; its definition never changes, and once approved nothing of it does."""
Index(
    "uq_protocol_versions_number", *protocol_versions.c["clinic_id", "key", "number"], unique=True
)
