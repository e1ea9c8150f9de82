"""Sealed columns: sealed on their way into the database and opened on their way out."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Table

from api import vault
from api.db.tables import Sealed
from api.paging import Values


def conceal(table: Table, record: Mapping[str, Any], keys: Any) -> Values:
    """The values of `keys` as the database may see them: sealed columns sealed."""
    hidden = {}
    for key in keys:
        value = record[key]
        if value is not None and isinstance(table.c[key].type, Sealed):
            value = vault.seal_json(value, f"{table.name}.{key}", record["id"], record["clinic_id"])
        hidden[key] = value
    return hidden


@cache
def sealed_columns(table: Table) -> tuple[str, ...]:
    """The names of the columns of `table` that are sealed."""
    return tuple(column.key for column in table.c if isinstance(column.type, Sealed))


def reveal(table: Table | None, row: Values) -> Values:
    """The row with the sealed columns of `table` opened; needs its `id` and `clinic_id`."""
    if table is None:
        return row
    for key in sealed_columns(table):
        if row.get(key) is not None:
            place = f"{table.name}.{key}"
            row[key] = vault.unseal_json(row[key], place, row["id"], row["clinic_id"])
    return row
