"""Webhooks over v1: whom the clinic tells of what happens, and whether they heard it."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import webhooks
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Flag, Instant, Many, Show, Words, shown
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("webhooks", "Events, delivered to other systems as Standard Webhooks.")
MAX_URL = 500


class NewWebhookSchema(Ask):
    """A receiver and the events it wants."""

    url = Words(MAX_URL, required=True, metadata={"format": "uri"})
    events = Many(Choice(webhooks.EVENTS), least=1, most=len(webhooks.EVENTS), required=True)
    sign_with_ed25519 = Flag(
        load_default=False,
        metadata={"description": "Sign with Ed25519 (`v1a`) as well; `public_key` is answered."},
    )


class ChangedWebhookSchema(Ask):
    """A merge patch of a webhook; `enabled` switches it off, and on again."""

    url = Words(MAX_URL, metadata={"format": "uri"})
    events = Many(Choice(webhooks.EVENTS), least=1, most=len(webhooks.EVENTS))
    enabled = Flag()


class WebhookSchema(Show):
    """A webhook. `disabled_for` says `gone` when the receiver answered 410."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    created_by = shown(ma.fields.UUID)
    url = shown(ma.fields.String)
    events = Many(Choice(webhooks.EVENTS), required=True)
    enabled = shown(ma.fields.Boolean)
    disabled_for = Choice(webhooks.DISABLED_FOR, required=True, allow_none=True)
    former_until = shown(
        Instant,
        nullable=True,
        metadata={"description": "Until when the secret before this one signs as well."},
    )
    public_key = shown(ma.fields.String, nullable=True)


class CreatedWebhookSchema(WebhookSchema):
    """A new webhook with its secret, which is shown this once."""

    secret = shown(ma.fields.String, metadata={"description": "`whsec_...`; keep it."})


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    state = Choice(webhooks.STATES)


class DeliverySchema(Show):
    """One event for one webhook; `event_id` is the `webhook-id` under which it is sent."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    webhook_id = shown(ma.fields.UUID)
    event_id = shown(ma.fields.UUID)
    event = Choice(webhooks.EVENTS, required=True)
    happened_at = shown(Instant)
    state = Choice(webhooks.STATES, required=True)
    attempts = shown(ma.fields.Integer)
    next_at = shown(Instant, nullable=True)
    last_attempt_at = shown(Instant, nullable=True)
    last_status = shown(ma.fields.Integer, nullable=True)
    last_failure = Choice(webhooks.FAILURES, required=True, allow_none=True)
    delivered_at = shown(Instant, nullable=True)


class EventSchema(Show):
    """What a webhook is sent. `data` holds ids by name, and nothing else."""

    type = Choice(webhooks.EVENTS, required=True)
    timestamp = shown(Instant)
    data = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.UUID(), required=True)


HEADERS = {
    "webhook-id": "The id of the event; the same when it is sent again.",
    "webhook-timestamp": "When it was sent, in seconds since 1970; refuse what is long ago.",
    "webhook-signature": "`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64, "
    "one by each secret after a change of it; "
    "after a space `v1a,` and the Ed25519 signature, if asked for.",
}
"""What each delivery carries, as Standard Webhooks has it."""


def documented() -> dict[str, Any]:
    """The events as the document's `webhooks` lists them."""
    return {name: {"post": _documented(name, said)} for name, said in webhooks.EVENTS.items()}


def _documented(name: str, said: str) -> dict[str, Any]:
    body = {"schema": {"$ref": "#/components/schemas/Event"}}
    headers = [
        {
            "name": header,
            "in": "header",
            "required": True,
            "description": about,
            "schema": {"type": "string"},
        }
        for header, about in HEADERS.items()
    ]
    return {
        "operationId": "on_" + name.replace(".", "_"),
        "summary": said,
        "parameters": headers,
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "2XX": {"description": "You have it; it is not sent again."},
            "410": {"description": "You want no more; the webhook is disabled."},
        },
        "security": [],
    }


