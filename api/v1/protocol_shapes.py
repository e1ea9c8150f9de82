"""The shapes of a protocol over v1: what a version holds, drafted and shown."""

from typing import Any

import marshmallow as ma
from marshmallow import validate

from api.core import consents
from api.core.alerts import PRIORITIES
from api.core.treatment.dosing.vocabulary import ROUTES
from api.core.treatment.protocols import PHASES, definition
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import (
    Amount,
    Ask,
    Choice,
    Day,
    Instant,
    Many,
    Number,
    Show,
    Whole,
    Words,
    shown,
)

CODE = validate.Regexp(r"^[a-z][a-z0-9_]{0,59}$", error="lower_snake, at most 60 characters.")
LOCALE = validate.Regexp(r"^[a-z]{2,3}(-[A-Z]{2})?$", error="Not a locale such as en-US.")
DAY_MIN = definition.LONGEST_MIN
SCALES = ("aldrete", "padss")
CRITERIA = (
    "oriented",
    "walks_unaided",
    "suicidality_asked",
    "escort_name",
    "no_driving_advice_given",
    "next_contact_at",
)
BASED_ON = {
    "description": "Of a key that is not there yet: the protocol that the clinic's own begins as."
    " Then `title` is asked for too."
}
POINTS = {"description": "After a dose: first at `at_min`, then each `every_min` to `until_min`."}
ONE_BOUND = {"description": "A reading breaks the rule within every bound that is set."}


class ProtocolPhaseSchema(Show):
    """One stretch of the window, in days counted from the dose (day 0)."""

    phase = Choice(PHASES, required=True)
    from_day = shown(ma.fields.Integer)
    to_day = shown(ma.fields.Integer)


class WindowPlanSchema(Show):
    """How long the window is, and its phases; past the last day it is `closed`."""

    days = shown(ma.fields.Integer)
    phases = Many(ma.fields.Nested(ProtocolPhaseSchema), required=True)


class InstructionsSchema(Show):
    """What patients are told before a dose and after it."""

    before = ma.fields.List(ma.fields.String(), required=True)
    after = ma.fields.List(ma.fields.String(), required=True)


class EligibilityItemSchema(Ask):
    """A question of eligibility, and how heavily a yes weighs."""

    code = Words(60, required=True, validate=CODE)
    severity = Choice(definition.SEVERITIES, required=True)


class PointSchema(Ask):
    """When what is to be measured."""

    code = Words(60, required=True, validate=CODE)
    when = Choice(definition.POINT_TIMES, required=True)
    needs = Many(Choice(definition.MEASURED), most=len(definition.MEASURED), least=1, required=True)
    at_min = Whole(0, DAY_MIN, required=True, metadata=POINTS)
    every_min = Whole(5, DAY_MIN, allow_none=True)
    until_min = Whole(0, DAY_MIN, allow_none=True)
    grace_min = Whole(0, 120)


class ThresholdSchema(Ask):
    """A rule for a reading; hold and repeat are for before a dose, stop and alert for any time."""

    rule = Words(60, required=True, validate=CODE)
    field = Choice(definition.MEASURED, required=True)
    action = Choice(definition.ACTIONS, required=True)
    when = Choice(definition.THRESHOLD_TIMES, required=True)
    at_least = Amount(-10, 1000, allow_none=True, metadata=ONE_BOUND)
    above = Amount(-10, 1000, allow_none=True)
    at_most = Amount(-10, 1000, allow_none=True)
    below = Amount(-10, 1000, allow_none=True)


REAFFIRMED = {"description": "The consents that are said again at each dosing session."}


class ScoreSchema(Ask):
    """A score of recovery that is enough to leave with."""

    scale = Choice(SCALES, required=True)
    at_least = Whole(0, 10, required=True)


class DischargeCriteriaSchema(Ask):
    """What must be so before the patient leaves."""

    observation_min = Whole(0, DAY_MIN, required=True)
    scores = Many(ma.fields.Nested(ScoreSchema), most=2, required=True)
    criteria = Many(Choice(CRITERIA), most=len(CRITERIA), required=True)


class NewInstructionsSchema(Ask):
    """What patients are told."""

    before = Many(Words(500), most=20, required=True)
    after = Many(Words(500), most=20, required=True)


class NewPhaseSchema(Ask):
    """One stretch of the window, in days counted from the dose (day 0)."""

    phase = Choice(PHASES[:-1], required=True)
    from_day = Whole(0, definition.DAYS[1], required=True)
    to_day = Whole(0, definition.DAYS[1], required=True)


