"""audit seals"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _seal_the_seals() -> None:
    """Seals can be neither changed nor deleted, whoever asks; each event knows its transaction."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER audit_seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
            " ON audit_seals FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        # a default set apart leaves what is there empty: it is from before, and settled
        op.execute(
            "ALTER TABLE audit_events ALTER COLUMN xid SET DEFAULT pg_current_xact_id()::text::bigint"
        )
        return
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_seals_no_{act.lower()} BEFORE {act} ON audit_seals"
            " BEGIN SELECT RAISE(ABORT, 'this table is append only'); END"
        )


def upgrade() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", name=op.f("pk_audit_heads")),
    )
    op.create_table(
        "audit_seals",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("prev_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", "seq", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint(
            "clinic_id", "event_id", name=op.f("uq_audit_seals_clinic_id_event_id")
        ),
    )
    # never made anew: its triggers would be gone
    with op.batch_alter_table("audit_events", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("xid", sa.BigInteger(), nullable=True))
        batch_op.create_index("ix_audit_events_order", ["clinic_id", "xid"], unique=False)
    _seal_the_seals()


def downgrade() -> None:
    with op.batch_alter_table("audit_events", recreate="never") as batch_op:
        batch_op.drop_index("ix_audit_events_order")
        batch_op.drop_column("xid")
    op.drop_table("audit_seals")
    op.drop_table("audit_heads")
