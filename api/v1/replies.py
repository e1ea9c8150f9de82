"""Replies over v1: what the care team answers to a step or a moment; a kind word costs one call."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.integration import replies
from api.paging import Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Instant, Show, Words, shown
from api.v1.resource import Blueprint

blp = Blueprint("replies", "What the care team answers to a step or a moment.")
MOST = 500
"""The most replies that one answer shows."""
EXAMPLE = {"text": "I was glad to read this."}


class NewReplySchema(Ask):
    """A reply as it is written."""

    text = Words(4000, required=True)


class ReplySchema(Show):
    """A reply, in the words of the clinician who wrote it."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    text = shown(ma.fields.String)
    clinician = ma.fields.Nested(ClinicianRefSchema, required=True)


@blp.offer(
    "POST",
    "/steps/<id:step_id>/replies",
    "reply:write",
    body=NewReplySchema,
    answer=ReplySchema,
    location="/api/v1/steps/{step_id}",
    example=EXAMPLE,
)
def reply_to_step(actor: Actor, step_id: Any, values: Values) -> Values:
    """Reply to a step.

    The patient reads it in the answer of the step, which `Location` names.
    """
    return replies.reply_to_step(actor, step_id, values)


@blp.offer(
    "POST",
    "/moments/<id:moment_id>/replies",
    "reply:write",
    body=NewReplySchema,
    answer=ReplySchema,
    location="/api/v1/moments/{moment_id}",
    example=EXAMPLE,
)
def reply_to_moment(actor: Actor, moment_id: Any, values: Values) -> Values:
    """Reply to a moment.

    The patient reads it in the answer of the moment, which `Location` names.
    """
    return replies.reply_to_moment(actor, moment_id, values)
