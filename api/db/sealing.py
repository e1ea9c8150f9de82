"""Sealed columns: sealed on their way into the database and opened on their way out."""

from collections.abc import Container, Mapping
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Table

from api import vault
from api.db.tables import Sealed
from api.paging import Values


def conceal(table: Table, record: Mapping[str, Any], keys: Any) -> Values:
    """The values of `keys` as the database may see them: sealed columns sealed."""
    hidden = {key: record[key] for key in keys}
    for key, place, purpose in _places(table):
        value = hidden.get(key)
        if value is not None:
            of = (record["id"], record["clinic_id"])
            hidden[key] = vault.seal_json(value, place, *of, purpose)
    return hidden


@cache
def sealed_columns(table: Table) -> tuple[str, ...]:
    """The names of the columns of `table` that are sealed."""
    return tuple(column.key for column in table.c if isinstance(column.type, Sealed))


def reveal(table: Table | None, row: Values, as_written: Container[str] = ()) -> Values:
    """The row with the sealed columns of `table` opened; needs its `id` and `clinic_id`.

    Those of `as_written` become what a JSON writer takes as it stands, and nobody reads.
    """
    if table is None:
        return row
    row_id = str(row.get("id"))  # once, for each value is bound to it
    for key, place, purpose in _places(table):
        if row.get(key) is not None:
            of = (row_id, row["clinic_id"])
            text = vault.unseal_bytes(row[key], place, *of, purpose)
            row[key] = orjson.Fragment(text) if key in as_written else orjson.loads(text)
    return row


@cache
def _places(table: Table) -> tuple[tuple[str, str, str], ...]:
    """Each sealed column, with the place that its values are sealed for and the key's purpose."""
    return tuple(
        (column.key, f"{table.name}.{column.key}", column.type.purpose)
        for column in table.c
        if isinstance(column.type, Sealed)
    )
