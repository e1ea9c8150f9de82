"""How far behind the deliveries are, for those who run the server."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from api import clock
from api.db import Instant, Values, store, within
from api.outbox.tables import PENDING, webhook_deliveries


def oldest_due() -> datetime | None:
    """Since when the delivery that has waited the longest is due; None when none waits."""
    d = webhook_deliveries.c
    oldest = select(func.min(d.next_at, type_=Instant()).label("at"))
    row = _found(oldest.where(d.state == PENDING, d.next_at <= clock.now()))
    return None if row is None else row["at"]


def waiting() -> int:
    """How many deliveries are not made yet."""
    count = select(func.count().label("n")).where(webhook_deliveries.c.state == PENDING)
    row = _found(count)
    return 0 if row is None else int(row["n"])


def _found(statement: Select[Any]) -> Values | None:
    """The row, looked for in all clinics."""
    with within(finding=True):
        return store().row(statement)
