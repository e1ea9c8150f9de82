"""loose ends"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "past_duties",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("duty_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duty_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "clinician_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_past_duties_clinic_id_clinician_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_past_duties_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_past_duties_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_past_duties_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_past_duties")),
    )
    with op.batch_alter_table("past_duties", schema=None) as batch_op:
        batch_op.create_index(
            "ix_past_duties_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "ix_past_duties_clinician", ["clinic_id", "clinician_id", "duty_until"], unique=False
        )
        batch_op.create_index(
            "ix_past_duties_session", ["clinic_id", "session_id", "clinician_id"], unique=False
        )

    with op.batch_alter_table("check_in_links", schema=None) as batch_op:
        batch_op.add_column(sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("check_in_plans", schema=None) as batch_op:
        batch_op.add_column(sa.Column("practice_id", sa.Uuid(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_check_in_plans_clinic_id_practice_id"),
            "practices",
            ["clinic_id", "practice_id"],
            ["clinic_id", "id"],
        )

    with op.batch_alter_table("check_ins", schema=None) as batch_op:
        batch_op.add_column(sa.Column("patients_own", sa.JSON(), nullable=True))

    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.add_column(sa.Column("entries", sa.JSON(), nullable=True))

    with op.batch_alter_table("outbox_events", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_events_at", ["at"], unique=False)

    with op.batch_alter_table("webhooks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("former_secret", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("former_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("webhooks", schema=None) as batch_op:
        batch_op.drop_column("former_until")
        batch_op.drop_column("former_secret")

    with op.batch_alter_table("outbox_events", schema=None) as batch_op:
        batch_op.drop_index("ix_outbox_events_at")

    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_column("entries")

    with op.batch_alter_table("check_ins", schema=None) as batch_op:
        batch_op.drop_column("patients_own")

    with op.batch_alter_table("check_in_plans", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("fk_check_in_plans_clinic_id_practice_id"), type_="foreignkey"
        )
        batch_op.drop_column("practice_id")

    with op.batch_alter_table("check_in_links", schema=None) as batch_op:
        batch_op.drop_column("withdrawn_at")

    with op.batch_alter_table("past_duties", schema=None) as batch_op:
        batch_op.drop_index("ix_past_duties_session")
        batch_op.drop_index("ix_past_duties_clinician")
        batch_op.drop_index("ix_past_duties_chart")

    op.drop_table("past_duties")
