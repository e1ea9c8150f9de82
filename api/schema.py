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


@cache
def head() -> str | None:
    """The newest migration there is."""
    return ScriptDirectory.from_config(configured()).get_current_head()


def is_ready() -> bool:
    """Whether the database answers and stands at the newest migration."""
    return db.reachable() and db.schema_version() == head()
