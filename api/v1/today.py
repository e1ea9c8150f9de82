"""Today over v1: what a patient's app shows when it is opened."""

import marshmallow as ma

from api.access.policies import Actor
from api.core import today
from api.core.integration.tables import STATUSES
from api.core.integration.trail import STAGES
from api.core.treatment.protocols import PHASES
from api.paging import Values
from api.v1.clinic import CrisisSchema
from api.v1.forms import Choice, Day, Many, Show, shown
from api.v1.practices import PracticeRefSchema
from api.v1.resource import Blueprint
from api.v1.session_shapes import PatientSessionSchema

blp = Blueprint("today", "What a patient finds when they open their app.")
ANSWER_WITH = ("goal", "moment", "practice", "step")


class ClinicNameSchema(Show):
    """The clinic, named."""

    id = shown(ma.fields.UUID)
    name = shown(ma.fields.String)


class WindowWordsSchema(Show):
    """The days after a dose, in words; `phase` is null before any."""

    phase = Choice(PHASES, required=True, allow_none=True)
    words = shown(ma.fields.String)


class NextStepSchema(Show):
    """One small step: the practice whose turn it is, in its smallest form."""

    practice = ma.fields.Nested(PracticeRefSchema, required=True)
    new_trail = shown(ma.fields.String)
    smallest_step = shown(ma.fields.String, nullable=True)
    cue = shown(ma.fields.String, nullable=True)
    stage = Choice([name for name, _ in STAGES], required=True, allow_none=True)
    words = shown(ma.fields.String)


class DueSchema(Show):
    """A check-in that can be answered now; with `practice` send its `practice_id` along."""

    practice = ma.fields.Nested(PracticeRefSchema, required=True, allow_none=True)
    plan_id = shown(ma.fields.UUID)
    instrument = shown(ma.fields.String)
    title = shown(ma.fields.String)
    due_on = shown(Day)


class AnswerSchema(Show):
    """An answer to choose: the status that the practice is given."""

    status = Choice(STATUSES, required=True)
    label = shown(ma.fields.String)


class QuestionSchema(Show):
    """The one question of the day.

    `answer_with` is what an answer becomes: a goal, a moment, or a change of `practice`'s status
    (by PATCH, also where it stays `active`) to one of `answers`.
    """

    key = Choice(today.QUESTIONS, required=True)
    text = shown(ma.fields.String)
    beside = shown(ma.fields.String, nullable=True)
    answer_with = Choice(ANSWER_WITH, required=True)
    practice = ma.fields.Nested(PracticeRefSchema, required=True, allow_none=True)
    answers = Many(ma.fields.Nested(AnswerSchema), required=True)


class QuoteSchema(Show):
    """An earlier moment in the patient's own words."""

    moment_id = shown(ma.fields.UUID)
    on = shown(Day)
    text = shown(ma.fields.String)
    words = shown(ma.fields.String)


class TodaySchema(Show):
    """The day. `after` is there on the day of a dose, on which nothing is asked."""

    crisis = ma.fields.Nested(CrisisSchema, required=True)
    clinic = ma.fields.Nested(ClinicNameSchema, required=True)
    on = shown(Day)
    window = ma.fields.Nested(WindowWordsSchema, required=True)
    after = Many(ma.fields.String(), required=True)
    next_step = ma.fields.Nested(NextStepSchema, required=True, allow_none=True)
    due = Many(ma.fields.Nested(DueSchema), required=True)
    question = ma.fields.Nested(QuestionSchema, required=True, allow_none=True)
    quote = ma.fields.Nested(QuoteSchema, required=True, allow_none=True)
    next_visit = ma.fields.Nested(PatientSessionSchema, required=True, allow_none=True)


@blp.offer("GET", "/me/today", "today:read", answer=TodaySchema, derived=True)
def read_today(actor: Actor) -> Values:
    """Read your day.

    One small step, what can be answered, the next visit, whom to turn to, and at most one
    question. Reading it again changes nothing.
    """
    return today.read_today(actor)
