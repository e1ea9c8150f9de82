"""Making a backup while the clinic works: one moment of the database, whole."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, func, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from api import db, field_keys, schema
from api.backups import charts, shelf
from api.config import settings
from api.errors import Unsafe

SQLITE, POSTGRES = "database.sqlite", "database.dump"
WITHOUT = "chart_keys"
"""The table whose rows no backup holds."""
Say = Callable[[str], None]


def make(to: Path, say: Say) -> Path:
    """A backup in a new folder under `to`; raises `Unsafe` when it can't be made whole.

    Of one that was not nothing is left: half-made, it may hold keys of charts. What a killed one
    left goes with the next.
    """
    for left in shelf.sweep(to):
        say(f"Removed {left}, which was never finished.")
    folder = shelf.new_folder(to)
    say(f"Backing up to {folder}...")
    try:
        _fill(folder, say)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _fill(folder: Path, say: Say) -> None:
    url = make_url(settings().backup_url or settings().owner_url)
    made = _copy_sqlite if url.get_backend_name() == "sqlite" else _dump_postgres
    file, counts, keys = made(url, folder)
    now = datetime.now(UTC)
    beside = charts.write(keys, now, say)
    manifest = {
        "made_at": now.isoformat(timespec="seconds"),
        "schema": schema.head(),
        "file": file.name,
        "bytes": file.stat().st_size,
        "sha256": shelf.digest(file),
        "counts": counts,
        "keys": field_keys.key_ids(),
        "chart_keys": beside.name,
    }
    shelf.write_manifest(folder, manifest)
    say(f"{sum(counts.values())} rows of {len(counts)} tables, {file.stat().st_size} bytes.")


Made = tuple[Path, dict[str, int], list[db.Values]]
"""The copy, the counts of what is in it, and the keys of charts, which are not."""


def _copy_sqlite(url: URL, folder: Path) -> Made:
    file = folder / SQLITE
    source = f"file:{url.database}?mode=ro"
    with (
        closing(sqlite3.connect(source, uri=True)) as living,
        closing(sqlite3.connect(file)) as copy,
    ):
        living.backup(copy)  # in one step: page by page it begins anew at each write of others
        copy.execute("PRAGMA journal_mode=DELETE")
    file.chmod(0o600)
    with connected(f"sqlite:///{file}") as connection:
        keys = charts.take_out(connection)
        return file, count(connection), keys


def _dump_postgres(url: URL, folder: Path) -> Made:
    file = folder / POSTGRES
    with connected(url, isolation_level="REPEATABLE READ") as connection:
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        counts, keys = count(connection) | {WITHOUT: 0}, charts.take(connection)
        what = (f"--snapshot={snapshot}", f"--exclude-table-data=public.{WITHOUT}")
        run("pg_dump", url, *what, "--format=custom", f"--file={file}")
    file.chmod(0o600)
    return file, counts, keys


@contextmanager
def connected(url: URL | str, **more: Any) -> Iterator[Connection]:
    """A connection of its own to a database, closed whatever happens."""
    if make_url(url).get_backend_name() == "postgresql":
        more |= {"connect_args": {"options": db.walls.SEARCH_PATH}}
    engine = create_engine(url, poolclass=NullPool, **more)
    with engine.connect() as connection:
        yield connection


def count(connection: Connection) -> dict[str, int]:
    """How many rows each table has."""
    tables = db.metadata.sorted_tables
    return {
        t.name: connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables
    }


def run(program: str, url: URL, *words: str) -> str:
    """Run one of PostgreSQL's programs against a database; raises `Unsafe` with its complaint."""
    query: dict[str, Any] = dict(url.query)
    given = {
        "PGHOST": url.host or query.get("host"),
        "PGPORT": str(url.port or query.get("port") or ""),
        "PGUSER": url.username,
        "PGPASSWORD": url.password and str(url.password),
        "PGDATABASE": url.database,
        "PGSSLMODE": query.get("sslmode"),
    }
    environment = os.environ | {name: value for name, value in given.items() if value}
    try:
        told = subprocess.run(
            [program, "--no-password", *words], env=environment, capture_output=True, text=True
        )
    except FileNotFoundError:
        raise Unsafe(f"{program} is not on the PATH; it comes with PostgreSQL's clients.") from None
    if told.returncode != 0:
        raise Unsafe(f"{program} failed: {told.stderr.strip()[:500]}")
    return told.stdout
