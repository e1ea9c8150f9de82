"""How often one may ask: limits for a principal and for a clinic, told in every answer."""

import time
from functools import cache, lru_cache
from threading import Lock
from uuid import UUID

from flask import g
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from api.access.policies import Actor
from api.config import settings
from api.errors import TooMany


class Counts(MemoryStorage):
    """Counts of this process; what has expired goes when many have come, without a thread.

    The library's own starts a thread at almost every request to clear up.
    """

    STORAGE_SCHEME = ["here"]
    MANY = 10_000

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count in the window that is open, or open one of `expiry` seconds."""
        now = time.time()
        with _counting:
            if self.expirations.get(key, 0) <= now:
                self._clear(now)
                self.storage[key], self.expirations[key] = 0, now + expiry
            self.storage[key] += amount
            return self.storage[key]

    def _clear(self, now: float) -> None:
        if len(self.expirations) >= self.MANY:
            for key in [key for key, until in self.expirations.items() if until <= now]:
                del self.storage[key], self.expirations[key]

    def get(self, key: str) -> int:
        """The count of the window that is open."""
        return self.storage.get(key, 0) if self.expirations.get(key, 0) > time.time() else 0


_counting = Lock()
KNOWN = 4096
"""How many names of counts are kept ready."""


@cache
def _limiter() -> FixedWindowRateLimiter:
    url = settings().rate_limit_url
    return FixedWindowRateLimiter(storage_from_string(url) if url else Counts())


@cache
def _limit(whole: int) -> RateLimitItemPerMinute:
    # Without shared storage each worker counts for itself and gets its share.
    share = 1 if settings().rate_limit_url else max(1, settings().workers)
    return RateLimitItemPerMinute(max(1, whole // share))


@lru_cache(KNOWN)
def _key(limit: RateLimitItemPerMinute, who: UUID, *kind: str) -> str:
    """Under what name somebody's requests are counted."""
    return limit.key_for(*kind, str(who))


def spend(actor: Actor) -> None:
    """Count this request; raises `TooMany` when principal or clinic has no more this minute."""
    limit, clinic = _limit(settings().rate_principal), _limit(settings().rate_clinic)
    count_up, key = _limiter().storage.incr, _key(limit, actor.user_id)
    count = count_up(key, limit.get_expiry())
    g.quota = (limit.amount, count, key)
    of_clinic = _key(clinic, actor.clinic_id, "clinic")
    if count > limit.amount or count_up(of_clinic, clinic.get_expiry()) > clinic.amount:
        raise TooMany("Slow down.", retry_after=_seconds(key))


ASSERTIONS = 20
"""How many times the setting for sign-ins an address may ask for clients' tokens a minute."""


def spend_assertion(address: str | None) -> None:
    """Count a client that comes for a token, by its address; raises `TooMany`."""
    limit, where = _limit(settings().rate_sign_in * ASSERTIONS), address or ""
    if not _limiter().hit(limit, "assertion_from", where):
        wait = _seconds(limit.key_for("assertion_from", where))
        raise TooMany("Too many sign-ins. Wait a little.", retry_after=wait)


def _seconds(key: str) -> int:
    """Until what is counted under the key begins anew."""
    return max(1, round(_limiter().storage.get_expiry(key) - time.time()))


def told() -> list[tuple[str, str]]:
    """The rate-limit headers of this request (draft-ietf-httpapi-ratelimit-headers)."""
    quota = getattr(g, "quota", None)
    if quota is None:
        return []
    amount, count, key = quota
    left = f'"principal";r={max(0, amount - count)};t={_seconds(key)}'
    return [("RateLimit-Policy", f'"principal";q={amount};w=60'), ("RateLimit", left)]
