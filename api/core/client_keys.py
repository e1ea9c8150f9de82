"""Public keys of EHR clients: a JWKS that can check RS384 and ES384, and holds nothing secret.

SMART Backend Services 2.2: RSA keys for RS384, EC keys on P-384 for ES384 (RFC 7517, RFC 7518).
"""

from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.errors import Invalid
from api.paging import Values

MAX_KEYS: Final = 10
RSA_BITS: Final = (2048, 8192)
EC_BYTES: Final = 48
"""The length of a coordinate on P-384."""
SECRET: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
"""What only a private key has (RFC 7518, section 6)."""
ALGORITHMS: Final = {"RSA": "RS384", "EC": "ES384"}
PARTS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}


def checked(jwks: Values) -> Values:
    """The JWKS with what a signature is checked by, and nothing else; raises `Invalid`."""
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_KEYS:
        raise Invalid([("/jwks/keys", f"A list of 1 to {MAX_KEYS} keys.")])
    if not all(isinstance(key, dict) for key in keys):
        raise Invalid([("/jwks/keys", "Each key is an object (RFC 7517).")])
    named = [(key.get("kty"), key.get("kid")) for key in keys]
    twice = [number for number, name in enumerate(named) if name in named[:number]]
    if twice:
        raise _bad(twice[0], "kid", "Each key has a `kid` of its own.")
    return {"keys": [_key(number, key) for number, key in enumerate(keys)]}


def _key(number: int, key: Values) -> Values:
    secret = [part for part in SECRET if part in key]
    if secret:
        raise _bad(number, secret[0], "This is part of a private key: send the public one.")
    kty = key.get("kty")
    if not isinstance(kty, str) or kty not in ALGORITHMS:
        raise _bad(number, "kty", "RSA or EC.")
    if not _is_word(key.get("kid")):
        raise _bad(number, "kid", "Needed: the name of the key, 1 to 200 characters.")
    if key.get("alg", ALGORITHMS[kty]) != ALGORITHMS[kty]:
        raise _bad(number, "alg", f"{ALGORITHMS[kty]} for a key of this kind.")
    if key.get("use", "sig") != "sig":
        raise _bad(number, "use", "A key that signs: `sig`.")
    (_check_rsa if kty == "RSA" else _check_ec)(number, key)
    return {"kty": kty, "kid": key["kid"], "alg": ALGORITHMS[kty], "use": "sig"} | {
        part: key[part] for part in PARTS[kty]
    }


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 200 and value.isprintable()


def _check_rsa(number: int, key: Values) -> None:
    n, e = (int.from_bytes(_bytes(number, key, part)) for part in PARTS["RSA"])
    if not RSA_BITS[0] <= n.bit_length() <= RSA_BITS[1]:
        raise _bad(number, "n", f"{RSA_BITS[0]} to {RSA_BITS[1]} bits.")
    try:
        rsa.RSAPublicNumbers(e, n).public_key()
    except ValueError:
        raise _bad(number, "e", "Not an RSA key.") from None


def _check_ec(number: int, key: Values) -> None:
    if key.get("crv") != "P-384":
        raise _bad(number, "crv", "P-384.")
    x, y = (_bytes(number, key, part) for part in ("x", "y"))
    if len(x) != EC_BYTES or len(y) != EC_BYTES:
        raise _bad(number, "x", f"Coordinates of {EC_BYTES} bytes.")
    try:
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(x), int.from_bytes(y), ec.SECP384R1()
        )
        numbers.public_key()
    except ValueError:
        raise _bad(number, "x", "Not a point of the curve.") from None


def _bytes(number: int, key: Values, part: str) -> bytes:
    """A part of the key, base64url without padding (RFC 7515, section 2)."""
    text = key.get(part)
    try:
        if not isinstance(text, str) or not text.isascii() or "=" in text or len(text) > 1400:
            raise ValueError
        if not all(c.isalnum() or c in "-_" for c in text):
            raise ValueError
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, NotBase64):
        raise _bad(number, part, "Needed, in base64url without padding.") from None


def _bad(number: int, part: str, detail: str) -> Invalid:
    return Invalid([(f"/jwks/keys/{number}/{part}", detail)])
