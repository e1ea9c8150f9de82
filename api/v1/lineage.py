"""Lineage over v1: from a session to what grew from it, readable in both directions."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.integration import lineage
from api.core.integration.tables import CATEGORIES, LIFECYCLE, SHARING, STATUSES
from api.core.treatment.sessions import KINDS
from api.paging import Values
from api.v1.forms import Ask, Choice, Day, Instant, Many, QueryWhole, Show, shown
from api.v1.patients import PatientRefSchema
from api.v1.practices import TrailSumSchema
from api.v1.resource import Blueprint

blp = Blueprint("lineage", "What grew from what.")
AFTER_DAYS = "Days an insight may stand without a practice before it counts as an orphan."


def _ids() -> Many:
    return Many(ma.fields.UUID(), required=True, most=lineage.MOST)


def _nodes(schema: type[Show], most: int = lineage.MOST) -> Many:
    return Many(ma.fields.Nested(schema), required=True, most=most)


class OrphanSchema(Show):
    """Why a node hangs on nothing, and since which of the patient's days."""

    reason = Choice(lineage.ORPHANED, required=True)
    since_on = shown(Day)


class OrphanNodeSchema(OrphanSchema):
    """An orphan, named."""

    kind = Choice(["insight", "practice"], required=True)
    id = shown(ma.fields.UUID)


class SessionNodeSchema(Show):
    """A dosing session, or one that something grew from; and what did."""

    id = shown(ma.fields.UUID)
    kind = Choice(KINDS, required=True)
    state = shown(ma.fields.String)
    starts_at = shown(Instant)
    insight_ids = _ids()
    goal_ids = _ids()
    moment_ids = _ids()


class NodeSchema(Show):
    """An entry in the lineage."""

    id = shown(ma.fields.UUID)
    shared_with = Choice(SHARING, required=True)


class PatientInsightNodeSchema(NodeSchema):
    """An insight, the session it came from, and the goals that grew from it."""

    text = shown(ma.fields.String)
    session_id = shown(ma.fields.UUID, nullable=True)
    goal_ids = _ids()


class InsightNodeSchema(PatientInsightNodeSchema):
    """The same, with whether it hangs on nothing."""

    orphan = ma.fields.Nested(OrphanSchema, required=True, allow_none=True)


class GoalNodeSchema(NodeSchema):
    """A goal, what it grew from, and its practices."""

    title = shown(ma.fields.String)
    category = Choice(CATEGORIES, required=True)
    lifecycle_status = Choice(LIFECYCLE, required=True)
    session_id = shown(ma.fields.UUID, nullable=True)
    insight_id = shown(ma.fields.UUID, nullable=True)
    practice_ids = _ids()


class PatientPracticeNodeSchema(NodeSchema):
    """A practice, its goal, what its steps add up to, and the moments that hang on it."""

    title = shown(ma.fields.String)
    status = Choice(STATUSES, required=True)
    goal_id = shown(ma.fields.UUID)
    trail = ma.fields.Nested(TrailSumSchema, required=True)
    steps_total = shown(ma.fields.Integer)
    last_step_on = shown(Day, nullable=True)
    moment_ids = _ids()


class PracticeNodeSchema(PatientPracticeNodeSchema):
    """The same, with whether nothing was written down since the last window closed."""

    orphan = ma.fields.Nested(OrphanSchema, required=True, allow_none=True)


class MomentNodeSchema(NodeSchema):
    """A moment, and what it hangs on."""

    text = shown(ma.fields.String)
    on = shown(Day)
    session_id = shown(ma.fields.UUID, nullable=True)
    practice_id = shown(ma.fields.UUID, nullable=True)


class LineageFields(Show):
    """What everybody sees of a lineage."""

    patient = ma.fields.Nested(PatientRefSchema, required=True)
    sessions = _nodes(SessionNodeSchema, 2 * lineage.MOST)
    goals = _nodes(GoalNodeSchema)
    moments = _nodes(MomentNodeSchema)
    truncated = shown(ma.fields.Boolean)


class PatientLineageSchema(LineageFields):
    """A lineage as its patient reads it."""

    insights = _nodes(PatientInsightNodeSchema)
    practices = _nodes(PatientPracticeNodeSchema)


class LineageSchema(LineageFields):
    """A lineage with its orphans. `truncated`: it holds the newest of each kind alone."""

    insights = _nodes(InsightNodeSchema)
    practices = _nodes(PracticeNodeSchema)
    orphans = _nodes(OrphanNodeSchema, 2 * lineage.MOST)


class LineageQuery(Ask):
    """How long an insight may stand alone."""

    after_days = QueryWhole(
        0, 366, load_default=lineage.WAITS_DAYS, metadata={"description": AFTER_DAYS}
    )


@blp.offer(
    "GET",
    "/patients/<id:patient_id>/lineage",
    "lineage:read",
    query=LineageQuery,
    answer=LineageSchema,
    to_patient=PatientLineageSchema,
    derived=True,
)
def read_lineage(actor: Actor, patient_id: Any, after_days: int) -> Values:
    """Read what grew from what.

    Session, insight, goal, practice with its stage, moments: each names those before it and those
    after it. An insight without a practice after `after_days`, and an active practice without a
    step since the last window closed, are orphans.
    """
    return lineage.read_lineage(actor, patient_id, after_days)
