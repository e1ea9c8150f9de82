"""Signing keys: ES256 pairs in files, named by the time of their making, published as a JWKS.

A key is `next` for a day, published so that every reader of the JWKS has it when it begins to sign;
then it is `current`, and the one before it `retiring` until the tokens it signed have ended. The
files alone say so, and every process looks at their folder at every token: a key that is taken away
takes its tokens along at the next request, in all of them.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from api.access import signing_files
from api.access.signing_files import (
    CURRENT as CURRENT,
    NEXT as NEXT,
    PUBLISHED_FIRST as PUBLISHED_FIRST,
    RETIRING as RETIRING,
    STAMP as STAMP,
    SigningKey as SigningKey,
    add_key as add_key,
    make_keys as make_keys,
)
from api.config import settings
from api.errors import Unsafe

LONGEST_TOKEN = timedelta(minutes=15, seconds=60)
"""How long after its last signature a key is still asked for: the longest life and its leeway."""


def check() -> None:
    """Raise `Unsafe`, which names the file, unless there are keys and all of them can be opened."""
    signing_files.check(settings().keys)


def private_keys() -> dict[str, ec.EllipticCurvePrivateKey]:
    """Every signing key by its `kid`, the oldest first. Raises `Unsafe` without one."""
    return signing_files.looked(settings().keys).private


def signing_keys() -> list[SigningKey]:
    """Every signing key with its state now, the oldest first. Raises `Unsafe` without one."""
    found, now = signing_files.looked(settings().keys).keys, datetime.now(UTC)
    signs = [key for key in found if key.published_at <= now - PUBLISHED_FIRST]
    current = signs[-1] if signs else found[0]
    at = found.index(current)
    return [
        *(_retiring(key, found[place + 1]) for place, key in enumerate(found[:at])),
        replace(current, state=CURRENT),
        *found[at + 1 :],
    ]


def _retiring(key: SigningKey, successor: SigningKey) -> SigningKey:
    since = successor.published_at + PUBLISHED_FIRST
    return replace(key, state=RETIRING, retiring_since=since)


def signing_key() -> tuple[str, ec.EllipticCurvePrivateKey]:
    """The key that signs new tokens, with its `kid`: the newest that was published for a day."""
    current = next(key for key in signing_keys() if key.state == CURRENT)
    return current.kid, current.private


def add_next() -> str:
    """Make a key that signs after a day; answers its `kid`. Raises `Unsafe` while one waits."""
    if any(key.state == NEXT for key in signing_keys()):
        raise Unsafe("There is a next key already.")
    return add_key(settings().keys)


def promote(kid: str) -> None:
    """Let a key that is `next` sign from now on, published for a day or not."""
    key = find(kid)
    if key.state != NEXT:
        raise Unsafe(f"{kid} is not next: it is {key.state}.")
    stamp = (datetime.now(UTC) - PUBLISHED_FIRST).strftime(STAMP)
    key.path.rename(key.path.with_name(f"sign-{stamp}-{kid}.pem"))


def retire(kid: str) -> None:
    """Take away a `retiring` key, once no token that it signed can still be good."""
    key = find(kid)
    if key.state != RETIRING or key.retiring_since is None:
        raise Unsafe(f"{kid} is {key.state}: only what is retiring is retired.")
    if datetime.now(UTC) - key.retiring_since < LONGEST_TOKEN:
        raise Unsafe(f"{kid} signed until a moment ago: wait a quarter of an hour.")
    key.path.unlink()


def revoke(kid: str) -> str | None:
    """Take a key away at once, with every token it signed; the `kid` of one made in its stead.

    Should it be the one that signs, the next one signs from now on, or a new one.
    """
    key = find(kid)
    others = [other for other in signing_keys() if other.kid != kid]
    made = None
    if key.state == CURRENT:
        waiting = [other.kid for other in others if other.state == NEXT]
        made = None if waiting else add_key(key.path.parent)
        promote(waiting[0] if waiting else str(made))
    key.path.unlink()
    return made


def find(kid: str) -> SigningKey:
    """The key of this name; raises `Unsafe` when there is none."""
    for key in signing_keys():
        if key.kid == kid:
            return key
    raise Unsafe(f"There is no signing key {kid}.")


def jwks() -> dict[str, Any]:
    """The public keys as RFC 7517 asks for them."""
    listed = []
    for kid, key in private_keys().items():
        jwk = json.loads(ECAlgorithm.to_jwk(key.public_key()))
        listed.append(jwk | {"kid": kid, "use": "sig", "alg": "ES256"})
    return {"keys": listed}


def age_of(key: SigningKey) -> timedelta:
    """How long ago a key was made."""
    return datetime.now(UTC) - key.published_at