EXAMPLE = {"url": "https://hooks.clinic.example/freshtrail", "events": ["check_in.completed"]}


@blp.offer("GET", "/webhooks", "webhook:read", answer=WebhookSchema, paged=True)
def list_webhooks(actor: Actor, **asked: Any) -> Listing:
    """List the clinic's webhooks."""
    return webhooks.list_webhooks(actor, **asked)


@blp.offer(
    "POST",
    "/webhooks",
    "webhook:manage",
    body=NewWebhookSchema,
    answer=CreatedWebhookSchema,
    location="/api/v1/webhooks/{id}",
    example=EXAMPLE,
    errors=(409,),
)
def create_webhook(actor: Actor, values: Values) -> Values:
    """Create a webhook and get its secret.

    Needs a sign-in of the last five minutes. The address is https on port 443 of a public host.
    What is sent is listed under `webhooks` of this document: ids alone, signed as Standard Webhooks
    has it. Answer 2xx within 15 seconds; else it comes again, ten times in about three days, under
    the same `webhook-id`. 410 disables the webhook.
    """
    return webhooks.create_webhook(actor, values)


@blp.offer("GET", "/webhooks/<id:webhook_id>", "webhook:read", answer=WebhookSchema)
def read_webhook(actor: Actor, webhook_id: Any) -> Values:
    """Read a webhook, without its secret."""
    return webhooks.read_webhook(actor, webhook_id)


@blp.offer(
    "PATCH",
    "/webhooks/<id:webhook_id>",
    "webhook:manage",
    body=ChangedWebhookSchema,
    answer=WebhookSchema,
    example={"enabled": True},
)
def change_webhook(actor: Actor, webhook_id: Any, version: int | None, values: Values) -> Values:
    """Change a webhook, or switch it off and on.

    Needs a sign-in of the last five minutes. What happens while it is off is not sent later.
    """
    return webhooks.change_webhook(actor, webhook_id, version, values)


@blp.offer(
    "POST",
    "/webhooks/<id:webhook_id>/rotate-secret",
    "webhook:manage",
    answer=CreatedWebhookSchema,
)
def rotate_webhook_secret(actor: Actor, webhook_id: Any) -> Values:
    """Rotate the secret of a webhook.

    Needs a sign-in of the last five minutes. The new secret is shown this once. For 24 hours each
    delivery is signed with both: `webhook-signature` then holds two `v1` signatures.
    """
    return webhooks.rotate_webhook_secret(actor, webhook_id)


@blp.offer("DELETE", "/webhooks/<id:webhook_id>", "webhook:manage", status=204)
def remove_webhook(actor: Actor, webhook_id: Any, version: int | None) -> None:
    """Remove a webhook.

    Needs a sign-in of the last five minutes. What waits to be sent is not sent any more.
    """
    webhooks.remove_webhook(actor, webhook_id, version)


@blp.offer(
    "GET",
    "/webhooks/<id:webhook_id>/deliveries",
    "webhook:read",
    query=DeliveryQuery,
    answer=DeliverySchema,
    paged=True,
)
def list_deliveries(actor: Actor, webhook_id: Any, **asked: Any) -> Listing:
    """List what was sent to a webhook, and what came of it.

    The latest event first. What a receiver wrote in its answer is not kept.
    """
    return webhooks.list_deliveries(actor, webhook_id, **asked)


@blp.offer(
    "POST",
    "/webhooks/<id:webhook_id>/deliveries/<id:delivery_id>/redeliver",
    "webhook:manage",
    answer=DeliverySchema,
    status=202,
)
def redeliver_event(actor: Actor, webhook_id: Any, delivery_id: Any) -> Values:
    """Send an event once more.

    Needs a sign-in of the last five minutes. It is sent under the same `webhook-id`.
    """
    return webhooks.redeliver_event(actor, webhook_id, delivery_id)
