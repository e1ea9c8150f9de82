"""Companions over v1: who takes the patient home, sits with them, or practises beside them."""

from typing import Any

import marshmallow as ma
from marshmallow import validate

from api.access.policies import Actor
from api.core import companions
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Instant, Many, Show, Words, shown
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("companions", "The people of a patient.")
OF_PATIENT = "/patients/<id:patient_id>/companions"
ONE = "/companions/<id:companion_id>"
SPOKEN = {"description": "Whether the patient's consent `companion` is in force at this moment."}


class CompanionFields(Ask):
    """What may be written of a companion."""

    relation = Choice(companions.RELATIONS)
    roles = Many(Choice(companions.ROLES), most=len(companions.ROLES))
    phone = Words(40, allow_none=True)
    email = Words(254, allow_none=True, validate=validate.Email())
    note = Words(1000, allow_none=True)


class NewCompanionSchema(CompanionFields):
    """A companion as they are named; `other` unless `relation` says more."""

    name = Words(200, required=True)


class ChangedCompanionSchema(CompanionFields):
    """A merge patch of a companion: absent = unchanged, null = cleared."""

    name = Words(200)


class CompanionSchema(Show):
    """A companion; nobody signs in as one."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient_id = shown(ma.fields.UUID)
    name = shown(ma.fields.String)
    relation = Choice(companions.RELATIONS, required=True)
    roles = Many(Choice(companions.ROLES), required=True)
    phone = shown(ma.fields.String, nullable=True)
    email = shown(ma.fields.String, nullable=True)
    note = shown(ma.fields.String, nullable=True)
    may_be_spoken_with = shown(ma.fields.Boolean, metadata=SPOKEN)


@blp.offer("GET", OF_PATIENT, "companion:read", query=PageQuery, answer=CompanionSchema, paged=True)
def list_companions(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's companions."""
    return companions.list_companions(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "companion:write",
    body=NewCompanionSchema,
    answer=CompanionSchema,
    location="/api/v1/companions/{id}",
    example={"name": "Robin Firn", "relation": "sibling", "roles": ["escort"]},
)
def add_companion(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Name a companion.

    A companion has no sign-in and opens no chart; to attest something, send them a one-use link
    (`POST /sessions/{session_id}/attestation-links`).
    """
    return companions.add_companion(actor, patient_id, values)


@blp.offer("GET", ONE, "companion:read", answer=CompanionSchema, derived=True)
def read_companion(actor: Actor, companion_id: Any) -> Values:
    """Read what is known of a companion."""
    return companions.read_companion(actor, companion_id)


@blp.offer(
    "PATCH",
    ONE,
    "companion:write",
    body=ChangedCompanionSchema,
    answer=CompanionSchema,
    derived=True,
    example={"phone": "+1 303 555 0101"},
)
def change_companion(
    actor: Actor, companion_id: Any, version: int | None, values: Values
) -> Values:
    """Change what is known of a companion."""
    return companions.change_companion(actor, companion_id, version, values)


@blp.offer("DELETE", ONE, "companion:write", status=204)
def remove_companion(actor: Actor, companion_id: Any, version: int | None) -> None:
    """Remove a companion."""
    return companions.remove_companion(actor, companion_id, version)
