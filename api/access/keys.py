"""Signing keys: ES256 pairs in files, named by the time of their making, published as a JWKS.

A key is `next` for a day, published so that every reader of the JWKS has it when it begins to sign;
then it is `current`, and the one before it `retiring` until the tokens it signed have ended. The
files alone say so, and every process looks at their folder at every token: a key that is taken away
takes its tokens along at the next request, in all of them.
"""

import json
import os
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from api.config import settings
from api.errors import Unsafe

PUBLISHED_FIRST = timedelta(hours=24)
"""How long a further key is published before it signs."""
STAMP = "%Y%m%dT%H%M%SZ"
NEXT, CURRENT, RETIRING = STATES = ("next", "current", "retiring")
SETTLED_NS = 100_000_000
"""Nanoseconds after which a second change of a folder has another time than the first."""
LONGEST_TOKEN = timedelta(minutes=15, seconds=60)
"""How long after its last signature a key is still asked for: the longest life and its leeway."""


@dataclass(frozen=True)
class SigningKey:
    """One key: the file it is in, since when it is published, and its state now."""

    kid: str
    path: Path
    published_at: datetime
    private: ec.EllipticCurvePrivateKey
    state: str = NEXT
    retiring_since: datetime | None = None


def make_keys(folder: Path) -> bool:
    """Make a signing key unless one is there; tells whether it was made."""
    if sorted(folder.glob("sign-*.pem")):
        return False
    add_key(folder)
    return True


def add_key(folder: Path, made_at: datetime | None = None) -> str:
    """Make a further signing key in a file of its own; answers its `kid`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    kid = _thumbprint(private.public_key())
    stamp = (made_at or datetime.now(UTC)).astimezone(UTC).strftime(STAMP)
    path = folder / f"sign-{stamp}-{kid}.pem"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    return kid


def _thumbprint(public: ec.EllipticCurvePublicKey) -> str:
    """The RFC 7638 thumbprint, base64url."""
    jwk = json.loads(ECAlgorithm.to_jwk(public))
    body = json.dumps({k: jwk[k] for k in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return urlsafe_b64encode(sha256(body.encode()).digest()).rstrip(b"=").decode()


def signing_keys() -> list[SigningKey]:
    """Every signing key with its state now, the oldest first. Raises `Unsafe` without one."""
    found, now = _read(*_mark(settings().keys)), datetime.now(UTC)
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


Mark = tuple[Path, int, int, int]


def _mark(folder: Path) -> Mark:
    """What tells a folder from the same one after a file came or went.

    One that was changed just now is another at every look: its time may not tell the next change.
    """
    try:
        seen = folder.stat()
    except OSError:
        return folder, 0, 0, 0
    now = time.time_ns()
    is_settled = now - seen.st_mtime_ns > SETTLED_NS
    return folder, seen.st_ino, seen.st_mtime_ns, 0 if is_settled else now


@lru_cache(maxsize=2)
def _read(folder: Path, _inode: int, _changed: int, _looked: int) -> list[SigningKey]:
    found = [_open(path) for path in folder.glob("sign-*.pem")]
    if not found:
        raise Unsafe("There is no signing key; `flask --app wsgi keys make` makes one.")
    return sorted(found, key=lambda key: (key.published_at, key.path))


def _open(path: Path) -> SigningKey:
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Unsafe(f"{path.name} is not an elliptic-curve key.")
    return SigningKey(_thumbprint(key.public_key()), path, _stamp(path), key)


def private_keys() -> dict[str, ec.EllipticCurvePrivateKey]:
    """Every signing key by its `kid`, the oldest first. Raises `Unsafe` without one."""
    return _by_kid(*_mark(settings().keys))


@lru_cache(maxsize=2)
def _by_kid(*mark: Any) -> dict[str, ec.EllipticCurvePrivateKey]:
    return {key.kid: key.private for key in _read(*mark)}


def _stamp(path: Path) -> datetime:
    """Since when the key is published, by its file's name; of one that tells no time, long ago."""
    try:
        return datetime.strptime(path.name.split("-")[1], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC) + PUBLISHED_FIRST


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
