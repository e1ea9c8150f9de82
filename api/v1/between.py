"""Between two sessions, over v1: what a clinician reads before the door opens."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import alerts, between
from api.core.integration.tables import AUTHORS, CATEGORIES, KINDS, LIFECYCLE, NOTICED_BY, STATUSES
from api.core.outcomes.checkins import ANSWERED_BY, STATES
from api.core.treatment import signatures
from api.core.treatment.notes import tables
from api.core.treatment.protocols import PHASES
from api.core.treatment.sessions import KINDS as SESSION_KINDS
from api.paging import Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import DAY, Ask, Choice, Day, Instant, Many, Number, Show, shown
from api.v1.goals import GoalRefSchema
from api.v1.outcomes import ChangeSchema
from api.v1.patients import PatientRefSchema
from api.v1.practices import PracticeRefSchema, TrailSumSchema
from api.v1.resource import Blueprint

blp = Blueprint("between", "What happened since the last session.")
SINCE = "`last_session` (default), or a day of the patient's own; what was written for it counts."
CHANGE = "The verdicts of its series, at the newest check-in of each; null at the others."


class Since(ma.fields.String):
    """`last_session`, or a date."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str) and DAY.fullmatch(value):
            return Day().deserialize(value)
        if value != between.LAST_SESSION:
            raise ma.ValidationError("Neither last_session nor a date.")
        return between.LAST_SESSION


class BetweenQuery(Ask):
    """Since when."""

    since = Since(metadata={"description": SINCE})


class SessionSinceSchema(Show):
    """The session it begins with."""

    id = shown(ma.fields.UUID)
    kind = Choice(SESSION_KINDS, required=True)
    starts_at = shown(Instant)
    completed_at = shown(Instant)


class WindowNowSchema(Show):
    """How the plasticity window stands today; all null before any dose."""

    open = shown(ma.fields.Boolean)
    window_day = shown(ma.fields.Integer, nullable=True)
    phase = Choice(PHASES, required=True, allow_none=True)
    dosed_on = shown(Day, nullable=True)
    session_id = shown(ma.fields.UUID, nullable=True)


class AgreedSchema(Show):
    """What was agreed last time: set at that session or on its day, and still standing."""

    goals = Many(ma.fields.Nested(GoalRefSchema), required=True)
    practices = Many(ma.fields.Nested(PracticeRefSchema), required=True)


class GoalBetweenSchema(GoalRefSchema):
    """A goal that stands."""

    category = Choice(CATEGORIES, required=True)
    lifecycle_status = Choice(LIFECYCLE, required=True)


class DetourBetweenSchema(Show):
    """A detour, and the first day on which the new trail was walked again; null until then."""

    on = shown(Day)
    returned_on = shown(Day, nullable=True)
    return_days = shown(ma.fields.Integer, nullable=True)


StepCountsSchema: type[Show] = type(
    "StepCountsSchema",
    (Show,),
    {
        **{kind: shown(ma.fields.Integer) for kind in KINDS},
        "__doc__": "How many steps of each kind were logged.",
    },
)


class PracticeBetweenSchema(PracticeRefSchema):
    """A practice that is not released, with its trail today and what was logged since."""

    goal_id = shown(ma.fields.UUID)
    status = Choice(STATUSES, required=True)
    smallest_step = shown(ma.fields.String, nullable=True)
    trail = ma.fields.Nested(TrailSumSchema, required=True)
    steps = ma.fields.Nested(StepCountsSchema, required=True)
    detours = Many(ma.fields.Nested(DetourBetweenSchema), required=True)


class MomentBetweenSchema(Show):
    """A moment that the patient shares."""

    id = shown(ma.fields.UUID)
    on = shown(Day)
    text = shown(ma.fields.String)
    in_words_of = Choice(sorted({*NOTICED_BY, *AUTHORS}), required=True)
    noticed_by = Choice(NOTICED_BY, required=True)
    hindsight = shown(ma.fields.Boolean, nullable=True)
    practice_id = shown(ma.fields.UUID, nullable=True)


