"""Merge patches (RFC 7396) of the objects within a record: absent = unchanged, null = cleared."""

from collections.abc import Iterable, Mapping
from typing import Any

from api.errors import Invalid
from api.paging import Values


def merged(
    before: Mapping[str, Any] | None, part: Mapping[str, Any], keys: Iterable[str]
) -> Values | None:
    """The whole object, every key in it, once `part` is merged in; None when nothing is left."""
    full = {**whole(before or {}, keys), **part}
    return full if any(value is not None for value in full.values()) else None


def whole(there: Mapping[str, Any], keys: Iterable[str]) -> Values:
    """The object with each of its keys: absent is null."""
    return {**dict.fromkeys(keys), **there}


def refuse_gaps(name: str, there: Mapping[str, Any] | None, needed: Iterable[str]) -> None:
    """Raise `Invalid` unless the object `name`, where there is one, holds what it can't lack."""
    gaps = [key for key in needed if there is not None and there[key] is None]
    if gaps:
        raise Invalid([(f"/{name}/{key}", "Needed.") for key in gaps])
