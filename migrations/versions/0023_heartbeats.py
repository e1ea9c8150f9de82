"""heartbeats"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("ehr_subscriptions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("heartbeat_s", sa.Integer(), nullable=True))
    _know("'handshake', 'event-notification', 'heartbeat'")


def downgrade() -> None:
    op.execute("DELETE FROM ehr_notifications WHERE type = 'heartbeat'")
    _know("'handshake', 'event-notification'")
    with op.batch_alter_table("ehr_subscriptions", schema=None) as batch_op:
        batch_op.drop_column("heartbeat_s")


def _know(types: str) -> None:
    """Let a notification be of these types."""
    name = op.f("ck_ehr_notifications_type")
    with op.batch_alter_table("ehr_notifications", schema=None) as batch_op:
        batch_op.drop_constraint(name, type_="check")
        batch_op.create_check_constraint(name, f"type IN ({types})")
