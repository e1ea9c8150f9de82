"""Former versions: what a record was before it changed, sealed, kept with the change itself.

Only tables that are kept have them, and only a change writes one: the newest version is the record.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import JSON, Column, Date, Integer, String, Table, UniqueConstraint, Uuid, select

from api import clock
from api.db.sealing import conceal
from api.db.tables import Instant, Sealed, new_id, tenant_table
from api.paging import Values

More = Callable[[Values], Values]
Who = tuple[UUID | None, str | None]

record_versions = tenant_table(
    "record_versions",
    Column("kind", String(40), nullable=False),
    Column("record_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("content", Sealed, nullable=False),
    Column("was_shared_with", String(20)),
    Column("fields", JSON, nullable=False),
    Column("replaced_by", Uuid),
    Column("replaced_role", String(20)),
    UniqueConstraint("clinic_id", "record_id", "number"),
)
"""`content` is version `number` of the record, whole; `fields` are the columns that the next one
changed, and `replaced_by` is who made that. `made_at` is when this one was made."""
OF_ITSELF = ("version", "updated_at")
_kept: dict[Table, list[More]] = {}
_who: list[Callable[[], Who]] = [lambda: (None, None)]


def keep(table: Table, more: More = lambda row: {}) -> None:
    """Keep former versions of the table's records; `more` is what belongs to one elsewhere.

    Said again, it adds to what belongs to one.
    """
    _kept.setdefault(table, []).append(more)


def ask_who(who: Callable[[], Who]) -> None:
    """Let `who` say who makes a change: user and role, or nobody."""
    _who[0] = who


def is_kept(table: Table) -> bool:
    """Whether former versions of the table's records are kept."""
    return table in _kept


def plain(table: Table, row: Mapping[str, Any]) -> Values:
    """A record as JSON has it (instants in UTC with `Z`), with what belongs to it elsewhere."""
    own: Values = {str(column.key): row[column.key] for column in table.c}
    whole = dict(own)
    for more in _kept.get(table, ()):
        whole |= more(own)
    done: Values = orjson.loads(orjson.dumps(whole, option=orjson.OPT_UTC_Z))
    return done


def revived(table: Table, content: Values) -> Values:
    """The record that `plain` wrote down, its ids and times as the database gives them.

    A column that came later is None; what belonged to the record elsewhere stays as it was written.
    """
    row = {str(column.key): _read(column, content.get(column.key)) for column in table.c}
    return {**content, **row}


def _read(column: Column[Any], value: Any) -> Any:
    if value is None or isinstance(column.type, Sealed):
        return value
    if isinstance(column.type, Uuid):
        return UUID(value)
    if isinstance(column.type, Instant):
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if isinstance(column.type, Date) else value


def former(
    store: Any, table: Table, before: Mapping[str, Any], changed: Mapping[str, Any]
) -> list[tuple[Table, Values]]:
    """The row that keeps the version which `changed` replaces, as the database has it; none when
    the table is not kept, or the version is not there any more.

    The record is held: of two who change one version the second finds it gone, and keeps nothing.
    """
    if table not in _kept:
        return []
    is_same = [table.c[key] == before[key] for key in ("clinic_id", "id", "version")]
    held = select(table).where(*is_same).with_for_update(key_share=True)
    row = store.row(held, opens=table)
    return [] if row is None else [_row(table, row, changed)]


def _row(table: Table, row: Values, changed: Mapping[str, Any]) -> tuple[Table, Values]:
    by, role = _who[0]()
    moment = clock.now()
    fields = [str(k) for k, value in changed.items() if k not in OF_ITSELF and row[k] != value]
    values: Values = {
        **{"clinic_id": row["clinic_id"], "id": new_id(), "version": 1},
        **{"created_at": moment, "updated_at": moment, "deleted_at": None},
        "patient_id": row["patient_id"] if "patient_id" in table.c else row["id"],
        "kind": table.name,
        "record_id": row["id"],
        "number": row["version"],
        "made_at": row["updated_at"],
        "content": plain(table, row),
        "was_shared_with": row.get("shared_with"),
        "fields": sorted(fields),
        "replaced_by": by,
        "replaced_role": role,
    }
    return record_versions, conceal(record_versions, values, values.keys())


def written(table: Table, row: Values, changed: Mapping[str, Any]) -> Values:
    """The row that keeps a version of any record, sealed: the one that `changed` replaces."""
    return _row(table, row, changed)[1]


def keep_all(store: Any, table: Table, where: list[Any], changed: Mapping[str, Any]) -> None:
    """The same for every record of `where`, held, before one statement changes them all."""
    if table not in _kept:
        return
    found = store.rows(select(table).where(*where).with_for_update(), opens=table)
    if found:
        store.append(record_versions, [_row(table, row, changed)[1] for row in found])
