"""Plasticity windows over v1: the days after each dose, and what fell inside them."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import after_doses
from api.core.integration.tables import KINDS
from api.core.outcomes.checkins import STATES
from api.core.treatment.protocols import PHASES
from api.paging import Listing
from api.v1.forms import Choice, Day, Instant, Many, Show, shown
from api.v1.patients import PatientRefSchema
from api.v1.practices import PracticeRefSchema
from api.v1.resource import Blueprint

blp = Blueprint("windows", "The days after each dose, and what fell inside them.")
WINDOW_DAY = "The patient's own calendar days since the dose, whose day is 0."


class FellInsideSchema(Show):
    """Something that fell into a window, by its day."""

    id = shown(ma.fields.UUID)
    on = shown(Day)
    window_day = shown(ma.fields.Integer, nullable=True, metadata={"description": WINDOW_DAY})


class StepInsideSchema(FellInsideSchema):
    """A step that fell into a window."""

    practice = ma.fields.Nested(PracticeRefSchema, required=True, allow_none=True)
    kind = Choice(KINDS, required=True)


class MomentInsideSchema(FellInsideSchema):
    """A moment that fell into a window."""

    practice = ma.fields.Nested(PracticeRefSchema, required=True, allow_none=True)


class CheckInInsideSchema(FellInsideSchema):
    """A check-in that fell into a window."""

    instrument = shown(ma.fields.String)
    state = Choice(STATES, required=True)


class SessionInsideSchema(FellInsideSchema):
    """An integration session that was held in a window."""

    starts_at = shown(Instant)
    completed_at = shown(Instant)


class PatientWindowSchema(Show):
    """A window as its patient reads it: no end, no countdown."""

    id = shown(ma.fields.UUID)
    session_id = shown(ma.fields.UUID, metadata={"description": "The dosing session."})
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    dosed_on = shown(Day)
    open = shown(ma.fields.Boolean)
    window_day = shown(ma.fields.Integer, nullable=True, metadata={"description": WINDOW_DAY})
    phase = Choice(PHASES, required=True)
    words = shown(ma.fields.String)
    steps = Many(ma.fields.Nested(StepInsideSchema), required=True, most=after_doses.MOST)
    moments = Many(ma.fields.Nested(MomentInsideSchema), required=True, most=after_doses.MOST)
    check_ins = Many(ma.fields.Nested(CheckInInsideSchema), required=True, most=after_doses.MOST)
    sessions = Many(ma.fields.Nested(SessionInsideSchema), required=True, most=after_doses.MOST)


class PhaseDaysSchema(Show):
    """One phase of a window on the patient's calendar."""

    phase = Choice(PHASES, required=True)
    from_on = shown(Day)
    to_on = shown(Day)


class ProtocolRefSchema(Show):
    """The version of a protocol by which something was reckoned or judged."""

    key = shown(ma.fields.String)
    version = shown(ma.fields.Integer)


class WindowSchema(PatientWindowSchema):
    """A window. `needs` says what is lacking while it is open; a later dose restarts it."""

    dosed_at = shown(Instant)
    phases = Many(ma.fields.Nested(PhaseDaysSchema), required=True)
    closes_on = shown(Day, metadata={"description": "Its last day, unless a dose restarts it."})
    ended_by = shown(ma.fields.UUID, nullable=True, metadata={"description": "The next dose."})
    protocol = ma.fields.Nested(ProtocolRefSchema, required=True)
    needs = Many(Choice(["integration"]), required=True)
    truncated = shown(
        ma.fields.Boolean, metadata={"description": "There was more than one answer holds."}
    )


@blp.offer(
    "GET",
    "/patients/<id:patient_id>/windows",
    "window:read",
    answer=WindowSchema,
    to_patient=PatientWindowSchema,
    paged=True,
    derived=True,
)
def list_windows(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's plasticity windows, the latest dose first.

    A completed dosing session opens one; its id is that session's. With `updated_since`, changes
    of dosing sessions. It schedules and words, and multiplies nothing.
    """
    return after_doses.list_windows(actor, patient_id, **asked)
