"""What a check-in looks like over v1: as sent, as the staff reads it, as the patient does."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import validate

from api.core.outcomes import checkins
from api.core.outcomes.instruments.catalogue import catalogue
from api.v1.care_team import ClinicianRefSchema
from api.v1.clinic import CrisisSchema
from api.v1.entries import WINDOW_DAY, ReadingSchema
from api.v1.forms import (
    BAD_CHARACTERS,
    Ask,
    Choice,
    Day,
    Flag,
    Id,
    Instant,
    Number,
    Show,
    Whole,
    Words,
    shown,
)
from api.v1.patients import PatientRefSchema
from api.v1.practices import PracticeRefSchema

MAX_ANSWERS, MAX_LINK_ID = 200, 100
ANSWERS = (
    "By link id: a value of the item's options, or null for asked and left open; absent is not"
    " reached."
)
ANSWERED_AT = "When the last of the answers was given; not ahead, default now."
ANSWERED_BY = (
    "Who gave the answers: patients answer as `patient`; for clinicians it is `clinician_asked`,"
    " or `staff_copied` from a form on paper."
)
PRACTICE = "The one practice that SRBAI asks of; one that is shared. Null for all others."
RECORDED_BY = "Who of the clinic recorded it; null where the patient did it themself."
CRISIS = "Whom to turn to, there when an answer calls for it; to be shown first."


class Answers(ma.fields.Dict):
    """Answers by link id; whether they are any is for the instrument to say."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {"description": ANSWERS})
        super().__init__(keys=ma.fields.String(), values=Whole(allow_none=True), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, Mapping):
            raise self.make_error("invalid")
        if len(value) > MAX_ANSWERS:
            raise ma.ValidationError(f"At most {MAX_ANSWERS} answers.")
        if any(len(key) > MAX_LINK_ID or BAD_CHARACTERS.search(key) for key in value):
            raise ma.ValidationError("One of the link ids can't be one.")
        return dict(value)


class NewCheckInSchema(Ask):
    """A check-in as it is begun, or with `complete` all of it."""

    instrument = Words(60, required=True, metadata={"description": "The key, such as phq-9."})
    answers = Answers(required=True)
    complete = Flag(load_default=False)
    practice_id = Id(metadata={"description": PRACTICE})
    answered_by = Choice(checkins.ANSWERED_BY, metadata={"description": ANSWERED_BY})
    answered_at = Instant(metadata={"description": ANSWERED_AT})


class ChangedCheckInSchema(Ask):
    """More answers of a draft; a link id once sent may become null and is not taken out."""

    answers = Answers()
    answered_at = Instant(metadata={"description": ANSWERED_AT})


class CompleteCheckInSchema(Ask):
    """When the answers were given, if not when the last of them was sent."""

    answered_at = Instant(metadata={"description": "Not ahead; default unchanged."})


class CorrectionSchema(Ask):
    """The answers that were wrong, and why; those not named stay."""

    answers = Answers(required=True, validate=validate.Length(1, error="Nothing is corrected."))
    reason = Words(2000, required=True)


class ScoresFields(Show):
    """What the answers to any instrument add up to."""

    status = Choice(["complete", "incomplete"], required=True)
    answered = shown(ma.fields.Integer)
    missing = shown(ma.fields.Integer)
    min_possible = shown(Number, nullable=True)
    max_possible = shown(Number, nullable=True)
    total = shown(Number, nullable=True)
    band = shown(ma.fields.String, nullable=True)
    prorated_total = shown(Number, nullable=True)
    prorated_band = shown(ma.fields.String, nullable=True)
    raw = ma.fields.Integer(allow_none=True)
    subscales = ma.fields.Dict(keys=ma.fields.String(), values=Whole(allow_none=True))
    subscale_bands = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.String(allow_none=True)
    )
    prorated_subscales = ma.fields.Dict(keys=ma.fields.String(), values=Whole(allow_none=True))
    tier = ma.fields.String(metadata={"description": "The risk that the answers given tell."})
    tier_upper = ma.fields.String(metadata={"description": "The worst that is still possible."})
    flags = ma.fields.List(ma.fields.String(), required=True)


def _scores() -> type[Show]:
    """The schema of `scores`, with one field for each provisional syndrome of any instrument."""
    derived = (each for one in catalogue().values() for each in one.derived)
    codes = {each.code for each in derived if not each.is_flag}
    fields = {code: ma.fields.Boolean(allow_none=True) for code in sorted(codes)}
    said = "What the answers add up to; null where a missing answer forbids it."
    return type("ScoresSchema", (ScoresFields,), {**fields, "__doc__": said})


class CrisisFields(Show):
    """What comes first of all that a patient is answered."""

    crisis = ma.fields.Nested(CrisisSchema, metadata={"description": CRISIS})


class AnsweredCheckInSchema(CrisisFields):
    """The answer to a patient who wrote: words and who reads it, no number."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    state = Choice(checkins.STATES, required=True)
    words = shown(ma.fields.String)
    reading = ma.fields.Nested(ReadingSchema, required=True)


class CheckInFields(Show):
    """What every reader sees of a check-in."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    instrument = shown(ma.fields.String)
    state = Choice(checkins.STATES, required=True)
    source = Choice(checkins.SOURCES, required=True)
    answered_by = Choice(checkins.ANSWERED_BY, required=True)
    answered_at = shown(Instant)
    answered_on = shown(Day, metadata={"description": "The patient's own calendar day."})
    answers = Answers(required=True)
    total = shown(Number, nullable=True)
    band = shown(ma.fields.String, nullable=True)
    practice_id = shown(ma.fields.UUID, nullable=True, metadata={"description": PRACTICE})
    practice = ma.fields.Nested(PracticeRefSchema, required=True, allow_none=True)
    window_day = shown(ma.fields.Integer, nullable=True, metadata=WINDOW_DAY)


class PatientCheckInSchema(CheckInFields, CrisisFields):
    """A check-in as its patient reads it: `crisis` first where it is there, never a flag."""

    words = shown(ma.fields.String)


class CheckInSchema(CheckInFields):
    """A check-in. `total` and `band` are there once it is complete; `scores` also of a draft."""

    patient = ma.fields.Nested(PatientRefSchema, required=True)
    instrument_version = shown(ma.fields.String)
    scoring_version = shown(ma.fields.String)
    recorded_by = ma.fields.Nested(
        ClinicianRefSchema, required=True, allow_none=True, metadata={"description": RECORDED_BY}
    )
    import_system = shown(ma.fields.String, nullable=True)
    scores = ma.fields.Nested(_scores(), required=True)
