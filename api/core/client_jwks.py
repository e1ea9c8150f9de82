"""The keys of an EHR client: those it gave, or those at its address for as long as it says."""

import re
import time
from threading import Lock
from typing import Any, Final

import orjson

from api.db import Values
from api.outbox import egress

MOST_BYTES: Final = 65_536
MOST_KEPT: Final = 1000
LONGEST_S: Final = 3600
"""Kept no longer than this whatever the client allows, so that a withdrawn key ends."""
MAX_AGE: Final = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,9})\"?\s*(?:,|$)", re.I)
NOT_KEPT: Final = re.compile(r"(?:^|,)\s*(?:no-store|no-cache)\b", re.I)

_kept: dict[str, tuple[float, Any]] = {}
_lock = Lock()


def jwks_of(client: Values) -> Any:
    """The key set of a client; None where its address answers none."""
    if client["jwks"] is not None:
        return client["jwks"]
    url: str = client["jwks_uri"]
    kept = _kept.get(url)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    return _fetched(url)


def _fetched(url: str) -> Any:
    try:
        answer = egress.get(url, {"Accept": "application/json"}, MOST_BYTES)
        told = orjson.loads(answer.body) if answer.status == 200 else None
    except (egress.NotSent, orjson.JSONDecodeError):
        return None
    if isinstance(told, dict):
        _keep(url, told, seconds(answer.headers.get("cache-control", "")))
    return told


def seconds(cache_control: str) -> int:
    """How long an answer may be kept: what it allows and no more; unsaid, not at all."""
    allowed = MAX_AGE.search(cache_control)
    if allowed is None or NOT_KEPT.search(cache_control):
        return 0
    return min(int(allowed[1]), LONGEST_S)


def _keep(url: str, told: Any, for_s: int) -> None:
    with _lock:
        _kept.pop(url, None)
        if for_s > 0:
            if len(_kept) >= MOST_KEPT:
                _kept.clear()
            _kept[url] = (time.monotonic() + for_s, told)
