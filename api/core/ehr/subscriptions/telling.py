"""Telling: each event goes to the subscriptions on its topic, tried again for three days.

The machinery is that of webhooks: leases, waits and the guarded way out.
"""

import json
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, or_, select

from api import clock
from api.access.policies import FHIR, Actor
from api.audit import trail
from api.core.clients import active_client
from api.core.clocks import here
from api.core.ehr.subscriptions.keeping import cancel, first_of
from api.core.ehr.subscriptions.tables import (
    ACTIVE,
    CANCELLED,
    DELIVERED,
    ERROR,
    EVENT,
    FAILED,
    HANDSHAKE,
    HEARTBEAT,
    OFF,
    PENDING,
    REQUESTED,
    ehr_notifications,
    ehr_subscriptions,
)
from api.db import Store, Values, new_id, store
from api.outbox import egress, sharing
from api.outbox.deliver import GONE_STATUS, JITTER, LEASE, RETRIES, Outcome

log = logging.getLogger("freshtrail.subscriptions")
MOST_FAILED: Final = 3
"""Notifications that fail for good in a row, after which a subscription is in error."""
HANDSHAKES: Final = 4
"""Attempts to shake hands, the last about half an hour after the first."""
Focus = Callable[[Actor, Values, str], bool]
"""Whether a client may read what a notification would point to, and asked for it."""


@dataclass(frozen=True)
class Job:
    """One notification that a worker has taken."""

    notification: Values
    subscription: Values
    body: bytes


Body = Callable[[Values, Values], bytes]


def share_out(event: Values, topics: Mapping[str, tuple[str, str]], focus: Focus) -> None:
    """Give an event to every active subscription on its topic whose client may know of it.

    `topics` tells of each name of an event on which topic it is, and to what it points.
    """
    if event["name"] not in topics:
        return
    topic, pointed = topics[event["name"]]
    s = ehr_subscriptions.c
    asked = select(ehr_subscriptions).where(
        s.clinic_id == event["clinic_id"],
        s.topic == topic,
        s.status == ACTIVE,
        s.deleted_at.is_(None),
        s.created_at <= event["at"],
        or_(s.ends_at.is_(None), s.ends_at > clock.now()),
    )
    target = pointed.format_map(event["subject"])
    rows = store().rows(asked.order_by(s.id).with_for_update(), opens=ehr_subscriptions)
    for row in rows:
        if _may_know(row, target, focus):
            after = store().change(ehr_subscriptions, row, {"events": row["events"] + 1})
            more = {"event_id": event["id"], "type": EVENT, "focus": target}
            more |= {"happened_at": event["at"]}
            store().add(ehr_notifications, first_of(after) | more)


def _may_know(row: Values, target: str, focus: Focus) -> bool:
    """Whether the client still stands, and reads what the event is about."""
    client = active_client(row["client_id"])
    if client is None:
        return False
    trail.forget()
    actor = Actor(client["id"], client["id"], row["clinic_id"], door=FHIR, request_id=row["id"].hex)
    actor.extras["registered"] = client["scopes"]
    return focus(actor, row, target)


def _is_due() -> list[ColumnElement[bool]]:
    n, now = ehr_notifications.c, clock.now()
    free = or_(n.leased_until.is_(None), n.leased_until <= now)
    return [n.state == PENDING, n.next_at <= now, free]


def clinics_due() -> Select[Any]:
    """A select of the clinics with a notification that is due, the longest wait first."""
    n = ehr_notifications.c
    due = select(n.clinic_id).where(*_is_due())
    return due.group_by(n.clinic_id).order_by(func.min(n.next_at))


def take(open_store: Store, body: Body, focus: Focus) -> Job | None:
    """Take the notification that has been due the longest; None when nothing is.

    One whose client may no longer know of it is not sent.
    """
    n, now = ehr_notifications.c, clock.now()
    due = select(ehr_notifications).where(here(ehr_notifications), *_is_due())
    first = due.order_by(n.next_at, n.id).limit(1).with_for_update(skip_locked=True)
    while (row := open_store.row(first)) is not None:
        subscription = _subscription(open_store, row)
        if subscription is not None and _waits(row, subscription):
            open_store.change(ehr_notifications, row, _next_beat(subscription))
            continue
        if subscription is not None and _is_owed(row, subscription, focus):
            leased = {"leased_until": now + LEASE, "attempts": row["attempts"] + 1}
            held = open_store.change(ehr_notifications, row, leased)
            return Job(held, subscription, body(subscription, _as_sent(held)))
        gone = {"state": CANCELLED, "next_at": None, "leased_until": None}
        open_store.change(ehr_notifications, row, gone)
    return None


def _subscription(open_store: Store, row: Values, hold: bool = False) -> Values | None:
    s = ehr_subscriptions.c
    mine = [s.clinic_id == row["clinic_id"], s.id == row["subscription_id"]]
    one = select(ehr_subscriptions).where(*mine, s.deleted_at.is_(None), s.status != OFF)
    return open_store.row(one.with_for_update() if hold else one, opens=ehr_subscriptions)


