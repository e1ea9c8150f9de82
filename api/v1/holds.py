"""Legal holds over v1: while one stands, nothing of a chart is deleted."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import holds
from api.paging import Listing, Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Instant, Many, Show, Words, shown
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("holds", "Charts of which nothing may be deleted for now.")
OF_PATIENT = "/patients/<id:patient_id>/legal-holds"


class NewLegalHoldSchema(Ask):
    """Why nothing may be deleted."""

    reason = Words(2000, required=True)


class LegalHoldSchema(Show):
    """A hold on a chart."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    reason = shown(ma.fields.String)
    state = Choice(holds.STATES, required=True)
    placed_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    released_at = shown(Instant, nullable=True)
    released_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    allowed = Many(ma.fields.String(), required=True)


@blp.offer(
    "GET", OF_PATIENT, "legal_hold:read", query=PageQuery, answer=LegalHoldSchema, paged=True
)
def list_holds(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List the legal holds of a chart, the latest first."""
    return holds.list_holds(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "legal_hold:manage",
    body=NewLegalHoldSchema,
    answer=LegalHoldSchema,
    location="/api/v1/patients/{patient_id}/legal-holds",
    example={"reason": "A claim was announced; counsel asked on the 3rd."},
)
def place_hold(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Place a legal hold.

    Until it is released, every deletion in this chart is refused (409), the patient's own too,
    nothing is erased, and what is overwritten is kept as it was.
    """
    return holds.place_hold(actor, patient_id, values)


@blp.offer("POST", "/legal-holds/<id:hold_id>/release", "legal_hold:manage", answer=LegalHoldSchema)
def release_hold(actor: Actor, hold_id: Any) -> Values:
    """Release a legal hold."""
    return holds.release_hold(actor, hold_id)
