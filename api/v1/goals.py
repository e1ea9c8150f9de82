"""Goals over v1: what patients want to practise now, and what it matters for."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.integration import goals
from api.paging import Listing, Values
from api.v1.entries import EntrySchema, sharing
from api.v1.forms import Ask, Choice, Day, Id, Show, Words, shown
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("goals", "What patients want to practise now, and what it matters for.")
ONE = "/goals/<id:goal_id>"
OF_PATIENT = "/patients/<id:patient_id>/goals"
CLINICAL = {"description": "A clinician writes this."}


class GoalFields(Ask):
    """What may be written of a goal, and cleared."""

    intention = Words(4000, allow_none=True)
    matters_because = Words(4000, allow_none=True)
    answers_prompt = Choice(goals.PROMPTS, allow_none=True)
    session_id = Id(allow_none=True)
    insight_id = Id(allow_none=True)
    target_on = Day(allow_none=True)
    patient_comment = Words(4000, allow_none=True)
    clinician_comment = Words(4000, allow_none=True, metadata=CLINICAL)
    lifecycle_status = Choice(goals.LIFECYCLE, metadata=CLINICAL)
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


class GoalSchema(EntrySchema):
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


class GoalRefSchema(Show):
    """A goal, named."""

    id = shown(ma.fields.UUID)
    title = shown(ma.fields.String)


class GoalQuery(PageQuery):
    """Which of a patient's goals."""

    lifecycle_status = Choice(goals.LIFECYCLE)
    category = Choice(goals.CATEGORIES)


@blp.offer("GET", OF_PATIENT, "goal:read", query=GoalQuery, answer=GoalSchema, paged=True)
def list_goals(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's goals, the newest first."""
    return goals.list_goals(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "goal:create",
    body=NewGoalSchema,
    answer=GoalSchema,
    location="/api/v1/goals/{id}",
    example={"title": "Say no kindly", "category": "boundaries"},
)
def set_goal(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Set a goal.

    `session_id` and `insight_id` name what it grew from, of the same patient.
    """
    return goals.set_goal(actor, patient_id, values)


@blp.offer("GET", ONE, "goal:read", answer=GoalSchema)
def read_goal(actor: Actor, goal_id: Any) -> Values:
    """Read a goal."""
    return goals.read_goal(actor, goal_id)


@blp.offer(
    "PATCH",
    ONE,
    "goal:update",
    body=ChangedGoalSchema,
    answer=GoalSchema,
    example={"matters_because": "My evenings belong to my family."},
)
def change_goal(actor: Actor, goal_id: Any, version: int | None, values: Values) -> Values:
    """Change a goal or with whom it is shared.

    Both states and `clinician_comment` are a clinician's to write, `shared_with` the patient's.
    A goal that becomes `me` takes its practices, steps and moments with it.
    """
    return goals.change_goal(actor, goal_id, version, values)
