"""Charts' keys in backups: copied apart, so that what is destroyed is soon gone from all of them.

A backup holds psychotherapy notes without the keys of their charts. Keys are never replaced, so
that the newest copy of them opens every backup made before, but for what was destroyed meanwhile;
older copies are thrown away.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Table, or_, select, text

from api import db, vault
from api.config import settings
from api.core.chart_keys import LIVES, chart_keys
from api.errors import Unavailable

NAME: Final = "chart-keys-%Y%m%dT%H%M%SZ.json"
KEPT: Final = tuple(str(column.key) for column in chart_keys.c)


class BadBackup(Exception):
    """The backup can't be trusted; the message says why, for people."""


@dataclass(frozen=True)
class Copy:
    """A copy of charts' keys: whence, and the rows by their id."""

    path: Path | None
    rows: dict[UUID, db.Values]


def take(connection: Connection) -> list[db.Values]:
    """Every row of charts' keys, those of destroyed keys too, in the transaction of a backup."""
    return [dict(row) for row in connection.execute(select(chart_keys)).mappings()]


def take_out(connection: Connection) -> list[db.Values]:
    """The same out of a copy of SQLite, in whose file no byte of a key is left."""
    rows = take(connection)
    connection.commit()
    driver: Any = connection.connection.driver_connection
    driver.isolation_level = None  # VACUUM runs in no transaction
    for statement in ("PRAGMA secure_delete = ON", "DELETE FROM chart_keys", "VACUUM"):
        driver.execute(statement)
    return rows


def write(rows: list[db.Values], now: datetime, say: Callable[[str], None]) -> Path:
    """Write a copy into `CHART_KEY_DIR`, and throw away those that it replaced long ago.

    No row of these ever goes, so that one of before that is lacking now is a loss: then nothing is
    thrown away, now or later, and it is said.
    """
    folder = settings().chart_key_copies
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    before, path = _known(say), folder / now.strftime(NAME)
    half = path.with_suffix(".half")
    half.touch(mode=0o600)
    half.write_text(json.dumps({"made_at": now.isoformat(), "keys": [*map(_plain, rows)]}) + "\n")
    written = read(half).rows.keys()
    half.replace(path)
    say(f"{len(rows)} keys of charts, apart, in {path}.")
    if lost := before - written:
        told = ", ".join(sorted(map(vault.chart_kid, lost)))
        say(f"Copies of before have keys that are not there any more: {told}. All copies stay.")
        return path
    for old in outdated(now):
        old.unlink()
    return path


def _known(say: Callable[[str], None]) -> set[UUID]:
    """The ids of all keys of which any copy knows; one that can't be read is said, and no more."""
    known: set[UUID] = set()
    for path in copies():
        try:
            known |= read(path).rows.keys()
        except BadBackup as problem:
            say(str(problem))
    return known


def _plain(row: db.Values) -> db.Values:
    return {name: None if row[name] is None else str(row[name]) for name in KEPT}


def copies() -> list[Path]:
    """The copies that lie there, the newest last; what is named otherwise is somebody else's."""
    folder = settings().chart_key_copies
    return sorted(path for path in folder.glob("chart-keys-*.json") if _made_at(path) is not None)


def outdated(now: datetime) -> list[Path]:
    """The copies that a newer one replaced more than `CHART_KEY_DAYS` ago."""
    there, since = copies(), now - timedelta(days=settings().chart_key_days)
    after = zip(there, there[1:], strict=False)
    return [old for old, newer in after if (made_at := _made_at(newer)) and made_at < since]


def _made_at(path: Path) -> datetime | None:
    """When a copy was made, by its name; None for what was not named by us."""
    try:
        return datetime.strptime(path.name, NAME).replace(tzinfo=UTC)
    except ValueError:
        return None


