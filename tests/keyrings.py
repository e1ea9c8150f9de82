"""Public keys as other systems publish them, for tests of EHR clients."""

from base64 import urlsafe_b64encode
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa


def _text(number: int, size: int) -> str:
    return urlsafe_b64encode(number.to_bytes(size)).rstrip(b"=").decode()


@cache
def _rsa(bits: int) -> rsa.RSAPublicNumbers:
    return rsa.generate_private_key(65537, bits).public_key().public_numbers()


@cache
def _ec() -> ec.EllipticCurvePublicNumbers:
    return ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()


def rsa_key(kid: str = "r1", bits: int = 2048, **more: Any) -> dict[str, Any]:
    """An RSA key."""
    numbers = _rsa(bits)
    parts = {"n": _text(numbers.n, bits // 8), "e": _text(numbers.e, 3)}
    return {"kty": "RSA", "kid": kid, "alg": "RS384", "use": "sig"} | parts | more


def ec_key(kid: str = "e1", **more: Any) -> dict[str, Any]:
    """A key on P-384."""
    numbers = _ec()
    parts = {"crv": "P-384", "x": _text(numbers.x, 48), "y": _text(numbers.y, 48)}
    return {"kty": "EC", "kid": kid, "alg": "ES384", "use": "sig"} | parts | more
