"""sealed words"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None
NEW = ("sealed_pronouns", "sealed_gender_identity")


def upgrade() -> None:
    """What lies in clear is sealed by `keys reseal`: the version of before reads it until then."""
    with op.batch_alter_table("patients", schema=None) as batch_op:
        for name in NEW:
            batch_op.add_column(sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    """What is sealed by then is lost: without its key it can't be put back in clear."""
    with op.batch_alter_table("patients", schema=None) as batch_op:
        for name in NEW:
            batch_op.drop_column(name)
