"""Tokens found good, remembered for a moment by their digest; a refusal is never remembered."""

import time
from hashlib import sha256
from threading import Lock
from typing import Any

from api.access import keys

LONGEST_S = 60
MOST = 10_000


class Remembered(dict[bytes, tuple[float, dict[str, Any]]]):
    """Claims by the digest of their token, each until a moment; they name their key as `kid`.

    Whether the key is still there is asked of its folder each time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()

    def claims_of(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that was found good a moment ago, or None."""
        kept = self.get(sha256(token.encode()).digest())
        there = kept is not None and kept[0] > time.time() and kept[1]["kid"] in keys.private_keys()
        return kept[1] if there and kept is not None else None

    def keep(self, token: str, claims: dict[str, Any]) -> None:
        """Remember them until the token ends, and no longer than `LONGEST_S`."""
        until = min(time.time() + LONGEST_S, claims["exp"])
        with self._lock:
            if len(self) >= MOST:
                self.clear()
            self[sha256(token.encode()).digest()] = (until, claims)
