"""Old notifications go, and in the end the subscriptions that were deleted."""

from time import monotonic
from typing import Any, ClassVar, Final

from sqlalchemy import Select, exists, select

from api.core import clocks, pruning
from api.core.ehr.subscriptions.tables import PENDING, ehr_notifications, ehr_subscriptions
from api.db import store

LOOK_EVERY_S: Final = 3600.0


def _is_old() -> list[Any]:
    n = ehr_notifications.c
    return [n.state != PENDING, n.updated_at < pruning.kept_since()]


def _is_over() -> list[Any]:
    """Of a subscription that was deleted long ago, and of which no notification is left."""
    s, n = ehr_subscriptions.c, ehr_notifications.c
    left = exists().where(n.clinic_id == s.clinic_id, n.subscription_id == s.id)
    return [s.deleted_at < pruning.kept_since(), ~left]


def prune_notifications() -> bool:
    """Remove some notifications that were settled long ago; false: there were none.

    How many events a subscription told of stands with the subscription, and stays.
    """
    for table, is_old in ((ehr_notifications, _is_old()), (ehr_subscriptions, _is_over())):
        old = select(table.c.id).where(clocks.here(table), *is_old)
        held = old.order_by(table.c.id).limit(pruning.AT_ONCE).with_for_update(skip_locked=True)
        ids = [row[0] for row in store().execute(held)]
        if ids:
            store().execute(table.delete().where(clocks.here(table), table.c.id.in_(ids)))
            return True
    return False


class _Look:
    """When this worker looks again where something is old."""

    at: ClassVar[float] = float("-inf")


def _clinics_with_old() -> Select[Any] | None:
    """A select of the clinics with an old notification; None for an hour after each look."""
    if monotonic() < _Look.at:
        return None
    _Look.at = monotonic() + LOOK_EVERY_S
    return select(ehr_notifications.c.clinic_id).where(*_is_old()).distinct()


clocks.DUE.append(prune_notifications)
clocks.WHERE[prune_notifications] = _clinics_with_old
