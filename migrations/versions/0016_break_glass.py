"""break glass"""

import sqlalchemy as sa
from alembic import op

from api.db import walls

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "break_glass",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("reason_code", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("review_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_by", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("review_note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('justified', 'not_justified', 'to_be_followed_up')",
            name=op.f("ck_break_glass_outcome"),
        ),
        sa.CheckConstraint(
            "reason_code IN ('emergency', 'colleague_absent', 'patient_asked', 'other')",
            name=op.f("ck_break_glass_reason_code"),
        ),
        sa.CheckConstraint(
            "(reviewed_at IS NULL) = (outcome IS NULL)", name=op.f("ck_break_glass_reviewed")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "clinician_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_break_glass_clinic_id_clinician_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_break_glass_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "reviewed_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_break_glass_clinic_id_reviewed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_break_glass_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_break_glass")),
    )
    with op.batch_alter_table("break_glass", schema=None) as batch_op:
        batch_op.create_index(
            "ix_break_glass_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "ix_break_glass_clinician",
            ["clinic_id", "clinician_id", "patient_id", "ends_at"],
            unique=False,
        )
        batch_op.create_index(
            "ix_break_glass_unreviewed",
            ["review_due_at"],
            unique=False,
            sqlite_where=sa.text("reviewed_at IS NULL"),
            postgresql_where=sa.text("reviewed_at IS NULL"),
        )
    if op.get_bind().dialect.name == "postgresql":
        for statement in walls.laid("break_glass"):
            op.execute(statement)


def downgrade() -> None:
    with op.batch_alter_table("break_glass", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_break_glass_unreviewed",
            sqlite_where=sa.text("reviewed_at IS NULL"),
            postgresql_where=sa.text("reviewed_at IS NULL"),
        )
        batch_op.drop_index("ix_break_glass_clinician")
        batch_op.drop_index("ix_break_glass_chart")

    op.drop_table("break_glass")
