"""Outcomes over v1: what a patient's check-ins say over time, and whether it helped."""

from typing import Any

import marshmallow as ma
from flask import Response

from api.access.policies import Actor
from api.core.outcomes import change, series
from api.core.outcomes.checkins import SOURCES
from api.paging import Values
from api.v1.forms import Ask, Choice, Day, Id, Instant, Many, Number, Show, Words, shown
from api.v1.resource import Blueprint

blp = Blueprint("outcomes", "What check-ins say over time, and whether it helped.")
SVG = "image/svg+xml"
PRACTICE = "Of an instrument that asks of one practice: that one alone."
KEY = {"description": "The key, such as phq-9."}
NO_VERDICT = "Why there is no verdict; null where there is one."
JUDGED_BY = "What it was judged by; empty where nothing is published for the instrument."
METHODS = ("jacobson_truax", "published")


class OutcomePointSchema(Show):
    """One complete check-in; `total` and `band` are null where an answer is missing."""

    checkin_id = shown(ma.fields.UUID)
    answered_at = shown(Instant)
    answered_on = shown(Day)
    source = Choice(SOURCES, required=True)
    total = shown(Number, nullable=True)
    band = shown(ma.fields.String, nullable=True)


class BaselineSchema(OutcomePointSchema):
    """What the course is measured against.

    `before_first_dose`: the last with a total before the first dosing session, at most 14 days
    old on its day; else `intake`, the first there is. `before_first_dose` false warns that even
    that one came after a dose.
    """

    rule = Choice(change.BASELINE_RULES, required=True)
    before_first_dose = shown(ma.fields.Boolean)


class Judged(Show):
    """What any verdict comes with."""

    reason = Choice(
        change.REASONS, required=True, allow_none=True, metadata={"description": NO_VERDICT}
    )


class YesOrNo(Judged):
    """A verdict that is true, false, or null with its reason."""

    verdict = shown(ma.fields.Boolean, nullable=True)


class PointsParameters(Show):
    """The least change in points, and where that is from."""

    points = Number()
    source = ma.fields.String(allow_none=True)


class MinimalImportantSchema(YesOrNo):
    """Whether the improvement is as large as the least that matters to patients."""

    parameters = ma.fields.Nested(
        PointsParameters, required=True, metadata={"description": JUDGED_BY}
    )


class ReliableParameters(PointsParameters):
    """The least reliable change, the spread and reliability behind it, and this change's index.

    `s_diff` is the standard error of a difference, `critical` 1.96 times it, `index` the
    difference over it (Jacobson & Truax 1991). Null where only the threshold was published.
    """

    method = Choice(METHODS)
    sd = Number(allow_none=True)
    sd_source = ma.fields.String(allow_none=True)
    reliability = Number(allow_none=True)
    reliability_kind = ma.fields.String(allow_none=True)
    s_diff = Number(allow_none=True)
    critical = Number(allow_none=True)
    index = Number(allow_none=True)


class ReliableChangeSchema(Judged):
    """Whether the change is larger than the instrument's own error, and in which direction."""

    verdict = Choice(change.RELIABLE, required=True, allow_none=True)
    parameters = ma.fields.Nested(
        ReliableParameters, required=True, metadata={"description": JUDGED_BY}
    )


class DeteriorationSchema(YesOrNo):
    """Whether there is a reliable change for the worse."""

    parameters = ma.fields.Nested(
        ReliableParameters, required=True, metadata={"description": JUDGED_BY}
    )


class ResponseParameters(Show):
    """The share of the baseline (or the points) that must be won, and the share that was."""

    share_at_least = Number(allow_none=True)
    points_more_than = Number(allow_none=True)
    share = Number(allow_none=True)
    source = ma.fields.String(allow_none=True)


class ResponseSchema(YesOrNo):
    """Whether enough of the baseline is gone; null where that is 0."""

    parameters = ma.fields.Nested(
        ResponseParameters, required=True, metadata={"description": JUDGED_BY}
    )


class RemissionParameters(Show):
    """The total that counts as remission."""

    op = Choice(list(change.OPS))
    value = Number()
    source = ma.fields.String(allow_none=True)


class RemissionSchema(YesOrNo):
    """Whether the current total is one that counts as remission."""

    parameters = ma.fields.Nested(
        RemissionParameters, required=True, metadata={"description": JUDGED_BY}
    )


