"""Signing keys: ES256 pairs in files, named by the time of their making, published as a JWKS.

To rotate, add a key and start anew: it is published at once and signs after a day, when every
reader of the JWKS has it. The old one is taken away when the tokens it signed have ended.
"""

import json
import os
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
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
_made_at: dict[str, datetime] = {}


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


@cache
def private_keys() -> dict[str, ec.EllipticCurvePrivateKey]:
    """Every signing key by its `kid`, the oldest first. Raises `Unsafe` without one."""
    found = {}
    for made_at, path in sorted((_stamp(p), p) for p in settings().keys.glob("sign-*.pem")):
        key = load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Unsafe(f"{path.name} is not an elliptic-curve key.")
        kid = _thumbprint(key.public_key())
        found[kid], _made_at[kid] = key, made_at
    if not found:
        raise Unsafe("There is no signing key; `flask --app wsgi keys make` makes one.")
    return found


def _stamp(path: Path) -> datetime:
    """When the key was made, by its file's name; of one that tells no time, long ago."""
    try:
        return datetime.strptime(path.name.split("-")[1], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def signing_key() -> tuple[str, ec.EllipticCurvePrivateKey]:
    """The key that signs new tokens, with its `kid`: the newest that was published for a day."""
    found, known_since = list(private_keys().items()), datetime.now(UTC) - PUBLISHED_FIRST
    known = [pair for pair in found if _made_at[pair[0]] <= known_since]
    return known[-1] if known else found[0]


def jwks() -> dict[str, Any]:
    """The public keys as RFC 7517 asks for them."""
    listed = []
    for kid, key in private_keys().items():
        jwk = json.loads(ECAlgorithm.to_jwk(key.public_key()))
        listed.append(jwk | {"kid": kid, "use": "sig", "alg": "ES256"})
    return {"keys": listed}
