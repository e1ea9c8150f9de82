"""SMART Backend Services: how a client signs in with a key of its own, and what its token opens."""

import logging
from typing import Any, Final
from uuid import UUID

from flask import Response, g, request

from api.access import client_tokens
from api.access.client_tokens import Refused
from api.access.policies import FHIR, Actor
from api.core import client_jwks, client_reach, clients
from api.errors import NothingShown, NotSignedIn
from api.fhir import scopes
from api.fhir.address import address
from api.fhir.kinds import KINDS
from api.fhir.negotiation import FORM, plain

TOKEN_PATH: Final = "/auth/token"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ONCE: Final = ("grant_type", "scope", "client_assertion_type", "client_assertion")
MAX_SCOPE: Final = 4000
MAX_TOKEN: Final = 8192
NOBODY: Final = "The client could not be authenticated."
log = logging.getLogger("freshtrail")


def configuration() -> Response:
    """What `/.well-known/smart-configuration` says, whatever the client asks for."""
    base = address()
    told = {
        "token_endpoint": base + TOKEN_PATH,
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(client_tokens.ALGORITHMS),
        "grant_types_supported": ["client_credentials"],
        "scopes_supported": [
            "system/*.rs",
            *(f"system/{name}.rs" for name in KINDS),
        ],
        "capabilities": ["client-confidential-asymmetric", "permission-v2", "permission-v1"],
    }
    return plain(told)


def token() -> Response:
    """A token for a client that proves itself by an assertion, or an OAuth error (RFC 6749)."""
    form = request.form
    if request.mimetype != FORM or any(len(form.getlist(name)) != 1 for name in ONCE):
        return _error(400, "invalid_request", "Send each of " + ", ".join(ONCE) + " once.")
    if form["grant_type"] != "client_credentials":
        return _error(400, "unsupported_grant_type", "Only client_credentials is supported.")
    if form["client_assertion_type"] != ASSERTION_TYPE:
        return _error(400, "invalid_request", f"client_assertion_type is {ASSERTION_TYPE}.")
    try:
        client = _proved(form["client_assertion"])
    except Refused as reason:
        g.counted_as = "client_refused"
        log.info("a client was refused: %s", reason)
        return _error(401, "invalid_client", NOBODY)
    granted = scopes.granted(form["scope"][:MAX_SCOPE], client["scopes"], KINDS)
    if not granted:
        return _error(400, "invalid_scope", "None of these scopes is registered for the client.")
    return _issued(client, " ".join(granted))


def _proved(assertion: str) -> dict[str, Any]:
    """The client whose assertion this is, used now for the first time."""
    client_id = client_tokens.client_named(assertion)
    header = client_tokens.header_of(assertion)
    client = _registered(client_id)
    if "jku" in header and header["jku"] != client["jwks_uri"]:
        raise Refused("jku")
    key = client_tokens.key_for(header, client_jwks.jwks_of(client, header["kid"]))
    claims = client_tokens.proved(assertion, key, header["alg"], address() + TOKEN_PATH)
    if client["jwks"] is None:
        client = _registered(client_id)  # its keys may have taken seconds to fetch
    if claims["sub"] != str(client_id):
        raise Refused("subject")
    if not client_reach.spend_assertion(client_id, claims["jti"], client_tokens.ends_at(claims)):
        raise Refused("replayed")
    return client


def _registered(client_id: UUID) -> dict[str, Any]:
    client = clients.active_client(client_id)
    if client is None:
        raise Refused("not registered")
    return client


def _issued(client: dict[str, Any], scope: str) -> Response:
    g.actor = actor_of(client["id"], client["clinic_id"], scope)
    client_reach.signed_in(g.actor)
    return plain(
        {
            "access_token": client_tokens.issue(client["id"], client["clinic_id"], scope),
            "token_type": "bearer",
            "expires_in": client_tokens.LIFE_S,
            "scope": scope,
        }
    )


def _error(status: int, error: str, words: str) -> Response:
    response = plain({"error": error, "error_description": words}, status)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_client"'
    return response


def knock() -> Actor:
    """Who knocks with a client's token; raises `NotSignedIn` for any other."""
    claims = _claims(request.environ.get("HTTP_AUTHORIZATION"))
    return actor_of(claims["sub"], claims["clinic"], claims["scope"])


def is_clients(header: str | None) -> bool:
    """Whether it brings a client's token that is good, as the FHIR door asks for it."""
    try:
        return bool(_claims(header))
    except NotSignedIn:
        return False


def _claims(header: str | None) -> dict[str, Any]:
    if header is None:
        raise NothingShown("Sign in first.", error="")
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer" or not text or len(text) > MAX_TOKEN or not text.isascii():
        raise NotSignedIn("The token can't be read.")
    try:
        return client_tokens.read(text)
    except Refused:
        raise NotSignedIn("The token is not valid.") from None


def actor_of(client_id: UUID, clinic_id: UUID, scope: str) -> Actor:
    """The client as an actor of this request, with its scopes."""
    actor = Actor(
        sign_in_id=client_id,
        user_id=client_id,
        clinic_id=clinic_id,
        door=FHIR,
        request_id=g.request_id,
        client_ip=request.remote_addr,
    )
    actor.extras["scopes"] = scopes.read_all(scope)
    return actor
