"""Check-in plans over v1: what is asked of a patient, and when."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.outcomes import plans
from api.core.outcomes.plans import schedule
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Day, Id, Instant, Many, Show, Whole, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.practices import PracticeRefSchema
from api.v1.resource import Blueprint

blp = Blueprint("check-in-plans", "What is asked of a patient, and when.")
ONE = "/check-in-plans/<id:plan_id>"
OF_PATIENT = "/patients/<id:patient_id>/check-in-plans"
N_LEAST, N_MOST = -30, 365
ABOUT_N = (
    "Days: `once` after the first day (default 0), `every_n_days` from one to the next (1 to 365),"
    " `before_visit` before each booked visit (0 to 30, default 1), `after_dose` after each dose"
    " (-30 to 365; -1 is the day before)."
)
ABOUT_PRACTICE = (
    "Of which practice it asks, for an instrument that asks of one (srbai). While that rests, walks"
    " by itself, or is kept by the patient, the plan asks nothing."
)
WITHIN = "How many days more it may be answered in time; default 2, fewer than n for every_n_days."
STARTS = "The patient's own day from which on the plan asks; default today, at most a year back."
NEXT = "The patient's own day on which it asks next; null when none is known yet."


class PlanFields(Ask):
    """What is asked, and when."""

    n = Whole(N_LEAST, N_MOST, allow_none=True, metadata={"description": ABOUT_N})
    answer_within_days = Whole(0, schedule.MAX_WITHIN, metadata={"description": WITHIN})


class NewPlanPartSchema(PlanFields):
    """One plan of a template."""

    instrument = Words(60, required=True, metadata={"description": "The key, such as phq-9."})
    rule = Choice(plans.RULES, required=True)


class NewCheckInPlanSchema(NewPlanPartSchema):
    """A plan for one instrument."""

    practice_id = Id(allow_none=True, metadata={"description": ABOUT_PRACTICE})
    starts_on = Day(metadata={"description": STARTS})
    ends_on = Day(allow_none=True, metadata={"description": "The last day; default none."})


class ChangedCheckInPlanSchema(Ask):
    """What may be changed; for another instrument or rule end the plan and make one."""

    n = Whole(N_LEAST, N_MOST, metadata={"description": ABOUT_N})
    answer_within_days = Whole(0, schedule.MAX_WITHIN, metadata={"description": WITHIN})
    starts_on = Day(metadata={"description": STARTS})
    ends_on = Day(allow_none=True)


class FollowedTemplateSchema(Ask):
    """Which template, and between which days its plans ask."""

    template = Words(60, required=True, metadata={"description": "Its key."})
    starts_on = Day(metadata={"description": STARTS})
    ends_on = Day(allow_none=True)


class OccurrenceSchema(Show):
    """One time that a plan asks, on the patient's own day.

    `due` to `until_on`, then `late` as long again (a day at the least, and never past the next),
    then `missed`. What is asked before a visit or a dose is over on its day.
    """

    due_on = shown(Day)
    until_on = shown(Day)
    state = Choice(plans.STATES, required=True)
    check_in_id = shown(Id, nullable=True)
    answered_on = shown(Day, nullable=True)
    was_late = shown(ma.fields.Boolean, nullable=True)
    reminders_sent = shown(ma.fields.Integer)


class PatientOccurrenceSchema(Show):
    """One time that a plan asks; `open` can be answered."""

    due_on = shown(Day)
    state = Choice(plans.TO_PATIENT, required=True)
    check_in_id = shown(Id, nullable=True)


class CheckInPlanFields(Show):
    """What every reader sees of a plan."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    instrument = shown(ma.fields.String)
    title = shown(ma.fields.String)
    practice_id = shown(Id, nullable=True)
    practice = ma.fields.Nested(PracticeRefSchema, required=True, allow_none=True)
    rule = Choice(plans.RULES, required=True)
    n = shown(ma.fields.Integer)
    answer_within_days = shown(ma.fields.Integer)
    starts_on = shown(Day)
    ends_on = shown(Day, nullable=True)
    template = shown(ma.fields.String, nullable=True)
    next_due_on = shown(Day, nullable=True, metadata={"description": NEXT})


class CheckInPlanSchema(CheckInPlanFields):
    """A plan; `open` is what can be answered now, `occurrences` are there in a single read."""

    open = ma.fields.Nested(OccurrenceSchema, required=True, allow_none=True)
    occurrences = Many(ma.fields.Nested(OccurrenceSchema))


class PatientCheckInPlanSchema(CheckInPlanFields):
    """A plan as its patient reads it."""

    open = ma.fields.Nested(PatientOccurrenceSchema, required=True, allow_none=True)
    occurrences = Many(ma.fields.Nested(PatientOccurrenceSchema))


class CheckInPlansSchema(Show):
    """The plans that were made."""

    items = Many(ma.fields.Nested(CheckInPlanSchema), required=True)


@blp.offer(
    "GET",
    OF_PATIENT,
    "check_in_plan:read",
    answer=CheckInPlanSchema,
    to_patient=PatientCheckInPlanSchema,
    paged=True,
)
def list_check_in_plans(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's check-in plans, the newest first.

    Days are reckoned at each reading from the visits as they are booked: to move a dose moves
    what has not been answered yet.
    """
    return plans.list_check_in_plans(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "check_in_plan:write",
    body=NewCheckInPlanSchema,
    answer=CheckInPlanSchema,
    location="/api/v1/check-in-plans/{id}",
    example={"instrument": "phq-9", "rule": "after_dose", "n": 7, "answer_within_days": 3},
)
def plan_check_ins(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Plan check-ins of one instrument.

    By `once`, `every_n_days`, `before_visit` or `after_dose`, on the patient's own calendar days.
    """
    return plans.plan_check_ins(actor, patient_id, values)


@blp.offer(
    "POST",
    f"{OF_PATIENT}/from-template",
    "check_in_plan:write",
    body=FollowedTemplateSchema,
    answer=CheckInPlansSchema,
    status=201,
    errors=(409,),
    example={"template": "induction_course"},
)
def follow_plan_template(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Make the plans of a template for a patient.

    All of them or none. They are the patient's own from then on.
    """
    return plans.follow_plan_template(actor, patient_id, values)


@blp.offer(
    "GET",
    ONE,
    "check_in_plan:read",
    answer=CheckInPlanSchema,
    to_patient=PatientCheckInPlanSchema,
    derived=True,
)
def read_check_in_plan(actor: Actor, plan_id: Any) -> Values:
    """Read a check-in plan.

    With what it asked, what came of that, and what it asks next: 30 each at the most.
    """
    return plans.read_check_in_plan(actor, plan_id)


@blp.offer(
    "PATCH",
    ONE,
    "check_in_plan:write",
    body=ChangedCheckInPlanSchema,
    answer=CheckInPlanSchema,
    example={"answer_within_days": 4},
)
def change_check_in_plan(actor: Actor, plan_id: Any, version: int | None, values: Values) -> Values:
    """Change when a check-in plan asks.

    What was answered stays; the rest is reckoned anew. With another `n` it counts from today
    unless `starts_on` says otherwise.
    """
    return plans.change_check_in_plan(actor, plan_id, version, values)


@blp.offer("DELETE", ONE, "check_in_plan:write", status=204)
def end_check_in_plan(actor: Actor, plan_id: Any, version: int | None) -> None:
    """End a check-in plan.

    It asks nothing any more. What was answered stays with the check-ins.
    """
    plans.end_check_in_plan(actor, plan_id, version)
