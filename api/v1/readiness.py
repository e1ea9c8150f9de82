"""Readiness and discharge over v1: why a dose may not start, why a patient may not leave."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import readiness
from api.core.clinical_lists.interactions import SEVERITIES
from api.core.readiness import leaving
from api.core.treatment.courses import ROUTES
from api.core.treatment.sessions import KINDS
from api.paging import Values
from api.v1.forms import Ask, Choice, Day, Flag, Instant, Many, Show, Whole, Words, shown
from api.v1.resource import Blueprint

blp = Blueprint("readiness", "Why a dose may not start, and why a patient may not leave.")
OF_PATIENT = "/patients/<id:patient_id>/readiness"
OF_SESSION = "/sessions/<id:session_id>/readiness"
DISCHARGE = "/sessions/<id:session_id>/discharge"
ABOUT = {"description": "The items, consents, readings, rules or points that it is about."}
ROUTE = {"description": "By the protocol of this route; else by the one that asks for most."}
INTENT = {"description": "What was answered; true raises an alert at once."}
AT_SESSION = {"description": "Codes that only the session itself can settle."}


class ReadinessQuery(Ask):
    """For what, on which day, by which route."""

    kind = Choice(readiness.KINDS, load_default=readiness.KINDS[0])
    on = Day(metadata={"description": "Today unless given; not over."})
    route = Choice(ROUTES, metadata=ROUTE)


class ReadinessReasonSchema(Show):
    """One reason, and whose privilege passes it over; null: nobody's."""

    code = shown(ma.fields.String)
    detail = shown(ma.fields.String)
    about = Many(ma.fields.String(), required=True, metadata=ABOUT)
    overridable_by = shown(ma.fields.String, nullable=True)


class InteractionSchema(Show):
    """Something on the patient's lists that is known to matter for a dose."""

    code = shown(ma.fields.String)
    severity = Choice(SEVERITIES, required=True)
    effect = shown(ma.fields.String)
    sources = Many(ma.fields.String(), required=True)
    list = Choice(("allergies", "medications"), required=True)
    record_id = shown(ma.fields.UUID)
    name = shown(ma.fields.String)
    version = shown(ma.fields.String, metadata={"description": "Of the list of interactions."})


class ListAgesSchema(Show):
    """When somebody last went through the lists that interactions are found in."""

    allergies_confirmed_on = shown(Day, nullable=True)
    medications_confirmed_on = shown(Day, nullable=True)


class AskedProtocolSchema(Show):
    """The version of the protocol by which it was asked."""

    key = shown(ma.fields.String)
    version = shown(ma.fields.Integer)


class ReadinessSchema(Show):
    """Whether a dose may start now. Interactions are listed; a person weighs them."""

    session_id = shown(ma.fields.UUID, nullable=True)
    kind = Choice(KINDS, required=True)
    on = shown(Day)
    ready = shown(Flag)
    reasons = Many(ma.fields.Nested(ReadinessReasonSchema), required=True)
    at_session = Many(ma.fields.String(), required=True, metadata=AT_SESSION)
    interactions = Many(ma.fields.Nested(InteractionSchema), most=1000, required=True)
    lists = ma.fields.Nested(ListAgesSchema, required=True)
    protocol = ma.fields.Nested(AskedProtocolSchema, required=True, allow_none=True)
    checked_at = shown(Instant)


def _sign() -> Any:
    return Whole(*leaving.SIGN, allow_none=True)


class AldreteSchema(Ask):
    """The modified Aldrete score, 0 to 2 each."""

    activity = _sign()
    respiration = _sign()
    circulation = _sign()
    consciousness = _sign()
    spo2 = _sign()


class PadssSchema(Ask):
    """The post-anaesthetic discharge scoring system, 0 to 2 each."""

    vital_signs = _sign()
    ambulation = _sign()
    nausea_vomiting = _sign()
    pain = _sign()
    bleeding = _sign()


