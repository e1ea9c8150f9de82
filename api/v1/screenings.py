"""Screenings over v1: items of eligibility, answered and signed by people."""

from typing import Any

import marshmallow as ma
from marshmallow import validate

from api.access.policies import Actor
from api.core.treatment import screenings
from api.paging import Listing, Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Day, Id, Instant, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("screenings", "What was asked before a course of treatment, and who signed it.")
ONE = "/screenings/<id:screening_id>"
OF_PATIENT = "/patients/<id:patient_id>/screenings"
ITEM = validate.Regexp(r"^[a-z][a-z0-9_]{0,59}$", error="Not a code of an item.")
SEVERITY = {"description": "How much a yes weighs; that of the protocol unless given."}
DECISION = {"description": "With a decision, whoever writes it signs it as well."}
AGAINST = {"description": "Needed to go on against an absolute item that is not a plain no."}


class ScreeningFields(Ask):
    """What may be written of a screening while nobody signed it."""

    note = Words(4000, allow_none=True)
    asked_on = Day(metadata={"description": "Not ahead; today unless given."})


class NewScreeningSchema(ScreeningFields):
    """An item that was asked, with its answer."""

    item = Words(60, required=True, validate=ITEM, metadata={"description": "As in a protocol."})
    answer = Choice(screenings.ANSWERS, required=True)
    severity = Choice(screenings.SEVERITIES, metadata=SEVERITY)
    session_id = Id(allow_none=True)
    decision = Choice(screenings.DECISIONS, metadata=DECISION)
    decision_note = Words(4000, allow_none=True, metadata=AGAINST)


class ChangedScreeningSchema(ScreeningFields):
    """A merge patch of an unsigned screening: absent = unchanged, null = cleared."""

    answer = Choice(screenings.ANSWERS)
    severity = Choice(screenings.SEVERITIES, metadata=SEVERITY)
    session_id = Id(allow_none=True)


class ScreeningDecisionSchema(Ask):
    """What a person decides on one item."""

    decision = Choice(screenings.DECISIONS, required=True)
    decision_note = Words(4000, allow_none=True, metadata=AGAINST)


class ScreeningSchema(Show):
    """An item that was asked. The server lists who signed what; it never says who is eligible."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    item = shown(ma.fields.String)
    severity = Choice(screenings.SEVERITIES, required=True)
    answer = Choice(screenings.ANSWERS, required=True)
    note = shown(ma.fields.String, nullable=True)
    asked_on = shown(Day)
    asked_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    session_id = shown(ma.fields.UUID, nullable=True)
    state = Choice(screenings.STATES, required=True)
    decision = Choice(screenings.DECISIONS, required=True, allow_none=True)
    decision_note = shown(ma.fields.String, nullable=True)
    signed_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    signed_at = shown(Instant, nullable=True)


class ScreeningQuery(PageQuery):
    """Which screenings."""

    item = Words(60, validate=ITEM)
    state = Choice(screenings.STATES)


@blp.offer(
    "GET",
    OF_PATIENT,
    "screening:read",
    query=ScreeningQuery,
    answer=ScreeningSchema,
    paged=True,
)
def list_screenings(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List what a patient was screened for, the newest first."""
    return screenings.list_screenings(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "screening:write",
    body=NewScreeningSchema,
    answer=ScreeningSchema,
    location="/api/v1/screenings/{id}",
    example={"item": "pregnancy", "answer": "no"},
)
def record_screening(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Write down the answer to an item of eligibility.

    Of each item the newest answer counts. With `decision` it is signed at once; to go on against
    an absolute item needs the privilege `prescribe` (403) and words (422).
    """
    return screenings.record_screening(actor, patient_id, values)


@blp.offer("GET", ONE, "screening:read", answer=ScreeningSchema)
def read_screening(actor: Actor, screening_id: Any) -> Values:
    """Read a screening."""
    return screenings.read_screening(actor, screening_id)


@blp.offer(
    "PATCH",
    ONE,
    "screening:write",
    body=ChangedScreeningSchema,
    answer=ScreeningSchema,
    example={"answer": "unknown"},
)
def change_screening(
    actor: Actor, screening_id: Any, version: int | None, values: Values
) -> Values:
    """Change a screening that nobody signed.

    A signed one stands (409); what is answered anew is a screening of its own.
    """
    return screenings.change_screening(actor, screening_id, version, values)


@blp.offer(
    "POST",
    f"{ONE}/sign",
    "screening:write",
    body=ScreeningDecisionSchema,
    answer=ScreeningSchema,
    example={"decision": "no_concern"},
    errors=(409,),
)
def sign_screening(actor: Actor, screening_id: Any, values: Values) -> Values:
    """Decide on one item, and sign it.

    To go on against an absolute item needs the privilege `prescribe` (403) and words (422).
    """
    return screenings.sign_screening(actor, screening_id, values)
