"""bulk"""

import sqlalchemy as sa
from alembic import op

from api.db import walls

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bulk_exports",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("place", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("doing", sa.String(length=64), nullable=True),
        sa.Column("transaction_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'ready', 'failed')", name=op.f("ck_bulk_exports_state")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "client_id"],
            ["ehr_clients.clinic_id", "ehr_clients.id"],
            name=op.f("fk_bulk_exports_clinic_id_client_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_bulk_exports_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_bulk_exports")),
    )
    with op.batch_alter_table("bulk_exports", schema=None) as batch_op:
        batch_op.create_index(
            "ix_bulk_exports_client", ["clinic_id", "client_id", "id"], unique=False
        )
        batch_op.create_index("ix_bulk_exports_due", ["state", "lease_until"], unique=False)
        batch_op.create_index("ix_bulk_exports_expires", ["expires_at"], unique=False)

    op.create_table(
        "ehr_subscriptions",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("criteria", sa.Text(), nullable=True),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("header", sa.Text(), nullable=True),
        sa.Column("content", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.Column("base", sa.String(length=500), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "content IN ('empty', 'id-only')", name=op.f("ck_ehr_subscriptions_content")
        ),
        sa.CheckConstraint(
            "status IN ('requested', 'active', 'error', 'off')",
            name=op.f("ck_ehr_subscriptions_status"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "client_id"],
            ["ehr_clients.clinic_id", "ehr_clients.id"],
            name=op.f("fk_ehr_subscriptions_clinic_id_client_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_ehr_subscriptions_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_ehr_subscriptions")),
    )
    with op.batch_alter_table("ehr_subscriptions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_ehr_subscriptions_client", ["clinic_id", "client_id", "id"], unique=False
        )
        batch_op.create_index(
            "ix_ehr_subscriptions_topic", ["clinic_id", "topic", "status"], unique=False
        )

    op.create_table(
        "bulk_chunks",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("export_id", sa.Uuid(), nullable=False),
        sa.Column("file", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("people", sa.JSON(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "export_id"],
            ["bulk_exports.clinic_id", "bulk_exports.id"],
            name=op.f("fk_bulk_chunks_clinic_id_export_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "export_id", "file", "number", name=op.f("pk_bulk_chunks")
        ),
    )
    op.create_table(
        "bulk_patients",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("export_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "export_id"],
            ["bulk_exports.clinic_id", "bulk_exports.id"],
            name=op.f("fk_bulk_patients_clinic_id_export_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_bulk_patients_clinic_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "export_id", "patient_id", name=op.f("pk_bulk_patients")
        ),
    )
    op.create_table(
        "ehr_notifications",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("focus", sa.String(length=100), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_failure", sa.String(length=20), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "last_failure IN ('not_an_address', 'not_resolved', 'not_public', 'not_reached', 'no_tls', 'too_slow', 'not_http', 'status')",
            name=op.f("ck_ehr_notifications_last_failure"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'failed', 'cancelled')",
            name=op.f("ck_ehr_notifications_state"),
        ),
        sa.CheckConstraint(
            "type IN ('handshake', 'event-notification')", name=op.f("ck_ehr_notifications_type")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "subscription_id"],
            ["ehr_subscriptions.clinic_id", "ehr_subscriptions.id"],
            name=op.f("fk_ehr_notifications_clinic_id_subscription_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_ehr_notifications_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_ehr_notifications")),
        sa.UniqueConstraint(
            "clinic_id",
            "subscription_id",
            "event_id",
            name=op.f("uq_ehr_notifications_clinic_id_subscription_id_event_id"),
        ),
    )
    with op.batch_alter_table("ehr_notifications", schema=None) as batch_op:
        batch_op.create_index(
            "ix_ehr_notifications_due",
            ["next_at"],
            unique=False,
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index(
            "ix_ehr_notifications_of", ["clinic_id", "subscription_id", "number"], unique=False
        )
    if op.get_bind().dialect.name == "postgresql":
        for statement in walls.laid(
            "bulk_exports", "bulk_chunks", "bulk_patients", "ehr_subscriptions", "ehr_notifications"
        ):
            op.execute(statement)


def downgrade() -> None:
    with op.batch_alter_table("ehr_notifications", schema=None) as batch_op:
        batch_op.drop_index("ix_ehr_notifications_of")
        batch_op.drop_index(
            "ix_ehr_notifications_due",
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )

    op.drop_table("ehr_notifications")
    op.drop_table("bulk_patients")
    op.drop_table("bulk_chunks")
    with op.batch_alter_table("ehr_subscriptions", schema=None) as batch_op:
        batch_op.drop_index("ix_ehr_subscriptions_topic")
        batch_op.drop_index("ix_ehr_subscriptions_client")

    op.drop_table("ehr_subscriptions")
    with op.batch_alter_table("bulk_exports", schema=None) as batch_op:
        batch_op.drop_index("ix_bulk_exports_expires")
        batch_op.drop_index("ix_bulk_exports_due")
        batch_op.drop_index("ix_bulk_exports_client")

    op.drop_table("bulk_exports")
