"""Pages of a list, by key and never by offset."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Integer, Select, Table, bindparam, literal_column, tuple_

from api import clock
from api.db.stores import store
from api.paging import Listing, Page, Values

SYNC_MARGIN = timedelta(seconds=30)
"""How far `synced_to` stays behind now, so that a transaction committing late is not missed."""


Keys = Sequence[Any]


def page(
    statement: Select[Any],
    table: Table,
    asked: Page,
    order: Keys = (),
    newest_first: bool = False,
    opens: Table | None = None,
) -> Listing:
    """One page of `statement`, by key and never by offset, so that nothing is skipped or repeated.

    Ordered by `order` and id, or by `(updated_at, id)` with tombstones when changes since a time
    are asked for. The statement must select `id` and the order columns (and `updated_at`,
    `deleted_at` for changes), and must not filter `deleted_at` itself.
    """
    paged = page_of(statement, table, shape_of(asked), order, newest_first)
    return cut(store().rows(paged, opens, **bounds(asked)), asked, order)


@dataclass(frozen=True)
class Shape:
    """What makes pages of one list different statements: changes since, going on after, limit.

    The limit stands in the statement, for a planner that is not told it reads a whole table in
    the order of the page where an index would have found a few rows.
    """

    since: bool
    after: bool
    limit: int


def shape_of(asked: Page) -> Shape:
    """The shape of the page that is asked for."""
    return Shape(asked.since is not None, asked.after is not None, asked.limit)


def page_of(
    statement: Select[Any],
    table: Table,
    shape: Shape,
    order: Keys = (),
    newest_first: bool = False,
) -> Select[Any]:
    """The statement of a page of this shape; its values are those of `bounds`."""
    keys = [table.c.updated_at, table.c.id] if shape.since else [*order, table.c.id]
    if shape.since:
        moment = bindparam("since_", type_=table.c.updated_at.type)
        statement, newest_first = statement.where(table.c.updated_at >= moment), False
    else:
        statement = statement.where(table.c.deleted_at.is_(None))
    if shape.after:
        mark, last = tuple_(*keys), tuple_(*map(_after, range(len(keys)), keys))
        statement = statement.where(mark < last if newest_first else mark > last)
    ordered = [key.desc() for key in keys] if newest_first else keys
    return statement.order_by(*ordered).limit(literal_column(str(shape.limit + 1), Integer))


def _after(number: int, key: Any) -> Any:
    return bindparam(f"after_{number}_", type_=key.type)


def bounds(asked: Page) -> Values:
    """The values of a page: since when, and after what it goes on."""
    values: Values = {} if asked.since is None else {"since_": asked.since}
    return values | {f"after_{i}_": value for i, value in enumerate(asked.after or ())}


def cut(rows: list[Values], asked: Page, order: Keys = ()) -> Listing:
    """The rows of a page as the listing that was asked for."""
    if asked.since is None:
        return _cut(rows, asked.limit, [*(key.key for key in order), "id"])
    listing = _cut(rows, asked.limit, ["updated_at", "id"])
    gone = [row for row in listing.items if row.get("deleted_at") is not None]
    listing.tombstones = [{"id": row["id"], "deleted_at": row["deleted_at"]} for row in gone]
    listing.items = [row for row in listing.items if row.get("deleted_at") is None]
    if listing.next_after is None:
        listing.synced_to = max(clock.now() - SYNC_MARGIN, asked.since)
    return listing


def _cut(rows: list[Values], limit: int, keys: list[str]) -> Listing:
    more = len(rows) > limit
    rows = rows[:limit]
    return Listing(rows, tuple(rows[-1][key] for key in keys) if more else None)
