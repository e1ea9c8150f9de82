"""Practices and their steps over v1: the new trail, walked one step at a time."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.integration import practices, steps
from api.core.integration.tables import KINDS, MAX_INTERVAL, SKIPPED_FOR, STATUSES
from api.core.integration.trail import STAGES
from api.paging import Listing, Values
from api.v1.entries import WINDOW_DAY, EntrySchema, sharing
from api.v1.forms import Ask, Choice, Day, Instant, Many, Show, Whole, Words, shown
from api.v1.goals import GoalRefSchema
from api.v1.replies import MOST as REPLIES, ReplySchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("practices", "New trails: repeatable new behaviours, their steps and strength.")
ONE = "/practices/<id:practice_id>"
OF_GOAL = "/goals/<id:goal_id>/practices"
STEPS = "/practices/<id:practice_id>/steps"
STEP = "/steps/<id:step_id>"
STAGE_NAMES = [name for name, _ in STAGES]
WHEN_CUED = "Days between steps as planned; null = when the cue comes: never due."
FROM_ON = "The patient's day from which a new `status` holds; default today."
WALKED_ON = "The patient's calendar day, default today; not ahead, at most 90 days back."


def _stage() -> Choice:
    return Choice(STAGE_NAMES, required=True, allow_none=True)


class PracticeFields(Ask):
    """What may be written of a practice, and cleared."""

    title = Words(
        practices.MAX_TITLE, allow_none=True, metadata={"description": "Default: `new_trail`."}
    )
    cue = Words(2000, allow_none=True)
    old_trail = Words(2000, allow_none=True)
    smallest_step = Words(2000, allow_none=True)
    interval_days = Whole(1, MAX_INTERVAL, allow_none=True, metadata={"description": WHEN_CUED})
    shared_with = sharing()


class NewPracticeSchema(PracticeFields):
    """A practice as it is begun; the new trail alone is enough."""

    new_trail = Words(2000, required=True)


class ChangedPracticeSchema(PracticeFields):
    """A merge patch of a practice: absent = unchanged, null = cleared."""

    new_trail = Words(2000)
    status = Choice(STATUSES)
    status_from_on = Day(metadata={"description": FROM_ON})


class TrailSumSchema(Show):
    """What the steps add up to today: it measures steps logged, not a person."""

    strength = shown(ma.fields.Float)
    stage = _stage()
    furthest_stage = _stage()


class AutomaticitySchema(Show):
    """How much a practice walks by itself, 1 to 7 (SRBAI); beside the trail, never blended."""

    mean = shown(ma.fields.Float)
    answered_at = shown(Instant)


class PracticeSchema(EntrySchema):
    """A practice, with what its steps add up to today for whoever reads it."""

    goal = ma.fields.Nested(GoalRefSchema, required=True)
    goal_id = shown(ma.fields.UUID)
    title = shown(ma.fields.String)
    new_trail = shown(ma.fields.String)
    cue = shown(ma.fields.String, nullable=True)
    old_trail = shown(ma.fields.String, nullable=True)
    smallest_step = shown(ma.fields.String, nullable=True)
    interval_days = shown(ma.fields.Integer, nullable=True, metadata={"description": WHEN_CUED})
    status = Choice(STATUSES, required=True)
    status_from_on = shown(Day, nullable=True)
    trail = ma.fields.Nested(TrailSumSchema, required=True)
    automaticity = ma.fields.Nested(AutomaticitySchema, required=True, allow_none=True)


class PracticeRefSchema(Show):
    """A practice, named."""

    id = shown(ma.fields.UUID)
    title = shown(ma.fields.String)


class DetoursSchema(Show):
    """Detours, and the median of the days until the new trail was walked again."""

    count = shown(ma.fields.Integer)
    last_on = shown(Day, nullable=True)
    median_return_days = shown(ma.fields.Float, nullable=True)


class CurvePointSchema(Show):
    """The strength at the end of one day."""

    on = shown(Day)
    strength = shown(ma.fields.Float)


class TrailSchema(TrailSumSchema):
    """A trail up to the end of day `on`. `steps_total` counts what was walked, whole or in part."""

    practice = ma.fields.Nested(PracticeRefSchema, required=True)
    on = shown(Day)
    formula = shown(ma.fields.String)
    steps_total = shown(ma.fields.Integer)
    detours = ma.fields.Nested(DetoursSchema, required=True)
    moments_count = shown(ma.fields.Integer)
    words = shown(ma.fields.String)
    curve = Many(ma.fields.Nested(CurvePointSchema), required=True, most=1000)


class StepFields(Ask):
    """What may be written of a step."""

    walked_on = Day(metadata={"description": WALKED_ON})
    skip_reason = Choice(SKIPPED_FOR, allow_none=True)
    note = Words(4000, allow_none=True)
    shared_with = sharing()


class NewStepSchema(StepFields):
    """A step as it is logged."""

    kind = Choice(KINDS, required=True)


class ChangedStepSchema(StepFields):
    """A merge patch of a step: absent = unchanged, null = cleared."""

    kind = Choice(KINDS)


class StepSchema(EntrySchema):
    """A step. `words` are there in the answer to a patient who logged it, null without any."""

    practice = ma.fields.Nested(PracticeRefSchema, required=True)
    practice_id = shown(ma.fields.UUID)
    walked_on = shown(Day)
    kind = Choice(KINDS, required=True)
    weight = shown(ma.fields.Float, metadata={"description": "What the step adds: 1, 0.5 or 0."})
    skip_reason = Choice(SKIPPED_FOR, required=True, allow_none=True)
    note = shown(ma.fields.String, nullable=True)
    window_day = shown(ma.fields.Integer, nullable=True, metadata=WINDOW_DAY)
    replies = Many(ma.fields.Nested(ReplySchema), required=True, most=REPLIES)
    words = ma.fields.String(allow_none=True)


class PracticeQuery(PageQuery):
    """Which of a goal's practices."""

    status = Choice(STATUSES)


