"""Sessions over v1: the booking, and the moves from arrival to completion."""

from typing import Any

from api.access.policies import Actor
from api.core import readiness
from api.core.treatment import sessions
from api.paging import Listing, Values
from api.v1.resource import Blueprint
from api.v1.session_shapes import (
    CancelSchema,
    ChangedSessionSchema,
    CompleteSchema,
    MoveSchema,
    NewSessionSchema,
    NoShowSchema,
    PatientSessionSchema,
    ReopenSchema,
    SessionQuery,
    SessionSchema,
    StartSchema,
)

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
    is busy until when. Only the patient's care team and administrators book, also in the past. A
    dosing session ahead is 409 with `missing` while the patient's consent to treatment is
    withdrawn; where none was given yet it may be booked, and does not start without one.
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
    it has begun the care team may still send `also_covered`, alone. A dosing session is not moved
    ahead while the patient's consent to treatment is withdrawn (409 with `missing`).
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
    with the `reasons` of `/readiness`, unless a clinician with the privilege `prescribe` sends
    `overrides` of each (403 from anybody else). The protocol's version then stays with it.
    """
    return readiness.start_session(actor, session_id, values)


@blp.offer(
    "POST",
    f"{ONE}/complete",
    "session:complete",
    body=CompleteSchema,
    answer=SessionSchema,
    example={},
)
def complete_session(actor: Actor, session_id: Any, values: Values) -> Values:
    """Complete a session.

    After a dose it is 409 with `missing` until points, time of observation, score and criteria of
    the protocol are recorded, unless a clinician with the privilege `discharge` sends `overrides`
    (403 from anybody else), signed in or confirmed within five minutes.
    """
    return readiness.complete_session(actor, session_id, values)


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
    again, so everybody must still be free, and the consent to treatment not withdrawn; only the
    care team does that.
    """
    return sessions.reopen_session(actor, session_id, values)
