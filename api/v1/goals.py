"""Goals over v1: what patients want to practise now, and what it matters for."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.integration import goals
from api.core.integration.tables import MAX_WEIGHT
from api.paging import Listing, Values
from api.v1.entries import EntrySchema, sharing
from api.v1.forms import Ask, Choice, Day, Id, Show, Whole, Words, shown
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("goals", "What patients want to practise now, and what it matters for.")
ONE = "/goals/<id:goal_id>"
OF_PATIENT = "/patients/<id:patient_id>/goals"
LIFECYCLE = {
    "description": "A clinician's; the patient may send `on_hold`, `active`, `completed` or"
    " `cancelled` for a goal that they set themself."
}
CLINICAL = {"description": "A clinician writes this."}
VALUE = {"description": "The value: what it matters for, in the patient's words."}
IF_THEN = {"description": "If the cue comes, then I will respond so."}
WEIGHT = {"description": "How much the goal counts among the others, default 1; a clinician's."}
ATTAINED = {"description": "The latest rating, -2 to 2; 0 is what was expected."}


class OldTrailSchema(Ask):
    """The automatic way: what sets it off, what it gives at once, and what it costs."""

    cue = Words(2000, allow_none=True)
    response = Words(2000, allow_none=True)
    short_term_payoff = Words(2000, allow_none=True)
    cost = Words(2000, allow_none=True)


class NewTrailSchema(Ask):
    """The way to practise: its cue, the response, its smallest step, and how it feels."""

    cue = Words(2000, allow_none=True)
    response = Words(2000, allow_none=True)
    smallest_step = Words(2000, allow_none=True)
    felt_reward = Words(2000, allow_none=True)


class AttainmentLevelsSchema(Ask):
    """What each level of Goal Attainment Scaling would look like, from -2 to 2."""

    much_less = Words(2000, allow_none=True)
    less = Words(2000, allow_none=True)
    expected = Words(2000, allow_none=True)
    more = Words(2000, allow_none=True)
    much_more = Words(2000, allow_none=True)


class GoalFields(Ask):
    """What may be written of a goal, and cleared."""

    intention = Words(4000, allow_none=True)
    matters_because = Words(4000, allow_none=True, metadata=VALUE)
    answers_prompt = Choice(goals.PROMPTS, allow_none=True)
    session_id = Id(allow_none=True)
    insight_id = Id(allow_none=True)
    target_on = Day(allow_none=True)
    patient_comment = Words(4000, allow_none=True)
    clinician_comment = Words(4000, allow_none=True, metadata=CLINICAL)
    old_trail = ma.fields.Nested(OldTrailSchema, allow_none=True)
    new_trail = ma.fields.Nested(NewTrailSchema, allow_none=True)
    if_then_plan = Words(2000, allow_none=True, metadata=IF_THEN)
    confidence = Whole(*goals.CONFIDENCE, allow_none=True)
    obstacles = Words(4000, allow_none=True)
    coping_plan = Words(4000, allow_none=True)
    support_person = Words(200, allow_none=True)
    review_on = Day(allow_none=True)
    attainment_levels = ma.fields.Nested(AttainmentLevelsSchema, allow_none=True)
    attainment_weight = Whole(0, MAX_WEIGHT, allow_none=True, metadata=WEIGHT)
    lifecycle_status = Choice(goals.LIFECYCLE, metadata=LIFECYCLE)
    achievement_status = Choice(goals.ACHIEVEMENT, metadata=CLINICAL)
    shared_with = sharing()


class NewGoalSchema(GoalFields):
    """A goal as it is set."""

    title = Words(500, required=True)
    category = Choice(goals.CATEGORIES, required=True)


class ChangedGoalSchema(GoalFields):
    """A merge patch of a goal: absent = unchanged, null = cleared."""

    title = Words(500)
    category = Choice(goals.CATEGORIES)


class PatientGoalSchema(EntrySchema):
    """A goal. Its two states are FHIR's GoalLifecycleStatus and goal achievement in snake_case."""

    title = shown(ma.fields.String)
    category = Choice(goals.CATEGORIES, required=True)
    intention = shown(ma.fields.String, nullable=True)
    matters_because = shown(ma.fields.String, nullable=True)
    answers_prompt = Choice(goals.PROMPTS, required=True, allow_none=True)
    session_id = shown(ma.fields.UUID, nullable=True)
    insight_id = shown(ma.fields.UUID, nullable=True)
    target_on = shown(Day, nullable=True)
    patient_comment = shown(ma.fields.String, nullable=True)
    clinician_comment = shown(ma.fields.String, nullable=True)
    lifecycle_status = Choice(goals.LIFECYCLE, required=True)
    achievement_status = Choice(goals.ACHIEVEMENT, required=True)
    old_trail = ma.fields.Nested(OldTrailSchema, required=True, allow_none=True)
    new_trail = ma.fields.Nested(NewTrailSchema, required=True, allow_none=True)
    if_then_plan = shown(ma.fields.String, nullable=True, metadata=IF_THEN)
    confidence = shown(ma.fields.Integer, nullable=True)
    obstacles = shown(ma.fields.String, nullable=True)
    coping_plan = shown(ma.fields.String, nullable=True)
    support_person = shown(ma.fields.String, nullable=True)
    review_on = shown(Day, nullable=True)
    attainment_levels = ma.fields.Nested(AttainmentLevelsSchema, required=True, allow_none=True)
    attained_level = shown(ma.fields.Integer, nullable=True, metadata=ATTAINED)
    attained_on = shown(Day, nullable=True)


