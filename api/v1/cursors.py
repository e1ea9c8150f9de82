"""Opaque cursors: where a list goes on, with its filters, sealed so that none can be forged."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from api import vault
from api.access.policies import Actor
from api.errors import Unavailable, Unreadable

PLACE = "cursor"
MAX_CURSOR = 4096
KINDS = {UUID: "u", datetime: "t", date: "d", int: "i", str: "s"}
READ: dict[str, Callable[[str], Any]] = {
    "u": UUID,
    "t": datetime.fromisoformat,
    "d": date.fromisoformat,
    "i": int,
    "s": str,
}


def write(actor: Actor, path: str, filters: dict[str, Any], after: tuple[Any, ...]) -> str:
    """A cursor for the rows of `path` that come after the key `after`."""
    key = [[KINDS[type(value)], str(value)] for value in after]
    return vault.seal_json({"f": filters, "a": key}, PLACE, path, actor.clinic_id)[3:]


def read(actor: Actor, path: str, cursor: str) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """Filters and key of a cursor made here for this path and clinic; else `Unreadable`."""
    try:
        if len(cursor) > MAX_CURSOR or not cursor.isascii():
            raise ValueError
        content = vault.unseal_json("v1." + cursor, PLACE, path, actor.clinic_id)
        return content["f"], tuple(READ[kind](text) for kind, text in content["a"])
    except (Unavailable, ValueError, KeyError):
        raise Unreadable("This cursor was not made here.") from None
