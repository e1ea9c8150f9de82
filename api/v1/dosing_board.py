"""The dosing board over v1: today's chairs in one call."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import dosing_board
from api.core.treatment.dosing.monitoring import STATES
from api.core.treatment.moves import STATES as SESSION_STATES
from api.core.treatment.protocols.definition import ACTIONS, POINT_TIMES
from api.paging import Listing
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Choice, Flag, Instant, Many, Number, Show, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint

blp = Blueprint("dosing-board", "Today's chairs at one look.")


class BoardPlanSchema(Show):
    """What is planned to be given."""

    medicine = shown(ma.fields.String)
    route = shown(ma.fields.String)
    dose_mg = shown(Number)


class BoardDosesSchema(Show):
    """What was given so far."""

    count = shown(ma.fields.Integer)
    total_mg = shown(Number)


class BoardVitalsSchema(Show):
    """The last of each reading, by name, and when the newest was taken."""

    measured_at = shown(Instant)
    readings = ma.fields.Dict(keys=ma.fields.String(), values=Number(), required=True)


class BoardPointSchema(Show):
    """What is to be measured next."""

    code = shown(ma.fields.String)
    when = Choice(POINT_TIMES, required=True)
    state = Choice(STATES, required=True)
    due_at = shown(Instant, nullable=True)
    needs = Many(ma.fields.String(), required=True)
    missing = Many(ma.fields.String(), required=True)


class BoardCountsSchema(Show):
    """How many points of the schedule stand how."""

    upcoming = shown(ma.fields.Integer)
    due = shown(ma.fields.Integer)
    done = shown(ma.fields.Integer)
    late = shown(ma.fields.Integer)
    missed = shown(ma.fields.Integer)


class BoardObservationSchema(Show):
    """For how long the patient stays after the last dose at the least."""

    minutes = shown(ma.fields.Integer)
    until_at = shown(Instant, nullable=True)
    met = shown(Flag)


class BoardProtocolSchema(Show):
    """The version of a protocol that judged."""

    key = shown(ma.fields.String)
    version = shown(ma.fields.Integer)


class BoardJudgementSchema(Show):
    """What a rule said of an entry that stands, where it asks for something."""

    code = shown(ma.fields.String)
    rule = shown(ma.fields.String)
    action = Choice(ACTIONS, required=True)
    field = shown(ma.fields.String, nullable=True)
    value = shown(Number, nullable=True)
    detail = shown(ma.fields.String)
    protocol = ma.fields.Nested(BoardProtocolSchema, required=True)
    entry_id = shown(ma.fields.UUID)
    measured_at = shown(Instant)


class ChairSchema(Show):
    """One chair: a dosing session of today, or one that still runs."""

    id = shown(ma.fields.UUID, metadata={"description": "The session."})
    version = shown(ma.fields.Integer)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    clinicians = Many(ma.fields.Nested(ClinicianRefSchema), required=True)
    state = Choice(SESSION_STATES, required=True)
    room = shown(ma.fields.String, nullable=True)
    starts_at = shown(Instant)
    ends_at = shown(Instant)
    planned = ma.fields.Nested(BoardPlanSchema, required=True, allow_none=True)
    doses = ma.fields.Nested(BoardDosesSchema, required=True)
    last_dose_at = shown(Instant, nullable=True)
    minutes_since_dose = shown(ma.fields.Integer, nullable=True)
    last_vitals = ma.fields.Nested(BoardVitalsSchema, required=True, allow_none=True)
    next_due = ma.fields.Nested(BoardPointSchema, required=True, allow_none=True)
    counts = ma.fields.Nested(BoardCountsSchema, required=True)
    observation = ma.fields.Nested(BoardObservationSchema, required=True)
    judgements = Many(ma.fields.Nested(BoardJudgementSchema), most=1000, required=True)


@blp.offer("GET", "/dosing-board", "dosing_board:read", answer=ChairSchema, paged=True)
def list_dosing_board(actor: Actor, **asked: Any) -> Listing:
    """List today's chairs.

    The dosing sessions of today in reach and those still running: minutes since the dose, the last
    of each reading, what is due next, and every judgement that asks for something.
    """
    return dosing_board.list_dosing_board(actor, **asked)