class GoalSchema(PatientGoalSchema):
    """A goal, with how much it counts among the others in Goal Attainment Scaling."""

    attainment_weight = shown(ma.fields.Integer, metadata=WEIGHT)


class GoalRefSchema(Show):
    """A goal, named."""

    id = shown(ma.fields.UUID)
    title = shown(ma.fields.String)


class GoalQuery(PageQuery):
    """Which of a patient's goals."""

    lifecycle_status = Choice(goals.LIFECYCLE)
    category = Choice(goals.CATEGORIES)


@blp.offer(
    "GET",
    OF_PATIENT,
    "goal:read",
    query=GoalQuery,
    answer=GoalSchema,
    to_patient=PatientGoalSchema,
    paged=True,
)
def list_goals(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's goals, the newest first."""
    return goals.list_goals(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "goal:create",
    body=NewGoalSchema,
    answer=GoalSchema,
    to_patient=PatientGoalSchema,
    location="/api/v1/goals/{id}",
    example={"title": "Say no kindly", "category": "boundaries"},
)
def set_goal(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Set a goal.

    `session_id` and `insight_id` name what it grew from, of the same patient.
    """
    return goals.set_goal(actor, patient_id, values)


@blp.offer("GET", ONE, "goal:read", answer=GoalSchema, to_patient=PatientGoalSchema)
def read_goal(actor: Actor, goal_id: Any) -> Values:
    """Read a goal."""
    return goals.read_goal(actor, goal_id)


@blp.offer(
    "PATCH",
    ONE,
    "goal:update",
    body=ChangedGoalSchema,
    answer=GoalSchema,
    to_patient=PatientGoalSchema,
    example={"matters_because": "My evenings belong to my family."},
)
def change_goal(actor: Actor, goal_id: Any, version: int | None, values: Values) -> Values:
    """Change a goal or with whom it is shared.

    `achievement_status`, `clinician_comment` and `attainment_weight` are a clinician's to write,
    `shared_with` the patient's; a goal is rested or ended by
    whoever set it. Objects are merged too: what they do not name stays.
    A goal that becomes `me` takes its practices, steps and moments with it.
    """
    return goals.change_goal(actor, goal_id, version, values)
