"""Moments over v1: "I handled that differently", in the words of who noticed."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.integration import moments
from api.core.integration.tables import NOTICED_BY
from api.paging import Listing, Values
from api.v1.entries import WINDOW_DAY, EntrySchema, sharing
from api.v1.forms import Ask, Choice, Day, Flag, Id, Instant, Many, Words, shown
from api.v1.practices import PracticeRefSchema
from api.v1.replies import MOST as REPLIES, ReplySchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("moments", "Unprompted changes that somebody noticed.")
ONE = "/moments/<id:moment_id>"
OF_PATIENT = "/patients/<id:patient_id>/moments"
WORDS_OF = "Whose words the text is; default: whoever wrote it down."
HINDSIGHT = "Whether it was noticed only in hindsight; null when nobody said."


class MomentFields(Ask):
    """What may be written of a moment."""

    happened_on = Day(allow_none=True)
    noticed_at = Instant(metadata={"description": "Default now; not ahead."})
    noticed_by = Choice(NOTICED_BY, metadata={"description": "Default: whoever writes."})
    hindsight = Flag(allow_none=True, metadata={"description": HINDSIGHT})
    practice_id = Id(allow_none=True)
    session_id = Id(allow_none=True)
    in_words_of = Choice(NOTICED_BY, allow_none=True, metadata={"description": WORDS_OF})
    shared_with = sharing()


class NewMomentSchema(MomentFields):
    """A moment as it is noticed."""

    text = Words(4000, required=True)


class ChangedMomentSchema(MomentFields):
    """A merge patch of a moment: absent = unchanged, null = cleared."""

    text = Words(4000)


class MomentSchema(EntrySchema):
    """A moment, word by word. It is counted, and never weighed into a trail."""

    text = shown(ma.fields.String)
    happened_on = shown(Day, nullable=True)
    noticed_at = shown(Instant)
    noticed_by = Choice(NOTICED_BY, required=True)
    hindsight = shown(ma.fields.Boolean, nullable=True, metadata={"description": HINDSIGHT})
    practice = ma.fields.Nested(PracticeRefSchema, required=True, allow_none=True)
    practice_id = shown(ma.fields.UUID, nullable=True)
    session_id = shown(ma.fields.UUID, nullable=True)
    in_words_of = Choice(NOTICED_BY, required=True, metadata={"description": WORDS_OF})
    window_day = shown(ma.fields.Integer, nullable=True, metadata=WINDOW_DAY)
    replies = Many(ma.fields.Nested(ReplySchema), required=True, most=REPLIES)


class MomentQuery(PageQuery):
    """Which of a patient's moments."""

    practice_id = Id()
    session_id = Id()


@blp.offer("GET", OF_PATIENT, "moment:read", query=MomentQuery, answer=MomentSchema, paged=True)
def list_moments(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's moments, the newest first."""
    return moments.list_moments(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "moment:notice",
    body=NewMomentSchema,
    answer=MomentSchema,
    location="/api/v1/moments/{id}",
    example={"text": "I noticed afterwards that I had not raised my voice."},
)
def notice_moment(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Write down a moment that was handled differently.

    The text is kept word by word.
    """
    return moments.notice_moment(actor, patient_id, values)


@blp.offer("GET", ONE, "moment:read", answer=MomentSchema, derived=True)
def read_moment(actor: Actor, moment_id: Any) -> Values:
    """Read a moment."""
    return moments.read_moment(actor, moment_id)


@blp.offer(
    "PATCH",
    ONE,
    "moment:update",
    body=ChangedMomentSchema,
    answer=MomentSchema,
    example={"hindsight": True},
)
def change_moment(actor: Actor, moment_id: Any, version: int | None, values: Values) -> Values:
    """Change a moment or with whom it is shared.

    The text is changed by who wrote it, patient or clinicians; the sharing is the patient's alone.
    """
    return moments.change_moment(actor, moment_id, version, values)


@blp.offer("DELETE", ONE, "moment:update", status=204)
def remove_moment(actor: Actor, moment_id: Any, version: int | None) -> None:
    """Remove a moment."""
    return moments.remove_moment(actor, moment_id, version)
