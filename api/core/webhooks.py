"""Webhooks: who outside is told of which events, with which secret, and what became of it."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, select

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.db import Listing, Page, Values, found, match, page, store
from api.errors import Conflict, Invalid
from api.outbox import deliver, egress, signing
from api.outbox.events import EVENTS as EVENTS, outbox_events
from api.outbox.tables import (
    BY_HAND,
    DISABLED_FOR as DISABLED_FOR,
    FAILURES as FAILURES,
    PENDING,
    STATES as STATES,
    webhook_deliveries,
    webhooks,
)

MAX_WEBHOOKS = 20
"""Webhooks of one clinic; each event is sent to every one that asked for it."""
FORMER_SIGNS: Final = timedelta(hours=24)
"""How long the former secret signs beside the new one, so that a receiver may change over."""
INTERNAL = ("secret", "former_secret", "ed25519_key", "clinic_id", "deleted_at", "disabled_at")


def list_webhooks(actor: Actor, asked: Page) -> Listing:
    """The clinic's webhooks, in the order in which they were made."""
    gate.admit(actor, "webhook:read")
    mine = select(webhooks).where(webhooks.c.clinic_id == actor.clinic_id)
    listing = page(mine, webhooks, asked, opens=webhooks)
    listing.items = [_show(row) for row in listing.items]
    return listing


def create_webhook(actor: Actor, values: Values) -> Values:
    """A new webhook; its secret is told this once."""
    gate.admit(actor, "webhook:manage")
    _check(values)
    _refuse_too_many(actor)
    given = dict(values)
    wants_key = given.pop("sign_with_ed25519", False)
    by = {"clinic_id": actor.clinic_id, "created_by": actor.user_id}
    keys = {"secret": signing.new_secret(), "ed25519_key": signing.new_key() if wants_key else None}
    row = store().add(webhooks, given | by | keys)
    trail.about("webhook", row["id"])
    trail.wrote(values)
    return _show(row) | {"secret": row["secret"]}


def read_webhook(actor: Actor, webhook_id: UUID) -> Values:
    """One webhook, without its secret."""
    gate.admit(actor, "webhook:read")
    return _show(_find(actor, webhook_id))


def change_webhook(actor: Actor, webhook_id: UUID, version: int | None, values: Values) -> Values:
    """Another address, other events, or switched off and on; what was off missed what happened."""
    gate.admit(actor, "webhook:manage")
    row = _find(actor, webhook_id, hold=True)
    match(row, version)
    _check(values)
    trail.wrote(values)
    after = store().change(webhooks, row, _switched(row, dict(values))) if values else row
    if after["disabled_at"] is not None and row["disabled_at"] is None:
        deliver.cancel_pending(store(), actor.clinic_id, webhook_id)
    return _show(after)


def rotate_webhook_secret(actor: Actor, webhook_id: UUID) -> Values:
    """A new secret, told this once; the old one signs beside it for a day, the one before no more.

    A webhook has at most two secrets at a time, so that no signature grows without end.
    """
    gate.admit(actor, "webhook:manage")
    row = _find(actor, webhook_id, hold=True)
    until = clock.now() + FORMER_SIGNS
    keys = {"secret": signing.new_secret(), "former_secret": row["secret"], "former_until": until}
    trail.wrote(["secret"])
    after = store().change(webhooks, row, keys)
    return _show(after) | {"secret": after["secret"]}


def remove_webhook(actor: Actor, webhook_id: UUID, version: int | None) -> None:
    """The webhook goes; nothing more is sent to it."""
    gate.admit(actor, "webhook:manage")
    row = _find(actor, webhook_id, hold=True)
    match(row, version)
    store().remove(webhooks, row)
    deliver.cancel_pending(store(), actor.clinic_id, webhook_id)


def list_deliveries(
    actor: Actor, webhook_id: UUID, asked: Page, state: str | None = None
) -> Listing:
    """What was sent or is to be sent to a webhook, the latest event first."""
    gate.admit(actor, "webhook:read")
    _find(actor, webhook_id)
    mine = _deliveries(actor, webhook_id)
    if state is not None:
        mine = mine.where(webhook_deliveries.c.state == state)
    listing = page(mine, webhook_deliveries, asked, newest_first=True)
    listing.items = [_show_delivery(row) for row in listing.items]
    return listing


def redeliver_event(actor: Actor, webhook_id: UUID, delivery_id: UUID) -> Values:
    """Send it once more, under the same id, with all its attempts ahead of it."""
    gate.admit(actor, "webhook:manage")
    hook = _find(actor, webhook_id)
    asked = _deliveries(actor, webhook_id).where(webhook_deliveries.c.id == delivery_id)
    row = found(store().row(asked.with_for_update(of=webhook_deliveries)))
    trail.about("webhook_delivery", delivery_id)
    if hook["disabled_at"] is not None:
        raise Conflict("The webhook is disabled.", state="disabled", allowed=[])
    if row["state"] == PENDING:
        raise Conflict("It is on its way already.", state=PENDING, allowed=[])
    again = {"state": PENDING, "attempts": 0, "next_at": clock.now(), "leased_until": None}
    return _show_delivery(store().change(webhook_deliveries, row, again))


def _find(actor: Actor, webhook_id: UUID, hold: bool = False) -> Values:
    trail.about("webhook", webhook_id)
    one = select(webhooks).where(
        webhooks.c.clinic_id == actor.clinic_id,
        webhooks.c.id == webhook_id,
        webhooks.c.deleted_at.is_(None),
    )
    return found(store().row(one.with_for_update() if hold else one, opens=webhooks))


def _check(values: Values) -> None:
    if "url" in values:
        try:
            egress.read_url(values["url"])
        except egress.NotSent:
            detail = "An https:// address of a host outside, on port 443, without a password."
            raise Invalid([("/url", detail)]) from None


def _refuse_too_many(actor: Actor) -> None:
    mine = select(webhooks.c.id).where(
        webhooks.c.clinic_id == actor.clinic_id, webhooks.c.deleted_at.is_(None)
    )
    if len(store().rows(mine.limit(MAX_WEBHOOKS))) == MAX_WEBHOOKS:
        raise Conflict(f"A clinic has at most {MAX_WEBHOOKS} webhooks.", allowed=[])


def _switched(row: Values, values: Values) -> Values:
    """The values with `enabled` as the columns keep it."""
    enabled = values.pop("enabled", None)
    if enabled is True:
        values |= {"disabled_at": None, "disabled_for": None}
    if enabled is False and row["disabled_at"] is None:
        values |= {"disabled_at": clock.now(), "disabled_for": BY_HAND}
    return values


def _show(row: Values) -> Values:
    key = row["ed25519_key"]
    shown: Values = {name: value for name, value in row.items() if name not in INTERNAL}
    if row["former_until"] is not None and row["former_until"] <= clock.now():
        shown["former_until"] = None
    shown["enabled"] = row["disabled_at"] is None
    shown["public_key"] = None if key is None else signing.public_key(key)
    return shown


def _deliveries(actor: Actor, webhook_id: UUID) -> Any:
    d, e = webhook_deliveries.c, outbox_events.c
    theirs = and_(e.clinic_id == d.clinic_id, e.id == d.event_id)
    named = select(webhook_deliveries, e.name.label("event"), e.at.label("happened_at"))
    return named.join(outbox_events, theirs).where(
        d.clinic_id == actor.clinic_id, d.webhook_id == webhook_id
    )


def _show_delivery(row: Values) -> Values:
    return {name: value for name, value in row.items() if name not in ("clinic_id", "deleted_at")}
