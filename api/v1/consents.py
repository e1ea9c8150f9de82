"""Consents over v1: given, reaffirmed at a session, withdrawn."""

from typing import Any
from uuid import UUID

import marshmallow as ma

from api.access.policies import Actor
from api.core import consents
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Id, Instant, Many, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("consents", "What a patient agreed to.")
CONSENTS = "/patients/<id:patient_id>/consents"
CONSENT = "/consents/<id:consent_id>"
MAX_REAFFIRMATIONS = 1000


class NewConsentSchema(Ask):
    """A consent as it is given, or recorded from paper by a clinician."""

    kind = Choice(consents.KINDS, required=True)
    text_version = Words(60, required=True, metadata={"description": "Which words were shown."})
    granted_at = Instant(metadata={"description": "Not ahead; now unless given."})
    shown_as = Words(500, metadata={"description": "How they were shown: on paper, read aloud."})
    witnessed_by = Id(metadata={"description": "A clinician; for a paper consent alone."})


class WithdrawnConsentSchema(Ask):
    """Why a consent is withdrawn; nobody has to say."""

    reason = Words(2000, allow_none=True)


class ReaffirmedConsentSchema(Ask):
    """The session at which the consent was reaffirmed."""

    session_id = Id(required=True)


class ReaffirmationSchema(Show):
    """A session at which the patient said it again."""

    session_id = shown(ma.fields.UUID)
    reaffirmed_at = shown(Instant)


class ConsentSchema(Show):
    """A consent. `reason` is for the patient and the care team, else null."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    kind = Choice(consents.KINDS, required=True)
    text_version = shown(ma.fields.String)
    shown_as = shown(ma.fields.String, nullable=True)
    state = Choice(consents.STATES, required=True)
    granted_at = shown(Instant)
    witnessed_by = shown(ma.fields.UUID, nullable=True)
    withdrawn_at = shown(Instant, nullable=True)
    reason = shown(ma.fields.String, nullable=True)
    reaffirmations = Many(
        ma.fields.Nested(ReaffirmationSchema), most=MAX_REAFFIRMATIONS, required=True
    )


class ConsentQuery(PageQuery):
    """Which consents."""

    kind = Choice(consents.KINDS)
    state = Choice(consents.STATES)


@blp.offer("GET", CONSENTS, "consent:read", query=ConsentQuery, answer=ConsentSchema, paged=True)
def list_consents(actor: Actor, patient_id: UUID, **asked: Any) -> Listing:
    """List a patient's consents.

    Standing, superseded by newer words, and withdrawn ones.
    """
    return consents.list_consents(actor, patient_id, **asked)


@blp.offer(
    "POST",
    CONSENTS,
    "consent:sign",
    body=NewConsentSchema,
    answer=ConsentSchema,
    location="/api/v1/consents/{id}",
    example={"kind": "treatment", "text_version": "2026-1"},
    errors=(409,),
)
def record_consent(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """Record a patient's consent.

    A patient signs with a fresh sign-in; a clinician records a paper consent and is its witness
    unless another is named. A newer `text_version` supersedes the one in force, the same is 409.
    """
    return consents.record_consent(actor, patient_id, values)


@blp.offer("GET", CONSENT, "consent:read", answer=ConsentSchema)
def read_consent(actor: Actor, consent_id: UUID) -> Values:
    """Read a consent."""
    return consents.read_consent(actor, consent_id)


@blp.offer(
    "POST",
    f"{CONSENT}/withdraw",
    "consent:withdraw",
    body=WithdrawnConsentSchema,
    answer=ConsentSchema,
    example={},
    errors=(409,),
)
def withdraw_consent(actor: Actor, consent_id: UUID, values: Values) -> Values:
    """Withdraw a consent.

    It takes effect at once.
    """
    return consents.withdraw_consent(actor, consent_id, **values)


@blp.offer(
    "POST",
    f"{CONSENT}/reaffirm",
    "consent:sign",
    body=ReaffirmedConsentSchema,
    answer=ConsentSchema,
    example={"session_id": "0195b7a6-5c00-7000-8000-000000000002"},
    errors=(409,),
)
def reaffirm_consent(actor: Actor, consent_id: UUID, values: Values) -> Values:
    """Reaffirm a consent at a session.

    The session must be the same patient's. Said twice for one session it is kept once.
    """
    return consents.reaffirm_consent(actor, consent_id, values["session_id"])