class PatientChangeSchema(Show):
    """The current total minus the baseline's; null without two of them."""

    difference = shown(Number, nullable=True)


class ChangeSchema(PatientChangeSchema):
    """Two numbers and five verdicts, each apart with what it was judged by."""

    improvement = shown(
        Number, nullable=True, metadata={"description": "Positive is for the better."}
    )
    minimal_important = ma.fields.Nested(MinimalImportantSchema, required=True)
    reliable = ma.fields.Nested(ReliableChangeSchema, required=True)
    response = ma.fields.Nested(ResponseSchema, required=True)
    remission = ma.fields.Nested(RemissionSchema, required=True)
    deterioration = ma.fields.Nested(DeteriorationSchema, required=True)


class LatestFields(Show):
    """The series of one instrument in brief."""

    instrument = shown(ma.fields.String)
    title = shown(ma.fields.String)
    count = shown(ma.fields.Integer)
    last = ma.fields.Nested(OutcomePointSchema, required=True)


class LatestOutcomeSchema(LatestFields):
    """The series of one instrument in brief, with what it comes to."""

    baseline = ma.fields.Nested(BaselineSchema, required=True, allow_none=True)
    current = ma.fields.Nested(OutcomePointSchema, required=True, allow_none=True)
    change = ma.fields.Nested(ChangeSchema, required=True)


class PatientLatestOutcomeSchema(LatestFields):
    """The series of one instrument in brief, as its patient reads it."""

    baseline = ma.fields.Nested(OutcomePointSchema, required=True, allow_none=True)
    change = ma.fields.Nested(PatientChangeSchema, required=True)


class SeriesFields(Show):
    """One series in full, oldest first."""

    instrument = ma.fields.String()
    title = ma.fields.String()
    series = Many(ma.fields.Nested(OutcomePointSchema), most=series.MAX_POINTS)


class OutcomesSchema(SeriesFields):
    """`instruments` in brief; or, with `instrument` in the query, it and the rest.

    `current` is the last check-in with a total, null while that is the baseline itself.
    """

    instruments = Many(ma.fields.Nested(LatestOutcomeSchema))
    baseline = ma.fields.Nested(BaselineSchema, allow_none=True)
    current = ma.fields.Nested(OutcomePointSchema, allow_none=True)
    change = ma.fields.Nested(ChangeSchema)


class PatientOutcomesSchema(SeriesFields):
    """The same for the patient: numbers and words, no verdict."""

    instruments = Many(ma.fields.Nested(PatientLatestOutcomeSchema))
    baseline = ma.fields.Nested(OutcomePointSchema, allow_none=True)
    change = ma.fields.Nested(PatientChangeSchema)
    words = ma.fields.String()


class OutcomesQuery(Ask):
    """Which series in full."""

    instrument = Words(60, metadata=KEY)
    practice_id = Id(metadata={"description": PRACTICE})


class PictureQuery(Ask):
    """Which series is drawn."""

    instrument = Words(60, required=True, metadata=KEY)
    practice_id = Id(metadata={"description": PRACTICE})


@blp.offer(
    "GET",
    "/patients/<id:patient_id>/outcomes",
    "outcome:read",
    query=OutcomesQuery,
    answer=OutcomesSchema,
    to_patient=PatientOutcomesSchema,
    derived=True,
)
def read_outcomes(actor: Actor, patient_id: Any, **asked: Any) -> Values:
    """Read a patient's outcomes.

    Complete check-ins alone. Without `instrument` every series with its last point, baseline and
    verdicts; with it the one series in full, oldest first, its 500 newest points at most. A
    patient gets numbers and words, no verdict.
    """
    return series.read_outcomes(actor, patient_id, **asked)


@blp.offer(
    "GET",
    "/patients/<id:patient_id>/outcomes.svg",
    "outcome:read",
    query=PictureQuery,
    media=SVG,
    derived=True,
)
def draw_outcomes(actor: Actor, patient_id: Any, **asked: Any) -> Response:
    """Draw one series of a patient's outcomes.

    Totals over time on the instrument's bands, with doses and the windows after them. It needs no
    colour, and its `title` and `desc` say what is drawn.
    """
    return Response(series.draw_outcomes(actor, patient_id, **asked), mimetype=SVG)
