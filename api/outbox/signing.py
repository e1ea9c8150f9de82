"""Signatures as Standard Webhooks has them: HMAC-SHA256 (`v1`), and Ed25519 (`v1a`) on request.

Source: https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET, PUBLIC = "whsec_", "whpk_"
SECRET_BYTES = 32
"""Between 24 and 64, says the specification."""


def new_secret() -> str:
    """A secret to share with one receiver, `whsec_...`."""
    return SECRET + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def new_key() -> str:
    """A private Ed25519 key in base64; it never leaves the clinic."""
    return b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def public_key(key: str) -> str:
    """The public half of a private key, `whpk_...`, for the receiver."""
    return PUBLIC + b64encode(_opened(key).public_key().public_bytes_raw()).decode()


def sign(
    message_id: str, timestamp: int, body: bytes, shared: Sequence[str], key: str | None
) -> str:
    """The value of `webhook-signature`: `v1,...` by each secret, ` v1a,...` when there is a key."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [f"v1,{_hmac(signed, secret)}" for secret in shared]
    if key is not None:
        signatures.append(f"v1a,{b64encode(_opened(key).sign(signed)).decode()}")
    return " ".join(signatures)


def _hmac(signed: bytes, secret: str) -> str:
    key = b64decode(secret.removeprefix(SECRET))
    return b64encode(hmac.new(key, signed, sha256).digest()).decode()


def _opened(key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b64decode(key))
