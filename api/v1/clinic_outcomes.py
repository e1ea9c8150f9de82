"""Clinic outcomes over v1: whether it helped, by clinician, route or month."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import clinic_outcomes
from api.paging import Values
from api.v1.forms import Ask, Choice, Many, Number, Show, Words, shown
from api.v1.resource import Blueprint

blp = Blueprint("clinic_outcomes", "Whether it helped, over many patients.")
MOST_ROWS = 10_000
GROUP = (
    "Id of the clinician who leads the care team, the route of the first course, or the month of "
    "the first dose (else of the baseline) as 2026-05; `other` where small groups went together; "
    "null where there is none."
)
HIDDEN = "Null where it can't be told without telling of one to ten patients."
INSTRUMENT = {"description": "The key; `phq-9` unless it is named."}


class ClinicOutcomesQuery(Ask):
    """By what the patients are grouped, and by which instrument they are judged."""

    by = Choice(clinic_outcomes.BY, required=True)
    instrument = Words(60, metadata=INSTRUMENT)


class MetSchema(Show):
    """How many met an outcome, and how many of a hundred."""

    n = shown(ma.fields.Integer)
    percent = shown(Number)


class OutcomeRowSchema(Show):
    """One group: patients with a baseline and a later check-in, and what came of them.

    `mean_improvement` is in points of the instrument, positive for the better, with its 95 %
    interval; response, remission and reliable change are those of a patient's own outcomes, from
    the baseline to the newest check-in.
    """

    group = shown(ma.fields.String, nullable=True, metadata={"description": GROUP})
    display_name = shown(ma.fields.String, nullable=True)
    n = shown(ma.fields.Integer)
    mean_improvement = shown(Number)
    ci95_low = shown(Number, nullable=True)
    ci95_high = shown(Number, nullable=True)
    response = ma.fields.Nested(
        MetSchema, required=True, allow_none=True, metadata={"description": HIDDEN}
    )
    remission = ma.fields.Nested(MetSchema, required=True, allow_none=True)
    reliably_improved = ma.fields.Nested(MetSchema, required=True, allow_none=True)
    deteriorated = ma.fields.Nested(MetSchema, required=True, allow_none=True)


class TotalSchema(OutcomeRowSchema):
    """All of them together; its group is `all`."""

    display_name = ma.fields.String(allow_none=True)


class ClinicOutcomesSchema(Show):
    """Outcomes by group; `least` is the fewest patients of a group of the clinic."""

    by = Choice(clinic_outcomes.BY, required=True)
    scope = Choice(clinic_outcomes.SCOPES, required=True)
    instrument = shown(ma.fields.String)
    least = shown(ma.fields.Integer, nullable=True)
    total = ma.fields.Nested(TotalSchema, required=True, allow_none=True)
    rows = Many(ma.fields.Nested(OutcomeRowSchema), most=MOST_ROWS, required=True)


@blp.offer(
    "GET",
    "/clinic/outcomes",
    "clinic_outcome:read",
    query=ClinicOutcomesQuery,
    answer=ClinicOutcomesSchema,
    derived=True,
)
def read_clinic_outcomes(actor: Actor, **asked: Any) -> Values:
    """Read whether it helped, by clinician, route or month.

    A clinician reads it of their caseload. With the privilege `direct`, and for administrators, it
    is of the whole clinic: then groups hold eleven patients or more, small ones go together, and
    what would tell of fewer by a difference is null or left out.
    """
    return clinic_outcomes.read_clinic_outcomes(actor, **asked)
