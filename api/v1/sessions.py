"""Sessions over v1: the booking, and the moves from arrival to completion."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.treatment import moves, sessions
from api.core.treatment.sessions import starting
from api.core.treatment.sessions.table import KINDS, MAX_CLINICIANS, MODES, SOURCES
from api.paging import Listing, Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Id, Instant, Many, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("sessions", "Therapy sessions, from booking to completion.")
ONE = "/sessions/<id:session_id>"
EXAMPLE = {
    "kind": "preparation",
    "starts_at": "2026-11-25T16:00:00Z",
    "ends_at": "2026-11-25T17:00:00Z",
    "clinician_ids": ["0197a4c0-0000-7000-8000-000000000001"],
    "mode": "in_person",
    "room": "Room 2",
}
ALLOWED = "The moves that are yours to make now: the last part of their address."
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
    """A reason not to start, passed over, and why."""

    code = Choice(starting.REASONS, required=True)
    reason = Words(2000, required=True)


class StartSchema(MoveSchema):
    """When it began, and what is passed over; only a prescriber passes over anything."""

    overrides = Many(ma.fields.Nested(OverrideSchema), most=len(starting.REASONS))


class OverriddenSchema(Show):
    """What was passed over when the session began, by whom and why."""

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
    """A session as its patient sees it; `not_held` is one that did not take place."""

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
    allowed = _allowed()


class SessionSchema(PatientSessionSchema):
    """A session; `closed_at` is when it was called off or found not to take place."""

    state = Choice(moves.STATES, required=True)
    source = Choice(SOURCES, required=True)
    also_covered = Many(Choice(KINDS), required=True)
    arrived_at = shown(Instant, nullable=True)
    started_at = shown(Instant, nullable=True)
    completed_at = shown(Instant, nullable=True)
    closed_at = shown(Instant, nullable=True)
    moved_at = shown(Instant, nullable=True)
    reason = shown(ma.fields.String, nullable=True)
    overrides = Many(ma.fields.Nested(OverriddenSchema), required=True)


class SessionQuery(PageQuery):
    """Which of a patient's sessions."""

    kind = Choice(KINDS)
    state = Choice((*moves.STATES, "not_held"), metadata={"description": NOT_HELD})


@blp.offer(
    "GET",
    "/patients/<id:patient_id>/sessions",
    "session:list",
    query=SessionQuery,
    answer=SessionSchema,
    to_patient=PatientSessionSchema,
    paged=True,
)
def list_sessions(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's sessions, the latest first."""
    return sessions.list_sessions(actor, patient_id, **asked)


@blp.offer(
    "POST",
    "/patients/<id:patient_id>/sessions",
    "session:schedule",
    body=NewSessionSchema,
    answer=SessionSchema,
    location="/api/v1/sessions/{id}",
    example=EXAMPLE,
)
def book_session(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Book a session.

    No clinician, room or patient is booked twice at once: 409 then says in `busy` which of them
    is busy until when. Only the patient's care team and administrators book, also in the past.
    """
    return sessions.book_session(actor, patient_id, values)


@blp.offer("GET", ONE, "session:read", answer=SessionSchema, to_patient=PatientSessionSchema)
def read_session(actor: Actor, session_id: Any) -> Values:
    """Read a session.

    A patient sees time, kind, mode, place, clinicians and preparation as soon as it is booked.
    """
    return sessions.read_session(actor, session_id)


@blp.offer(
    "PATCH",
    ONE,
    "session:rebook",
    body=ChangedSessionSchema,
    answer=SessionSchema,
    example={"room": "Room 3"},
)
def change_session(actor: Actor, session_id: Any, version: int | None, values: Values) -> Values:
    """Change a booking while it is scheduled or the patient has arrived.

    Times and clinicians are the care team's and administrators' to change; whoever is newly needed
    must be free. Administrators change times, clinicians, room and mode, and no more (403). Once
    it has begun the care team may still send `also_covered`, alone.
    """
    return sessions.change_session(actor, session_id, version, values)


@blp.offer(
    "POST", f"{ONE}/arrive", "session:update", body=MoveSchema, answer=SessionSchema, example={}
)
def arrive_session(actor: Actor, session_id: Any, values: Values) -> Values:
    """Note that the patient has arrived."""
    return sessions.arrive_session(actor, session_id, values)


@blp.offer(
    "POST", f"{ONE}/start", "session:update", body=StartSchema, answer=SessionSchema, example={}
)
def start_session(actor: Actor, session_id: Any, values: Values) -> Values:
    """Start a session.

    A dosing session asks for a sign-in of the last five minutes (`POST /auth/step-up`). It is 409
    with `reasons` while an immediate or same-day alert of the patient is not resolved, unless a
    clinician with the privilege `prescribe` sends `overrides` (403 from anybody else).
    """
    return sessions.start_session(actor, session_id, values)


@blp.offer(
    "POST", f"{ONE}/complete", "session:update", body=MoveSchema, answer=SessionSchema, example={}
)
def complete_session(actor: Actor, session_id: Any, values: Values) -> Values:
    """Complete a session."""
    return sessions.complete_session(actor, session_id, values)


@blp.offer(
    "POST",
    f"{ONE}/cancel",
    "session:cancel",
    body=CancelSchema,
    answer=SessionSchema,
    to_patient=PatientSessionSchema,
    example={"reason": "patient_asked"},
)
def cancel_session(actor: Actor, session_id: Any, values: Values) -> Values:
    """Call a session off.

    Its time is free again. A patient may call off what is still scheduled, and gives one of
    the vocabulary `cancel_reasons`.
    """
    return sessions.cancel_session(actor, session_id, values)


@blp.offer(
    "POST",
    f"{ONE}/no-show",
    "session:no_show",
    body=NoShowSchema,
    answer=SessionSchema,
    example={"reason": "could_not_be_reached"},
)
def mark_no_show(actor: Actor, session_id: Any, values: Values) -> Values:
    """Note that the patient did not come."""
    return sessions.mark_no_show(actor, session_id, values)


@blp.offer(
    "POST", f"{ONE}/reopen", "session:update", body=ReopenSchema, answer=SessionSchema, example={}
)
def reopen_session(actor: Actor, session_id: Any, values: Values) -> Values:
    """Reopen a session that was called off, not held or completed by mistake.

    It goes back to scheduled, or from completed to in progress. What was called off is booked
    again, so everybody must still be free; only the care team does that.
    """
    return sessions.reopen_session(actor, session_id, values)