class NewWindowSchema(Ask):
    """How long the window is, and its phases, which follow each other without a gap."""

    days = Whole(*definition.DAYS, required=True)
    phases = Many(ma.fields.Nested(NewPhaseSchema), least=1, most=10, required=True)


class NewProtocolVersionSchema(Ask):
    """What differs from the version before; a list replaces the whole list."""

    based_on = Words(60, validate=CODE, metadata=BASED_ON)
    title = Words(200)
    citation = Words(2000)
    basis = Words(4000)
    owner = Words(200)
    review_on = Day()
    effective_from = Day(allow_none=True)
    effective_until = Day(allow_none=True)
    routes = Many(Choice(ROUTES), most=len(ROUTES))
    eligibility = Many(ma.fields.Nested(EligibilityItemSchema))
    required_consents = Many(Choice(consents.KINDS), most=len(consents.KINDS))
    reaffirmed_consents = Many(
        Choice(consents.KINDS), most=len(consents.KINDS), metadata=REAFFIRMED
    )
    monitoring_points = Many(ma.fields.Nested(PointSchema), most=40)
    thresholds = Many(ma.fields.Nested(ThresholdSchema))
    discharge = ma.fields.Nested(DischargeCriteriaSchema)
    window = ma.fields.Nested(NewWindowSchema)
    patient_instructions = ma.fields.Dict(
        keys=Words(20, validate=LOCALE),
        values=ma.fields.Nested(NewInstructionsSchema),
        metadata={"description": "By locale, en-US among them."},
    )


class ShownPointSchema(Show):
    """When what is to be measured."""

    code = shown(ma.fields.String)
    when = Choice(definition.POINT_TIMES, required=True)
    needs = Many(ma.fields.String(), required=True)
    at_min = shown(ma.fields.Integer, metadata=POINTS)
    every_min = shown(ma.fields.Integer, nullable=True)
    until_min = shown(ma.fields.Integer, nullable=True)
    grace_min = shown(ma.fields.Integer)


class ShownThresholdSchema(Show):
    """A rule for a reading."""

    rule = shown(ma.fields.String)
    field = Choice(definition.MEASURED, required=True)
    action = Choice(definition.ACTIONS, required=True)
    when = Choice(definition.THRESHOLD_TIMES, required=True)
    at_least = shown(Number, nullable=True, metadata=ONE_BOUND)
    above = shown(Number, nullable=True)
    at_most = shown(Number, nullable=True)
    below = shown(Number, nullable=True)


class AlertClockSchema(Show):
    """By when somebody acts on an alert of this priority; of the rules of alerts."""

    priority = Choice(PRIORITIES, required=True)
    acknowledge_within_min = shown(ma.fields.Integer)
    contact_within_min = shown(ma.fields.Integer)


class ProtocolVersionRefSchema(Show):
    """One version of a protocol."""

    version = shown(ma.fields.Integer)
    state = Choice(definition.STATES, required=True)
    effective_from = shown(Day, nullable=True)
    effective_until = shown(Day, nullable=True)
    approved_at = shown(Instant, nullable=True)


def _by() -> Any:
    return ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)


class ProtocolFields(Show):
    """What staff read of a version of a protocol."""

    state = Choice(definition.STATES, required=True)
    review_on = shown(ma.fields.String)
    basis = shown(ma.fields.String)
    citation = shown(ma.fields.String)
    owner = shown(ma.fields.String)
    effective_from = shown(Day, nullable=True)
    effective_until = shown(Day, nullable=True)
    medicine = shown(ma.fields.String, nullable=True)
    routes = Many(ma.fields.String(), required=True)
    eligibility = Many(ma.fields.Nested(EligibilityItemSchema), required=True)
    required_consents = Many(ma.fields.String(), required=True)
    reaffirmed_consents = Many(ma.fields.String(), required=True, metadata=REAFFIRMED)
    monitoring_points = Many(ma.fields.Nested(ShownPointSchema), required=True)
    thresholds = Many(ma.fields.Nested(ShownThresholdSchema), required=True)
    discharge = ma.fields.Nested(DischargeCriteriaSchema, required=True, allow_none=True)
    window = ma.fields.Nested(WindowPlanSchema, required=True)
    alert_clocks = Many(ma.fields.Nested(AlertClockSchema), required=True)
    drafted_by = _by()
    approved_by = _by()
    approved_at = shown(Instant, nullable=True)
    versions = Many(ma.fields.Nested(ProtocolVersionRefSchema), most=1000, required=True)
