"""entitled to purge"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None
BEFORE = "'legal_hold', 'retained', 'chart_changed', 'merged', 'expired'"
NAME = "ck_chart_purges_stopped_for"


def upgrade() -> None:
    _know(f"{BEFORE}, 'no_longer_entitled'")


def downgrade() -> None:
    """What was stopped for this is told as what was changed."""
    op.execute(
        "UPDATE chart_purges SET stopped_for = 'chart_changed'"
        " WHERE stopped_for = 'no_longer_entitled'"
    )
    _know(BEFORE)


def _know(reasons: str) -> None:
    """Let a purge be stopped for these reasons."""
    name = op.f(NAME)
    with op.batch_alter_table("chart_purges", schema=None) as batch_op:
        batch_op.drop_constraint(name, type_="check")
        batch_op.create_check_constraint(name, f"stopped_for IN ({reasons})")
