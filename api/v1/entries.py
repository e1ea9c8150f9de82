"""What every entry of a chart shows over v1: who wrote it, with whom it is shared, who reads it."""

import marshmallow as ma

from api.core.integration.tables import AUTHORS, SHARING
from api.v1.forms import Choice, Instant, Show, shown
from api.v1.patients import PatientRefSchema

SHARED_WITH = (
    "`me`: nobody else, no door, no count. `care_team`: who treats me. `research`: the care team,"
    " and counted in de-identified figures while the consent stands. Only the patient sets it;"
    " an entry under a `me` parent is `me`."
)
WINDOW_DAY = {
    "description": "The patient's own calendar days since the last dose, whose day is 0; null"
    " outside a plasticity window."
}
READ_BY = ("care_team", "nobody")


def sharing() -> Choice:
    """The field by which a patient says with whom an entry is shared."""
    return Choice(SHARING, metadata={"description": SHARED_WITH})


class ReadingSchema(Show):
    """Who reads a patient's entry, and by when; `within_hours` is null when nobody does."""

    by = Choice(READ_BY, required=True)
    within_hours = shown(ma.fields.Integer, nullable=True)
    watched_day_and_night = shown(ma.fields.Boolean)
    words = shown(ma.fields.String)


class EntrySchema(Show):
    """An entry of a chart. `reading` is there in the answer to a patient who wrote."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    created_by = Choice(AUTHORS, required=True)
    shared_with = Choice(SHARING, required=True, metadata={"description": SHARED_WITH})
    reading = ma.fields.Nested(ReadingSchema)
