"""oversight"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None
COLUMNS = {
    "suspended_at": sa.DateTime(timezone=True),
    "unrelated_until": sa.Date(),
    "volumes_until": sa.Date(),
}


def upgrade() -> None:
    with op.batch_alter_table("clinics", schema=None) as batch_op:
        for name, kind in COLUMNS.items():
            batch_op.add_column(sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    """A clinic that is suspended is so no more: the version of before knows nothing of it."""
    with op.batch_alter_table("clinics", schema=None) as batch_op:
        for name in COLUMNS:
            batch_op.drop_column(name)
