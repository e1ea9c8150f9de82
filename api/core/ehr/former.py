"""Versions of a record as an EHR reads them: as it stands, and as it was, the newest first."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, Select, select

from api.access.policies import Actor
from api.core import gate
from api.core.ehr.reading import list_records
from api.core.ehr.source import Source, Wanted
from api.core.integration.tables import ME
from api.db import Values, store, versions
from api.db.versions import record_versions

BEGINNING: Final = datetime(1900, 1, 1, tzinfo=UTC)


MADE_BY, MADE_ROLE = "made_by", "made_role"
"""Who made a version, and in what role; both None of the first one."""


@dataclass(frozen=True)
class Versions:
    """Which versions are asked for: one of them, or those before one and made since."""

    size: int
    number: int | None = None
    before: int | None = None
    since: datetime | None = None


def list_versions(
    actor: Actor,
    action: str,
    source: Source,
    record_id: UUID | str,
    asked: Versions,
    as_it_stands: bool = False,
) -> tuple[list[Values], int | None]:
    """Versions of a record in reach, the newest first, and before which one there may be more.

    None of a record that is not in reach. That of one that was taken away is its tombstone, with
    `deleted_at`. What the patient kept for themself in a version is not there. `as_it_stands` for
    what has the newest version alone.
    """
    gate.admit(actor, action)
    there = list_records(actor, action, source, Wanted([record_id]))
    there = there or list_records(actor, action, source, Wanted([record_id], gone_since=BEGINNING))
    newest = [row for row in there if _is_asked(row, asked)]
    if as_it_stands or not there or source.former is None or source.table is None:
        return newest, None
    found = store().rows(_former(actor, source, record_id, asked), opens=record_versions)
    following = found[-1]["number"] if len(found) == asked.size else None
    now = {column.key: there[0][column.key] for column in source.columns}
    rows = [now | versions.revived(source.table, one["content"]) for one in found]
    rows = [row for row in rows if source.former(row)]
    if source.beside is not None and rows:
        kept = [dict(row) for row in rows]
        source.beside(actor, rows)
        rows = [row | _then(before) for row, before in zip(rows, kept, strict=True)]
    if MADE_BY in now:
        _put_makers(actor, source.table, record_id, rows)
    return [*newest, *rows], following


def with_maker(source: Source) -> Source:
    """The same records, beside each who made the version that stands: `made_by`, `made_role`.

    Who replaced a version made the next one.
    """
    if source.former is None or source.table is None:
        return source
    v, c = record_versions.c, source.table.c
    its = (v.clinic_id == c.clinic_id, v.record_id == c.id, v.kind == source.table.name)

    def told(column: Column[Any], name: str) -> Any:
        return select(column).where(*its, v.number == c.version - 1).scalar_subquery().label(name)

    more = (told(v.replaced_by, MADE_BY), told(v.replaced_role, MADE_ROLE))
    return replace(source, columns=(*source.columns, *more))


def _put_makers(actor: Actor, table: Any, record_id: UUID | str, rows: list[Values]) -> None:
    """Put who made each former version in place of who made the one that stands."""
    v = record_versions.c
    before = [row["version"] - 1 for row in rows]
    mine = (v.clinic_id == actor.clinic_id, v.record_id == record_id, v.kind == table.name)
    made = select(v.number, v.replaced_by, v.replaced_role).where(*mine, v.number.in_(before))
    makers = {one["number"]: one for one in store().rows(made)} if rows else {}
    for row in rows:
        maker = makers.get(row["version"] - 1, {})
        row[MADE_BY], row[MADE_ROLE] = maker.get("replaced_by"), maker.get("replaced_role")


def _is_asked(row: Values, asked: Versions) -> bool:
    version = row.get("version", 1)
    before = asked.before is None or version < asked.before
    since = asked.since is None or row["updated_at"] >= asked.since
    return before and since and asked.number in (None, version)


def _former(actor: Actor, source: Source, record_id: UUID | str, asked: Versions) -> Select[Any]:
    v, table = record_versions.c, source.table
    assert table is not None, "what has former versions has a table"
    statement = select(record_versions).where(
        v.clinic_id == actor.clinic_id,
        v.record_id == record_id,
        v.kind == table.name,
        v.was_shared_with.is_(None) | (v.was_shared_with != ME),
    )
    if asked.number is not None:
        statement = statement.where(v.number == asked.number)
    if asked.before is not None:
        statement = statement.where(v.number < asked.before)
    if asked.since is not None:
        statement = statement.where(v.made_at >= asked.since)
    return statement.order_by(v.number.desc()).limit(asked.size)


def _then(row: Values) -> Values:
    """What belonged to a version elsewhere, in place of what belongs to the record now."""
    told: Values = {}
    if "identifiers" in row:
        told["identifiers"] = row["identifiers"]
    if "clinician_ids" in row:
        told["clinicians"] = [UUID(one) for one in row["clinician_ids"]]
    return told
