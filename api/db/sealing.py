"""Sealed columns: sealed on their way into the database and opened on their way out."""

from collections.abc import Container, Mapping
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Table

from api import vault
from api.db.tables import Sealed
from api.paging import Values

CHART_KEY, CHART_KEY_ID = "chart_key", "chart_key_id"
"""How a row brings the sealed key of its chart along, and the column that names that key."""
CHART_KEY_PLACE = "chart_keys.key"


def conceal(
    table: Table, record: Mapping[str, Any], keys: Any, ring: vault.Ring = vault.NO_RING
) -> Values:
    """The values of `keys` as the database may see them: sealed columns sealed.

    A record that names the key of its chart is sealed under that, which must be on the ring.
    """
    hidden = {key: record[key] for key in keys}
    under = _chart_kid(table, record)
    for key, place, purpose in _places(table):
        value = hidden.get(key)
        if value is not None:
            of = (record["id"], record["clinic_id"])
            hidden[key] = vault.seal_json(value, place, *of, purpose, under, ring)
    return hidden


def _chart_kid(table: Table, record: Mapping[str, Any]) -> str:
    key_id = record.get(CHART_KEY_ID) if CHART_KEY_ID in table.c else None
    return "" if key_id is None else vault.chart_kid(key_id)


@cache
def sealed_columns(table: Table) -> tuple[str, ...]:
    """The names of the columns of `table` that are sealed."""
    return tuple(column.key for column in table.c if isinstance(column.type, Sealed))


def sealed_for(table: Table, name: str, row: Values) -> tuple[str, Any, UUID, str]:
    """What the value of a sealed column is sealed for: its place, its row, its clinic, its purpose.

    For the rows of any table, also of those that have no `id` or are of no clinic.
    """
    kind = table.c[name].type
    assert isinstance(kind, Sealed)
    purpose = (row[kind.purpose_in] if kind.purpose_in else None) or kind.purpose
    clinic_id = row.get("clinic_id") or vault.GLOBAL
    return f"{table.name}.{name}", row[kind.bound_to], clinic_id, purpose


def reveal(
    table: Table | None,
    row: Values,
    as_written: Container[str] = (),
    ring: dict[str, bytes | None] | None = None,
) -> Values:
    """The row with the sealed columns of `table` opened; needs its `id` and `clinic_id`.

    Those of `as_written` become what a JSON writer takes as it stands, and nobody reads. A chart's
    key that the row brings along goes to the ring; what lies under one that was destroyed is None.
    """
    if table is None:
        return row
    ring = {} if ring is None else ring
    if CHART_KEY in row:
        take_along(row, ring)
    row_id = str(row.get("id"))  # once, for each value is bound to it
    for key, place, purpose in _places(table):
        if row.get(key) is None:
            continue
        if ring and vault.is_destroyed(row[key], ring):
            row[key] = None
            continue
        of = (row_id, row["clinic_id"])
        text = vault.unseal_bytes(row[key], place, *of, purpose, ring)
        row[key] = orjson.Fragment(text) if key in as_written else orjson.loads(text)
    return row


def take_along(row: Values, ring: dict[str, bytes | None]) -> None:
    """Put the key that a row brings along on the ring; one that was destroyed as None."""
    sealed, key_id = row.pop(CHART_KEY), row.get(CHART_KEY_ID)
    if key_id is None or (kid := vault.chart_kid(key_id)) in ring:
        return
    if sealed is not None:
        ring[kid] = open_chart_key(sealed, key_id, row["clinic_id"])
    elif row.get("destroyed_at") is not None:
        ring[kid] = None


def open_chart_key(sealed: str, key_id: UUID, clinic_id: UUID) -> bytes:
    """A chart's key, opened with its clinic's; raises `Unavailable` for one moved elsewhere."""
    of = (key_id, clinic_id, vault.PSYCHOTHERAPY)
    return vault.chart_key(vault.unseal_json(sealed, CHART_KEY_PLACE, *of))


@cache
def _places(table: Table) -> tuple[tuple[str, str, str], ...]:
    """Each sealed column, with the place that its values are sealed for and the key's purpose."""
    return tuple(
        (column.key, f"{table.name}.{column.key}", column.type.purpose)
        for column in table.c
        if isinstance(column.type, Sealed)
    )
