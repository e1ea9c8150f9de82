"""A total may be a mean: check_ins.total takes decimals.

SQLite keeps a decimal in the column as it is; PostgreSQL is told.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("check_ins", "total", type_=sa.Double(), existing_nullable=True)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        using = "round(total)::integer"
        op.alter_column("check_ins", "total", type_=sa.Integer(), postgresql_using=using)
