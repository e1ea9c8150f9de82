"""The form that a REMS asks for after esketamine, over v1: read, drawn, and said to be filed."""

from typing import Any

import marshmallow as ma
from flask import Response, request

from api.access.policies import Actor
from api.core.treatment import rems
from api.core.treatment.dosing import vocabulary as words
from api.core.treatment.rems.deriving import CONCOMITANT, PRESSURES
from api.core.treatment.rems.effects import EFFECTS
from api.core.treatment.rems.table import MAX_REFERENCE
from api.paging import Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Day, Instant, Many, Number, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint
from api.v1.windows import ProtocolRefSchema

blp = Blueprint("rems", "The form that a REMS asks for after each session with esketamine.")
FORM = "/sessions/<id:session_id>/rems-form"
JSON, PDF = "application/json", "application/pdf"
TAKEN = {"description": "null: nobody went through the list of medications."}
BY_RULES = {"description": "By the rules of the protocol that judged the readings."}
OCCURRED = {"description": "null: nobody looked, or a person has to say."}
MISSING = {"description": "The fields that the record does not hold."}
LEFT = {"description": "Minutes from the first dose to leaving."}


class MedicationRefSchema(Show):
    """A medication of the patient's list."""

    id = shown(ma.fields.UUID)
    name = shown(ma.fields.String)
    status = shown(ma.fields.String)


class ConcomitantSchema(Show):
    """A class of medicines, and what of it the patient took on that day."""

    drug_class = Choice(CONCOMITANT, required=True)
    taken = shown(ma.fields.Boolean, nullable=True, metadata=TAKEN)
    medications = Many(ma.fields.Nested(MedicationRefSchema), most=1000, required=True)


class GivenDoseSchema(Show):
    """One administration of esketamine."""

    entry_id = shown(ma.fields.UUID)
    measured_at = shown(Instant)
    dose_mg = shown(Number)
    lot = shown(ma.fields.String, nullable=True)
    source = shown(ma.fields.String, nullable=True)


class StaySchema(Show):
    """From the first dose to the patient's leaving."""

    from_at = shown(Instant, nullable=True)
    until_at = shown(Instant, nullable=True)
    minutes = shown(ma.fields.Integer, nullable=True, metadata=LEFT)
    minutes_after_last_dose = shown(ma.fields.Integer, nullable=True)
    least_minutes = shown(ma.fields.Integer)


class PressureSchema(Show):
    """One blood pressure."""

    measured_at = shown(Instant)
    minutes_after_dose = shown(ma.fields.Integer, nullable=True)
    systolic_mmhg = shown(ma.fields.Integer)
    diastolic_mmhg = shown(ma.fields.Integer)


PressuresSchema = type(
    "PressuresSchema",
    (Show,),
    {
        **{
            name: ma.fields.Nested(PressureSchema, required=True, allow_none=True)
            for name in PRESSURES
        },
        "__doc__": "The three blood pressures.",
    },
)


class AcceptableSchema(Show):
    """Whether the newest readings broke no rule."""

    before = shown(ma.fields.Boolean, nullable=True, metadata=BY_RULES)
    after = shown(ma.fields.Boolean, nullable=True, metadata=BY_RULES)


class EffectSchema(Show):
    """An effect from its onset to its end; minutes are from the first dose."""

    occurred = shown(ma.fields.Boolean, nullable=True, metadata=OCCURRED)
    onset_at = shown(Instant, nullable=True)
    onset_min = shown(ma.fields.Integer, nullable=True)
    resolved_at = shown(Instant, nullable=True)
    resolved_min = shown(ma.fields.Integer, nullable=True)


EffectsSchema = type(
    "EffectsSchema",
    (Show,),
    {
        **{name: ma.fields.Nested(EffectSchema, required=True) for name in EFFECTS},
        "__doc__": "The effects that are watched for.",
    },
)


class ReadySchema(Show):
    """The latest of the noted return and of the ends of the effects; it says nobody was fit."""

    at = shown(Instant, nullable=True)
    minutes_after_first_dose = shown(ma.fields.Integer, nullable=True)


