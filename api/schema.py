"""The database's schema: where its migrations are, and how it is brought to the newest."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from api import db

FOLDER = Path(__file__).parent.parent / "migrations"


def configured() -> Config:
    """Alembic's configuration; there is no ini file to keep in step."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def upgrade() -> None:
    """Bring the database that the settings name to the newest schema."""
    command.upgrade(configured(), "head")


def move(to: str) -> None:
    """Bring the database to the migration of a number, forward or back; what goes, goes."""
    back = to < (db.schema_version() or "")
    (command.downgrade if back else command.upgrade)(configured(), to)


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
