"""ehr door"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_assertions",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("jti_hash", sa.String(length=64), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "jti_hash", name=op.f("pk_client_assertions")),
    )
    with op.batch_alter_table("client_assertions", schema=None) as batch_op:
        batch_op.create_index("ix_client_assertions_ends", ["ends_at"], unique=False)

    op.create_table(
        "patient_systems",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("system_blind", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_patient_systems_clinic_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "system_blind", "patient_id", name=op.f("pk_patient_systems")
        ),
    )
    with op.batch_alter_table("patient_systems", schema=None) as batch_op:
        batch_op.create_index(
            "ix_patient_systems_patient", ["clinic_id", "patient_id"], unique=False
        )

    op.create_table(
        "ehr_clients",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("jwks", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("jwks_uri", sa.String(length=500), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("external_system", sa.String(length=200), nullable=False),
        sa.Column("registered_by", sa.Uuid(), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "registered_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_ehr_clients_clinic_id_registered_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_ehr_clients_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_ehr_clients")),
        sa.UniqueConstraint("id", name=op.f("uq_ehr_clients_id")),
    )
    with op.batch_alter_table("ehr_clients", schema=None) as batch_op:
        batch_op.create_index(
            "uq_ehr_clients_system",
            ["clinic_id", "external_system"],
            unique=True,
            sqlite_where=sa.text("disabled_at IS NULL"),
            postgresql_where=sa.text("disabled_at IS NULL"),
        )

    op.create_table(
        "client_patients",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "client_id"],
            ["ehr_clients.clinic_id", "ehr_clients.id"],
            name=op.f("fk_client_patients_clinic_id_client_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_client_patients_clinic_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "client_id", "patient_id", name=op.f("pk_client_patients")
        ),
    )
    with op.batch_alter_table("clinics", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "ehr_access", sa.String(length=20), server_default="consented", nullable=False
            )
        )


def downgrade() -> None:
    with op.batch_alter_table("clinics", schema=None) as batch_op:
        batch_op.drop_column("ehr_access")

    op.drop_table("client_patients")
    with op.batch_alter_table("ehr_clients", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_ehr_clients_system",
            sqlite_where=sa.text("disabled_at IS NULL"),
            postgresql_where=sa.text("disabled_at IS NULL"),
        )

    op.drop_table("ehr_clients")
    with op.batch_alter_table("patient_systems", schema=None) as batch_op:
        batch_op.drop_index("ix_patient_systems_patient")

    op.drop_table("patient_systems")
    with op.batch_alter_table("client_assertions", schema=None) as batch_op:
        batch_op.drop_index("ix_client_assertions_ends")

    op.drop_table("client_assertions")
