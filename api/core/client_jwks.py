"""The keys of an EHR client: those it gave, or those at its address for as long as it says.

A fetched set is kept as long as its Cache-Control allows and never longer (SMART App Launch 2.2),
also where it can't be fetched anew: then the one that may still be kept stays in use. Once it ends
it is fetched when next it is asked for. More than that, for a key that the last set did not name
or after a fetch that failed, an address is asked at most once in `BEYOND_S`; and of all who need
its set at once one asks, and the others wait. Each process of the server keeps and counts for
itself.
"""

import re
from concurrent.futures import Future
from dataclasses import dataclass
from math import inf
from threading import Lock
from time import monotonic
from typing import Any, Final

import orjson

from api.db import Values, leave_store
from api.outbox import egress

MOST_BYTES: Final = 65_536
MOST_KEPT: Final = 1000
LONGEST_S: Final = 3600
"""Kept no longer than this whatever the client allows, so that a withdrawn key ends."""
BEYOND_S: Final = 300
"""In how many seconds an address is asked once more than its own answers allow."""
MAX_AGE: Final = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,9})\"?\s*(?:,|$)", re.I)
NOT_KEPT: Final = re.compile(r"(?:^|,)\s*(?:no-store|no-cache)\b", re.I)


@dataclass
class _Address:
    """What is known of an address: its set while that may be kept, and how the last fetch went."""

    told: Any = None
    until: float = 0.0
    kids: frozenset[str] | None = None
    has_failed: bool = False
    beyond_at: float = -inf
    running: Future[Any] | None = None

    def kept(self) -> Any:
        return self.told if monotonic() < self.until else None

    def names(self, kid: str) -> bool:
        return self.kids is not None and kid in self.kids

    def may_be_asked(self, kid: str) -> bool:
        """Whether it may be asked now; where that goes beyond its own answers, it is from now on
        as if it had been."""
        if not self.has_failed and (self.kids is None or self.names(kid)):
            return True
        if monotonic() < self.beyond_at + BEYOND_S:
            return False
        self.beyond_at = monotonic()
        return True

    def answered(self, told: Any, for_s: int) -> None:
        self.has_failed = told is None
        if told is not None:
            self.told, self.until = (told, monotonic() + for_s) if for_s > 0 else (None, 0.0)
            self.kids = _kids(told)


_kept: dict[str, _Address] = {}
_lock = Lock()


def jwks_of(client: Values, kid: str) -> Any:
    """The key set of a client in which the key `kid` is looked for; None where there is none.

    Whoever waits for an address has left the store before: no transaction stands open meanwhile,
    so what the caller had not committed is undone.
    """
    if client["jwks"] is not None:
        return client["jwks"]
    url: str = client["jwks_uri"]
    with _lock:
        address = _known(url)
        kept = address.kept()
        if kept is not None and address.names(kid):
            return kept
        is_first = address.running is None
        if is_first and not address.may_be_asked(kid):
            return kept
        running = address.running = address.running or Future()
    leave_store()
    if is_first:
        _ask(url, address, running)
    return running.result()


def _known(url: str) -> _Address:
    if url not in _kept and len(_kept) >= MOST_KEPT:
        _kept.clear()
    return _kept.setdefault(url, _Address())


def _ask(url: str, address: _Address, running: Future[Any]) -> None:
    told, for_s = None, 0
    try:
        told, for_s = _fetched(url)
    finally:  # whatever happens, nobody waits for ever
        with _lock:
            address.answered(told, for_s)
            address.running = None
            running.set_result(address.kept() if told is None else told)


def _fetched(url: str) -> tuple[Any, int]:
    """The set at an address and for how many seconds it may be kept; None where it tells none."""
    try:
        answer = egress.get(url, {"Accept": "application/json"}, MOST_BYTES)
        told = orjson.loads(answer.body) if answer.status == 200 else None
    except (egress.NotSent, orjson.JSONDecodeError):
        return None, 0
    if not isinstance(told, dict):
        return None, 0
    return told, seconds(answer.headers.get("cache-control", ""))


def _kids(told: Values) -> frozenset[str]:
    keys = told.get("keys")
    each = keys if isinstance(keys, list) else []
    kids = [key.get("kid") for key in each if isinstance(key, dict)]
    return frozenset(kid for kid in kids if isinstance(kid, str))


def seconds(cache_control: str) -> int:
    """How long an answer may be kept: what it allows and no more; unsaid, not at all."""
    allowed = MAX_AGE.search(cache_control)
    if allowed is None or NOT_KEPT.search(cache_control):
        return 0
    return min(int(allowed[1]), LONGEST_S)
