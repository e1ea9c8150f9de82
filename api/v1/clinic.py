"""The clinic over v1: its settings, and its words and questions as data."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import clinic, words
from api.paging import Values
from api.v1.forms import Ask, Choice, Day, Instant, Many, Show, Whole, Words, Zone, shown
from api.v1.patients import LOCALE
from api.v1.resource import Blueprint

blp = Blueprint("clinic", "The clinic's settings, and its words as data.")

EHR = (
    "Whose charts an EHR client reaches beside those with an identifier of its own system:"
    " `own_ehr` all, `consented` those whose patient consents to `ehr_sharing`."
)
RETENTION = (
    "For how many years after a patient was last seen the law of the clinic's place has records"
    " kept; an answer to an erasure request names the day."
)
SUSPENDED = "Since when nothing is written here, as who runs the server decided; null else."


class CrisisSchema(Ask):
    """Whom somebody in danger can turn to; after `review_on` somebody should look again."""

    emergency = Words(40, metadata={"description": "The emergency number."})
    line = Words(200, allow_none=True, metadata={"description": "A crisis line, in words."})
    text = Words(200, allow_none=True, metadata={"description": "A line to write to, in words."})
    phone = Words(40, allow_none=True, metadata={"description": "The clinic's own number."})
    review_on = Day()


class ChangedClinicSchema(Ask):
    """A merge patch of the clinic; within `crisis_resources`, null takes a locale away."""

    name = Words(200)
    time_zone = Zone()
    crisis_resources = ma.fields.Dict(
        keys=Words(35, validate=LOCALE),
        values=ma.fields.Nested(CrisisSchema, allow_none=True),
    )
    ehr_access = Choice(clinic.EHR_ACCESS, metadata={"description": EHR})
    retention_years = Whole(*clinic.RETENTION, metadata={"description": RETENTION})


class ClinicSchema(Show):
    """The clinic; `crisis_resources` by locale."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    name = shown(ma.fields.String)
    time_zone = shown(ma.fields.String)
    crisis_resources = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Nested(CrisisSchema), required=True
    )
    ehr_access = Choice(clinic.EHR_ACCESS, required=True, metadata={"description": EHR})
    retention_years = shown(ma.fields.Integer, metadata={"description": RETENTION})
    suspended_at = shown(Instant, nullable=True, metadata={"description": SUSPENDED})


class LocaleQuery(Ask):
    """Which language and place."""

    locale = Words(35, metadata={"description": "Such as en-US, which also serves the unknown."})


class WordSchema(Show):
    """A code and its name."""

    code = shown(ma.fields.String)
    label = shown(ma.fields.String)
    description = ma.fields.String()


class VocabulariesSchema(Show):
    """Names of codes, by vocabulary; `locale` is the one that was found."""

    locale = shown(ma.fields.String)
    review_on = shown(Day)
    vocabularies = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.Nested(WordSchema)),
        required=True,
    )


class PromptSchema(Show):
    """A question, what is said beside it, and the kind of entry that answers it."""

    key = shown(ma.fields.String)
    text = shown(ma.fields.String)
    beside = shown(ma.fields.String, nullable=True)
    answer_with = shown(ma.fields.String)


class PromptsSchema(Show):
    """The questions asked of patients; `locale` is the one that was found."""

    locale = shown(ma.fields.String)
    review_on = shown(Day)
    prompts = Many(ma.fields.Nested(PromptSchema), required=True)


@blp.offer("GET", "/clinic", "clinic:read", answer=ClinicSchema)
def read_clinic(actor: Actor) -> Values:
    """Read the clinic's settings."""
    return clinic.read_clinic(actor)


@blp.offer(
    "PATCH",
    "/clinic",
    "clinic:update",
    body=ChangedClinicSchema,
    answer=ClinicSchema,
    example={"crisis_resources": {"en-US": {"emergency": "911", "review_on": "2027-06-01"}}},
)
def change_clinic(actor: Actor, version: int | None, values: Values) -> Values:
    """Change the clinic's settings.

    Needs a sign-in of the last five minutes. Crisis resources are merged locale by locale.
    """
    return clinic.change_clinic(actor, version, values)


@blp.offer("GET", "/vocabularies", "words:read", query=LocaleQuery, answer=VocabulariesSchema)
def read_vocabularies(actor: Actor, **asked: Any) -> Values:
    """Read the names of every code.

    Labels for people, by locale, with the date on which they are due for review.
    """
    return words.read_vocabularies(actor, **asked)


@blp.offer("GET", "/prompts", "words:read", query=LocaleQuery, answer=PromptsSchema)
def read_prompts(actor: Actor, **asked: Any) -> Values:
    """Read the questions that patients are asked."""
    return words.read_prompts(actor, **asked)
