"""One-use attestation links over v1: a companion says that they escort, or were there."""

from typing import Any

import marshmallow as ma
from flask import after_this_request, g

from api.access.policies import Actor
from api.core.treatment import attestations
from api.paging import Listing, Values
from api.v1.bearers import known_by_token
from api.v1.forms import Ask, Choice, Flag, Instant, Show, Words, shown
from api.v1.resource import Blueprint, idempotency_key

blp = Blueprint("attestation-links", "What a companion attests, without a sign-in.")
HELD = "/attestation-links/<string:token>"
OF_SESSION = "/sessions/<id:session_id>/attestation-links"


class NewAttestationLinkSchema(Ask):
    """What is to be attested."""

    kind = Choice(attestations.KINDS, required=True)


class AttestedSchema(Show):
    """Who attested it."""

    name = shown(ma.fields.String)
    phone = ma.fields.String(allow_none=True)
    relation = ma.fields.String(allow_none=True)


class AttestationSchema(Show):
    """A link for a companion, and what was attested with it."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    session_id = shown(ma.fields.UUID)
    kind = Choice(attestations.KINDS, required=True)
    expires_at = shown(Instant)
    open = shown(Flag, metadata={"description": "Whether the link can still be used."})
    attested_at = shown(Instant, nullable=True)
    attested = ma.fields.Nested(AttestedSchema, required=True, allow_none=True)


class AttestationLinkSchema(AttestationSchema):
    """A new link, with its token shown this once."""

    token = shown(ma.fields.String)
    address = shown(ma.fields.String)


class AttestationFormSchema(Show):
    """What is to be attested, in words."""

    kind = Choice(attestations.KINDS, required=True)
    words = shown(ma.fields.String)
    expires_at = shown(Instant)


class AttestSchema(Ask):
    """Who attests it; `agreed` is true, or nothing is attested."""

    name = Words(200, required=True)
    phone = Words(40, allow_none=True)
    relation = Words(60, allow_none=True)
    agreed = Flag(required=True, validate=ma.validate.Equal(True))


class ThankedSchema(Show):
    """What was attested, and when."""

    id = shown(ma.fields.UUID)
    kind = Choice(attestations.KINDS, required=True)
    attested_at = shown(Instant)
    words = shown(ma.fields.String)


known_by_token(blp, attestations.bearer_of)


@blp.offer("GET", OF_SESSION, "attestation:read", answer=AttestationSchema, paged=True)
def list_attestations(actor: Actor, session_id: Any, **asked: Any) -> Listing:
    """List the links made for companions of a session, and what was attested."""
    return attestations.list_attestations(actor, session_id, **asked)


@blp.offer(
    "POST",
    OF_SESSION,
    "attestation:ask",
    body=NewAttestationLinkSchema,
    answer=AttestationLinkSchema,
    status=201,
    example={"kind": "escort"},
)
def make_attestation_link(actor: Actor, session_id: Any, values: Values) -> Values:
    """Make a link for one companion.

    Good once and for 72 hours; it opens nothing but its own words. A former one of the kind that
    was not used is good no more.
    """
    return attestations.make_attestation_link(actor, session_id, values)


@blp.offer("GET", HELD, None, answer=AttestationFormSchema, derived=True, errors=(404,))
def open_attestation_link(token: str) -> Values:
    """Read what is to be attested.

    It names the clinic and nobody else. A token that is unknown, used or over is 404.
    """
    return attestations.open_attestation_link(g.actor)


@blp.offer(
    "POST",
    HELD,
    None,
    body=AttestSchema,
    answer=ThankedSchema,
    status=201,
    errors=(404,),
    example={"name": "Sam Example", "agreed": True},
)
def attest(token: str, values: Values) -> Values:
    """Attest it, with a name; the link is used.

    The same words with the same `Idempotency-Key` are answered again for 24 hours.
    """
    answer, replayed = attestations.attest(g.actor, values, idempotency_key())
    if replayed:
        after_this_request(_say_replayed)
    return answer


def _say_replayed(response: Any) -> Any:
    response.headers["Idempotent-Replayed"] = "true"
    return response