class SeriousEventSchema(Show):
    """A serious adverse event of the session."""

    entry_id = shown(ma.fields.UUID)
    code = Choice(words.EVENTS, required=True)
    grade = shown(ma.fields.Integer)
    serious_for = Many(Choice(words.SERIOUS_FOR), required=True)
    onset_at = shown(Instant)
    onset_min = shown(ma.fields.Integer, nullable=True)
    action = Choice(words.TAKEN, required=True, allow_none=True)
    outcome = Choice(words.OUTCOMES, required=True, allow_none=True)
    resolved_at = shown(Instant, nullable=True)


class FiledSchema(Show):
    """The clinic's word that it filed the form."""

    id = shown(ma.fields.UUID)
    filed_on = shown(Day)
    reference = shown(ma.fields.String, nullable=True)
    filed_by = ma.fields.Nested(ClinicianRefSchema, required=True)
    recorded_at = shown(Instant)


class LegalNameRefSchema(Show):
    """The name that papers bear."""

    given = shown(ma.fields.String)
    family = shown(ma.fields.String)


class RemsFormSchema(Show):
    """What the record holds of what the form asks for; filing it is the clinic's own act."""

    notice = shown(ma.fields.String)
    session_id = shown(ma.fields.UUID)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    legal_name = ma.fields.Nested(LegalNameRefSchema, required=True)
    birth_on = shown(Day, nullable=True)
    given_on = shown(Day, nullable=True)
    due_on = shown(Day, nullable=True)
    filed = ma.fields.Nested(FiledSchema, required=True, allow_none=True)
    protocol = ma.fields.Nested(ProtocolRefSchema, required=True)
    concomitant = Many(ma.fields.Nested(ConcomitantSchema), required=True)
    medications_confirmed_on = shown(Day, nullable=True)
    doses = Many(ma.fields.Nested(GivenDoseSchema), most=1000, required=True)
    total_mg = shown(Number, nullable=True)
    observation = ma.fields.Nested(StaySchema, required=True)
    blood_pressure = ma.fields.Nested(PressuresSchema, required=True)
    vitals_acceptable = ma.fields.Nested(AcceptableSchema, required=True)
    effects = ma.fields.Nested(EffectsSchema, required=True)
    would_have_been_ready = ma.fields.Nested(ReadySchema, required=True)
    serious_adverse_events = Many(ma.fields.Nested(SeriousEventSchema), most=1000, required=True)
    missing = Many(ma.fields.String(), required=True, metadata=MISSING)


class FileRemsFormSchema(Ask):
    """When it was filed, and how the one who took it calls it."""

    filed_on = Day(metadata={"description": "Today unless given; not before the session."})
    reference = Words(MAX_REFERENCE, allow_none=True)


@blp.offer(
    "GET",
    FORM,
    "rems_form:read",
    answer=RemsFormSchema,
    media=PDF,
    derived=True,
    errors=(409,),
)
def read_rems_form(actor: Actor, session_id: Any) -> Values | Response:
    """Read what a REMS asks for after esketamine, from the record of the session.

    As JSON, or with `Accept: application/pdf` as a paper. `missing` names what the record does not
    hold. It is filed by the clinic within seven days and never by this software. 409 for a session
    without esketamine.
    """
    if request.accept_mimetypes.best_match((JSON, PDF)) == PDF:
        return Response(
            rems.draw_rems_form(actor, session_id), mimetype=PDF, headers=_named(session_id)
        )
    return rems.read_rems_form(actor, session_id)


def _named(session_id: Any) -> dict[str, str]:
    """The name under which a browser keeps the paper: it names nobody."""
    return {"Content-Disposition": f'attachment; filename="rems-form-{session_id}.pdf"'}


@blp.offer(
    "POST",
    f"{FORM}/filed",
    "rems_form:file",
    body=FileRemsFormSchema,
    answer=RemsFormSchema,
    example={"filed_on": "2026-11-25", "reference": "Sent by fax"},
    errors=(409,),
)
def file_rems_form(actor: Actor, session_id: Any, values: Values) -> Values:
    """Say that the clinic filed the form; the worklist asks for it no more.

    Filed again after it was put right, it is said again; the newest is told. 409 while no dose of
    esketamine is recorded.
    """
    return rems.file_rems_form(actor, session_id, values)
