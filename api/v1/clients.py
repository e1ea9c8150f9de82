"""EHR clients over v1: programs of other systems, registered with their keys, and revoked."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import client_keys, clients
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Instant, Many, Show, Words, shown
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("clients", "Programs of other systems, such as an EHR, and what they may ask for.")
ONE = "/clients/<id:client_id>"
SCOPES = {"description": "Scopes of SMART Backend Services, such as `system/Observation.rs`."}
SYSTEM = {"description": "The URI of the identifiers by which the client knows patients."}
KEYS = {"description": "Public keys for RS384 or ES384; either these or `jwks_uri`."}
JWKS_URI = {"description": "Where the client publishes its keys.", "format": "uri"}


class JwkSchema(Ask):
    """A public key (RFC 7517): RSA of 2048 bits or more, or EC on P-384. Other members are ignored.

    A key with a private part is refused.
    """

    class Meta:
        """What a key has besides is no fault (RFC 7517, section 4)."""

        unknown = ma.INCLUDE

    kty = Choice(tuple(client_keys.ALGORITHMS), required=True)
    kid = Words(200, required=True)
    alg = Choice(tuple(client_keys.ALGORITHMS.values()))
    use = Choice(("sig",))
    n = Words(1400)
    e = Words(20)
    crv = Choice(("P-384",))
    x = Words(80)
    y = Words(80)


class JwksSchema(Ask):
    """Public keys."""

    keys = Many(ma.fields.Nested(JwkSchema), least=1, most=client_keys.MAX_KEYS, required=True)


class NewClientSchema(Ask):
    """A program of another system."""

    name = Words(200, required=True)
    scopes = Many(
        Words(clients.MAX_SCOPE),
        least=1,
        most=clients.MAX_SCOPES,
        required=True,
        metadata=SCOPES,
    )
    external_system = Words(clients.MAX_SYSTEM, required=True, metadata=SYSTEM)
    jwks = ma.fields.Nested(JwksSchema, metadata=KEYS)
    jwks_uri = Words(clients.MAX_URL, metadata=JWKS_URI)


class ChangedClientSchema(Ask):
    """A merge patch of a client; new keys replace the old ones, whichever way they are given."""

    name = Words(200)
    scopes = Many(Words(clients.MAX_SCOPE), least=1, most=clients.MAX_SCOPES, metadata=SCOPES)
    jwks = ma.fields.Nested(JwksSchema, metadata=KEYS)
    jwks_uri = Words(clients.MAX_URL, metadata=JWKS_URI)


class PublicKeySchema(Show):
    """A public key."""

    kty = shown(ma.fields.String)
    kid = shown(ma.fields.String)
    alg = shown(ma.fields.String)
    use = shown(ma.fields.String)
    n = ma.fields.String()
    e = ma.fields.String()
    crv = ma.fields.String()
    x = ma.fields.String()
    y = ma.fields.String()


class PublicKeysSchema(Show):
    """Public keys."""

    keys = Many(ma.fields.Nested(PublicKeySchema), required=True)


class ClientSchema(Show):
    """A registered client. It signs in as `client_id`, the same as `id`."""

    id = shown(ma.fields.UUID)
    client_id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    name = shown(ma.fields.String)
    state = Choice(clients.STATES, required=True)
    scopes = Many(ma.fields.String(), required=True)
    external_system = shown(ma.fields.String)
    jwks = ma.fields.Nested(PublicKeysSchema, required=True, allow_none=True)
    jwks_uri = shown(ma.fields.String, nullable=True)
    revoked_at = shown(Instant, nullable=True)


class ClientQuery(PageQuery):
    """Which clients."""

    state = Choice(clients.STATES)


EXAMPLE = {
    "name": "Valley EHR",
    "scopes": ["system/Patient.rs", "system/Observation.crs"],
    "external_system": "https://ehr.valley.example/patients",
    "jwks_uri": "https://ehr.valley.example/jwks.json",
}


@blp.offer("GET", "/clients", "client:read", query=ClientQuery, answer=ClientSchema, paged=True)
def list_clients(actor: Actor, **asked: Any) -> Listing:
    """List the clinic's EHR clients."""
    return clients.list_clients(actor, **asked)


@blp.offer(
    "POST",
    "/clients",
    "client:manage",
    body=NewClientSchema,
    answer=ClientSchema,
    location="/api/v1/clients/{id}",
    example=EXAMPLE,
)
def register_client(actor: Actor, values: Values) -> Values:
    """Register an EHR client.

    Needs a sign-in of the last five minutes. It signs in by SMART Backend Services with a key that
    is sent here or published at `jwks_uri`. Of the clients in use each has a system of its own.
    """
    return clients.register_client(actor, values)


@blp.offer("GET", ONE, "client:read", answer=ClientSchema)
def read_client(actor: Actor, client_id: Any) -> Values:
    """Read an EHR client."""
    return clients.read_client(actor, client_id)


@blp.offer(
    "PATCH",
    ONE,
    "client:manage",
    body=ChangedClientSchema,
    answer=ClientSchema,
    example={"scopes": ["system/Patient.rs"]},
)
def change_client(actor: Actor, client_id: Any, version: int | None, values: Values) -> Values:
    """Give a client other keys, scopes or another name.

    Needs a sign-in of the last five minutes. To rotate keys, send the old and the new one, and
    later the new one alone.
    """
    return clients.change_client(actor, client_id, version, values)


@blp.offer("POST", f"{ONE}/revoke", "client:manage", answer=ClientSchema)
def revoke_client(actor: Actor, client_id: Any) -> Values:
    """Revoke an EHR client, for good.

    Needs a sign-in of the last five minutes. Its tokens are refused from the next request on.
    """
    return clients.revoke_client(actor, client_id)
