"""One-use check-in links over v1: made by the care team, opened and answered by their token."""

from typing import Any

import marshmallow as ma
from flask import after_this_request, g

from api.access.policies import Actor
from api.core.outcomes import links
from api.paging import Listing, Values
from api.v1.bearers import known_by_token
from api.v1.checkin_shapes import AnsweredCheckInSchema, Answers
from api.v1.clinic import CrisisSchema
from api.v1.forms import Ask, Choice, Id, Instant, Show, Words, shown
from api.v1.instrument_shapes import PatientInstrumentSchema
from api.v1.resource import Blueprint, idempotency_key

blp = Blueprint("check-in-links", "A form for one answer, without a sign-in.")
OF_PATIENT = "/patients/<id:patient_id>/check-in-links"
HELD = "/check-in-links/<string:token>"


class NewCheckInLinkSchema(Ask):
    """For which instrument."""

    instrument = Words(60, required=True, metadata={"description": "The key, such as phq-9."})


class CheckInLinkSchema(Show):
    """A link, with its token shown this once: send it to nobody but the patient."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    instrument = shown(ma.fields.String)
    expires_at = shown(Instant)
    token = shown(ma.fields.String)
    address = shown(ma.fields.String, metadata={"description": "Where form and answers go."})


class MadeCheckInLinkSchema(Show):
    """A link that was made, and what became of it; its token is not kept."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    instrument = shown(ma.fields.String)
    state = Choice(links.STATES, required=True)
    expires_at = shown(Instant)
    used_at = shown(Instant, nullable=True)
    withdrawn_at = shown(Instant, nullable=True)
    check_in_id = shown(Id, nullable=True)


class CheckInLinkFormSchema(Show):
    """The form, and what must be known before its first question."""

    crisis = ma.fields.Nested(CrisisSchema, required=True)
    words = shown(ma.fields.String)
    expires_at = shown(Instant)
    instrument = ma.fields.Nested(PatientInstrumentSchema, required=True)


class LinkAnswersSchema(Ask):
    """The answers, all at once."""

    answers = Answers(required=True)
    answered_at = Instant(metadata={"description": "When they were given; not ahead."})


known_by_token(blp, links.bearer_of)


@blp.offer(
    "POST",
    OF_PATIENT,
    "check_in_link:make",
    body=NewCheckInLinkSchema,
    answer=CheckInLinkSchema,
    status=201,
    example={"instrument": "phq-9"},
)
def make_check_in_link(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Make a link for one check-in.

    Good once and for 72 hours; it opens the form and nothing of the chart. A former one for the
    same instrument that was not used is good no more. 409 `instrument_text_missing` while there
    is no wording to show.
    """
    return links.make_check_in_link(actor, patient_id, values)


@blp.offer("GET", OF_PATIENT, "check_in_link:read", answer=MadeCheckInLinkSchema, paged=True)
def list_check_in_links(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List the links that were made for a patient.

    The newest first, with what became of each, and never with the token.
    """
    return links.list_check_in_links(actor, patient_id, **asked)


@blp.offer(
    "DELETE",
    f"{OF_PATIENT}/<id:link_id>",
    "check_in_link:make",
    status=204,
    errors=(409,),
)
def withdraw_check_in_link(
    actor: Actor, patient_id: Any, link_id: Any, version: int | None
) -> None:
    """Withdraw a check-in link.

    It is good no more and stays in the list. 409 when it was used, or is over already.
    """
    links.withdraw_check_in_link(actor, patient_id, link_id, version)


@blp.offer("GET", HELD, None, answer=CheckInLinkFormSchema, derived=True, errors=(404, 409))
def open_check_in_link(token: str) -> Values:
    """Open the form of a check-in link.

    To open it does not use it up. A token that is unknown, used or over is 404.
    """
    return links.open_check_in_link(g.actor)


@blp.offer(
    "POST",
    HELD,
    None,
    body=LinkAnswersSchema,
    answer=AnsweredCheckInSchema,
    status=201,
    heard=lambda actor, token, said: links.hear_refused_link(actor, said),
    errors=(404, 409),
    example={"answers": {"gad7-1": 0, "gad7-2": None}},
)
def answer_check_in_link(token: str, values: Values) -> Values:
    """Answer the form of a check-in link.

    The check-in is complete, whatever was left open, and the link is used. The same answers with
    the same `Idempotency-Key` are answered again for 24 hours.
    """
    answer, replayed = links.answer_check_in_link(g.actor, values, idempotency_key())
    if replayed:
        after_this_request(_say_replayed)
    return answer


def _say_replayed(response: Any) -> Any:
    response.headers["Idempotent-Replayed"] = "true"
    return response
