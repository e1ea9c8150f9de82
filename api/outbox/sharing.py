"""Sharing out: each event becomes a delivery for every webhook that asked for it.

A short transaction for one event; what a killed worker left half done is done anew.
"""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import Select, String, cast, func, select
from sqlalchemy.exc import OperationalError

from api import clock
from api.db import Store, Values, new_id
from api.outbox.events import WAITING, outbox_events
from api.outbox.tables import PENDING, here, webhook_deliveries, webhooks

log = logging.getLogger("freshtrail.outbox")
ALSO: list[Callable[[Values], None]] = []
"""Who else is told of each event, in the transaction in which it is shared out."""


def share_out(store: Store) -> bool:
    """Give one waiting event to the webhooks that asked for it; tells whether there was one."""
    e = outbox_events.c
    waiting = select(outbox_events).where(WAITING, here(store, outbox_events))
    waiting = waiting.order_by(e.id).limit(1)
    event = store.row(waiting.with_for_update(skip_locked=True))
    if event is None:
        return False
    asked = select(webhooks.c.id, webhooks.c.events).where(
        webhooks.c.clinic_id == event["clinic_id"],
        webhooks.c.deleted_at.is_(None),
        webhooks.c.disabled_at.is_(None),
        webhooks.c.created_at <= event["at"],
    )
    for hook in store.rows(asked):
        if event["name"] in hook["events"]:
            store.add(webhook_deliveries, _first(event, hook["id"]))
    for told in ALSO:
        _tell(store, told, event)
    same = [e.clinic_id == event["clinic_id"], e.id == event["id"]]
    store.execute(outbox_events.update().where(*same).values(shared_out_at=clock.now()))
    return True


def clinics_waiting() -> Select[Any]:
    """A select of the clinics in which an event waits to be shared out, the oldest first."""
    e = outbox_events.c
    first = func.min(cast(e.id, String))
    return select(e.clinic_id).where(WAITING).group_by(e.clinic_id).order_by(first)


def _tell(store: Store, told: Callable[[Values], None], event: Values) -> None:
    """Tell others of an event; what goes wrong there keeps it from nobody else."""
    try:
        with store.connection.begin_nested():
            told(event)
    except OperationalError:
        raise
    except Exception:
        log.exception("an event could not be told", extra={"event_id": str(event["id"])})


def _first(event: Values, webhook_id: UUID) -> Values:
    return {
        "clinic_id": event["clinic_id"],
        "webhook_id": webhook_id,
        "event_id": event["id"],
        "id": new_id(),
        "state": PENDING,
        "attempts": 0,
        "next_at": clock.now(),
    }
