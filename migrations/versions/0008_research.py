"""research"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "research_projects",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("policy_version", sa.String(length=20), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_research_projects_state")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "opened_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_research_projects_clinic_id_opened_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_research_projects_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_research_projects")),
    )
    op.create_table(
        "research_agreements",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.String(length=200), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "project_id"],
            ["research_projects.clinic_id", "research_projects.id"],
            name=op.f("fk_research_agreements_clinic_id_project_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "recorded_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_research_agreements_clinic_id_recorded_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_research_agreements_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_research_agreements")),
    )
    with op.batch_alter_table("research_agreements", schema=None) as batch_op:
        batch_op.create_index(
            "ix_research_agreements_project", ["clinic_id", "project_id"], unique=False
        )

    op.create_table(
        "research_keys",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("analyst_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "analyst_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_research_keys_clinic_id_analyst_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "project_id"],
            ["research_projects.clinic_id", "research_projects.id"],
            name=op.f("fk_research_keys_clinic_id_project_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_research_keys_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_research_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_research_keys_hash")),
    )
    with op.batch_alter_table("research_keys", schema=None) as batch_op:
        batch_op.create_index("ix_research_keys_project", ["clinic_id", "project_id"], unique=False)

    op.create_table(
        "research_members",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("analyst_id", sa.Uuid(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "analyst_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_research_members_clinic_id_analyst_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "project_id"],
            ["research_projects.clinic_id", "research_projects.id"],
            name=op.f("fk_research_members_clinic_id_project_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "project_id", "analyst_id", name=op.f("pk_research_members")
        ),
    )
    with op.batch_alter_table("research_members", schema=None) as batch_op:
        batch_op.create_index(
            "ix_research_members_analyst", ["clinic_id", "analyst_id"], unique=False
        )

    op.create_table(
        "research_releases",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("progress_percent", sa.Integer(), nullable=False),
        sa.Column("refused_for", sa.JSON(), nullable=False),
        sa.Column("levels", sa.JSON(), nullable=True),
        sa.Column("collapsed", sa.JSON(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=True),
        sa.Column("cube", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'ready', 'refused', 'failed')",
            name=op.f("ck_research_releases_state"),
        ),
        sa.CheckConstraint(
            "progress_percent BETWEEN 0 AND 100", name=op.f("ck_research_releases_progress_percent")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "project_id"],
            ["research_projects.clinic_id", "research_projects.id"],
            name=op.f("fk_research_releases_clinic_id_project_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "requested_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_research_releases_clinic_id_requested_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_research_releases_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_research_releases")),
        sa.UniqueConstraint(
            "clinic_id",
            "project_id",
            "number",
            name=op.f("uq_research_releases_clinic_id_project_id_number"),
        ),
    )
    with op.batch_alter_table("research_releases", schema=None) as batch_op:
        batch_op.create_index("ix_research_releases_state", ["state"], unique=False)

    op.create_table(
        "research_subjects",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_research_subjects_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "project_id"],
            ["research_projects.clinic_id", "research_projects.id"],
            name=op.f("fk_research_subjects_clinic_id_project_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "project_id", "patient_id", name=op.f("pk_research_subjects")
        ),
        sa.UniqueConstraint("subject_id", name=op.f("uq_research_subjects_subject_id")),
    )
    op.create_table(
        "research_chunks",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("release_id", sa.Uuid(), nullable=False),
        sa.Column("file", sa.String(length=20), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "release_id"],
            ["research_releases.clinic_id", "research_releases.id"],
            name=op.f("fk_research_chunks_clinic_id_release_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "release_id", "file", "place", name=op.f("pk_research_chunks")
        ),
    )


def downgrade() -> None:
    op.drop_table("research_chunks")
    op.drop_table("research_subjects")
    with op.batch_alter_table("research_releases", schema=None) as batch_op:
        batch_op.drop_index("ix_research_releases_state")

    op.drop_table("research_releases")
    with op.batch_alter_table("research_members", schema=None) as batch_op:
        batch_op.drop_index("ix_research_members_analyst")

    op.drop_table("research_members")
    with op.batch_alter_table("research_keys", schema=None) as batch_op:
        batch_op.drop_index("ix_research_keys_project")

    op.drop_table("research_keys")
    with op.batch_alter_table("research_agreements", schema=None) as batch_op:
        batch_op.drop_index("ix_research_agreements_project")

    op.drop_table("research_agreements")
    op.drop_table("research_projects")
