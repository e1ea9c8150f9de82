"""Pruning: what was told long ago goes, so that outbox and feed hold what somebody may still need.

Of the feed what stays is the latest version of every record that is there, so that to begin without
a cursor is complete; a cursor older than the time that is kept is refused, for it would miss what
was removed.
"""

from datetime import datetime, timedelta
from time import monotonic
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, tuple_, union

from api import clock
from api.access.users import clinics
from api.config import settings
from api.core import clocks
from api.core.replay import idempotency_keys
from api.db import feed, store
from api.outbox.events import outbox_events
from api.outbox.tables import PENDING, webhook_deliveries

AT_ONCE: Final = 200
"""Rows that are looked at in one transaction: a few milliseconds."""
BEGINNING: Final = (0, 0)
LOOK_EVERY_S: Final = 24 * 3600.0
"""Seconds after all was looked at before the worker begins anew."""


class _Pass:
    """How far this worker has come in each clinic, and when it begins anew."""

    looks_at: ClassVar[float] = float("-inf")
    keys_at: ClassVar[float] = float("-inf")
    place: ClassVar[dict[UUID | None, feed.Position]] = {}
    begins_at: ClassVar[dict[UUID | None, float]] = {}


def kept_since() -> datetime:
    """Since when events and changes are kept."""
    return clock.now() - timedelta(days=settings().keep_events_days)


def prune_due() -> bool:
    """Prune some of what is old, in the transaction that is open; false: all was looked at."""
    clinic_id = store().within.clinic_id
    if monotonic() < _Pass.begins_at.get(clinic_id, float("-inf")):
        return False
    if prune_events() or prune_changes():
        return True
    _Pass.begins_at[clinic_id] = monotonic() + LOOK_EVERY_S
    return False


def prune_events() -> int:
    """Remove old events that wait for nobody, with their deliveries; how many."""
    e, d = outbox_events.c, webhook_deliveries.c
    theirs = [d.clinic_id == e.clinic_id, d.event_id == e.id]
    waiting = exists().where(*theirs, d.state == PENDING)
    old = select(e.clinic_id, e.id).where(
        clocks.here(outbox_events), e.at < kept_since(), e.shared_out_at.is_not(None), ~waiting
    )
    locked = old.order_by(e.at).limit(AT_ONCE).with_for_update(skip_locked=True)
    keys = [tuple(row) for row in store().execute(locked)]
    if keys:
        told = tuple_(d.clinic_id, d.event_id).in_(keys)
        store().execute(webhook_deliveries.delete().where(told))
        store().execute(outbox_events.delete().where(tuple_(e.clinic_id, e.id).in_(keys)))
    return len(keys)


def prune_keys() -> bool:
    """Remove answers kept for what is sent twice, after their hours; false: none is left."""
    k, kept_for = idempotency_keys.c, timedelta(hours=settings().idempotency_hours)
    old = select(k.clinic_id, k.user_id, k.key_hash).where(
        clocks.here(idempotency_keys), k.created_at < clock.now() - kept_for
    )
    keys = [tuple(row) for row in store().execute(old.limit(AT_ONCE))]
    if keys:
        mine = tuple_(k.clinic_id, k.user_id, k.key_hash).in_(keys)
        over = k.created_at < clock.now() - kept_for
        store().execute(idempotency_keys.delete().where(mine, over))
    return bool(keys)


def prune_changes() -> bool:
    """Look at the next rows of the feed, and remove those that a later one replaces.

    Old tombstones go too, each as the last of its record, else an earlier version would seem to be
    there. False at the end of what is old; then it begins anew.
    """
    c, since, clinic_id = feed.changes.c, kept_since(), store().within.clinic_id
    place = _Pass.place.get(clinic_id, BEGINNING)
    following = select(c.xid, c.seq, c.at, _is_done().label("done"))
    following = following.where(clocks.here(feed.changes), feed.comes_after(place))
    rows = store().rows(following.order_by(c.xid, c.seq).limit(AT_ONCE))
    old = [row for row in rows if row["at"] < since]
    done = [row["seq"] for row in old if row["done"]]
    if done:
        store().execute(feed.changes.delete().where(c.seq.in_(done)))
    is_over = len(old) < AT_ONCE
    _Pass.place[clinic_id] = BEGINNING if is_over else (rows[-1]["xid"], rows[-1]["seq"])
    return not is_over


def _is_done() -> ColumnElement[bool]:
    """Whether a row tells nobody anything any more that a later one does not."""
    c = feed.changes.c
    newer, older = feed.changes.alias("newer").c, feed.changes.alias("older").c
    later = exists().where(
        newer.clinic_id == c.clinic_id,
        newer.record_id == c.record_id,
        newer.version > c.version,
    )
    told = later.where(or_(newer.to_others != feed.HIDDEN, c.to_others == feed.HIDDEN))
    earlier = exists().where(
        older.clinic_id == c.clinic_id,
        older.record_id == c.record_id,
        older.version < c.version,
    )
    gone = or_(c.deleted, and_(c.to_others == feed.GONE, later))
    return or_(told, and_(gone, ~earlier))


def _clinics_with_old() -> Select[Any] | None:
    """A select of the clinics that hold something old; None for an hour after each look."""
    if monotonic() < _Pass.looks_at:
        return None
    _Pass.looks_at = monotonic() + 3600.0
    e, c, since = outbox_events.c, feed.changes.c, kept_since()
    told = select(e.clinic_id).where(e.at < since, e.shared_out_at.is_not(None))
    replaced = select(c.clinic_id).where(c.at < since)
    return select(union(told, replaced).subquery().c.clinic_id)


def _clinics_with_keys() -> Select[Any] | None:
    """All clinics, once an hour: whose keys are old is seen from within each alone."""
    if monotonic() < _Pass.keys_at:
        return None
    _Pass.keys_at = monotonic() + 3600.0
    return select(clinics.c.id)


clocks.DUE.append(prune_keys)
clocks.WHERE[prune_keys] = _clinics_with_keys
clocks.DUE.append(prune_due)
clocks.WHERE[prune_due] = _clinics_with_old
