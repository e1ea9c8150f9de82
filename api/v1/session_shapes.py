"""Shapes of sessions: as they are booked and moved, and as their readers see them."""

from typing import Any

import marshmallow as ma

from api.core.readiness import leaving, reasons
from api.core.treatment import moves
from api.core.treatment.sessions.table import KINDS, MAX_CLINICIANS, MODES, SOURCES
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Id, Instant, Many, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import PageQuery

ALLOWED = "The moves that are yours to make now: the last part of their address."
COURSE = {"description": "The course of treatment that it belongs to."}
SIGNED = {"description": "Since when every owed part of the record has its signature."}
NOT_HELD = "`not_held` is the patient's word for `no_show`, and theirs alone."
PATIENT_STATES = (*moves.STATES[:5], "not_held")


class NeededReason(Choice):
    """A reason that the move needs; an illegal move is refused before its reason is asked for."""

    def _validate_missing(self, value: Any) -> None:
        if value is None:
            super()._validate_missing(value)


class SessionFields(Ask):
    """What may be written of any session, and cleared."""

    room = Words(60, allow_none=True, metadata={"description": "The same name is the same room."})
    also_covered = Many(Choice(KINDS), most=len(KINDS), allow_none=True)
    course_id = Id(allow_none=True, metadata=COURSE)
    preparation = Words(
        4000, allow_none=True, metadata={"description": "Words that the patient sees at once."}
    )


class NewSessionSchema(SessionFields):
    """A session as it is booked; it may lie in the past."""

    kind = Choice(KINDS, required=True)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True, metadata={"description": "At most 24 h after the start."})
    clinician_ids = Many(Id(), most=MAX_CLINICIANS, least=1, required=True)
    mode = Choice(MODES, required=True)


class ChangedSessionSchema(SessionFields):
    """A merge patch of a booking: absent = unchanged, null = cleared."""

    kind = Choice(KINDS)
    starts_at = Instant()
    ends_at = Instant()
    clinician_ids = Many(Id(), most=MAX_CLINICIANS, least=1)
    mode = Choice(MODES)


class MoveSchema(Ask):
    """When it happened, if not just now, and why."""

    at = Instant(metadata={"description": "Not ahead, not before the last move; default now."})
    reason = Choice(moves.NOTED_FOR)


class OverrideSchema(Ask):
    """A reason not to start, passed over, and why. What the patient withdrew nobody passes over."""

    code = Choice(reasons.CODES, required=True)
    reason = Words(2000, required=True)


class StartSchema(MoveSchema):
    """When it began, and what is passed over; only a prescriber passes over anything."""

    overrides = Many(ma.fields.Nested(OverrideSchema), most=len(reasons.CODES))


class LeavingOverrideSchema(Ask):
    """Something that is missing for the patient to leave, passed over, and why."""

    code = Choice(leaving.CODES, required=True)
    reason = Words(2000, required=True)


class CompleteSchema(MoveSchema):
    """When it ended, and what is passed over, with the privilege `discharge`."""

    overrides = Many(ma.fields.Nested(LeavingOverrideSchema), most=len(leaving.CODES))


class OverriddenSchema(Show):
    """What was passed over when the session began or ended, by whom and why."""

    code = shown(ma.fields.String)
    reason = shown(ma.fields.String)
    overridden_by = ma.fields.Nested(ClinicianRefSchema, required=True)
    overridden_at = shown(Instant)


class CancelSchema(MoveSchema):
    """Why a session is called off."""

    reason = NeededReason(moves.CANCELLED_FOR, required=True)


class NoShowSchema(MoveSchema):
    """Why a session was not held."""

    reason = NeededReason(moves.NOT_HELD_FOR, required=True)


class ReopenSchema(MoveSchema):
    """Why a session is opened again."""

    reason = Choice(moves.REOPENED_FOR)


def _allowed() -> Any:
    return Many(ma.fields.String(), required=True, metadata={"description": ALLOWED})


class PatientSessionSchema(Show):
    """A session as its patient sees it; `not_held` is one that did not take place.

    When it began and ended and what it covered is there once its record is signed.
    """

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    kind = Choice(KINDS, required=True)
    state = Choice(PATIENT_STATES, required=True)
    mode = Choice(MODES, required=True)
    room = shown(ma.fields.String, nullable=True)
    starts_at = shown(Instant)
    ends_at = shown(Instant)
    clinicians = Many(ma.fields.Nested(ClinicianRefSchema), required=True)
    preparation = shown(ma.fields.String, nullable=True)
    also_covered = Many(Choice(KINDS))
    arrived_at = Instant(allow_none=True)
    started_at = Instant(allow_none=True)
    completed_at = Instant(allow_none=True)
    signed_at = Instant(allow_none=True, metadata=SIGNED)
    allowed = _allowed()


class SessionSchema(PatientSessionSchema):
    """A session; `closed_at` is when it was called off or found not to take place."""

    state = Choice(moves.STATES, required=True)
    source = Choice(SOURCES, required=True)
    also_covered = Many(Choice(KINDS), required=True)
    arrived_at = shown(Instant, nullable=True)
    started_at = shown(Instant, nullable=True)
    completed_at = shown(Instant, nullable=True)
    signed_at = shown(Instant, nullable=True, metadata=SIGNED)
    closed_at = shown(Instant, nullable=True)
    moved_at = shown(Instant, nullable=True)
    reason = shown(ma.fields.String, nullable=True)
    overrides = Many(ma.fields.Nested(OverriddenSchema), most=1000, required=True)
    course_id = shown(ma.fields.UUID, nullable=True, metadata=COURSE)


class SessionQuery(PageQuery):
    """Which of a patient's sessions."""

    kind = Choice(KINDS)
    state = Choice((*moves.STATES, "not_held"), metadata={"description": NOT_HELD})
