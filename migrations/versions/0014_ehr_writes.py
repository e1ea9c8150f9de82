"""ehr writes"""

import sqlalchemy as sa
from alembic import op

from api.db import walls

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ehr_identifier_words",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("blind", sa.String(length=64), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_ehr_identifier_words_clinic_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "kind", "blind", name=op.f("pk_ehr_identifier_words")),
    )
    with op.batch_alter_table("ehr_identifier_words", schema=None) as batch_op:
        batch_op.create_index(
            "ix_ehr_identifier_words_record", ["clinic_id", "record_id"], unique=False
        )

    op.create_table(
        "ehr_identifiers",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("identifiers", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_ehr_identifiers_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_ehr_identifiers_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_ehr_identifiers")),
        sa.UniqueConstraint(
            "clinic_id",
            "kind",
            "record_id",
            name=op.f("uq_ehr_identifiers_clinic_id_kind_record_id"),
        ),
    )
    with op.batch_alter_table("ehr_identifiers", schema=None) as batch_op:
        batch_op.create_index(
            "ix_ehr_identifiers_chart", ["clinic_id", "patient_id", "id"], unique=False
        )

    op.create_table(
        "referrals",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("intent", sa.String(length=20), nullable=False),
        sa.Column("priority", sa.String(length=20), nullable=True),
        sa.Column("authored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "intent IN ('proposal', 'plan', 'order', 'original_order')",
            name=op.f("ck_referrals_intent"),
        ),
        sa.CheckConstraint(
            "priority IS NULL OR priority IN ('routine', 'urgent', 'asap', 'stat')",
            name=op.f("ck_referrals_priority"),
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'active', 'on_hold', 'revoked', 'completed', 'entered_in_error')",
            name=op.f("ck_referrals_status"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_referrals_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "recorded_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_referrals_clinic_id_recorded_by"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_referrals_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_referrals")),
    )
    with op.batch_alter_table("referrals", schema=None) as batch_op:
        batch_op.create_index("ix_referrals_chart", ["clinic_id", "patient_id", "id"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        for statement in walls.laid("referrals", "ehr_identifiers", "ehr_identifier_words"):
            op.execute(statement)


def downgrade() -> None:
    with op.batch_alter_table("referrals", schema=None) as batch_op:
        batch_op.drop_index("ix_referrals_chart")

    op.drop_table("referrals")
    with op.batch_alter_table("ehr_identifiers", schema=None) as batch_op:
        batch_op.drop_index("ix_ehr_identifiers_chart")

    op.drop_table("ehr_identifiers")
    with op.batch_alter_table("ehr_identifier_words", schema=None) as batch_op:
        batch_op.drop_index("ix_ehr_identifier_words_record")

    op.drop_table("ehr_identifier_words")
