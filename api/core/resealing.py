"""Resealing: what lies under a key of before is sealed with the current one, batch after batch.

Psychotherapy notes go from their clinic's key to that of their chart, and stay there: of a chart
only the key is sealed anew. What a version of before wrote in clear is sealed where it is to be.

A batch is a transaction, and keys of before stay readable until nothing lies under them: whoever is
killed in the middle has lost nothing, and the next one goes on with what is left.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, func, literal, or_, select, tuple_

from api import field_keys, vault
from api.access.users import clinics_there
from api.config import settings
from api.core import chart_keys
from api.core.patients import ONCE_CLEAR, patients
from api.db import (
    Values,
    metadata,
    sealed_columns,
    sealed_for,
    store,
    transaction,
    walls,
    within,
)

AT_ONCE: Final = 200
"""Rows of a batch: some ten milliseconds, in which nobody else can change them."""
CHART_KEY_ID: Final = "chart_key_id"
BY_HAND: Final = {"bulk_chunks": ["content"]}
"""Columns that are sealed piece by piece and gone within days: they are not sealed anew, and hold a
key of before until then."""
CLEAR: Final = {patients: ONCE_CLEAR}
"""What lies in clear where a version of before wrote it, and the columns that it goes to."""
PASSES: Final = 5
"""How often what others held meanwhile is asked for again."""


@dataclass(frozen=True)
class Place:
    """A table, and the clinic whose rows are meant; None for a table of no clinic."""

    table: Table
    clinic_id: UUID | None


def places(by_hand: bool = False) -> Iterator[Place]:
    """Wherever something is sealed anew, or sealed at all."""
    with transaction() as store:
        ids = clinics_there(store)
    for name in sorted(metadata.tables):
        table = metadata.tables[name]
        if sealed_columns(table) or (by_hand and name in BY_HAND):
            yield from (Place(table, each) for each in (ids if _is_walled(table) else [None]))


def _is_walled(table: Table) -> bool:
    return table.name not in walls.OUTSIDE


def left(kid: str | None = None) -> dict[str, int]:
    """How many rows of each table lie under a key, or are to be sealed with the current one."""
    found: dict[str, int] = {}
    for place in places(by_hand=kid is not None):
        counted = select(func.count().label("n")).where(*_mine(place), _lies_under(place, kid))
        with within(place.clinic_id), transaction() as store:
            row = store.row(counted)
        if row is not None and row["n"]:
            found[place.table.name] = found.get(place.table.name, 0) + row["n"]
    return found


def in_clear() -> int:
    """How many rows hold words in clear that a version of before wrote there."""
    found = 0
    for place in places():
        if place.table in CLEAR:
            counted = select(func.count().label("n")).where(*_mine(place))
            with within(place.clinic_id), transaction() as store:
                row = store.row(counted.where(or_(*_in_clear(place.table))))
            found += 0 if row is None else row["n"]
    return found


def reseal(say: Callable[[int], None]) -> int:
    """Seal all that lies under keys of before with the current one; how many rows are left.

    `say` is told how many rows were done, batch after batch.
    """
    for _pass in range(PASSES):
        for place in places():
            _reseal(place, say)
        remaining = sum(left().values())
        if not remaining:
            break
    return remaining


def _reseal(place: Place, say: Callable[[int], None]) -> None:
    after: tuple[Any, ...] | None = None
    while True:
        with within(place.clinic_id), transaction():
            rows = _next(place, after)
            for row in rows:
                _seal_anew(place.table, row)
        if not rows:
            return
        say(len(rows))
        after = tuple(rows[-1][key] for key in _keys(place.table))


def _next(place: Place, after: tuple[Any, ...] | None) -> list[Values]:
    key = [place.table.c[name] for name in _keys(place.table)]
    stale = select(place.table).where(*_mine(place), _lies_under(place, None))
    if after is not None:
        stale = stale.where(tuple_(*key) > tuple_(*_typed(key, after)))
    return store().rows(stale.order_by(*key).limit(AT_ONCE).with_for_update(skip_locked=True))


def _typed(key: list[Any], after: tuple[Any, ...]) -> list[Any]:
    return [literal(value, column.type) for column, value in zip(key, after, strict=True)]


def _keys(table: Table) -> list[str]:
    return [column.key for column in table.primary_key.columns]


def _mine(place: Place) -> list[ColumnElement[bool]]:
    return [] if place.clinic_id is None else [place.table.c.clinic_id == place.clinic_id]


def _lies_under(place: Place, kid: str | None) -> ColumnElement[bool]:
    """Whether something in a row lies under the key; without one, under any but the current."""
    names = [*sealed_columns(place.table), *BY_HAND.get(place.table.name, ())]
    columns = [place.table.c[name] for name in names]
    if kid is not None:
        return or_(*(column.like(f"v1.{kid}.%") for column in columns))
    kept = [f"v1.{vault.CHARTS}%"]
    if not _goes_to_charts(place.table):
        kept.append(f"v1.{field_keys.current()}.%")
    behind = (and_(*(column.not_like(one) for one in kept)) for column in columns)
    return or_(*behind, *_in_clear(place.table))


def _in_clear(table: Table) -> list[ColumnElement[bool]]:
    return [table.c[name].is_not(None) for name in CLEAR.get(table, ())]


def _goes_to_charts(table: Table) -> bool:
    return CHART_KEY_ID in table.c and settings().chart_keys == "on"


def _seal_anew(table: Table, row: Values) -> None:
    kept, fresh, under = [f"v1.{vault.CHARTS}"], dict[str, Any](), ""
    if _goes_to_charts(table):
        fresh[CHART_KEY_ID] = key_id = chart_keys.to_write(row)
        under = vault.chart_kid(key_id) if key_id else ""
    else:
        kept.append(f"v1.{field_keys.current()}.")
    for name in sealed_columns(table):
        value = row[name]
        if value is not None and not value.startswith(tuple(kept)):
            bound = sealed_for(table, name, row)
            fresh[name] = vault.seal(vault.unseal(value, *bound), *bound, under, store().ring)
    for clear, name in CLEAR.get(table, {}).items():
        if row[clear] is not None:
            fresh[name] = vault.seal_json(row[clear], *sealed_for(table, name, row))
            fresh[clear] = None
    mine = [table.c[key] == row[key] for key in _keys(table)]
    store().execute(table.update().where(*mine).values(fresh))
