"""Goal Attainment Scaling over v1: ratings of goals, and the T-score they add up to."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.integration import ratings
from api.core.integration.tables import LEVELS
from api.paging import Listing, Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Day, Instant, Many, Show, Whole, shown
from api.v1.goals import GoalRefSchema
from api.v1.resource import Blueprint

blp = Blueprint("attainment", "How far goals were attained.")
OF_GOAL = "/goals/<id:goal_id>/ratings"
LEVEL = {"description": "-2 much less, -1 less, 0 as expected, 1 more, 2 much more."}


class NewRatingSchema(Ask):
    """How far a goal was attained."""

    level = Whole(*LEVELS, required=True, metadata=LEVEL)
    rated_on = Day(metadata={"description": "The patient's day, default today; not ahead."})


class RatingSchema(Show):
    """How far a goal was attained on a day."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    goal_id = shown(ma.fields.UUID)
    level = shown(ma.fields.Integer, metadata=LEVEL)
    rated_on = shown(Day)
    rated_by = ma.fields.Nested(ClinicianRefSchema, required=True)


class RatedGoalSchema(Show):
    """One goal, its first and its latest level, and how much it counts among the others."""

    goal = ma.fields.Nested(GoalRefSchema, required=True)
    weight = shown(ma.fields.Integer)
    level = shown(ma.fields.Integer, nullable=True, metadata=LEVEL)
    rated_on = shown(Day, nullable=True)
    first_level = shown(ma.fields.Integer, nullable=True, metadata=LEVEL)
    first_rated_on = shown(Day, nullable=True)


class AttainmentSchema(Show):
    """The T-score of the rated goals: 50 is what was expected of all; null without any."""

    on = shown(Day)
    formula = shown(ma.fields.String)
    rho = shown(ma.fields.Float)
    t_score = shown(ma.fields.Float, nullable=True)
    first_t_score = shown(ma.fields.Float, nullable=True)
    change = shown(ma.fields.Float, nullable=True)
    goals_counted = shown(ma.fields.Integer)
    goals = Many(ma.fields.Nested(RatedGoalSchema), required=True, most=ratings.MOST)


class AttainmentQuery(Ask):
    """The day at whose end it is reckoned."""

    on = Day(metadata={"description": "The patient's day; default today."})


@blp.offer("GET", OF_GOAL, "goal:read", answer=RatingSchema, paged=True)
def list_ratings(actor: Actor, goal_id: Any, **asked: Any) -> Listing:
    """List how far a goal was attained, the latest day first."""
    return ratings.list_ratings(actor, goal_id, **asked)


@blp.offer(
    "POST",
    OF_GOAL,
    "goal:rate",
    body=NewRatingSchema,
    answer=RatingSchema,
    location="/api/v1/goals/{goal_id}",
    example={"level": 1},
)
def rate_goal(actor: Actor, goal_id: Any, values: Values) -> Values:
    """Rate how far a goal was attained.

    The goal then carries the level of the latest day.
    """
    return ratings.rate_goal(actor, goal_id, values)


@blp.offer(
    "GET",
    "/patients/<id:patient_id>/goal-attainment",
    "attainment:read",
    query=AttainmentQuery,
    answer=AttainmentSchema,
    derived=True,
)
def read_attainment(actor: Actor, patient_id: Any, on: Any = None) -> Values:
    """Read the T-score of a patient's goals.

    Goal Attainment Scaling (Kiresuk and Sherman 1968) over the goals that are rated and neither
    cancelled nor rejected; goals that a patient keeps to themself are not counted.
    """
    return ratings.read_attainment(actor, patient_id, on)
