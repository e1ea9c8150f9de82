"""The dose plan and the monitoring of a dosing session over v1."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.treatment import dosing
from api.core.treatment.dosing import vocabulary as words
from api.core.treatment.dosing.monitoring import STATES
from api.core.treatment.protocols.definition import POINT_TIMES
from api.paging import Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Amount, Ask, Choice, Instant, Many, Number, Show, Words, shown
from api.v1.ledger_shapes import JudgementSchema
from api.v1.resource import Blueprint
from api.v1.windows import ProtocolRefSchema

blp = Blueprint("dose_plans", "What is planned for a dosing session, and what is due in it.")
OF_SESSION = "/sessions/<id:session_id>"
MOST = {"description": "All doses of the session together; without it, `dose_mg`."}
LATE = {"description": "Minutes past its time, of a reading that came after the grace."}


class NewDosePlanSchema(Ask):
    """What is to be given."""

    medicine = Choice(words.MEDICINES, required=True)
    route = Choice(words.ROUTES, required=True)
    dose_mg = Amount(*words.DOSE_MG, required=True)
    max_total_mg = Amount(*words.DOSE_MG, allow_none=True, metadata=MOST)
    rationale = Words(4000, allow_none=True)


class DosePlanSchema(Show):
    """A dose plan, and the protocol that covers it."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    session_id = shown(ma.fields.UUID)
    medicine = Choice(words.MEDICINES, required=True)
    route = Choice(words.ROUTES, required=True)
    dose_mg = shown(Number)
    max_total_mg = shown(Number, nullable=True, metadata=MOST)
    rationale = shown(ma.fields.String, nullable=True)
    planned_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    protocol = ma.fields.Nested(ProtocolRefSchema, required=True)


class WatchedBySchema(ProtocolRefSchema):
    """The version of the protocol that is in force."""

    title = shown(ma.fields.String)


class GivenSchema(Show):
    """The doses that stand."""

    count = shown(ma.fields.Integer)
    total_mg = shown(Number)


class ObservationSchema(Show):
    """For how long the patient stays after the last dose at the least."""

    minutes = shown(ma.fields.Integer)
    until_at = shown(Instant, nullable=True)
    met = shown(ma.fields.Boolean)


class MonitoringPointSchema(Show):
    """One point of the schedule. A reading counts for the point that it lies nearest to.

    `late` is past its time and can still be done; `missed` can't any more.
    """

    code = shown(ma.fields.String)
    when = Choice(POINT_TIMES, required=True)
    minute = shown(ma.fields.Integer, nullable=True)
    due_at = shown(Instant, nullable=True)
    state = Choice(STATES, required=True)
    done_at = shown(Instant, nullable=True)
    late_by_min = shown(ma.fields.Integer, nullable=True, metadata=LATE)
    needs = Many(ma.fields.String(), required=True)
    missing = Many(ma.fields.String(), required=True)
    sequences = Many(
        ma.fields.Integer(), required=True, metadata={"description": "The entries that count."}
    )


CountsSchema = type(
    "CountsSchema",
    (Show,),
    {
        **{state: shown(ma.fields.Integer) for state in STATES},
        "__doc__": "How many points are in each state.",
    },
)


class EntryJudgementSchema(JudgementSchema):
    """A judgement with the entry that it is of."""

    entry_id = shown(ma.fields.UUID)
    sequence = shown(ma.fields.Integer)
    measured_at = shown(Instant)
    superseded = shown(ma.fields.Boolean)


class MonitoringSchema(Show):
    """What the protocol asks for in this session, what was done of it, and what was judged."""

    session_id = shown(ma.fields.UUID)
    protocol = ma.fields.Nested(WatchedBySchema, required=True)
    doses = ma.fields.Nested(GivenSchema, required=True)
    first_dose_at = shown(Instant, nullable=True)
    last_dose_at = shown(Instant, nullable=True)
    minutes_since_dose = shown(ma.fields.Integer, nullable=True)
    observation = ma.fields.Nested(ObservationSchema, required=True)
    points = Many(ma.fields.Nested(MonitoringPointSchema), most=1000, required=True)
    counts = ma.fields.Nested(CountsSchema, required=True)
    next_due = ma.fields.Nested(MonitoringPointSchema, required=True, allow_none=True)
    judgements = Many(ma.fields.Nested(EntryJudgementSchema), most=10000, required=True)


@blp.offer("GET", f"{OF_SESSION}/dose-plan", "dose_plan:read", answer=DosePlanSchema)
def read_dose_plan(actor: Actor, session_id: Any) -> Values:
    """Read the dose plan of a session."""
    return dosing.read_dose_plan(actor, session_id)


@blp.offer(
    "PUT",
    f"{OF_SESSION}/dose-plan",
    "dose_plan:write",
    body=NewDosePlanSchema,
    answer=DosePlanSchema,
    creates=True,
    example={
        "medicine": "ketamine",
        "route": "intramuscular",
        "dose_mg": 60,
        "max_total_mg": 90,
        "rationale": "As at the last session, which went well.",
    },
)
def plan_dose(actor: Actor, session_id: Any, version: int | None, values: Values) -> Values:
    """Set the dose plan of a session, or set it anew.

    409 with `missing` once a consent that the protocol asks for was withdrawn, and when the session
    is over.
    """
    return dosing.plan_dose(actor, session_id, version, values)


@blp.offer("GET", f"{OF_SESSION}/monitoring", "monitoring:read", answer=MonitoringSchema)
def read_monitoring(actor: Actor, session_id: Any) -> Values:
    """Read what is due, done, late and missed in a session, and every judgement.

    It is reckoned by the version of the protocol with which the session began.
    """
    return dosing.read_monitoring(actor, session_id)
