"""Access tokens: issue them, read them, and remember for a moment that one was found good."""

from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException

from api.access import keys
from api.access.remembered import Remembered
from api.config import settings
from api.errors import NothingShown, NotSignedIn

LEEWAY_S = 30
MAX_TOKEN = 4096
TYPE = "at+jwt"
NEEDED = ("exp", "iat", "nbf", "jti", "sub", "aud", "iss", "sid", "clinic")

_good = Remembered()


def prepare(app: Flask) -> JWTManager:
    """Teach the JWT library our keys, issuer and audience."""
    app.config.update(
        JWT_ALGORITHM="ES256",
        JWT_DECODE_ALGORITHMS=["ES256"],
        JWT_TOKEN_LOCATION=["headers"],
        JWT_ENCODE_ISSUER=settings().issuer,
        JWT_DECODE_ISSUER=settings().issuer,
        JWT_ENCODE_AUDIENCE=settings().audience,
        JWT_DECODE_AUDIENCE=settings().audience,
        JWT_DECODE_LEEWAY=LEEWAY_S,
        JWT_ACCESS_TOKEN_EXPIRES=timedelta(minutes=settings().access_minutes),
    )
    manager = JWTManager(app)
    manager.encode_key_loader(lambda _identity: keys.signing_key()[1])
    manager.decode_key_loader(_decode_key)
    return manager


@lru_cache
def _public(private: Any) -> Any:
    return private.public_key()


def _decode_key(header: dict[str, Any], _payload: dict[str, Any]) -> Any:
    kid = header.get("kid")
    known = isinstance(kid, str) and kid in keys.private_keys()
    if not known or header.get("alg") != "ES256" or header.get("typ") != TYPE:
        # A subclass of InvalidTokenError: any other error would become a 500.
        raise jwt.InvalidTokenError("no such key")
    return _public(keys.private_keys()[str(kid)])


def issue(sign_in_id: UUID, user_id: UUID, clinic_id: UUID) -> str:
    """An access token (ES256) for one sign-in; it proves who, and carries no rights."""
    token: str = create_access_token(
        identity=str(user_id),
        additional_claims={"sid": str(sign_in_id), "clinic": str(clinic_id)},
        additional_headers={"kid": keys.signing_key()[0], "typ": TYPE},
    )
    return token


def read(header: str | None) -> dict[str, Any]:
    """The claims of an `Authorization: Bearer` header; raises `NotSignedIn` for anything else.

    A good verdict is remembered by the token's digest for at most 60 s, a refusal never;
    whether the sign-in still stands is asked of the database at every request, and whether the key
    is still there of its folder.
    """
    if header is None:
        raise NothingShown("Sign in first.", error="")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN or not token.isascii():
        raise NotSignedIn("The token can't be read.")
    kept = _good.claims_of(token)
    if kept is not None:
        return kept
    claims = _verified(token) | {"kid": jwt.get_unverified_header(token)["kid"]}
    _good.keep(token, claims)
    return claims


def _verified(token: str) -> dict[str, Any]:
    try:
        claims = decode_token(token)
        # The library takes a token without a type for an access token; we ask what it says.
        kind = jwt.decode(token, options={"verify_signature": False}).get("type")
    except (jwt.PyJWTError, JWTExtendedException, ValueError, TypeError, RecursionError):
        raise NotSignedIn("The token is not valid.") from None
    if any(claims.get(name) in (None, "") for name in NEEDED) or kind != "access":
        raise NotSignedIn("The token is not valid.")
    return _typed(claims)


def _typed(claims: dict[str, Any]) -> dict[str, Any]:
    longest = settings().access_minutes * 60 + LEEWAY_S
    try:
        exact = claims["aud"] == settings().audience and claims["exp"] - claims["iat"] <= longest
        ids = {name: UUID(claims[name]) for name in ("sub", "sid", "clinic")}
    except (TypeError, ValueError, AttributeError):
        exact, ids = False, {}
    if not exact:
        raise NotSignedIn("The token is not valid.")
    return claims | ids
