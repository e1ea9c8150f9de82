"""chart keys"""

import sqlalchemy as sa
from alembic import op

from api.db import walls

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None
SEALED_BY_CHART = ("psychotherapy_notes", "psychotherapy_note_versions")


def upgrade() -> None:
    op.create_table(
        "chart_keys",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.CheckConstraint(
            "(key IS NULL) = (destroyed_at IS NOT NULL)", name=op.f("ck_chart_keys_destroyed")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_chart_keys_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_chart_keys_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_chart_keys")),
    )
    _found_by_chart()
    for table in SEALED_BY_CHART:
        op.add_column(table, sa.Column("chart_key_id", sa.Uuid(), nullable=True))

    if op.get_bind().dialect.name == "postgresql":
        for statement in walls.laid("chart_keys"):
            op.execute(statement)


def _found_by_chart() -> None:
    """Of a chart one key lives."""
    with op.batch_alter_table("chart_keys", schema=None) as batch_op:
        batch_op.create_index(
            "ix_chart_keys_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "uq_chart_keys_living",
            ["clinic_id", "patient_id"],
            unique=True,
            sqlite_where=sa.text("destroyed_at IS NULL"),
            postgresql_where=sa.text("destroyed_at IS NULL"),
        )


def downgrade() -> None:
    """Lose the keys; what was written under them is unreadable after this."""
    for table in SEALED_BY_CHART:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("chart_key_id")
    with op.batch_alter_table("chart_keys", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_chart_keys_living",
            sqlite_where=sa.text("destroyed_at IS NULL"),
            postgresql_where=sa.text("destroyed_at IS NULL"),
        )
        batch_op.drop_index("ix_chart_keys_chart")
    op.drop_table("chart_keys")