class JournalBetweenSchema(Show):
    """A page of the journal that the patient shares."""

    id = shown(ma.fields.UUID)
    on = shown(Day)
    text = shown(ma.fields.String, nullable=True)
    mood = shown(ma.fields.Integer, nullable=True)


class CheckInBetweenSchema(Show):
    """A check-in; `change` holds the five verdicts of its series."""

    id = shown(ma.fields.UUID)
    instrument = shown(ma.fields.String)
    title = shown(ma.fields.String)
    state = Choice(STATES, required=True)
    answered_on = shown(Day)
    answered_by = Choice(ANSWERED_BY, required=True)
    total = shown(Number, nullable=True)
    band = shown(ma.fields.String, nullable=True)
    flags = Many(ma.fields.String(), required=True)
    change = ma.fields.Nested(
        ChangeSchema, required=True, allow_none=True, metadata={"description": CHANGE}
    )


class AlertBetweenSchema(Show):
    """An alert that was raised since, or is not resolved."""

    id = shown(ma.fields.UUID)
    rule = shown(ma.fields.String)
    priority = Choice(alerts.PRIORITIES, required=True)
    state = Choice(alerts.STATES, required=True)
    historical = shown(ma.fields.Boolean)
    raised_at = shown(Instant)
    check_in_id = shown(ma.fields.UUID, nullable=True)
    due_at = shown(Instant, nullable=True)
    overdue = shown(ma.fields.Boolean)


class UnsignedNoteBetweenSchema(Show):
    """A draft that waits for its author's signature."""

    id = shown(ma.fields.UUID)
    kind = Choice(tables.KINDS, required=True)
    session_id = shown(ma.fields.UUID, nullable=True)
    author = ma.fields.Nested(ClinicianRefSchema, required=True)
    created_at = shown(Instant)


class UnsignedPartSchema(Show):
    """A part of a session's record that is owed, and by whom."""

    part = Choice(signatures.PARTS, required=True)
    by = Many(ma.fields.Nested(ClinicianRefSchema), required=True)


class UnsignedSessionSchema(Show):
    """A completed session whose record is not signed."""

    id = shown(ma.fields.UUID)
    kind = Choice(SESSION_KINDS, required=True)
    completed_at = shown(Instant)
    missing = Many(ma.fields.Nested(UnsignedPartSchema), required=True)


class BetweenSchema(Show):
    """What happened since; at most 100 of a kind, the latest, else `truncated`.

    `since_at` is null where no session was completed yet: then it is everything there is.
    """

    patient = ma.fields.Nested(PatientRefSchema, required=True)
    since_at = shown(Instant, nullable=True)
    since_on = shown(Day, nullable=True)
    session = ma.fields.Nested(SessionSinceSchema, required=True, allow_none=True)
    window = ma.fields.Nested(WindowNowSchema, required=True)
    agreed = ma.fields.Nested(AgreedSchema, required=True)
    goals = Many(ma.fields.Nested(GoalBetweenSchema), required=True)
    practices = Many(ma.fields.Nested(PracticeBetweenSchema), required=True)
    moments = Many(ma.fields.Nested(MomentBetweenSchema), required=True)
    journal = Many(ma.fields.Nested(JournalBetweenSchema), required=True)
    check_ins = Many(ma.fields.Nested(CheckInBetweenSchema), required=True)
    alerts = Many(ma.fields.Nested(AlertBetweenSchema), required=True)
    unsigned_notes = Many(ma.fields.Nested(UnsignedNoteBetweenSchema), required=True)
    unsigned_sessions = Many(ma.fields.Nested(UnsignedSessionSchema), required=True)
    truncated = shown(ma.fields.Boolean)


@blp.offer(
    "GET",
    "/patients/<id:patient_id>/between",
    "between:read",
    query=BetweenQuery,
    answer=BetweenSchema,
    derived=True,
)
def read_between(actor: Actor, patient_id: Any, **asked: Any) -> Values:
    """Read what happened since the patient's last session.

    In one call: steps, detours and returns by practice, what they share of moments and journal in
    their words, check-ins with verdicts, alerts, the window, what was agreed last time, and what
    waits for a signature. For a whole day ask the calendar with `include=between`.
    """
    return between.read_between(actor, patient_id, **asked)
