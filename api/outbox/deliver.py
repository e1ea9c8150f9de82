"""Delivery: each event goes to those who asked for it, again and again until it is taken.

Every step is a short transaction of its own, and the network is spoken to between them, so that
no writer waits for a receiver. A step that a killed worker left half done is done anew: the event
keeps its id, by which a receiver knows what it had already.
"""

import json
import logging
import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Uuid,
    and_,
    column,
    exists,
    func,
    or_,
    select,
    table as plain_table,
)

from api import clock
from api.db import Store, Values
from api.outbox import egress, signing
from api.outbox.events import outbox_events
from api.outbox.tables import (
    CANCELLED,
    DELIVERED,
    FAILED,
    GONE,
    PENDING,
    here,
    webhook_deliveries,
    webhooks,
)

log = logging.getLogger("freshtrail.outbox")
RETRIES = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24)))
)
"""How long after each failed attempt the next one comes: ten attempts in about three days."""
JITTER = 0.1
"""By which share a wait is longer or shorter, so that not all come back at once."""
LEASE = timedelta(seconds=60)
"""How long a delivery belongs to the worker that took it; longer than any exchange lasts."""
AT_ONCE = 2
"""How many deliveries to one webhook run at a time, so that a slow one does not hold up others."""
NO_CONTENT, MULTIPLE, GONE_STATUS = 200, 300, 410

_users = plain_table(
    "users",
    *(column(name, Uuid) for name in ("clinic_id", "id")),
    column("disabled_at"),
    column("deleted_at"),
)
"""Of people, all that is asked here is whether whoever made a webhook still works in the clinic."""


@dataclass(frozen=True)
class Job:
    """One delivery that a worker has taken: where it goes, what it says, until when it may."""

    clinic_id: UUID
    delivery_id: UUID
    webhook_id: UUID
    event_id: UUID
    attempts: int
    leased_until: datetime
    url: str
    body: bytes
    secrets: tuple[str, ...]
    key: str | None


@dataclass(frozen=True)
class Outcome:
    """What the receiver answered, or why it answered nothing."""

    status: int | None = None
    failure: str | None = None

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has it: 2xx alone; a redirect is a failure."""
        return self.status is not None and NO_CONTENT <= self.status < MULTIPLE


def clinics_due() -> Select[Any]:
    """A select of the clinics with a delivery that is due, the one that waits longest first."""
    d, moment = webhook_deliveries.c, clock.now()
    is_free = or_(d.leased_until.is_(None), d.leased_until <= moment)
    due = select(d.clinic_id).where(d.state == PENDING, d.next_at <= moment, is_free)
    return due.group_by(d.clinic_id).order_by(func.min(d.next_at))


def take(store: Store) -> Job | None:
    """Take the delivery that has been due the longest; None when nothing is."""
    moment = clock.now()
    row = store.row(next_due(moment).where(here(store, webhook_deliveries)))
    if row is None:
        return None
    leased = {"leased_until": moment + LEASE, "attempts": row["attempts"] + 1}
    return _job(store, store.change(webhook_deliveries, row, leased | {"last_attempt_at": moment}))


def next_due(moment: datetime) -> Select[Any]:
    """A select of the delivery that has been due the longest, taken from under nobody's hand."""
    d, w = webhook_deliveries.c, webhooks.c
    theirs = and_(w.clinic_id == d.clinic_id, w.id == d.webhook_id)
    return (
        select(webhook_deliveries)
        .join(webhooks, theirs)
        .where(d.state == PENDING, d.next_at <= moment, _is_free(moment), _listens())
        .order_by(d.next_at, d.id)
        .limit(1)
        .with_for_update(of=webhook_deliveries, skip_locked=True)
    )


def _is_free(moment: datetime) -> ColumnElement[bool]:
    """Nobody is at it, and not too many are at others for the same webhook."""
    d, other = webhook_deliveries.c, webhook_deliveries.alias("other")
    running = (
        select(func.count())
        .select_from(other)
        .where(
            other.c.clinic_id == d.clinic_id,
            other.c.webhook_id == d.webhook_id,
            other.c.state == PENDING,
            other.c.leased_until > moment,
        )
        .correlate(webhook_deliveries)
        .scalar_subquery()
    )
    return and_(or_(d.leased_until.is_(None), d.leased_until <= moment), running < AT_ONCE)