def read(path: Path | None) -> Copy:
    """A copy of charts' keys; without a path the newest that lies there, if any.

    Raises `BadBackup` for a file that is none.
    """
    path = path or next(reversed(copies()), None)
    if path is None:
        return Copy(None, {})
    try:
        told = json.loads(path.read_text())["keys"]
        rows = [_revived(row) for row in told]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        what = f"{path.name} is no copy of charts' keys ({type(problem).__name__})."
        raise BadBackup(what) from problem
    return Copy(path, {row["id"]: row for row in rows})


def newest_copy() -> Copy:
    """The newest copy that lies there, or an empty one of no path; raises as `read` does."""
    return read(None)


def _revived(row: dict[str, str | None]) -> db.Values:
    return {column.key: _value(column.type, row[column.key]) for column in chart_keys.c}


def _value(kind: Any, told: str | None) -> Any:
    if told is None:
        return None
    if isinstance(kind, db.Instant):
        return datetime.fromisoformat(told)
    return told if isinstance(kind, db.Sealed) else kind.python_type(told)


def ring_for(connection: Connection, copy: Copy) -> dict[str, bytes | None]:
    """The keys of a copy, opened; raises `BadBackup` when a note's key is lacking, and says which.

    One that was destroyed lacks nothing: its notes are to be unreadable.
    """
    lacking = sorted(vault.chart_kid(one) for one in {*_named(connection)} - copy.rows.keys())
    if lacking:
        where = copy.path.name if copy.path else "any copy, for none lies in CHART_KEY_DIR"
        raise BadBackup(
            f"Psychotherapy notes can't be opened: {len(lacking)} keys of charts are not in"
            f" {where}: {', '.join(lacking)}."
            " A copy that was made with the backup, or since, has them."
        )
    return {vault.chart_kid(key_id): _opened(row) for key_id, row in copy.rows.items()}


def _opened(row: db.Values) -> bytes | None:
    try:
        of = (row["id"], row["clinic_id"])
        return None if row["key"] is None else db.open_chart_key(row["key"], *of)
    except Unavailable:
        kid = vault.chart_kid(row["id"])
        raise BadBackup(f"{kid} can't be opened with the field keys at hand.") from None


def _named(connection: Connection, clinic_id: UUID | None = None) -> Iterator[UUID]:
    """The ids of the keys without which a word in the database, or of a clinic, can't be read."""
    for table in sealed_by_chart():
        said = or_(*(table.c[name].is_not(None) for name in db.sealed_columns(table)))
        named = select(table.c.chart_key_id).where(table.c.chart_key_id.is_not(None), said)
        if clinic_id is not None:
            named = named.where(table.c.clinic_id == clinic_id)
        yield from connection.execute(named.distinct()).scalars()


def orphaned(connection: Connection, clinic_id: UUID) -> int:
    """How many keys are named by words of a clinic and are not there."""
    there = select(chart_keys.c.id).where(chart_keys.c.clinic_id == clinic_id)
    return len({*_named(connection, clinic_id)} - {*connection.execute(there).scalars()})


def uncopied(connection: Connection, clinic_id: UUID, copy: Copy) -> int:
    """How many keys of a clinic that still open notes are not in a copy."""
    living = select(chart_keys.c.id).where(chart_keys.c.clinic_id == clinic_id, LIVES)
    return len({*connection.execute(living).scalars()} - copy.rows.keys())


def sealed_by_chart() -> list[Table]:
    """The tables whose rows lie under their charts' keys."""
    return [table for table in db.metadata.sorted_tables if "chart_key_id" in table.c]


def bring_back(connection: Connection, copy: Copy) -> int:
    """Put the keys of a copy into a restored database, but for charts that came after it."""
    patients = db.metadata.tables["patients"]
    there = {*connection.execute(select(patients.c.id)).scalars()}
    rows = [row for row in copy.rows.values() if row["patient_id"] in there]
    for row in rows:
        if connection.dialect.name == "postgresql":
            named = {"clinic_id": str(row["clinic_id"])}
            connection.execute(text("SELECT set_config('app.clinic_id', :clinic_id, true)"), named)
        connection.execute(chart_keys.insert(), row)
    connection.commit()
    return len(rows)
