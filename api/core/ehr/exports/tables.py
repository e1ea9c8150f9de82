"""Exports as they are kept: the order, its files in sealed pieces, and who is in them."""

from datetime import timedelta
from typing import Final

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    Uuid,
)

from api.db import Instant, Sealed, metadata, of, tenant_table

WAITING, RUNNING, READY, FAILED = STATES = ("waiting", "running", "ready", "failed")
DELETED: Final = "deleted"
"""The file that tells what was taken away; it holds ids alone."""
KEPT: Final = timedelta(hours=24)
"""How long the files of an export can be fetched."""

bulk_exports = tenant_table(
    "bulk_exports",
    Column("client_id", Uuid, nullable=False),
    Column("state", String(20), nullable=False),
    Column("request", Sealed, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("place", JSON(none_as_null=True)),
    Column("percent", Integer, nullable=False),
    Column("doing", String(64)),
    Column("transaction_at", Instant),
    Column("lease_until", Instant),
    Column("finished_at", Instant),
    Column("expires_at", Instant),
    of("ehr_clients", "client_id"),
    CheckConstraint(f"state IN {STATES}", name="state"),
    patient=False,
)
"""`request` is what was asked, as JSON; `place` is after what the next piece goes; a worker that
dies leaves its lease to run out, and the next one goes on from `place`. `percent` is 0 to 100."""
Index("ix_bulk_exports_client", *bulk_exports.c["clinic_id", "client_id", "id"])
Index("ix_bulk_exports_due", *bulk_exports.c["state", "lease_until"])
Index("ix_bulk_exports_expires", bulk_exports.c.expires_at)
bulk_chunks = Table(
    "bulk_chunks",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("export_id", Uuid, nullable=False),
    Column("file", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("people", JSON, nullable=False),
    Column("content", Text, nullable=False),
    PrimaryKeyConstraint("clinic_id", "export_id", "file", "number"),
    of("bulk_exports", "export_id"),
)
"""A piece of a file: lines of NDJSON, packed by gzip and sealed. `people` tells of each patient in
it which lines are theirs, so that these are left out once the chart is out of reach."""
bulk_patients = Table(
    "bulk_patients",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("export_id", Uuid, nullable=False),
    Column("patient_id", Uuid, nullable=False),
    PrimaryKeyConstraint("clinic_id", "export_id", "patient_id"),
    of("bulk_exports", "export_id"),
    of("patients", "patient_id"),
)
"""Everybody of whom an export holds anything."""