def _listens() -> ColumnElement[bool]:
    """The webhook is not disabled, and whoever made it still works in the clinic."""
    w, u = webhooks.c, _users.c
    owner = exists().where(
        u.clinic_id == w.clinic_id,
        u.id == w.created_by,
        u.disabled_at.is_(None),
        u.deleted_at.is_(None),
    )
    return and_(w.deleted_at.is_(None), w.disabled_at.is_(None), owner)


def _job(store: Store, row: Values) -> Job:
    w, e = webhooks.c, outbox_events.c
    mine = [w.clinic_id == row["clinic_id"], w.id == row["webhook_id"]]
    hook = store.row(select(webhooks).where(*mine), opens=webhooks)
    same = [e.clinic_id == row["clinic_id"], e.id == row["event_id"]]
    event = store.row(select(outbox_events).where(*same))
    assert hook is not None and event is not None
    return Job(
        row["clinic_id"],
        row["id"],
        hook["id"],
        event["id"],
        row["attempts"],
        row["leased_until"],
        hook["url"],
        message(event),
        _secrets(hook),
        hook["ed25519_key"],
    )


def _secrets(hook: Values) -> tuple[str, ...]:
    """The secrets that sign: the webhook's own, and for a day the one before it."""
    until = hook["former_until"]
    signs = until is not None and until > clock.now()
    return (hook["secret"], hook["former_secret"]) if signs else (hook["secret"],)


def message(event: Values) -> bytes:
    """The body of a delivery: what happened, when, and to which ids; nothing else."""
    at = event["at"].isoformat().replace("+00:00", "Z")
    said = {"type": event["name"], "timestamp": at, "data": event["subject"]}
    return json.dumps(said, separators=(",", ":")).encode()


def send(job: Job) -> Outcome:
    """What came of one attempt; outside of any transaction."""
    message_id, now = str(job.event_id), int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Freshtrail",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signing.sign(message_id, now, job.body, job.secrets, job.key),
    }
    try:
        status = egress.post(job.url, job.body, headers)
    except egress.NotSent as reason:
        return Outcome(failure=reason.why)
    return Outcome(status, None if NO_CONTENT <= status < MULTIPLE else "status")


def settle(store: Store, job: Job, outcome: Outcome) -> None:
    """Keep what came of an attempt, unless the lease ran out and the delivery is another's."""
    d = webhook_deliveries.c
    mine = [d.clinic_id == job.clinic_id, d.id == job.delivery_id]
    held = [d.state == PENDING, d.leased_until == job.leased_until]
    row = store.row(select(webhook_deliveries).where(*mine, *held).with_for_update())
    if row is None:
        return
    told = {"last_status": outcome.status, "last_failure": outcome.failure, "leased_until": None}
    store.change(webhook_deliveries, row, told | _what_next(job, outcome))
    if outcome.status == GONE_STATUS:
        _disable(store, job)


def _what_next(job: Job, outcome: Outcome) -> dict[str, Any]:
    if outcome.is_taken:
        return {"state": DELIVERED, "delivered_at": clock.now(), "next_at": None}
    if outcome.status == GONE_STATUS or job.attempts > len(RETRIES):
        return {"state": FAILED, "next_at": None}
    wait = RETRIES[job.attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    return {"next_at": clock.now() + wait}


def _disable(store: Store, job: Job) -> None:
    """The receiver is gone for good (410): nothing more is sent there."""
    w = webhooks.c
    mine = [w.clinic_id == job.clinic_id, w.id == job.webhook_id, w.disabled_at.is_(None)]
    hook = store.row(select(webhooks).where(*mine).with_for_update())
    if hook is not None:
        store.change(webhooks, hook, {"disabled_at": clock.now(), "disabled_for": GONE})
        cancel_pending(store, job.clinic_id, job.webhook_id)


def cancel_pending(store: Store, clinic_id: UUID, webhook_id: UUID) -> None:
    """Nothing that waits for the webhook is sent any more."""
    d = webhook_deliveries.c
    waiting = [d.clinic_id == clinic_id, d.webhook_id == webhook_id, d.state == PENDING]
    gone = {"state": CANCELLED, "next_at": None, "leased_until": None, "version": d.version + 1}
    changed = webhook_deliveries.update().where(*waiting)
    store.execute(changed.values(**gone, updated_at=clock.now()))
