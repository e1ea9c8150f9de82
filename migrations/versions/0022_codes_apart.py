"""codes apart

The codes of research subjects go into a schema of their own, with all that is in them, so that the
role that answers requests need not read them. On SQLite, which has neither schemas nor roles, they
stay where they are. The one thing that the version of before can't do meanwhile is make a release.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SCHEMA research_codes")
        op.execute("ALTER TABLE public.research_subjects SET SCHEMA research_codes")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE research_codes.research_subjects SET SCHEMA public")
        op.execute("DROP SCHEMA research_codes")
