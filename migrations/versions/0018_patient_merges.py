"""patient merges"""

import sqlalchemy as sa
from alembic import op

from api.db import walls

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "patient_merges",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("merged_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("merged_by", sa.Uuid(), nullable=False),
        sa.Column("unmerged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unmerged_by", sa.Uuid(), nullable=True),
        sa.Column("unmerge_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "merged_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_patient_merges_clinic_id_merged_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "merged_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_patient_merges_clinic_id_merged_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_patient_merges_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "unmerged_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_patient_merges_clinic_id_unmerged_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_patient_merges_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_patient_merges")),
    )
    with op.batch_alter_table("patient_merges", schema=None) as batch_op:
        batch_op.create_index(
            "ix_patient_merges_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "ix_patient_merges_lately",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("unmerged_at IS NULL"),
            postgresql_where=sa.text("unmerged_at IS NULL"),
        )
        batch_op.create_index(
            "uq_patient_merges_standing",
            ["clinic_id", "merged_id"],
            unique=True,
            sqlite_where=sa.text("unmerged_at IS NULL"),
            postgresql_where=sa.text("unmerged_at IS NULL"),
        )

    op.create_table(
        "patient_merge_moves",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("merge_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("was", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "merge_id"],
            ["patient_merges.clinic_id", "patient_merges.id"],
            name=op.f("fk_patient_merge_moves_clinic_id_merge_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "merge_id", "kind", "record_id", name=op.f("pk_patient_merge_moves")
        ),
    )
    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.add_column(sa.Column("merged_into", sa.Uuid(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        for statement in walls.laid("patient_merges", "patient_merge_moves"):
            op.execute(statement)


def downgrade() -> None:
    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.drop_column("merged_into")

    op.drop_table("patient_merge_moves")
    with op.batch_alter_table("patient_merges", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_patient_merges_standing",
            sqlite_where=sa.text("unmerged_at IS NULL"),
            postgresql_where=sa.text("unmerged_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_patient_merges_lately",
            sqlite_where=sa.text("unmerged_at IS NULL"),
            postgresql_where=sa.text("unmerged_at IS NULL"),
        )
        batch_op.drop_index("ix_patient_merges_chart")

    op.drop_table("patient_merges")
