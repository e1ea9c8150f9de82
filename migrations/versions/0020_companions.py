"""companions"""

import sqlalchemy as sa
from alembic import op

from api.db import walls

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "companions",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("relation", sa.String(length=20), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("added_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "relation IN ('partner', 'parent', 'child', 'sibling', 'friend', 'carer', 'other')",
            name=op.f("ck_companions_relation"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "added_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_companions_clinic_id_added_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_companions_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_companions_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_companions")),
    )
    with op.batch_alter_table("companions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_companions_chart", ["clinic_id", "patient_id", "id"], unique=False
        )

    if op.get_bind().dialect.name == "postgresql":
        for statement in walls.laid("companions"):
            op.execute(statement)


def downgrade() -> None:
    with op.batch_alter_table("companions", schema=None) as batch_op:
        batch_op.drop_index("ix_companions_chart")

    op.drop_table("companions")
