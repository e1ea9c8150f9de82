"""chart purges"""

import sqlalchemy as sa
from alembic import op

from api.db import walls

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None
IS_OPEN = "state IN ('proposed', 'approved', 'running')"


def upgrade() -> None:
    op.create_table(
        "chart_purges",
        *_columns(),
        *_rules(),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_chart_purges")),
    )
    with op.batch_alter_table("chart_purges", schema=None) as batch_op:
        batch_op.create_index(
            "ix_chart_purges_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "uq_chart_purges_open",
            ["clinic_id", "patient_id"],
            unique=True,
            sqlite_where=sa.text(IS_OPEN),
            postgresql_where=sa.text(IS_OPEN),
        )
        batch_op.create_index(
            "ix_chart_purges_waiting",
            ["state"],
            unique=False,
            sqlite_where=sa.text("let_go_at IS NULL"),
            postgresql_where=sa.text("let_go_at IS NULL"),
        )

    if op.get_bind().dialect.name == "postgresql":
        for statement in walls.laid("chart_purges"):
            op.execute(statement)


def _columns() -> list[sa.Column]:
    moment = sa.DateTime(timezone=True)
    return [
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("deleted_at", moment, nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("last_seen_on", sa.Date(), nullable=False),
        sa.Column("retained_until", sa.Date(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", moment, nullable=True),
        sa.Column("not_before", moment, nullable=True),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=True),
        sa.Column("stopped_for", sa.String(length=20), nullable=True),
        sa.Column("began_at", moment, nullable=True),
        sa.Column("ended_at", moment, nullable=True),
        sa.Column("charts", sa.JSON(), nullable=True),
        sa.Column("removed", sa.JSON(), nullable=True),
        sa.Column("let_go_at", moment, nullable=True),
    ]


def _rules() -> list[sa.Constraint]:
    checks = {
        "state": "state IN ('proposed', 'approved', 'running', 'done', 'withdrawn', 'stopped')",
        "stopped_for": "stopped_for IN"
        " ('legal_hold', 'retained', 'chart_changed', 'merged', 'expired')",
        "two": "approved_by <> proposed_by",
        "begun": "(began_at IS NULL) = (charts IS NULL)",
    }
    others = {name: "users" for name in ("approved_by", "proposed_by", "withdrawn_by")}
    return [
        *(
            sa.CheckConstraint(rule, name=op.f(f"ck_chart_purges_{name}"))
            for name, rule in checks.items()
        ),
        *(
            sa.ForeignKeyConstraint(
                ["clinic_id", column],
                [f"{parent}.clinic_id", f"{parent}.id"],
                name=op.f(f"fk_chart_purges_clinic_id_{column}"),
            )
            for column, parent in (others | {"patient_id": "patients"}).items()
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_chart_purges_clinic_id")
        ),
    ]


def downgrade() -> None:
    with op.batch_alter_table("chart_purges", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_chart_purges_waiting",
            sqlite_where=sa.text("let_go_at IS NULL"),
            postgresql_where=sa.text("let_go_at IS NULL"),
        )
        batch_op.drop_index(
            "uq_chart_purges_open",
            sqlite_where=sa.text(IS_OPEN),
            postgresql_where=sa.text(IS_OPEN),
        )
        batch_op.drop_index("ix_chart_purges_chart")

    op.drop_table("chart_purges")
