"""The shapes of a ledger over v1: its entries, how they were judged, and what became of a batch."""

import copy
from typing import Any

import marshmallow as ma

from api.core.treatment.dosing import held, vocabulary as words
from api.core.treatment.protocols.definition import ACTIONS
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Choice, Instant, Many, Number, Show, shown
from api.v1.ledger_forms import MAX_ENTRIES, EntryFields, every_field
from api.v1.patients import PatientRefSchema
from api.v1.windows import ProtocolRefSchema

PER_KG = {"description": "Derived from `dose_mg` and `weight_kg`."}
ONSET = {"description": "Derived: minutes from the last dose before it to `measured_at`."}
SKEW = {"description": "How far the device's clock ran behind ours when it sent this."}


class JudgementSchema(Show):
    """What a rule of a protocol says of an entry; `threshold` is a rule of the protocol's own."""

    code = shown(ma.fields.String)
    rule = shown(ma.fields.String)
    action = Choice(ACTIONS, required=True)
    field = shown(ma.fields.String, nullable=True)
    value = shown(Number, nullable=True)
    limit = ma.fields.Dict(keys=ma.fields.String(), values=Number(), required=True, allow_none=True)
    detail = shown(ma.fields.String)
    protocol = ma.fields.Nested(ProtocolRefSchema, required=True)


class EntryCodeSchema(Show):
    """The code of a field of an entry."""

    field = shown(ma.fields.String)
    system = shown(ma.fields.String)
    code = shown(ma.fields.String)


def _shown_fields() -> dict[str, Any]:
    """The fields of all types, as far as an entry has them."""
    about = set(EntryFields._declared_fields)
    asked = {n: f for n, f in every_field().items() if n not in about and n != "type"}
    fields = {name: copy.deepcopy(field) for name, field in asked.items()}
    for field in fields.values():
        field.required, field.allow_none = False, False
    return fields


class LedgerEntryFields(Show):
    """What every entry of a ledger shows."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    session_id = shown(ma.fields.UUID)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    type = Choice(words.TYPES, required=True)
    sequence = shown(ma.fields.Integer)
    client_event_id = shown(ma.fields.String)
    measured_at = shown(Instant)
    recorded_at = shown(Instant)
    recorded_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    device_sent_at = shown(Instant, nullable=True)
    device_clock_skew_ms = shown(ma.fields.Integer, nullable=True, metadata=SKEW)
    late = shown(
        ma.fields.Boolean, metadata={"description": "It came after the session was completed."}
    )
    corrects_id = shown(ma.fields.UUID, nullable=True)
    reason = shown(ma.fields.String, nullable=True)
    superseded_by = shown(ma.fields.UUID, nullable=True)
    protocol = ma.fields.Nested(ProtocolRefSchema, required=True)
    judgements = Many(ma.fields.Nested(JudgementSchema), required=True)
    codes = Many(ma.fields.Nested(EntryCodeSchema), required=True)


LedgerEntrySchema = type(
    "LedgerEntrySchema",
    (LedgerEntryFields,),
    {
        **_shown_fields(),
        "witnessed_by": ma.fields.Nested(ClinicianRefSchema, allow_none=True),
        "dose_mg_per_kg": Number(metadata=PER_KG),
        "onset_min": ma.fields.Integer(allow_none=True, metadata=ONSET),
        "result": Choice(
            ("stored", "already_stored"),
            metadata={"description": "In the answer to a POST: what became of it."},
        ),
        "__doc__": "An entry of a ledger, with the fields of its type. Nothing in it ever changes.",
    },
)


class TakenDoseSchema(Show):
    """A dose, as the patient reads of it."""

    given_at = shown(Instant)
    medicine = Choice(words.MEDICINES, required=True)
    route = Choice(words.ROUTES, required=True)
    dose_mg = shown(Number)


class TakenPhaseSchema(Show):
    """When a phase of the experience began."""

    began_at = shown(Instant)
    phase = Choice(words.PHASES, required=True)


class WhatWasGivenSchema(Show):
    """What a patient was given in a session and how it went, in the order of time."""

    session_id = shown(ma.fields.UUID)
    doses = Many(ma.fields.Nested(TakenDoseSchema), most=1000, required=True)
    phases = Many(ma.fields.Nested(TakenPhaseSchema), most=1000, required=True)


class AddendumRefSchema(Show):
    """A draft addendum."""

    id = shown(ma.fields.UUID)


class AsAddendumSchema(Show):
    """The record was signed: what came is a draft addendum."""

    result = Choice(("as_addendum",), required=True)
    addendum = ma.fields.Nested(AddendumRefSchema, required=True)


class FaultSchema(Show):
    """What is wrong with an entry, and where."""

    pointer = shown(ma.fields.String)
    detail = shown(ma.fields.String)


class ResultSchema(Show):
    """What became of one entry of a batch."""

    client_event_id = shown(ma.fields.String, nullable=True)
    outcome = Choice(held.RESULTS, required=True)
    entry = ma.fields.Nested(LedgerEntrySchema)
    addendum = ma.fields.Nested(AddendumRefSchema)
    code = ma.fields.String(metadata={"description": "Of `refused` and `conflict`."})
    errors = Many(ma.fields.Nested(FaultSchema))
    superseded_by = ma.fields.UUID(metadata={"description": "What corrected it already."})


class BatchResultSchema(Show):
    """What became of each entry, in the order sent."""

    results = Many(ma.fields.Nested(ResultSchema), most=MAX_ENTRIES, required=True)
    server_time = shown(Instant)
