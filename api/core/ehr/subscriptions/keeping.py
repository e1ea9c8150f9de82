"""Subscriptions as their clients keep them: begun, read, and ended."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select

from api import clock
from api.access.policies import Actor, Grant
from api.audit import trail
from api.core import gate
from api.core.clients import ehr_clients
from api.core.ehr.source import Condition, Source
from api.core.ehr.subscriptions.tables import (
    CANCELLED,
    HANDSHAKE,
    MOST,
    PENDING,
    REQUESTED,
    ehr_notifications,
    ehr_subscriptions,
)
from api.db import Values, found, store
from api.errors import Invalid, NotFound, TooMany
from api.outbox import egress

SUBSCRIBES: Final = "fhir:subscribe"


def begin_subscription(actor: Actor, values: Values) -> Values:
    """A new subscription: its receiver is shaken hands with before anything is sent.

    Raises `Invalid` for an address that is none outside, and `TooMany` past twenty.
    """
    gate.admit(actor, SUBSCRIBES)
    try:
        egress.read_url(values["endpoint"])
    except egress.NotSent:
        detail = "An https:// address of a host outside, on port 443, without a password."
        raise Invalid([("/Subscription/channel/endpoint", detail)]) from None
    _look_at_number(actor)
    mine = {"clinic_id": actor.clinic_id, "client_id": actor.user_id}
    begun = {"status": REQUESTED, "events": 0, "failures": 0}
    row = store().add(ehr_subscriptions, values | mine | begun)
    store().add(ehr_notifications, first_of(row) | {"type": HANDSHAKE})
    trail.about("Subscription", row["id"])
    trail.wrote(values)
    return row


def first_of(row: Values) -> Values:
    """A notification that waits, of nothing yet."""
    now = clock.now()
    return {
        "clinic_id": row["clinic_id"],
        "subscription_id": row["id"],
        "number": row["events"],
        "state": PENDING,
        "attempts": 0,
        "next_at": now,
        "happened_at": now,
    }


def _look_at_number(actor: Actor) -> None:
    c, s = ehr_clients.c, ehr_subscriptions.c
    mine = select(c.id).where(c.clinic_id == actor.clinic_id, c.id == actor.user_id)
    store().execute(mine.with_for_update(key_share=True))
    count = select(func.count().label("n")).where(
        s.clinic_id == actor.clinic_id, s.client_id == actor.user_id, s.deleted_at.is_(None)
    )
    row = store().row(count)
    if row is not None and row["n"] >= MOST:
        raise TooMany("Delete a subscription first.", 60)


def read_subscription(actor: Actor, subscription_id: str) -> Values:
    """A subscription of this client as it is kept; else `NotFound`."""
    gate.admit(actor, SUBSCRIBES)
    try:
        asked = UUID(subscription_id)
    except ValueError:
        raise NotFound("There is no such resource.") from None
    s = ehr_subscriptions.c
    mine = [s.clinic_id == actor.clinic_id, s.client_id == actor.user_id, s.deleted_at.is_(None)]
    one = select(ehr_subscriptions).where(*mine, s.id == asked)
    return found(store().row(one, opens=ehr_subscriptions))


def end_subscription(actor: Actor, subscription_id: UUID) -> None:
    """The subscription is no more, and nothing that waits for it is sent."""
    gate.admit(actor, SUBSCRIBES)
    trail.about("Subscription", subscription_id)
    s = ehr_subscriptions.c
    mine = [s.clinic_id == actor.clinic_id, s.client_id == actor.user_id, s.deleted_at.is_(None)]
    one = select(ehr_subscriptions).where(*mine, s.id == subscription_id).with_for_update()
    row = found(store().row(one))
    store().remove(ehr_subscriptions, row)
    cancel(row)


def cancel(row: Values) -> None:
    """Nothing that waits for a subscription is sent any more."""
    n = ehr_notifications.c
    waits = [n.clinic_id == row["clinic_id"], n.subscription_id == row["id"], n.state == PENDING]
    gone: dict[str, Any] = {"state": CANCELLED, "next_at": None, "leased_until": None}
    changed = ehr_notifications.update().where(*waits)
    store().execute(changed.values(**gone, version=n.version + 1, updated_at=clock.now()))


def _own(reader: Actor, _granted: Grant) -> Iterable[Condition]:
    """A client's own subscriptions, and no other's."""
    yield ehr_subscriptions.c.client_id == reader.user_id


SUBSCRIPTIONS: Final = Source("ehr_subscriptions", ehr_subscriptions, limits=_own)
