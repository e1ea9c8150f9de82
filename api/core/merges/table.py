"""The tables of merges: which chart went into which, when, by whom, and what went with it."""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, String, Table, Uuid

from api.db import Instant, Sealed, metadata, of, tenant_table

patient_merges = tenant_table(
    "patient_merges",
    Column("merged_id", Uuid, nullable=False),
    Column("reason", Sealed, nullable=False),
    Column("merged_by", Uuid, nullable=False),
    Column("unmerged_at", Instant),
    Column("unmerged_by", Uuid),
    Column("unmerge_reason", Sealed),
    of("patients", "merged_id"),
    of("users", "merged_by"),
    of("users", "unmerged_by"),
)
"""`patient_id` is the chart that stays, `merged_id` the one that went into it."""
STANDS = patient_merges.c.unmerged_at.is_(None)
Index(
    "uq_patient_merges_standing",
    *patient_merges.c["clinic_id", "merged_id"],
    unique=True,
    sqlite_where=STANDS,
    postgresql_where=STANDS,
)
Index(
    "ix_patient_merges_lately",
    patient_merges.c.created_at,
    sqlite_where=STANDS,
    postgresql_where=STANDS,
)

patient_merge_moves = Table(
    "patient_merge_moves",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("merge_id", Uuid, nullable=False),
    Column("kind", String(60), nullable=False),
    Column("record_id", Uuid, nullable=False),
    Column("was", String(200)),
    PrimaryKeyConstraint("clinic_id", "merge_id", "kind", "record_id"),
    of("patient_merges", "merge_id"),
)
"""Each record that went along, by the table it lies in; `was` is what it gave up for that."""
