"""Working: the worker closes charts that two people agreed on, and takes away what was in them.

Each piece is a transaction of its own: one that is killed goes on where it was, and what is half
removed was closed before, so that nobody meets a part of a chart. At the end nothing is left that
refers to the patient but what `removing` names, with its reason.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select

from api import clock
from api.core import pruning, release
from api.core.clocks import DUE, LONG, WHERE, here
from api.core.purges import closing, removing, telling
from api.core.purges.judging import charts_of, hindrance
from api.core.purges.proposing import stop
from api.core.purges.table import APPROVED, DONE, EXPIRED, PROPOSED, RUNNING, chart_purges
from api.db import Values, store, transaction, within

log = logging.getLogger("freshtrail.purges")
TURN_S: Final = 10.0
"""Seconds that one clinic's purges are worked at before others have their turn."""
FOLLOWED_FOR: Final = timedelta(minutes=10)
"""How long what somebody was still writing into a chart as it was closed is taken away after it."""
REST_S: Final = 60.0
"""Seconds between two looks at what was done lately, and after a piece that failed."""


class _Rest:
    """When this worker looks again."""

    looks_at: ClassVar[float] = float("-inf")
    tries_at: ClassVar[dict[UUID, float]] = {}


def purge_next() -> bool:
    """Go on with the purges that wait, in each clinic; false when none does."""
    return any([_in_clinic(one, _work) for one in _clinics(_is_due())])


def look_after() -> bool:
    """Take away what came late into charts that were removed, and in the end what told of them."""
    if monotonic() < _Rest.looks_at:
        return False
    _Rest.looks_at = monotonic() + REST_S
    return any([_in_clinic(one, _look) for one in _clinics(_is_followed())])


def stop_expired() -> bool:
    """Stop one proposal that nobody agreed to in time; false when there is none."""
    c = chart_purges.c
    one = select(chart_purges).where(here(chart_purges), *_is_expired()).order_by(c.id).limit(1)
    row = store().row(one.with_for_update(skip_locked=True), opens=chart_purges)
    return row is not None and bool(stop(row, EXPIRED))


def _is_expired() -> list[ColumnElement[bool]]:
    return [chart_purges.c.state == PROPOSED, chart_purges.c.expires_at <= clock.now()]


def _clinics_with_expired() -> Select[Any]:
    return select(chart_purges.c.clinic_id).where(*_is_expired()).distinct()


def _is_due() -> ColumnElement[bool]:
    c = chart_purges.c
    agreed = and_(c.state == APPROVED, c.not_before <= clock.now())
    return or_(agreed, c.state == RUNNING)


def _is_followed() -> ColumnElement[bool]:
    c, now = chart_purges.c, clock.now()
    lately = c.ended_at > now - FOLLOWED_FOR
    return and_(c.state == DONE, c.let_go_at.is_(None), or_(lately, _is_forgotten()))


def _is_forgotten() -> ColumnElement[bool]:
    """Whether the feed has no longer to tell of the end of a chart."""
    return chart_purges.c.ended_at < pruning.kept_since()


def _clinics(which: ColumnElement[bool]) -> list[UUID]:
    with within(finding=True), transaction() as there:
        asked = select(chart_purges.c.clinic_id).where(which).distinct()
        return [row[0] for row in there.execute(asked)]


def _in_clinic(clinic_id: UUID, work: Callable[[], bool]) -> bool:
    """Work in one clinic; what fails there is tried again later, and keeps nobody else waiting."""
    if monotonic() < _Rest.tries_at.get(clinic_id, float("-inf")):
        return False
    try:
        with within(clinic_id):
            return work()
    except Exception:
        _Rest.tries_at[clinic_id] = monotonic() + REST_S
        log.exception("a chart could not be removed")
        return False


def _work() -> bool:
    """Pieces of the clinic's purges, until none is left or others have their turn."""
    ends, worked = monotonic() + TURN_S, False
    while monotonic() < ends and work_once():
        worked = True
    return worked


def work_once() -> bool:
    """One piece, in the clinic that is meant; false when nothing waits there."""
    with transaction():
        row = _claimed(_is_due())
        if row is None:
            return False
        if row["state"] == APPROVED:
            _begin(row)
            return True
        if _remove(row):
            return True
    release.forget_codes(row["clinic_id"], _charts(row))
    with transaction():
        same = chart_purges.c.version == row["version"]
        row = _claimed(and_(chart_purges.c.id == row["id"], same))
        if row is not None:
            _finish(row)
    return True


def _claimed(which: ColumnElement[bool]) -> Values | None:
    """The first that waits, held, unless another worker is at it."""
    one = select(chart_purges).where(here(chart_purges), which).order_by(chart_purges.c.id)
    return store().row(one.limit(1).with_for_update(skip_locked=True))


def _begin(row: Values) -> None:
    """Close the chart, or stop when something speaks against it by now."""
    why = hindrance(row)
    if why is not None:
        stop(row, why)
        return
    charts = charts_of(row["clinic_id"], row["patient_id"])
    begun = {"state": RUNNING, "began_at": clock.now(), "removed": {}}
    closing.close(row, charts)
    store().change(chart_purges, row, begun | {"charts": [str(one) for one in charts]})


def _charts(row: Values) -> list[UUID]:
    return [UUID(one) for one in row["charts"]]


def _remove(row: Values) -> bool:
    """Take some rows away and count them; false when nothing is left."""
    charts = _charts(row)
    gone = removing.remove_some(row["clinic_id"], charts)
    if gone is None:
        return removing.remove_changes(row, charts) > 0
    table, many = gone
    kind = removing.COUNTED.get(table)
    if kind is not None:
        removed = row["removed"] | {kind: row["removed"].get(kind, 0) + many}
        store().change(chart_purges, row, {"removed": removed})
    return True


def _finish(row: Values) -> None:
    closing.forget_beside(row["clinic_id"], _charts(row))
    after = store().change(chart_purges, row, {"state": DONE, "ended_at": clock.now()})
    telling.happened(after, "patient.purged")
    telling.ended(after, "carry_out", "ok")


def _look() -> bool:
    """Take away what came late into one chart; true when there was anything."""
    with transaction():
        c = chart_purges.c
        mine = select(chart_purges).where(here(chart_purges), _is_followed())
        rows = store().rows(mine.order_by(c.id).with_for_update(skip_locked=True))
        worked = [_follow(row) for row in rows]
    for row in rows:
        release.forget_codes(row["clinic_id"], _charts(row))
    return any(worked)


def _follow(row: Values) -> bool:
    charts, wholly = _charts(row), bool(row["ended_at"] < pruning.kept_since())
    tables = removing.removable() if wholly else removing.at_once()
    if removing.remove_some(row["clinic_id"], charts, tables) is not None:
        return True
    closing.forget_beside(row["clinic_id"], charts)
    if removing.remove_changes(row, charts, wholly):
        return True
    if wholly:
        store().change(chart_purges, row, {"let_go_at": clock.now()})
    return wholly


DUE.append(stop_expired)
WHERE[stop_expired] = _clinics_with_expired
LONG.append(purge_next)
LONG.append(look_after)
