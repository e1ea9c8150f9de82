"""The forms of a ledger over v1: what is recorded, each type apart, one by one or in a batch."""

import copy
from typing import Any

import marshmallow as ma
from marshmallow import validate

from api.core.treatment.dosing import vocabulary as words
from api.core.treatment.dosing.table import MAX_EVENT_ID
from api.v1.forms import (
    Amount,
    Ask,
    Choice,
    Flag,
    Id,
    Instant,
    Many,
    Whole,
    Words,
)

EVENT_ID = {
    "description": "Made by the device, unique within the session for ever: the same again is"
    " answered with the entry that is there."
}
MEASURED_AT = {"description": "When it happened. Not ahead of now, or of `device_sent_at`."}
SENT_AT = {
    "description": "The device's own time as it sends this; its skew is kept, and one of more than"
    " 15 minutes is judged (`device_clock_wrong`)."
}
PATIENT_ID = {"description": "Refused (`wrong_patient`) when the session is another patient's."}
CORRECTS = {"description": "The entry that this one supersedes; with `reason`."}
CORRECTS_EVENT = {
    "description": "The same by its `client_event_id`, for a device that was offline and has no id"
    " yet. One of the two."
}
RASS = {"description": "Richmond Agitation-Sedation Scale; 0 is alert and calm."}
MOAAS = {"description": "Modified Observer's Assessment of Alertness/Sedation; 5 is awake."}
ASCII = validate.Regexp(r"^[\x21-\x7e]+$", error="Visible ASCII characters alone.")
MAX_ENTRIES = 500


class EntryFields(Ask):
    """What every entry says of itself."""

    client_event_id = Words(MAX_EVENT_ID, required=True, validate=ASCII, metadata=EVENT_ID)
    measured_at = Instant(required=True, metadata=MEASURED_AT)
    patient_id = Id(allow_none=True, metadata=PATIENT_ID)
    corrects_id = Id(allow_none=True, metadata=CORRECTS)
    corrects_client_event_id = Words(
        MAX_EVENT_ID, allow_none=True, validate=ASCII, metadata=CORRECTS_EVENT
    )
    reason = Words(2000, allow_none=True)


class SentFields(Ask):
    """When a device sent it."""

    device_sent_at = Instant(metadata=SENT_AT)


class NotedFields(EntryFields):
    """An entry that may carry a few words."""

    note = Words(2000, allow_none=True)


class DoseFields(NotedFields):
    """One administration; divided doses are entries of their own."""

    medicine = Choice(words.MEDICINES, required=True)
    route = Choice(words.ROUTES, required=True)
    dose_mg = Amount(*words.DOSE_MG, required=True)
    weight_kg = Amount(*words.WEIGHT_KG, required=True)
    duration_min = Whole(0, 24 * 60, allow_none=True)
    lot = Words(100, allow_none=True)
    source = Words(200, allow_none=True, metadata={"description": "Who made or compounded it."})
    wasted_mg = Amount(0, words.DOSE_MG[1], allow_none=True)
    witnessed_by = Id(allow_none=True, metadata={"description": "The colleague who saw the waste."})
    booster = Flag(allow_none=True)


def _reading(name: str, **more: Any) -> Whole:
    return Whole(*words.READINGS[name], allow_none=True, **more)


class VitalsFields(NotedFields):
    """One reading of at least one of these; what is abnormal is kept, a slip is refused."""

    systolic_mmhg = _reading("systolic_mmhg")
    diastolic_mmhg = _reading("diastolic_mmhg")
    heart_rate_bpm = _reading("heart_rate_bpm")
    spo2_percent = _reading("spo2_percent")
    respirations_per_min = _reading("respirations_per_min")
    sedation_moaas = _reading("sedation_moaas", metadata=MOAAS)
    sedation_rass = _reading("sedation_rass", metadata=RASS)
    dissociation = _reading("dissociation")
    position = Choice(words.POSITIONS, allow_none=True)
    airway_support = Choice(words.AIRWAYS, allow_none=True)


class RatingFields(NotedFields):
    """One rating from 0 to 10."""

    scale = Choice(words.SCALES, required=True)
    value = Whole(0, 10, required=True)


class EventFields(NotedFields):
    """An adverse event; its `measured_at` is its onset."""

    code = Choice(words.EVENTS, required=True)
    grade = Whole(*words.GRADES, required=True)
    action = Choice(words.TAKEN, allow_none=True)
    outcome = Choice(words.OUTCOMES, allow_none=True)
    serious = Flag(allow_none=True)
    serious_for = Many(Choice(words.SERIOUS_FOR), most=len(words.SERIOUS_FOR), allow_none=True)
    relatedness = Choice(words.RELATED, allow_none=True)
    resolved_at = Instant(allow_none=True)


class PhaseFields(NotedFields):
    """Where the experience stands."""

    phase = Choice(words.PHASES, required=True)


class VoidFields(EntryFields):
    """An entry that should not be there at all is taken back; it stays to be read."""

    reason = Words(2000, required=True)


class DoseSchema(DoseFields, SentFields):
    """A dose that was given."""


class VitalsSchema(VitalsFields, SentFields):
    """Vitals that were measured."""


class SessionRatingSchema(RatingFields, SentFields):
    """A rating that was given."""


class AdverseEventSchema(EventFields, SentFields):
    """An adverse event that happened."""


class PhaseSchema(PhaseFields, SentFields):
    """A phase that began."""


ITEMS: dict[str, type[EntryFields]] = {
    words.DOSE: DoseFields,
    words.VITALS: VitalsFields,
    words.RATING: RatingFields,
    words.EVENT: EventFields,
    words.PHASE: PhaseFields,
    words.VOID: VoidFields,
}
"""The form of each type of entry, as it stands in a batch."""


def every_field() -> dict[str, Any]:
    """The fields of all types together; which are required depends on the type."""
    fields: dict[str, Any] = {"type": Choice(words.TYPES, required=True)}
    for form in ITEMS.values():
        for name, field in form._declared_fields.items():
            if name not in fields:
                fields[name] = copy.deepcopy(field)
                fields[name].required = name in ("client_event_id", "measured_at")
    return fields


LedgerItemSchema = type(
    "LedgerItemSchema",
    (Ask,),
    {**every_field(), "__doc__": "An entry by its type; its fields are those of the type's form."},
)


class Item(ma.fields.Nested):
    """An entry of a batch, judged by itself and not here."""

    def _validate_missing(self, value: Any) -> None:
        """A null is an entry too, and refused as one."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return value


class BatchSchema(SentFields):
    """Entries in the order in which they were made."""

    entries = Many(Item(LedgerItemSchema), most=MAX_ENTRIES, least=1, required=True)
