"""limited data sets"""

import sqlalchemy as sa
from alembic import op

from api.db import walls

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = ("research_agreement_users", "research_limited_rows")


def upgrade() -> None:
    for table in ("research_projects", "research_releases"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            tier = sa.Column("tier", sa.String(length=1), nullable=False, server_default="B")
            batch_op.add_column(tier)
    with op.batch_alter_table("research_agreements", schema=None) as batch_op:
        for name in ("uses", "terms", "consent_text_versions"):
            batch_op.add_column(sa.Column(name, sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))

    op.create_table(
        "research_agreement_users",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("analyst_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "agreement_id"],
            ["research_agreements.clinic_id", "research_agreements.id"],
            name=op.f("fk_research_agreement_users_clinic_id_agreement_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "analyst_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_research_agreement_users_clinic_id_analyst_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "agreement_id", "analyst_id", name=op.f("pk_research_agreement_users")
        ),
    )
    op.create_table(
        "research_limited_rows",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("release_id", sa.Uuid(), nullable=False),
        sa.Column("file", sa.String(length=20), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "release_id"],
            ["research_releases.clinic_id", "research_releases.id"],
            name=op.f("fk_research_limited_rows_clinic_id_release_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_research_limited_rows_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_research_limited_rows")),
        sa.UniqueConstraint(
            "clinic_id",
            "release_id",
            "file",
            "place",
            name=op.f("uq_research_limited_rows_clinic_id_release_id_file_place"),
        ),
    )
    if op.get_bind().dialect.name == "postgresql":
        for statement in walls.laid(*TABLES):
            op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    with op.batch_alter_table("research_agreements", schema=None) as batch_op:
        for name in ("ended_at", "consent_text_versions", "terms", "uses"):
            batch_op.drop_column(name)
    for table in ("research_releases", "research_projects"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("tier")
