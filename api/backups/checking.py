"""Checking a backup: is it what was written, is it whole, and can it be read with our keys."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, make_url, select, text

from api import db, field_keys, vault
from api.audit import inspecting as trails
from api.backups import charts, shelf
from api.backups.charts import BadBackup
from api.backups.making import POSTGRES, connected, count, run
from api.config import settings
from api.db import Values
from api.errors import Unavailable

SAMPLE = 20
"""Rows of each table whose protected columns are opened."""


def check(folder: Path, say: Callable[[str], None], keys: Path | None = None) -> None:
    """Check a backup and write down that it was found whole; raises `BadBackup`.

    On a shelf that can't be written to nothing can be written down, which is said.
    """
    look_through(folder, say, keys)
    try:
        shelf.say_checked(folder)
    except OSError as problem:
        why = type(problem).__name__
        say(f"That it was checked could not be written down ({why}): the doctor will not know.")


def look_through(folder: Path, say: Callable[[str], None], keys: Path | None = None) -> None:
    """Check a backup, and leave it as it is; raises `BadBackup`.

    Its hash, the counts of all tables, foreign keys, and a sample of protected columns of every
    table, opened with the keys at hand; those of charts are in the copy `keys`, or in the newest
    that lies in `CHART_KEY_DIR`. A dump of PostgreSQL is restored into a database of its
    own for it, which needs the right to make one.
    """
    manifest = _manifest(folder)
    file = folder / manifest["file"]
    if shelf.digest(file) != manifest["sha256"]:
        raise BadBackup(f"{file.name} is not what was written: its SHA-256 differs.")
    say("The file is what was written.")
    with _opened(file) as connection:
        inspect(connection, manifest, say, charts.read(keys))


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        return shelf.read_manifest(folder)
    except (OSError, ValueError) as problem:
        raise BadBackup(f"{folder} is no backup: {problem}.") from problem


@contextmanager
def _opened(file: Path) -> Iterator[Connection]:
    if file.name != POSTGRES:
        with connected(f"sqlite:///file:{file}?mode=ro&immutable=1&uri=true") as connection:
            yield connection
        return
    url = make_url(settings().backup_url or settings().owner_url)
    name = f"freshtrail_check_{db.new_id().hex}"
    run("createdb", url, name)
    try:
        scratch = url.set(database=name)
        load(file, scratch)
        with connected(scratch) as connection:
            yield connection
    finally:
        run("dropdb", url, "--if-exists", name)


def load(file: Path, url: Any) -> None:
    """Load a dump into an empty database, all of it or nothing."""
    run(
        "pg_restore",
        url,
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",  # who may do what is granted by `migrate`
        f"--dbname={url.database}",
        str(file),
    )


def inspect(
    connection: Connection,
    manifest: dict[str, Any],
    say: Callable[[str], None],
    copy: charts.Copy,
) -> None:
    """Look through a database for what the manifest says of it; raises `BadBackup`."""
    _inspect_counts(connection, manifest["counts"])
    say(f"All {len(manifest['counts'])} tables have the rows they had.")
    if connection.dialect.name == "sqlite":
        _inspect_sqlite(connection)
        say("No damage, no broken reference.")
    lacking = set(manifest["keys"]) - set(field_keys.key_ids())
    if lacking:
        raise BadBackup(f"Field keys are not at hand: {', '.join(sorted(lacking))}.")
    _inspect_trail(connection)
    say("The audit trail is as it was written.")
    ring = charts.ring_for(connection, copy)
    gone = sum(key is None for key in ring.values())
    say(f"{len(ring)} keys of charts are at hand, {gone} of them destroyed.")
    say(f"{_inspect_sealed(connection, ring)} protected rows were opened.")


def _inspect_trail(connection: Connection) -> None:
    """Verify every chain by itself; checkpoints tell of later states, and are not asked."""
    for report in trails.inspect(connection, None):
        first = report.verdict.first()
        if first is not None:
            raise BadBackup(f"The audit trail was touched: {first.what} at {first.seq}.")


def _inspect_counts(connection: Connection, told: dict[str, int]) -> None:
    found = count(connection)
    wrong = sorted(name for name in told.keys() | found.keys() if told.get(name) != found.get(name))
    if wrong:
        raise BadBackup(f"Rows are lacking or too many in {', '.join(wrong)}.")


def _inspect_sqlite(connection: Connection) -> None:
    whole = connection.execute(text("PRAGMA integrity_check")).scalar()
    if whole != "ok":
        raise BadBackup("The file is damaged.")
    broken = connection.execute(text("PRAGMA foreign_key_check")).first()
    if broken is not None:
        raise BadBackup(f"A row of {broken[0]} names one of {broken[2]} that is not there.")


def _inspect_sealed(connection: Connection, ring: dict[str, bytes | None]) -> int:
    """How many rows were opened, of the last ones of each table that has protected columns."""
    opened = 0
    for table in db.metadata.sorted_tables:
        if not db.sealed_columns(table):
            continue
        last = [column.desc() for column in table.primary_key.columns]
        for row in connection.execute(select(table).order_by(*last).limit(SAMPLE)).mappings():
            opened += _open(table, dict(row), ring)
    return opened


def _open(table: Table, row: Values, ring: dict[str, bytes | None]) -> bool:
    sealed = [name for name in db.sealed_columns(table) if row[name] is not None]
    try:
        for name in sealed:
            if not vault.is_destroyed(row[name], ring):
                vault.unseal(row[name], *db.sealed_for(table, name, row), ring)
    except Unavailable:
        raise BadBackup(f"A protected column of {table.name} can't be opened.") from None
    return bool(sealed)
