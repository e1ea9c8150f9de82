"""Restoring: a checked backup into an empty place, looked through again where it stands."""

import shutil
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import inspect as looking, make_url
from sqlalchemy.engine import URL

from api.backups import charts, shelf
from api.backups.charts import BadBackup
from api.backups.checking import inspect, load, look_through
from api.backups.making import SQLITE, connected
from api.config import settings


def restore(folder: Path, say: Callable[[str], None], keys: Path | None = None) -> None:
    """Restore a backup into the database of the settings, which must be empty.

    The keys of charts come from the copy `keys`, or the newest in `CHART_KEY_DIR`: what was
    destroyed since the backup was made stays destroyed.

    Raises `BadBackup` when the backup is not whole, of another engine, or the place is taken.
    """
    copy = charts.read(keys)
    look_through(folder, say, copy.path)
    manifest = shelf.read_manifest(folder)
    url = make_url(_address())
    to_sqlite = url.get_backend_name() == "sqlite"
    if to_sqlite != (manifest["file"] == SQLITE):
        raise BadBackup("The backup is of another kind of database than DATABASE_URL names.")
    if to_sqlite:
        _copy(folder / SQLITE, Path(str(url.database)))
    else:
        _refuse_filled(url)
        load(folder / manifest["file"], url)
    with connected(url) as connection:
        inspect(connection, manifest, say, copy)
        say(f"{charts.bring_back(connection, copy)} keys of charts were brought back.")


def _address() -> str:
    """Where to: as the owner of the tables, where the settings name one."""
    return settings().migration_database_url or settings().backup_url or settings().url


def _refuse_filled(url: URL) -> None:
    with connected(url) as connection:
        if looking(connection).get_table_names():
            raise BadBackup("The database is not empty; restore into a new one.")


def _copy(file: Path, to: Path) -> None:
    taken = [place for place in (to, Path(f"{to}-wal"), Path(f"{to}-shm")) if place.exists()]
    if taken:
        raise BadBackup(f"{taken[0].name} is there already; move it away first.")
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copy(file, to)
    to.chmod(0o600)
