"""How often one may ask: limits for a principal and for a clinic, told in every answer."""

import time
from functools import cache

from flask import Response, g
from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from api.access.policies import Actor
from api.access.users import blind_email
from api.config import settings
from api.errors import TooMany


@cache
def _limiter() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(storage_from_string(settings().rate_limit_url or "memory://"))


@cache
def _limit(whole: int) -> RateLimitItemPerMinute:
    # Without shared storage each worker counts for itself and gets its share.
    share = 1 if settings().rate_limit_url else max(1, settings().workers)
    return RateLimitItemPerMinute(max(1, whole // share))


def spend(actor: Actor) -> None:
    """Count this request; raises `TooMany` when principal or clinic has no more this minute."""
    g.quota = (_limit(settings().rate_principal), str(actor.user_id))
    clinic = _limit(settings().rate_clinic)
    if not _limiter().hit(*g.quota) or not _limiter().hit(clinic, "clinic", str(actor.clinic_id)):
        raise TooMany("Slow down.", retry_after=_left(*g.quota)[1])


FROM_ANYWHERE = 3
"""An account takes so many times the limit from all addresses together: one who tries from one
address can't keep its owner out, who comes from another."""
FOR_ANYBODY = 10
"""An address may try so many times the limit for all accounts together: a clinic shares one."""


def spend_sign_in(email: str, address: str | None) -> None:
    """Count an attempt for this account from this address; never a lock-out, only a wait.

    Counted for the pair, the account and the address. Every spelling that finds the account
    counts for it, and the count is kept under its blind index: it names nobody.
    """
    whose, where, once = blind_email(email), address or "", settings().rate_sign_in
    buckets = (
        (_limit(once), "sign_in", whose, where),
        (_limit(once * FOR_ANYBODY), "sign_in_from", where),
        (_limit(once * FROM_ANYWHERE), "sign_in_to", whose),
    )
    for limit, *key in buckets:
        if not _limiter().hit(limit, *key):
            raise TooMany("Too many sign-ins. Wait a little.", retry_after=_left(limit, *key)[1])


def _left(limit: RateLimitItemPerMinute, *key: str) -> tuple[int, int]:
    stats = _limiter().get_window_stats(limit, *key)
    return stats.remaining, max(1, round(stats.reset_time - time.time()))


def tell(response: Response) -> None:
    """The rate-limit headers (draft-ietf-httpapi-ratelimit-headers)."""
    quota = getattr(g, "quota", None)
    if quota is None:
        return
    remaining, seconds = _left(*quota)
    response.headers["RateLimit-Policy"] = f'"principal";q={quota[0].amount};w=60'
    response.headers["RateLimit"] = f'"principal";r={remaining};t={seconds}'
