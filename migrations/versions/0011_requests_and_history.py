"""requests and history"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rooms",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("room_key", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_rooms_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_rooms")),
    )
    with op.batch_alter_table("rooms", schema=None) as batch_op:
        batch_op.create_index(
            "uq_rooms_key",
            ["clinic_id", "room_key"],
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "record_versions",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("was_shared_with", sa.String(length=20), nullable=True),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("replaced_by", sa.Uuid(), nullable=True),
        sa.Column("replaced_role", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_record_versions_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_record_versions_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_record_versions")),
        sa.UniqueConstraint(
            "clinic_id",
            "record_id",
            "number",
            name=op.f("uq_record_versions_clinic_id_record_id_number"),
        ),
    )
    with op.batch_alter_table("record_versions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_record_versions_chart", ["clinic_id", "patient_id", "id"], unique=False
        )

    op.create_table(
        "amendment_requests",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("record_kind", sa.String(length=20), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("extended_because", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("amendment", sa.Text(), nullable=True),
        sa.Column("ground", sa.String(length=30), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("disagreement", sa.Text(), nullable=True),
        sa.Column("disagreed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'open') = (decided_at IS NULL)", name=op.f("ck_amendment_requests_decided")
        ),
        sa.CheckConstraint(
            "ground IN ('not_created_here', 'not_part_of_the_record', 'not_open_to_inspection', 'accurate_and_complete')",
            name=op.f("ck_amendment_requests_ground"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'accepted', 'denied')", name=op.f("ck_amendment_requests_state")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "asked_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_amendment_requests_clinic_id_asked_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "decided_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_amendment_requests_clinic_id_decided_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_amendment_requests_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_amendment_requests_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_amendment_requests")),
    )
    with op.batch_alter_table("amendment_requests", schema=None) as batch_op:
        batch_op.create_index(
            "ix_amendment_requests_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "ix_amendment_requests_due", ["clinic_id", "state", "due_on"], unique=False
        )
        batch_op.create_index(
            "ix_amendment_requests_record", ["clinic_id", "record_id"], unique=False
        )

    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.add_column(sa.Column("discharged_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("discharge_reason", sa.String(length=20), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.drop_column("discharge_reason")
        batch_op.drop_column("discharged_on")

    with op.batch_alter_table("amendment_requests", schema=None) as batch_op:
        batch_op.drop_index("ix_amendment_requests_record")
        batch_op.drop_index("ix_amendment_requests_due")
        batch_op.drop_index("ix_amendment_requests_chart")

    op.drop_table("amendment_requests")
    with op.batch_alter_table("record_versions", schema=None) as batch_op:
        batch_op.drop_index("ix_record_versions_chart")

    op.drop_table("record_versions")
    with op.batch_alter_table("rooms", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_rooms_key",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("rooms")
