"""One strict reader for the JSON of every door: depth, numbers and names are limited."""

import json
import math
from collections.abc import Iterable
from typing import Any, Final

from api.errors import Unreadable

MAX_DEPTH: Final = 32
MAX_NODES: Final = 10_000
MAX_INTEGER: Final = 2**53
NAMES: Final[dict[type, str]] = {dict: "object", list: "array"}


def read_object(raw: bytes, most: int = MAX_NODES) -> dict[str, Any]:
    """The JSON object of a body, of at most so many values; raises `Unreadable` for any other."""
    return dict(_whole_of(raw, dict, most))


def read_array(raw: bytes, most: int = MAX_NODES) -> list[Any]:
    """The JSON array of a body, within the same limits."""
    return list(_whole_of(raw, list, most))


def _whole_of(raw: bytes, kind: type, most: int) -> Any:
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_pairs,
            parse_constant=_constant,
            parse_int=_whole,
            parse_float=_finite,
        )
    except (ValueError, RecursionError):
        raise Unreadable("The body is not valid JSON.") from None
    if not isinstance(value, kind):
        raise Unreadable(f"The body must be a JSON {NAMES[kind]}.")
    _measure(value, most)
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _constant(_name: str) -> float:
    raise ValueError("not a JSON number")


def _whole(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise ValueError("the number is too large")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("the number is too large")
    return value


def _measure(value: Any, most: int) -> None:
    level, nodes = [value], 0
    for _depth in range(MAX_DEPTH):
        nodes += len(level)
        if nodes > most:
            break
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise Unreadable("The body is nested too deep or has too many values.")


def _inside(value: Any) -> Iterable[Any]:
    kind = type(value)  # exactly these: the JSON reader makes no others
    return value.values() if kind is dict else value if kind is list else ()
