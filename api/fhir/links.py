"""Links of a search: `self` says what was applied, `next` is opaque and can't be forged."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from api import vault
from api.access.policies import Actor
from api.errors import Unavailable, Unreadable
from api.fhir.asking import Asked

PLACE: Final = "fhir.page"
NAME: Final = "_page"
MAX_LINK: Final = 8192


def self_link(base: str, kind: str, asked: Asked) -> str:
    """The address of what was asked, as far as it was applied, with the page size."""
    told = list(asked.applied)
    if not any(name == "_count" for name, _ in told):
        told.append(("_count", str(asked.count)))
    return f"{base}/{kind}?{urlencode(told)}"


def next_link(
    base: str, kind: str, client: Actor, asked: Asked, after: list[Any], total: int | None
) -> str:
    """The address of the page after a place; it holds the whole search, and the total told."""
    held = {
        "q": list(asked.applied),
        "a": after,
        "t": total,
        "c": str(client.user_id),
    }
    return _sealed(base, kind, client, held)


def self_of(base: str, at: str, applied: Sequence[tuple[str, str]]) -> str:
    """The address of a history as far as what was asked of it applies."""
    return f"{base}/{at}?{urlencode(applied)}"


def next_of(
    base: str, at: str, client: Actor, applied: Sequence[tuple[str, str]], before: int
) -> str:
    """The address of the versions of a history that lie before one."""
    held = {"q": list(applied), "a": [before], "t": None, "c": str(client.user_id)}
    return _sealed(base, at, client, held)


def _sealed(base: str, at: str, client: Actor, held: dict[str, Any]) -> str:
    sealed = vault.seal_json(held, PLACE, at, client.clinic_id)[3:]
    return f"{base}/{at}?{urlencode({NAME: sealed})}"


def opened(
    text: str, kind: str, client: Actor
) -> tuple[list[tuple[str, str]], list[Any], int | None]:
    """Parameters, place and total of a link made here for this client; else `Unreadable`."""
    try:
        if len(text) > MAX_LINK or not text.isascii():
            raise ValueError
        held = vault.unseal_json("v1." + text, PLACE, kind, client.clinic_id)
        if UUID(held["c"]) != client.user_id:
            raise ValueError
        return [(name, value) for name, value in held["q"]], held["a"], held["t"]
    except (Unavailable, ValueError, KeyError, TypeError):
        raise Unreadable("This link was not made here.") from None