def _is_over(subscription: Values) -> bool:
    """Whether the time that it was meant for has passed."""
    return subscription["ends_at"] is not None and bool(subscription["ends_at"] <= clock.now())


def _is_owed(row: Values, subscription: Values, focus: Focus) -> bool:
    if row["type"] == HEARTBEAT and _is_over(subscription):
        return False
    if row["focus"] is None:
        return active_client(subscription["client_id"]) is not None
    return _may_know(subscription, row["focus"], focus)


def _waits(row: Values, subscription: Values) -> bool:
    """Whether a heartbeat is due while the subscription tells of nothing: it is in error."""
    return bool(row["type"] == HEARTBEAT and subscription["status"] == ERROR)


def _next_beat(subscription: Values) -> Values:
    """When a heartbeat comes next; each is tried once, for the next one says the same."""
    next_at = clock.now() + timedelta(seconds=subscription["heartbeat_s"])
    return {"next_at": next_at, "attempts": 0}


def _as_sent(row: Values) -> Values:
    """The notification as its body names it: each heartbeat is another message."""
    if row["type"] != HEARTBEAT:
        return row
    return row | {"id": new_id(), "happened_at": clock.now()}


def send(job: Job) -> Outcome:
    """What came of one attempt; outside of any transaction."""
    told = json.loads(job.subscription["header"] or "{}")
    headers = {**told, "Content-Type": "application/fhir+json", "User-Agent": "Freshtrail"}
    try:
        status = egress.post(job.subscription["endpoint"], job.body, headers)
    except egress.NotSent as reason:
        return Outcome(failure=reason.why)
    outcome = Outcome(status)
    return outcome if outcome.is_taken else Outcome(status, "status")


def settle(open_store: Store, job: Job, outcome: Outcome) -> None:
    """Keep what came of an attempt, unless the lease ran out and it is another's."""
    n, mine = ehr_notifications.c, job.notification
    same = [n.clinic_id == mine["clinic_id"], n.id == mine["id"]]
    held = [n.state == PENDING, n.leased_until == mine["leased_until"]]
    there = _subscription(open_store, mine, hold=True)
    row = open_store.row(select(ehr_notifications).where(*same, *held).with_for_update())
    if row is None or there is None:
        return
    told = {"last_status": outcome.status, "last_failure": outcome.failure, "leased_until": None}
    after = open_store.change(ehr_notifications, row, told | _what_next(row, there, outcome))
    _what_of_subscription(open_store, there, after, outcome)


def _what_next(row: Values, there: Values, outcome: Outcome) -> dict[str, Any]:
    if row["type"] == HEARTBEAT and outcome.status != GONE_STATUS:
        return _next_beat(there)
    if outcome.is_taken:
        return {"state": DELIVERED, "delivered_at": clock.now(), "next_at": None}
    most = HANDSHAKES if row["type"] == HANDSHAKE else len(RETRIES) + 1
    if outcome.status == GONE_STATUS or row["attempts"] >= most:
        return {"state": FAILED, "next_at": None}
    wait = RETRIES[row["attempts"] - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    return {"next_at": clock.now() + wait}


def _what_of_subscription(open_store: Store, there: Values, row: Values, outcome: Outcome) -> None:
    """A handshake that is taken makes it active; failures for good, one of 410, end it."""
    if row["state"] == PENDING:
        return
    values: Values = {"failures": 0 if row["state"] == DELIVERED else there["failures"] + 1}
    if outcome.status == GONE_STATUS:
        values |= {"status": OFF, "error": "The receiver is gone (410)."}
    elif row["state"] == DELIVERED and there["status"] in (REQUESTED, ERROR):
        values |= {"status": ACTIVE, "error": None}
    elif row["type"] == HANDSHAKE or values["failures"] >= MOST_FAILED:
        values |= {"status": ERROR, "error": f"Not taken: {row['last_failure']}."}
    open_store.change(ehr_subscriptions, there, values)
    if values.get("status") == OFF:
        cancel(there)
    elif row["state"] == DELIVERED and there["heartbeat_s"] is not None:
        _put_off_heartbeat(open_store, there)


def _put_off_heartbeat(open_store: Store, there: Values) -> None:
    """The receiver was just told something: the next heartbeat counts from now, the first too."""
    n = ehr_notifications.c
    mine = [n.clinic_id == there["clinic_id"], n.subscription_id == there["id"]]
    waits = select(ehr_notifications).where(*mine, n.type == HEARTBEAT, n.state == PENDING)
    row, beat = open_store.row(waits.with_for_update()), _next_beat(there)
    if row is None:
        open_store.add(ehr_notifications, first_of(there) | {"type": HEARTBEAT} | beat)
    elif row["leased_until"] is None:
        open_store.change(ehr_notifications, row, beat)


def heed(told: Callable[[Values], None]) -> None:
    """Let every event that is shared out be told to `told` as well."""
    sharing.ALSO.append(told)
