"""Erasure requests over v1: what is the patient's alone goes, and what law keeps is named."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import erasure
from api.paging import Listing, Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Day, Instant, Many, Show, Words, shown
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("erasure", "What a patient asks to have erased, and what law keeps.")
OF_PATIENT = "/patients/<id:patient_id>/erasure-requests"
ONE = "/erasure-requests/<id:request_id>"
ERASED = {
    "description": "How many entries of each kind went; null until it is decided, and to everybody "
    "but the patient: nobody else counts what they kept to themself."
}
KEPT = {"description": "What stays, by which law, at least until when; null until it is decided."}
BECAUSE = {"description": "In words that the patient reads."}


class NewErasureRequestSchema(Ask):
    """What the patient wishes, in their words."""

    text = Words(4000, allow_none=True)


class ErasureDecisionSchema(Ask):
    """Why, in words that the patient reads."""

    reason = Words(4000, required=True, metadata=BECAUSE)


class KeptSchema(Show):
    """Records that stay: state law has them kept, or HIPAA's rules of documentation."""

    kind = Choice(erasure.BY_LAW, required=True)
    count = shown(ma.fields.Integer)
    law = Choice(erasure.LAWS, required=True)
    until = shown(Day)


class PatientErasureRequestSchema(Show):
    """An erasure request as its patient reads it."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    text = shown(ma.fields.String, nullable=True)
    state = Choice(erasure.STATES, required=True)
    due_on = shown(Day)
    decided_at = shown(Instant, nullable=True)
    decided_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    decision_reason = shown(ma.fields.String, nullable=True)
    erased = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Integer(),
        required=True,
        allow_none=True,
        metadata=ERASED,
    )
    kept = ma.fields.List(
        ma.fields.Nested(KeptSchema), required=True, allow_none=True, metadata=KEPT
    )
    allowed = Many(ma.fields.String(), required=True)


class ErasureRequestSchema(PatientErasureRequestSchema):
    """An erasure request; `overdue` when its day has passed without a decision."""

    overdue = shown(ma.fields.Boolean)


@blp.offer(
    "GET",
    OF_PATIENT,
    "erasure:read",
    query=PageQuery,
    answer=ErasureRequestSchema,
    to_patient=PatientErasureRequestSchema,
    paged=True,
)
def list_erasure_requests(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's erasure requests, the latest first."""
    return erasure.list_erasure_requests(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "erasure:request",
    body=NewErasureRequestSchema,
    answer=ErasureRequestSchema,
    to_patient=PatientErasureRequestSchema,
    location="/api/v1/erasure-requests/{id}",
    example={"text": "I would like my private pages to be gone."},
)
def ask_erasure(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Ask that a patient's data be erased.

    The privacy officer decides within 30 days; one request is open at a time.
    """
    return erasure.ask_erasure(actor, patient_id, values)


@blp.offer(
    "GET",
    ONE,
    "erasure:read",
    answer=ErasureRequestSchema,
    to_patient=PatientErasureRequestSchema,
)
def read_erasure_request(actor: Actor, request_id: Any) -> Values:
    """Read an erasure request."""
    return erasure.read_erasure_request(actor, request_id)


@blp.offer(
    "POST",
    f"{ONE}/carry-out",
    "erasure:decide",
    body=ErasureDecisionSchema,
    answer=ErasureRequestSchema,
    example={"reason": "Your private pages are gone. The record itself we must keep."},
)
def carry_out_erasure(actor: Actor, request_id: Any, values: Values) -> Values:
    """Carry out an erasure.

    What the patient kept for themself (`me`, and never shared) is overwritten, its former versions
    are deleted, and tombstones stay. What was shared with the clinic, once or now, belongs to the
    record, which law has it keep: `kept` names each kind, the law, and at least until when. Under a
    legal hold: 409.
    """
    return erasure.carry_out_erasure(actor, request_id, values)


@blp.offer(
    "POST",
    f"{ONE}/refuse",
    "erasure:decide",
    body=ErasureDecisionSchema,
    answer=ErasureRequestSchema,
    example={"reason": "A court has the record kept as it is for now."},
)
def refuse_erasure(actor: Actor, request_id: Any, values: Values) -> Values:
    """Refuse an erasure, with a reason that the patient reads."""
    return erasure.refuse_erasure(actor, request_id, values)
