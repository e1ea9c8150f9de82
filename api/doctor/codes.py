"""Whether those who serve could read which patient is which subject of a release."""

from typing import Any, Final

from sqlalchemy import text

from api import db
from api.config import settings
from api.doctor.seen import OK, RED, WARN, Seen

READS_CODES: Final = text("""
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY(:schemas) AND c.relkind = 'r'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, :right))
""")
READS_NAMES: Final = text(
    "SELECT has_column_privilege('public.patients', 'legal_family', 'SELECT')"
)


def research() -> Seen:
    """Who may know which patient is which subject of a release."""
    with db.transaction() as store:
        if not store.on_postgres:
            yield OK, "SQLite: codes of subjects lie beside the charts, for whoever has the file"
            return
        is_read = store.execute(READS_CODES, _asked_of_codes("SELECT")).scalar_one()
    if is_read:
        yield (
            WARN,
            (
                "the role of DATABASE_URL reads which patient is which subject of every release:"
                " a role of its own and RESEARCH_DATABASE_URL keep them apart"
            ),
        )
    if settings().research_url:
        yield from _role_for_research()
    elif not is_read:
        yield OK, "codes of subjects are another role's; the worker needs RESEARCH_DATABASE_URL"


def _role_for_research() -> Seen:
    keeping, reading = db.keeping_engine(), db.reading_engine()
    try:
        with keeping.connect() as connection:
            keeps, removes = (
                connection.execute(READS_CODES, _asked_of_codes(right)).scalar_one()
                for right in ("INSERT", "DELETE")
            )
            keeps &= not connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one()
        with reading.connect() as connection:
            reads_names = connection.execute(READS_NAMES).scalar_one()
    finally:
        keeping.dispose()
        reading.dispose()
    if not keeps:
        yield RED, "RESEARCH_DATABASE_URL can't give codes: the primary, and `research grants`"
    elif not removes:
        yield WARN, "codes of charts that are removed can't be taken away: `research grants`"
    if reads_names:
        yield WARN, "rows of releases are read by a role that could read names"
    if keeps and removes and not reads_names:
        yield OK, "a role that reads no name makes releases and keeps the codes of subjects"


def _asked_of_codes(right: str) -> dict[str, Any]:
    return {"schemas": [*db.walls.APART.values()], "right": right}
