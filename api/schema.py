"""The database's schema: where its migrations are, and how it is brought to the newest."""

from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, make_url, text

from api import db
from api.config import settings

FOLDER = Path(__file__).parent.parent / "migrations"


def configured() -> Config:
    """Alembic's configuration; there is no ini file to keep in step."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def upgrade() -> None:
    """Bring the database that the settings name to the newest schema; a later one stays.

    On PostgreSQL, as the owner of the tables; the application's role is then granted what it needs.
    """
    if (db.schema_version() or "") <= (head() or ""):
        command.upgrade(configured(), "head")
        _open_to_application()


def _open_to_application() -> None:
    if make_url(settings().owner_url).get_backend_name() == "postgresql":
        _settle_in()


def _settle_in() -> None:
    owner = db.make_engine(settings().owner_url)
    try:
        with owner.begin() as connection:
            connection.execute(text("SET LOCAL row_security = off"))
            connection.execute(db.feed.bring_home())
            for statement in (*_grants(owner), *_grants_of_codes(owner, connection)):
                connection.execute(text(statement))
    finally:
        owner.dispose()


def _grants(owner: Engine) -> list[str]:
    role = _application(owner)
    return [] if role is None else db.walls.granted(role, sorted(db.metadata.tables))


KEPT: Final = text("""
SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
WHERE c.oid = to_regclass(:name) AND a.grantee <> c.relowner AND r.rolname <> :application
""")
"""How many roles beside the owner and the application's keep a table."""


def _grants_of_codes(owner: Engine, connection: Connection) -> list[str]:
    """What lies apart is kept by the role for research, once there is one, and else by the
    application's."""
    application, research = _application(owner), _quoted(owner, settings().research_url)
    if research is not None and research != application:
        taken = [] if application is None else db.walls.kept_from(application)
        return [*taken, *db.walls.kept_by(research)]
    if application is None:
        return []
    name = make_url(settings().url).username
    asked = [{"name": f"{at}.{table}", "application": name} for table, at in db.walls.APART.items()]
    has_keeper = any(connection.execute(KEPT, one).scalar_one() for one in asked)
    return (db.walls.kept_from if has_keeper else db.walls.kept_by)(application)


def _application(owner: Engine) -> str | None:
    """The application's role, quoted; None where it is the owner."""
    role = make_url(settings().url).username
    return None if role == owner.url.username else _quoted(owner, settings().url)


def _quoted(owner: Engine, url: str) -> str | None:
    role = make_url(url).username if url else None
    return None if role is None else owner.dialect.identifier_preparer.quote_identifier(role)


def move(to: str) -> None:
    """Bring the database to the migration of a number, forward or back; what goes, goes."""
    back = to < (db.schema_version() or "")
    (command.downgrade if back else command.upgrade)(configured(), to)
    if to == head():
        _open_to_application()


@cache
def numbers() -> list[str]:
    """The numbers of all migrations, the oldest first."""
    script = ScriptDirectory.from_config(configured())
    return sorted(revision.revision for revision in script.walk_revisions())


@cache
def head() -> str | None:
    """The newest migration there is."""
    return ScriptDirectory.from_config(configured()).get_current_head()


def is_served() -> bool:
    """Whether the database stands at our newest migration, or at one of a later version of ours.

    A later one only adds, so that a server of before goes on while another is brought up.
    """
    return (db.schema_version() or "") >= (head() or "")


def is_ready() -> bool:
    """Whether the database answers and its schema is one that we serve."""
    return db.reachable() and is_served()