class RecordDischargeSchema(Ask):
    """What was found before the patient leaves, whole: what is left out is not said."""

    aldrete = ma.fields.Nested(AldreteSchema, allow_none=True)
    padss = ma.fields.Nested(PadssSchema, allow_none=True)
    oriented = Flag(allow_none=True)
    walks_unaided = Flag(allow_none=True)
    suicidality_asked = Flag(allow_none=True)
    suicidal_intent = Flag(allow_none=True, metadata=INTENT)
    escort_name = Words(200, allow_none=True)
    escort_phone = Words(40, allow_none=True)
    no_driving_advice_given = Flag(allow_none=True)
    instructions_given = Flag(allow_none=True)
    next_contact_at = Instant(allow_none=True)
    note = Words(4000, allow_none=True)


class EscortSchema(Show):
    """Who said behind a one-use link that they take the patient home."""

    name = shown(ma.fields.String)
    attested_at = shown(Instant)


class DischargeSchema(Show):
    """What was found before the patient leaves; version 0 while nobody wrote any.

    `missing` is what `complete` would refuse for now. The server never says that anybody is fit.
    """

    session_id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant, nullable=True)
    updated_at = shown(Instant, nullable=True)
    aldrete = ma.fields.Nested(AldreteSchema, required=True, allow_none=True)
    aldrete_total = shown(ma.fields.Integer, nullable=True)
    padss = ma.fields.Nested(PadssSchema, required=True, allow_none=True)
    padss_total = shown(ma.fields.Integer, nullable=True)
    oriented = shown(Flag, nullable=True)
    walks_unaided = shown(Flag, nullable=True)
    suicidality_asked = shown(Flag, nullable=True)
    suicidal_intent = shown(Flag, nullable=True, metadata=INTENT)
    escort_name = shown(ma.fields.String, nullable=True)
    escort_phone = shown(ma.fields.String, nullable=True)
    escorts = Many(ma.fields.Nested(EscortSchema), required=True)
    no_driving_advice_given = shown(Flag, nullable=True)
    instructions_given = shown(Flag, nullable=True)
    next_contact_at = shown(Instant, nullable=True)
    note = shown(ma.fields.String, nullable=True)
    missing = Many(ma.fields.String(), required=True)
    reasons = Many(ma.fields.Nested(ReadinessReasonSchema), required=True)


@blp.offer("GET", OF_PATIENT, "readiness:read", query=ReadinessQuery, answer=ReadinessSchema)
def read_patient_readiness(actor: Actor, patient_id: Any, **asked: Any) -> Values:
    """Ask why a patient's dose may not start, before anything is booked.

    By consents, screenings, alerts and the last dose as they stand now, with interactions.
    """
    return readiness.read_patient_readiness(actor, patient_id, **asked)


@blp.offer("GET", OF_SESSION, "readiness:read", answer=ReadinessSchema)
def read_readiness(actor: Actor, session_id: Any) -> Values:
    """Ask why the dose of a session may not start at this minute.

    `start` refuses for the same reasons. Of a session of another kind nothing is asked.
    """
    return readiness.read_readiness(actor, session_id)


@blp.offer("GET", DISCHARGE, "discharge:read", answer=DischargeSchema, derived=True)
def read_discharge(actor: Actor, session_id: Any) -> Values:
    """Read what was found before the patient leaves, and what is missing."""
    return readiness.read_discharge(actor, session_id)


@blp.offer(
    "PUT",
    DISCHARGE,
    "discharge:write",
    body=RecordDischargeSchema,
    answer=DischargeSchema,
    creates=True,
    heard=readiness.hear_refused_discharge,
    example={"oriented": True, "walks_unaided": True, "suicidality_asked": True},
)
def record_discharge(actor: Actor, session_id: Any, version: int | None, values: Values) -> Values:
    """Write down what was found before the patient leaves, whole.

    The first time it needs no `If-Match`. Once the record is signed it is 409: add to it. Intent
    that was spoken of raises an alert also where the form itself is refused.
    """
    return readiness.record_discharge(actor, session_id, version, values)
