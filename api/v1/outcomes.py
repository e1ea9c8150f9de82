"""Outcomes over v1: what a patient's check-ins say over time."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.outcomes import series
from api.core.outcomes.checkins import SOURCES
from api.paging import Values
from api.v1.forms import Ask, Choice, Day, Instant, Many, Show, Words, shown
from api.v1.resource import Blueprint

blp = Blueprint("outcomes", "What check-ins say over time.")


class OutcomePointSchema(Show):
    """One complete check-in; `total` and `band` are null where an answer is missing."""

    checkin_id = shown(ma.fields.UUID)
    answered_at = shown(Instant)
    answered_on = shown(Day)
    source = Choice(SOURCES, required=True)
    total = shown(ma.fields.Integer, nullable=True)
    band = shown(ma.fields.String, nullable=True)


class LatestOutcomeSchema(Show):
    """The series of one instrument in brief."""

    instrument = shown(ma.fields.String)
    title = shown(ma.fields.String)
    count = shown(ma.fields.Integer)
    last = ma.fields.Nested(OutcomePointSchema, required=True)


class OutcomesSchema(Show):
    """`instruments` in brief; or, with `instrument` in the query, it, its `title` and `series`."""

    instruments = Many(ma.fields.Nested(LatestOutcomeSchema))
    instrument = ma.fields.String()
    title = ma.fields.String()
    series = Many(ma.fields.Nested(OutcomePointSchema), most=series.MAX_POINTS)


class OutcomesQuery(Ask):
    """Which series in full."""

    instrument = Words(60, metadata={"description": "The key, such as phq-9."})


@blp.offer(
    "GET",
    "/patients/<id:patient_id>/outcomes",
    "outcome:read",
    query=OutcomesQuery,
    answer=OutcomesSchema,
    derived=True,
)
def read_outcomes(actor: Actor, patient_id: Any, instrument: str | None = None) -> Values:
    """Read a patient's outcomes.

    Complete check-ins alone. Without `instrument` every series with its last point; with it the
    one series in full, oldest first, its 500 newest points at most.
    """
    return series.read_outcomes(actor, patient_id, instrument)
