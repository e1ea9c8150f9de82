"""Check-ins over v1: an instrument answered, in parts or at once, and what it adds up to."""

from typing import Any

from api.access.policies import Actor
from api.core.outcomes import checkins
from api.paging import Listing, Values
from api.v1.checkin_shapes import (
    AnsweredCheckInSchema,
    ChangedCheckInSchema,
    CheckInSchema,
    CompleteCheckInSchema,
    CorrectionSchema,
    NewCheckInSchema,
    PatientCheckInSchema,
)
from api.v1.forms import (
    Choice,
    Words,
)
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("check-ins", "Instruments answered, and what the answers add up to.")
ONE = "/check-ins/<id:check_in_id>"
OF_PATIENT = "/patients/<id:patient_id>/check-ins"


class CheckInQuery(PageQuery):
    """Which of a patient's check-ins."""

    instrument = Words(60)
    source = Choice(checkins.SOURCES)
    state = Choice(checkins.STATES)


@blp.offer(
    "GET",
    OF_PATIENT,
    "check_in:read",
    query=CheckInQuery,
    answer=CheckInSchema,
    to_patient=PatientCheckInSchema,
    paged=True,
    ready=True,
    early=False,
)
def list_checkins(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's check-ins, the latest answered first."""
    return checkins.list_checkins(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "check_in:log",
    body=NewCheckInSchema,
    answer=CheckInSchema,
    to_patient=AnsweredCheckInSchema,
    location="/api/v1/check-ins/{id}",
    early=False,
    heard=checkins.hear_refused_new,
    example={"instrument": "gad-7", "answers": {"gad7-1": 0, "gad7-2": None}},
)
def log_checkin(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Log a check-in, as a draft or complete at once.

    Scores, bands and flags are computed here. A positive safety answer raises an alert, also from
    a draft and from a form that is refused; that problem then carries `crisis`. A check-in is
    always shared with the care team. An instrument whose wording is missing is 409
    `instrument_text_missing` for patients; clinicians may record answers taken on a licensed form.
    """
    return checkins.log_checkin(actor, patient_id, values)


@blp.offer(
    "GET",
    ONE,
    "check_in:read",
    answer=CheckInSchema,
    to_patient=PatientCheckInSchema,
    derived=True,
)
def read_checkin(actor: Actor, check_in_id: Any) -> Values:
    """Read a check-in.

    Clinicians see `scores` with its flags; a patient sees total, band and words, and after an
    answer that calls for it whom to turn to.
    """
    return checkins.read_checkin(actor, check_in_id)


@blp.offer(
    "PATCH",
    ONE,
    "check_in:log",
    body=ChangedCheckInSchema,
    answer=CheckInSchema,
    to_patient=AnsweredCheckInSchema,
    heard=checkins.hear_refused_answers,
    example={"answers": {"gad7-2": 1, "gad7-3": None}},
)
def change_checkin(actor: Actor, check_in_id: Any, version: int | None, values: Values) -> Values:
    """Send more answers of a draft.

    `answers` are merged by link id, and null is kept: it says "asked and left open". A link id
    once sent can be set to null, not taken out. A complete check-in is 409 with `allowed`
    `corrections`. Where a clinician adds to a patient's draft, `answered_by` says so.
    """
    return checkins.change_checkin(actor, check_in_id, version, values)


@blp.offer(
    "POST",
    f"{ONE}/complete",
    "check_in:log",
    body=CompleteCheckInSchema,
    answer=CheckInSchema,
    to_patient=AnsweredCheckInSchema,
    heard=checkins.hear_refused_answers,
    example={},
)
def complete_checkin(actor: Actor, check_in_id: Any, values: Values) -> Values:
    """Complete a draft.

    Whatever was left open or not reached stays so: `scores.status` is then `incomplete` and the
    total null.
    """
    return checkins.complete_checkin(actor, check_in_id, values)


@blp.offer(
    "POST",
    f"{ONE}/corrections",
    "check_in:correct",
    body=CorrectionSchema,
    answer=CheckInSchema,
    heard=checkins.hear_refused_answers,
    example={"answers": {"gad7-2": 1}, "reason": "Misread on the paper form."},
)
def correct_checkin(actor: Actor, check_in_id: Any, values: Values) -> Values:
    """Correct a complete check-in.

    Answers are merged by link id and scored anew as the next version; what was there before is
    kept with the reason. A draft is 409 with what it allows.
    """
    return checkins.correct_checkin(actor, check_in_id, values)
