"""Amendment requests over v1: what a patient finds wrong in their record, and the answer."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import amendments
from api.paging import Listing, Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Day, Id, Instant, Many, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("amendments", "What a patient asks to have put right in their record.")
OF_PATIENT = "/patients/<id:patient_id>/amendment-requests"
ONE = "/amendment-requests/<id:request_id>"
DUE = {"description": "60 days after it was asked, once 30 more (45 CFR 164.526)."}
AMENDMENT = {"description": "What was added beside the record; null until it is accepted."}


class NewAmendmentRequestSchema(Ask):
    """What is wrong, in which record, and what should stand there."""

    record_kind = Choice(amendments.RECORDS, required=True)
    record_id = Id(metadata={"description": "Needed, but for `patient`."})
    text = Words(4000, required=True)
    reason = Words(4000, allow_none=True)


class AcceptedAmendmentSchema(Ask):
    """What is added to the record; the patient's own text unless given."""

    amendment = Words(4000)


class DeniedAmendmentSchema(Ask):
    """On which ground, and why, in words that the patient reads."""

    ground = Choice(amendments.GROUNDS, required=True)
    reason = Words(4000, required=True)


class ExtendedAmendmentSchema(Ask):
    """Why the answer takes longer, in words that the patient reads."""

    reason = Words(4000, required=True)


class DisagreementSchema(Ask):
    """Why the patient disagrees."""

    text = Words(4000, required=True)


class PatientAmendmentRequestSchema(Show):
    """An amendment request as its patient reads it."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    record_kind = Choice(amendments.RECORDS, required=True)
    record_id = shown(ma.fields.UUID)
    text = shown(ma.fields.String)
    reason = shown(ma.fields.String, nullable=True)
    state = Choice(amendments.STATES, required=True)
    due_on = shown(Day, metadata=DUE)
    extended_because = shown(ma.fields.String, nullable=True)
    decided_at = shown(Instant, nullable=True)
    decided_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    amendment = shown(ma.fields.String, nullable=True, metadata=AMENDMENT)
    ground = Choice(amendments.GROUNDS, required=True, allow_none=True)
    decision_reason = shown(ma.fields.String, nullable=True)
    disagreement = shown(ma.fields.String, nullable=True)
    disagreed_at = shown(Instant, nullable=True)
    allowed = Many(ma.fields.String(), required=True)


class AmendmentRequestSchema(PatientAmendmentRequestSchema):
    """An amendment request; `overdue` when its day has passed without an answer."""

    overdue = shown(ma.fields.Boolean)


class AmendmentQuery(PageQuery):
    """Which amendment requests."""

    state = Choice(amendments.STATES)
    record_id = Id(metadata={"description": "What was asked, and added, about one record."})


@blp.offer(
    "GET",
    OF_PATIENT,
    "amendment:read",
    query=AmendmentQuery,
    answer=AmendmentRequestSchema,
    to_patient=PatientAmendmentRequestSchema,
    paged=True,
)
def list_amendment_requests(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's amendment requests, the newest first.

    With `record_id`, the amendments of one record.
    """
    return amendments.list_amendment_requests(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "amendment:request",
    body=NewAmendmentRequestSchema,
    answer=PatientAmendmentRequestSchema,
    location="/api/v1/amendment-requests/{id}",
    example={"record_kind": "patient", "text": "My birth date is the 30th."},
)
def ask_amendment(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Ask to have the record amended.

    The answer is due in 60 days.
    """
    return amendments.ask_amendment(actor, patient_id, values)


@blp.offer(
    "GET",
    ONE,
    "amendment:read",
    answer=AmendmentRequestSchema,
    to_patient=PatientAmendmentRequestSchema,
)
def read_amendment_request(actor: Actor, request_id: Any) -> Values:
    """Read an amendment request."""
    return amendments.read_amendment_request(actor, request_id)


@blp.offer(
    "POST",
    f"{ONE}/accept",
    "amendment:decide",
    body=AcceptedAmendmentSchema,
    answer=AmendmentRequestSchema,
    example={"amendment": "The patient states that the birth date is 1990-01-30."},
)
def accept_amendment(actor: Actor, request_id: Any, values: Values) -> Values:
    """Accept an amendment.

    It is added beside the record and linked to it; the record itself stays as it was.
    """
    return amendments.accept_amendment(actor, request_id, values)


@blp.offer(
    "POST",
    f"{ONE}/deny",
    "amendment:decide",
    body=DeniedAmendmentSchema,
    answer=AmendmentRequestSchema,
    example={"ground": "accurate_and_complete", "reason": "The identity card says the 31st."},
)
def deny_amendment(actor: Actor, request_id: Any, values: Values) -> Values:
    """Deny an amendment.

    On one of four grounds; the patient may disagree in writing, and that stays with the record.
    """
    return amendments.deny_amendment(actor, request_id, values)


@blp.offer(
    "POST",
    f"{ONE}/extend",
    "amendment:decide",
    body=ExtendedAmendmentSchema,
    answer=AmendmentRequestSchema,
    example={"reason": "The clinician who wrote it is on leave until the 3rd."},
)
def extend_amendment(actor: Actor, request_id: Any, values: Values) -> Values:
    """Take 30 days longer to answer, once."""
    return amendments.extend_amendment(actor, request_id, **values)


@blp.offer(
    "POST",
    f"{ONE}/disagree",
    "amendment:request",
    body=DisagreementSchema,
    answer=PatientAmendmentRequestSchema,
    example={"text": "I was born on the 30th."},
)
def disagree_with_denial(actor: Actor, request_id: Any, values: Values) -> Values:
    """Disagree with a denial, in writing."""
    return amendments.disagree_with_denial(actor, request_id, **values)
