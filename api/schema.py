"""The database's schema: where its migrations are, and how it is brought to the newest."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, make_url, text

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
            for statement in _grants(owner):
                connection.execute(text(statement))
    finally:
        owner.dispose()


def _grants(owner: Engine) -> list[str]:
    role = make_url(settings().url).username
    if role is None or role == owner.url.username:
        return []
    quoted = owner.dialect.identifier_preparer.quote_identifier(role)
    return db.walls.granted(quoted, sorted(db.metadata.tables))


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
