"""Instruments over v1: what is asked, how it is scored, and whose work it is."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.outcomes.instruments import showing
from api.paging import Listing, Values
from api.v1.forms import Choice, Many, Show, shown
from api.v1.resource import Blueprint

blp = Blueprint("instruments", "Questionnaires: items, options, scoring, rights and codes.")
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
    """Whose work the instrument is, and what may be done with it."""

    status = shown(ma.fields.String)
    notice = ma.fields.String(allow_none=True)


class OptionSchema(Show):
    """An answer that may be given; `value` is what a check-in carries."""

    value = shown(ma.fields.Integer)
    label = shown(ma.fields.String, nullable=True)
    loinc = shown(ma.fields.String, nullable=True)


class ItemSchema(Show):
    """A question, its options in the order in which they are shown."""

    link_id = shown(ma.fields.String)
    number = shown(ma.fields.Integer)
    text = shown(ma.fields.String, nullable=True)
    scored = shown(ma.fields.Boolean)
    reverse = shown(ma.fields.Boolean)
    loinc = ma.fields.Nested(CodeSchema, required=True, allow_none=True)
    options = Many(ma.fields.Nested(OptionSchema), required=True)


class ScoringSchema(Show):
    """How a total is made, its range, and how many items a prorated total may do without."""

    method = shown(ma.fields.String)
    min_total = shown(ma.fields.Integer)
    max_total = shown(ma.fields.Integer)
    prorate_max_missing = shown(ma.fields.Integer)
    missing_rule = shown(ma.fields.String, nullable=True)


class SubscaleSchema(Show):
    """Items that are also summed on their own."""

    code = shown(ma.fields.String)
    link_ids = ma.fields.List(ma.fields.String(), required=True)


class BandSchema(Show):
    """A word and the closed range of totals that it names."""

    code = shown(ma.fields.String)
    min = shown(ma.fields.Integer)
    max = shown(ma.fields.Integer)


class CutoffSchema(Show):
    """A flag that a total raises."""

    flag = shown(ma.fields.String)
    op = Choice([">=", "<="], required=True)
    value = shown(ma.fields.Integer)
    meaning = ma.fields.String(allow_none=True)


class DerivedSchema(Show):
    """A provisional syndrome, in words."""

    code = shown(ma.fields.String)
    rule = ma.fields.String(allow_none=True)


class SafetyRuleSchema(Show):
    """A flag that one answer raises, or that it is missing; and how urgent it is."""

    flag = shown(ma.fields.String)
    link_id = shown(ma.fields.String)
    op = Choice([">=", "<=", "missing"], required=True)
    value = shown(ma.fields.Integer, nullable=True)
    priority = Choice(["immediate", "same_day", "next_working_day"], required=True)


class InstrumentBriefSchema(Show):
    """An instrument in a list; `text_missing` is one that can't be put to a patient."""

    key = shown(ma.fields.String)
    version = shown(ma.fields.String)
    scoring_version = shown(ma.fields.String)
    title = shown(ma.fields.String)
    short_title = shown(ma.fields.String)
    construct = shown(ma.fields.String)
    recall_period = shown(ma.fields.String, metadata={"description": "ISO 8601, such as P2W."})
    higher_is = Choice(["worse", "better"], required=True)
    items_count = shown(ma.fields.Integer)
    text_missing = shown(ma.fields.Boolean)


class PatientInstrumentSchema(InstrumentBriefSchema):
    """An instrument as a patient sees it."""

    respondent = shown(ma.fields.String)
    instructions = shown(ma.fields.String, nullable=True)
    licence = ma.fields.Nested(LicenceSchema, required=True)
    loinc = ma.fields.Nested(InstrumentCodesSchema, required=True)
    items = Many(ma.fields.Nested(ItemSchema), required=True, most=MANY)
    scoring = ma.fields.Nested(ScoringSchema, required=True)
    subscales = Many(ma.fields.Nested(SubscaleSchema), required=True)
    bands = Many(ma.fields.Nested(BandSchema), required=True)
    sources = ma.fields.List(ma.fields.String(), required=True)


class InstrumentSchema(PatientInstrumentSchema):
    """An instrument, with the rules that raise flags."""

    cutoffs = Many(ma.fields.Nested(CutoffSchema), required=True)
    derived = Many(ma.fields.Nested(DerivedSchema), required=True)
    safety_rules = Many(ma.fields.Nested(SafetyRuleSchema), required=True)


@blp.offer(
    "GET", "/instruments", "instrument:read", answer=InstrumentBriefSchema, paged=True, derived=True
)
def list_instruments(actor: Actor, **asked: Any) -> Listing:
    """List the instruments, by key.

    They carry no time of change: `updated_since` answers all of them.
    """
    return showing.list_instruments(actor, **asked)


@blp.offer(
    "GET",
    "/instruments/<string:key>",
    "instrument:read",
    answer=InstrumentSchema,
    to_patient=PatientInstrumentSchema,
    errors=(409,),
)
def read_instrument(actor: Actor, key: str) -> Values:
    """Read an instrument, with items, options, scoring, rights and codes.

    Patients are not shown the rules that raise flags, and are answered 409
    `instrument_text_missing` while a wording is missing.
    """
    return showing.read_instrument(actor, key)
