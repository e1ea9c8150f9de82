"""One strict reader for every JSON body: its size, depth, numbers and strings are limited."""

import json
import math
from typing import Any

from flask import Request

from api.config import settings
from api.errors import Refusal, Unreadable

MAX_DEPTH = 32
MAX_NODES = 10_000
MAX_INTEGER = 2**53
MEDIA = ("application/json", "application/merge-patch+json")


class WrongMedia(Refusal):
    """The body is not of a type that this operation reads."""

    kind = "wrong_media_type"


class TooLarge(Refusal):
    """The body is larger than this operation reads."""

    kind = "too_large"


def read_json(request: Request) -> dict[str, Any]:
    """The JSON object in the body; 415 for other types, 413 for too much, 400 if broken."""
    media = request.mimetype
    merge_patch = media == MEDIA[1] and request.method == "PATCH"
    if media != MEDIA[0] and not merge_patch:
        raise WrongMedia("Send application/json.")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise WrongMedia("Send the body without compression.")
    limit = settings().body_kib * 1024
    if (request.content_length or 0) > limit:
        raise TooLarge(f"At most {settings().body_kib} KiB.")
    # Read whole and kept at hand, for the idempotency key is bound to it. A body whose length was
    # not told is cut off one byte past the limit.
    raw = request.get_data()
    if len(raw) > limit:
        raise TooLarge(f"At most {settings().body_kib} KiB.")
    return _object(raw)


def _object(raw: bytes) -> dict[str, Any]:
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
    if not isinstance(value, dict):
        raise Unreadable("The body must be a JSON object.")
    _measure(value)
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


def _measure(value: Any) -> None:
    level, nodes = [value], 0
    for _depth in range(MAX_DEPTH):
        nodes += len(level)
        if nodes > MAX_NODES:
            break
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise Unreadable("The body is nested too deep or has too many values.")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
