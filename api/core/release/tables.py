"""The tables of research: projects, who may see them, codes for subjects, and frozen rows."""

from typing import Final

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from api.db import Instant, Sealed, metadata, of, tenant_table

OPEN, CLOSED = PROJECT_STATES = ("open", "closed")
WAITING, RUNNING, READY, REFUSED, FAILED = RELEASE_STATES = (
    "waiting",
    "running",
    "ready",
    "refused",
    "failed",
)
DEIDENTIFIED, LIMITED = TIERS = ("B", "C")
"""How rows are told: de-identified (Safe Harbor), or as a limited data set, which is PHI."""
UNDER_WAY: Final = (WAITING, RUNNING)

research_projects = tenant_table(
    "research_projects",
    Column("title", String(200), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("policy_version", String(20), nullable=False),
    Column("tier", String(1), nullable=False, server_default=DEIDENTIFIED),
    Column("opened_by", Uuid, nullable=False),
    Column("closed_at", Instant),
    of("users", "opened_by"),
    CheckConstraint(f"state IN {PROJECT_STATES}", name="state"),
    patient=False,
)
"""`tier` stands from the opening on: codes of one tier never stand beside rows of the other."""
research_members = Table(
    "research_members",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("project_id", Uuid, nullable=False),
    Column("analyst_id", Uuid, nullable=False),
    Column("added_at", Instant, nullable=False),
    PrimaryKeyConstraint("clinic_id", "project_id", "analyst_id"),
    of("research_projects", "project_id"),
    of("users", "analyst_id"),
)
"""The analysts of a project; nobody else's token opens it."""
Index("ix_research_members_analyst", *research_members.c["clinic_id", "analyst_id"])
research_agreements = tenant_table(
    "research_agreements",
    Column("project_id", Uuid, nullable=False),
    Column("recipient", String(200), nullable=False),
    Column("signed_on", Date, nullable=False),
    Column("expires_on", Date),
    Column("recorded_by", Uuid, nullable=False),
    Column("uses", JSON),
    Column("terms", JSON),
    Column("consent_text_versions", JSON),
    Column("ended_at", Instant),
    of("research_projects", "project_id"),
    of("users", "recorded_by"),
    patient=False,
)
"""Data use agreements, 45 CFR 164.514(e)(4), by who received data under them. One for a limited
data set says for what (`uses`), what was agreed (`terms`), and to which texts of the consent to
research patients must have agreed."""
Index("ix_research_agreements_project", *research_agreements.c["clinic_id", "project_id"])
research_agreement_users = Table(
    "research_agreement_users",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("agreement_id", Uuid, nullable=False),
    Column("analyst_id", Uuid, nullable=False),
    PrimaryKeyConstraint("clinic_id", "agreement_id", "analyst_id"),
    of("research_agreements", "agreement_id"),
    of("users", "analyst_id"),
)
"""The analysts whom an agreement names; nobody else reads a limited data set under it."""
research_keys = tenant_table(
    "research_keys",
    Column("project_id", Uuid, nullable=False),
    Column("analyst_id", Uuid, nullable=False),
    Column("name", String(60), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("expires_at", Instant, nullable=False),
    of("research_projects", "project_id"),
    of("users", "analyst_id"),
    patient=False,
)
"""Keys that read the releases of one project and nothing else; kept as a digest."""
Index("ix_research_keys_project", *research_keys.c["clinic_id", "project_id"])
research_subjects = Table(
    "research_subjects",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("project_id", Uuid, nullable=False),
    Column("patient_id", Uuid, nullable=False),
    Column("subject_id", String(32), nullable=False, unique=True),
    PrimaryKeyConstraint("clinic_id", "project_id", "patient_id"),
    of("research_projects", "project_id"),
    of("patients", "patient_id"),
)
"""Who a subject is: 128 random bits for each patient and project, made from nothing about them
(45 CFR 164.514(c)), used for nothing else, and never used again."""
research_releases = tenant_table(
    "research_releases",
    Column("project_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("tier", String(1), nullable=False, server_default=DEIDENTIFIED),
    Column("state", String(20), nullable=False),
    Column("requested_by", Uuid, nullable=False),
    Column("started_at", Instant),
    Column("lease_until", Instant),
    Column("frozen_at", Instant),
    Column("finished_at", Instant),
    Column("progress_percent", Integer, nullable=False),
    Column("refused_for", JSON, nullable=False),
    Column("levels", JSON),
    Column("collapsed", JSON, nullable=False),
    Column("manifest", JSON),
    Column("cube", JSON),
    of("research_projects", "project_id"),
    of("users", "requested_by"),
    UniqueConstraint("clinic_id", "project_id", "number"),
    CheckConstraint(f"state IN {RELEASE_STATES}", name="state"),
    CheckConstraint("progress_percent BETWEEN 0 AND 100", name="progress_percent"),
    patient=False,
)
"""`levels` is how coarse each quasi-identifier is told, `collapsed` which rare words became `other`
or were left out, by file and column; `cube` is the table of aggregates as it was reckoned, with
what it was reckoned from. A release that is ready changes no more."""
Index("ix_research_releases_state", research_releases.c.state)
research_chunks = Table(
    "research_chunks",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("release_id", Uuid, nullable=False),
    Column("file", String(20), nullable=False),
    Column("place", Integer, nullable=False),
    Column("rows", LargeBinary, nullable=False),
    PrimaryKeyConstraint("clinic_id", "release_id", "file", "place"),
    of("research_releases", "release_id"),
)
"""The rows of a release as they were copied at freezing, some thousands to a chunk (JSON, zlib):
from them its files are made, today and in ten years."""
research_limited_rows = tenant_table(
    "research_limited_rows",
    Column("release_id", Uuid, nullable=False),
    Column("file", String(20), nullable=False),
    Column("place", Integer, nullable=False),
    Column("rows", Sealed, nullable=False),
    of("research_releases", "release_id"),
    UniqueConstraint("clinic_id", "release_id", "file", "place"),
    patient=False,
)
"""The same of a limited data set: its rows hold dates and postal codes, and are sealed."""
TABLES: Final = (
    research_projects,
    research_members,
    research_agreements,
    research_agreement_users,
    research_keys,
    research_subjects,
    research_releases,
    research_chunks,
    research_limited_rows,
)
