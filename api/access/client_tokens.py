"""What proves an EHR client: assertions signed with its own keys, and our short tokens for it.

SMART App Launch 2.2, backend services: RS384 or ES384, https://hl7.org/fhir/smart-app-launch.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from secrets import token_urlsafe
from typing import Any, Final
from uuid import UUID

import jwt
from jwt.types import Options

from api.access import keys
from api.access.remembered import Remembered
from api.config import settings

LIFE_S: Final = 300
MOST_AHEAD_S: Final = 300
"""How far ahead an assertion may end, and no second more; clocks differ by `LEEWAY_S`."""
LEEWAY_S: Final = 10
ALGORITHMS: Final = ("RS384", "ES384")
KEY_TYPES: Final = {"RS384": "RSA", "ES384": "EC"}
TYPE: Final = "ehr+jwt"
AUDIENCE: Final = "-fhir"
"""Behind the audience of people's tokens: neither opens the other's door."""
MAX_ASSERTION, MAX_JTI = 8192, 255
CLAIMS: Final = ("exp", "iat", "jti", "sub", "aud", "iss", "clinic", "scope")
_good = Remembered()


class Refused(Exception):
    """The assertion or the token is not good; why is for our own log alone."""


def client_named(assertion: str) -> UUID:
    """Whom an assertion says it is of, before anything is proved."""
    claims = _unproved(assertion)
    try:
        return UUID(claims["iss"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused("no such client") from None


def _unproved(assertion: str) -> dict[str, Any]:
    try:
        if len(assertion) > MAX_ASSERTION or not assertion.isascii():
            raise Refused("too long")
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
        return claims
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Refused("no assertion") from None


def header_of(assertion: str) -> dict[str, Any]:
    """The header of an assertion, checked for its form: algorithm, type and key."""
    try:
        header: dict[str, Any] = jwt.get_unverified_header(assertion)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Refused("no header") from None
    named = isinstance(header.get("kid"), str) and 0 < len(header["kid"]) <= MAX_JTI
    if header.get("alg") not in ALGORITHMS or not named or "crit" in header:
        raise Refused("algorithm or key")
    if str(header.get("typ", "")).upper() != "JWT":
        raise Refused("type")
    return header


def key_for(header: Mapping[str, Any], jwks: Any) -> Any:
    """The one key of a set that the header means; two or none is refused."""
    there = jwks.get("keys") if isinstance(jwks, dict) else None
    kind = KEY_TYPES[header["alg"]]
    fit = [
        key
        for key in (there if isinstance(there, list) else [])
        if isinstance(key, dict)
        and key.get("kid") == header["kid"]
        and key.get("kty") == kind
        and key.get("alg", header["alg"]) == header["alg"]
        and key.get("use", "sig") == "sig"
        and (kind == "RSA" or key.get("crv") == "P-384")
    ]
    if len(fit) != 1 or "d" in fit[0]:
        raise Refused("key")
    try:
        return jwt.PyJWK(fit[0], algorithm=header["alg"]).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise Refused("key") from None


def proved(assertion: str, key: Any, algorithm: str, audience: str) -> dict[str, Any]:
    """The claims of an assertion whose signature, times, audience and names are right."""
    options: Options = {"require": ["exp", "jti", "iss", "sub", "aud"], "strict_aud": True}
    try:
        claims: dict[str, Any] = jwt.decode(
            assertion, key, [algorithm], options, audience=audience, leeway=0
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise Refused("not proved") from None
    jti, ends = claims["jti"], claims["exp"]
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI or claims["iss"] != claims["sub"]:
        raise Refused("names")
    if not isinstance(ends, int | float) or ends > time.time() + MOST_AHEAD_S + LEEWAY_S:
        raise Refused("too far ahead")
    return claims


def ends_at(claims: Mapping[str, Any]) -> datetime:
    """Until when an assertion would be good, so that long its use is remembered."""
    return datetime.fromtimestamp(float(claims["exp"]) + LEEWAY_S, UTC)


def issue(client_id: UUID, clinic_id: UUID, scope: str) -> str:
    """An access token for a client, of 300 s, with the scopes that were granted."""
    kid, key = keys.signing_key()
    now = int(time.time())
    claims = {
        "iss": settings().issuer,
        "aud": settings().audience + AUDIENCE,
        "sub": str(client_id),
        "clinic": str(clinic_id),
        "scope": scope,
        "iat": now,
        "exp": now + LIFE_S,
        "jti": token_urlsafe(16),
    }
    return jwt.encode(claims, key, "ES256", headers={"kid": kid, "typ": TYPE})


def read(token: str) -> dict[str, Any]:
    """The claims of a client's access token, with ids as UUIDs; raises `Refused`.

    A good verdict is remembered for a moment; whether the client is still registered is asked of
    the database at every request.
    """
    kept = _good.claims_of(token)
    if kept is not None:
        return kept
    claims = _verified(token)
    _good.keep(token, claims)
    return claims


def _verified(token: str) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(token)
        kid = str(header.get("kid"))
        private = keys.private_keys().get(kid)
        if private is None or header.get("typ") != TYPE or header.get("alg") != "ES256":
            raise Refused("key")
        claims: dict[str, Any] = jwt.decode(
            token,
            private.public_key(),
            ["ES256"],
            {"require": list(CLAIMS), "strict_aud": True},
            audience=settings().audience + AUDIENCE,
            issuer=settings().issuer,
        )
        return claims | {"kid": kid} | {name: UUID(claims[name]) for name in ("sub", "clinic")}
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError):
        raise Refused("token") from None
