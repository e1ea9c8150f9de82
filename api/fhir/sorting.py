"""The order of a search that asks for one of its own: by values, and among equals by place."""

from collections.abc import Iterator
from typing import Any

from api.fhir.kind import Shown


def rank(key: str | None, descending: bool) -> tuple[int, str]:
    """What has no value comes last, whichever way."""
    if key is None:
        return (0 if descending else 1), ""
    return (1 if descending else 0), key


def beyond(
    keyed: list[tuple[list[Any], Shown]], after: list[Any], sort: Any
) -> Iterator[tuple[list[Any], Shown]]:
    """What of a sorted list comes after a mark, which need not be there any more."""
    *keys, place = after
    mark = (keys, tuple(place))
    for one, shown in keyed:
        if _is_after((one, shown.place), mark, sort):
            yield one, shown


def _is_after(one: Any, mark: Any, sort: Any) -> bool:
    for mine, its, (_, descending) in zip(one[0], mark[0], sort, strict=True):
        a, b = rank(mine, descending), rank(its, descending)
        if a != b:
            return a < b if descending else a > b
    return bool(one[1] > mark[1])
