"""How migrations run: on the application's own engine settings, whole or not at all."""

from typing import Any

from alembic import context
from sqlalchemy import Connection, event, text

import api.app  # noqa: F401  (registers every table)
from api.config import settings
from api.db import Instant, Sealed, make_engine, metadata


def render(kind: str, item: Any, _context: Any) -> str | bool:
    """Write our column types as SQLAlchemy's own, so that migrations import no code of ours."""
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Sealed):
        return "sa.Text()"
    return False


def plain(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Leave out of a new migration what tables know beside their schema: it can't be written."""
    for directive in directives:
        for op in directive.upgrade_ops.ops + directive.downgrade_ops.ops:
            if hasattr(op, "info"):
                op.info = {}


def run(connection: Connection) -> None:
    """Migrate in one transaction; on SQLite foreign keys are checked before the commit."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        render_item=render,
        process_revision_directives=plain,
        render_as_batch=True,
        compare_type=False,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            # What a policy would hide from a migration of data must fail, not be left out.
            connection.execute(text("SET LOCAL row_security = off"))
        context.run_migrations()
        if connection.dialect.name == "sqlite":
            broken = connection.execute(text("PRAGMA foreign_key_check")).all()
            if broken:
                raise RuntimeError(f"the migration leaves {len(broken)} rows without their parent")


def online() -> None:
    """Connect and run; a batch ALTER of a parent must not delete its children (SQLite)."""
    engine = make_engine(settings().owner_url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA foreign_keys=OFF"))
    try:
        with engine.connect() as connection:
            run(connection)
    finally:
        engine.dispose()


if context.is_offline_mode():
    context.configure(
        url=settings().owner_url, target_metadata=metadata, literal_binds=True, render_item=render
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    online()