class TrailQuery(Ask):
    """The day at whose end the trail is read."""

    on = Day(metadata={"description": "The patient's day, default today; not ahead."})


class StepQuery(PageQuery):
    """Which of a practice's steps."""

    kind = Choice(KINDS)


@blp.offer("GET", OF_GOAL, "practice:read", query=PracticeQuery, answer=PracticeSchema, paged=True)
def list_practices(actor: Actor, goal_id: Any, **asked: Any) -> Listing:
    """List the practices under a goal, the newest first."""
    return practices.list_practices(actor, goal_id, **asked)


@blp.offer(
    "POST",
    OF_GOAL,
    "practice:create",
    body=NewPracticeSchema,
    answer=PracticeSchema,
    location="/api/v1/practices/{id}",
    example={"new_trail": "Take a breath and say: not today", "cue": "I am asked for a favour"},
)
def start_practice(actor: Actor, goal_id: Any, values: Values) -> Values:
    """Start a practice under a goal.

    `interval_days` is 1 unless given; null is a practice that waits for its cue.
    """
    return practices.start_practice(actor, goal_id, values)


@blp.offer("GET", ONE, "practice:read", answer=PracticeSchema, derived=True)
def read_practice(actor: Actor, practice_id: Any) -> Values:
    """Read a practice, with what its steps add up to today."""
    return practices.read_practice(actor, practice_id)


@blp.offer(
    "PATCH",
    ONE,
    "practice:update",
    body=ChangedPracticeSchema,
    answer=PracticeSchema,
    example={"status": "paused"},
)
def change_practice(actor: Actor, practice_id: Any, version: int | None, values: Values) -> Values:
    """Change a practice, its status or with whom it is shared.

    While it is `paused` or `familiar` the trail stands still; every status can be left again.
    """
    return practices.change_practice(actor, practice_id, version, values)


@blp.offer(
    "GET",
    f"{ONE}/trail",
    "practice:read",
    query=TrailQuery,
    answer=TrailSchema,
    derived=True,
)
def read_trail(actor: Actor, practice_id: Any, on: Any = None) -> Values:
    """Read the trail of a practice.

    It measures steps logged, not a person or a brain. What a patient keeps to themself is
    counted for nobody else.
    """
    return practices.read_trail(actor, practice_id, on)


@blp.offer("GET", STEPS, "step:read", query=StepQuery, answer=StepSchema, paged=True)
def list_steps(actor: Actor, practice_id: Any, **asked: Any) -> Listing:
    """List the steps of a practice, the latest day first."""
    return steps.list_steps(actor, practice_id, **asked)


@blp.offer(
    "POST",
    STEPS,
    "step:log",
    body=NewStepSchema,
    answer=StepSchema,
    location="/api/v1/steps/{id}",
    example={"kind": "done", "walked_on": "2026-11-25"},
)
def log_step(actor: Actor, practice_id: Any, values: Values) -> Values:
    """Log a step, or a detour.

    It may lie before the practice was written down.
    """
    return steps.log_step(actor, practice_id, values)


@blp.offer("GET", STEP, "step:read", answer=StepSchema, derived=True)
def read_step(actor: Actor, step_id: Any) -> Values:
    """Read a step."""
    return steps.read_step(actor, step_id)


@blp.offer(
    "PATCH",
    STEP,
    "step:update",
    body=ChangedStepSchema,
    answer=StepSchema,
    example={"kind": "partly"},
)
def change_step(actor: Actor, step_id: Any, version: int | None, values: Values) -> Values:
    """Correct a step or with whom it is shared.

    The trail is reckoned anew. Clinicians correct what clinicians logged.
    """
    return steps.change_step(actor, step_id, version, values)


@blp.offer("DELETE", STEP, "step:update", status=204)
def remove_step(actor: Actor, step_id: Any, version: int | None) -> None:
    """Remove a step; the trail is reckoned as if it never was."""
    return steps.remove_step(actor, step_id, version)
