"""What is shown of an instrument: items, options, scoring, rights and codes."""

import marshmallow as ma

from api.core.outcomes.instruments.methods import METHODS, NO_TOTAL
from api.v1.forms import Choice, Day, Instant, Many, Number, Show, shown

MANY = 200


class CodeSchema(Show):
    """A code of LOINC (http://loinc.org)."""

    system = shown(ma.fields.String)
    code = shown(ma.fields.String)
    display = ma.fields.String()


class InstrumentCodesSchema(Show):
    """The LOINC codes of the whole and of its total, where there are any."""

    panel = ma.fields.Nested(CodeSchema, allow_none=True)
    total = ma.fields.Nested(CodeSchema, allow_none=True)
    notice = ma.fields.String(allow_none=True)


class LicenceSchema(Show):
    """Whose work the instrument is, and what may be done with it.

    `statement`, `holder` and `expires_on` are the clinic's own, where it gave them.
    """

    status = shown(ma.fields.String)
    notice = ma.fields.String(allow_none=True)
    statement = shown(ma.fields.String, nullable=True)
    holder = shown(ma.fields.String, nullable=True)
    expires_on = shown(Day, nullable=True, metadata={"description": "Its last day, in UTC."})
    is_expired = shown(ma.fields.Boolean)


class OptionSchema(Show):
    """An answer that may be given; `value` is what a check-in carries."""

    value = shown(ma.fields.Integer)
    label = shown(ma.fields.String, nullable=True)
    loinc = shown(ma.fields.String, nullable=True)


class AskedWhenSchema(Show):
    """The question is put only when an earlier one was answered with one of these values."""

    link_id = shown(ma.fields.String)
    values = ma.fields.List(ma.fields.Integer(), required=True)


class ItemSchema(Show):
    """A question, its options in the order in which they are shown."""

    link_id = shown(ma.fields.String)
    number = shown(ma.fields.Integer)
    text = shown(ma.fields.String, nullable=True)
    scored = shown(ma.fields.Boolean)
    reverse = shown(ma.fields.Boolean)
    loinc = ma.fields.Nested(CodeSchema, required=True, allow_none=True)
    options = Many(ma.fields.Nested(OptionSchema), required=True)
    asked_when = ma.fields.Nested(AskedWhenSchema, required=True, allow_none=True)


class ScoringSchema(Show):
    """How a total is made, its range, and how many items a prorated total may do without.

    `min_total` and `max_total` are null for a method that makes no total.
    """

    method = Choice([*METHODS, *NO_TOTAL], required=True)
    min_total = shown(Number, nullable=True)
    max_total = shown(Number, nullable=True)
    multiplier = shown(ma.fields.Integer)
    decimals = shown(ma.fields.Integer)
    domains = ma.fields.List(ma.fields.List(ma.fields.String()), required=True)
    prorate_max_missing = shown(ma.fields.Integer)
    missing_rule = shown(ma.fields.String, nullable=True)


class EndsSchema(Show):
    """The ends of a band for one sex."""

    min = shown(Number)
    max = shown(Number)


class BandSchema(Show):
    """A word and the closed range of totals that it names, without `max` if `max_exclusive`.

    `by_sex` is there where the ends depend on it; `min` and `max` are then those of `unknown`.
    """

    code = shown(ma.fields.String)
    min = shown(Number)
    max = shown(Number)
    max_exclusive = shown(ma.fields.Boolean)
    by_sex = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Nested(EndsSchema), required=True, allow_none=True
    )


class SubscaleSchema(Show):
    """Items that are also summed on their own, times `multiplier`."""

    code = shown(ma.fields.String)
    label = shown(ma.fields.String, nullable=True)
    link_ids = ma.fields.List(ma.fields.String(), required=True)
    multiplier = shown(ma.fields.Integer)
    bands = Many(ma.fields.Nested(BandSchema), required=True)


class CutoffSchema(Show):
    """A flag that a total raises; `by_sex` where the value depends on it."""

    flag = shown(ma.fields.String)
    op = Choice([">=", "<="], required=True)
    value = shown(Number)
    by_sex = ma.fields.Dict(
        keys=ma.fields.String(), values=Number(), required=True, allow_none=True
    )
    meaning = ma.fields.String(allow_none=True)


class DerivedSchema(Show):
    """A conclusion beside the total, in words."""

    code = shown(ma.fields.String)
    rule = ma.fields.String(allow_none=True)


class TierSchema(Show):
    """A level of risk: reached when any of these items has at least its value."""

    code = shown(ma.fields.String)
    any_of = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)


class SafetyRuleSchema(Show):
    """A flag that one answer or a tier raises, or that an answer is missing; and how urgent."""

    flag = shown(ma.fields.String)
    link_id = shown(ma.fields.String, nullable=True)
    op = Choice([">=", "<=", "tier", "missing"], required=True)
    value = shown(ma.fields.Integer, nullable=True)
    tier = shown(ma.fields.String, nullable=True)
    priority = Choice(["immediate", "same_day", "next_working_day"], required=True)


class InstrumentBriefSchema(Show):
    """An instrument in a list; `text_missing` is one that can't be put to a patient."""

    key = shown(ma.fields.String)
    version = shown(
        ma.fields.String,
        metadata={"description": "Of the definition; `+n` for the clinic's n-th wording of it."},
    )
    scoring_version = shown(ma.fields.String)
    title = shown(ma.fields.String)
    short_title = shown(ma.fields.String)
    construct = shown(ma.fields.String, nullable=True)
    recall_period = shown(ma.fields.String, metadata={"description": "ISO 8601, such as P2W."})
    higher_is = Choice(["worse", "better"], required=True)
    items_count = shown(ma.fields.Integer)
    text_missing = shown(ma.fields.Boolean)
    is_own = shown(ma.fields.Boolean, metadata={"description": "The clinic's own definition."})


class InstrumentVersionSchema(Show):
    """A version of the definition; answers are for ever scored by the one they were given to."""

    version = shown(ma.fields.String)
    added_at = shown(Instant, nullable=True)


class PatientInstrumentSchema(InstrumentBriefSchema):
    """An instrument as a patient sees it."""

    respondent = shown(ma.fields.String, nullable=True)
    instructions = shown(ma.fields.String, nullable=True)
    focus = shown(ma.fields.String, nullable=True)
    licence = ma.fields.Nested(LicenceSchema, required=True)
    loinc = ma.fields.Nested(InstrumentCodesSchema, required=True)
    items = Many(ma.fields.Nested(ItemSchema), required=True, most=MANY)
    scoring = ma.fields.Nested(ScoringSchema, required=True)
    subscales = Many(ma.fields.Nested(SubscaleSchema), required=True)
    bands = Many(ma.fields.Nested(BandSchema), required=True)
    sources = ma.fields.List(ma.fields.String(), required=True)
    versions = Many(ma.fields.Nested(InstrumentVersionSchema), required=True)


class InstrumentSchema(PatientInstrumentSchema):
    """An instrument, with the rules that raise flags."""

    tiers = Many(ma.fields.Nested(TierSchema), required=True)
    cutoffs = Many(ma.fields.Nested(CutoffSchema), required=True)
    derived = Many(ma.fields.Nested(DerivedSchema), required=True)
    safety_rules = Many(ma.fields.Nested(SafetyRuleSchema), required=True)
