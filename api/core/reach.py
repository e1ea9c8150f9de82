"""What came into a clinician's reach, or left it, since they asked last: for lists of changes."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    union_all,
)

from api import clock
from api.access.policies import Actor, Grant, Reach
from api.core import gate
from api.core.opened import break_glass
from api.core.team_reach import alert_duties, care_team, past_duties, session_clinicians
from api.db import first_id

MOST = 1000
"""How many at most are told at once beside a page."""


def came(reader: Actor, granted: Grant, patient_id: Any, since: datetime) -> ColumnElement[bool]:
    """The condition that a chart is in reach now, and by something that began since.

    A session that was booked since counts too, as its duty may reach back.
    """
    if granted.reach != Reach.TEAM:
        return false()
    by = []
    for table in (care_team, session_clinicians, alert_duties, break_glass):
        c = table.alias("new").c
        mine = (c.clinic_id == reader.clinic_id, c.clinician_id == reader.user_id)
        by.append(exists().where(*mine, c.patient_id == patient_id, or_(*_begun(c, since))))
    return and_(gate.in_reach(reader, granted, patient_id), or_(*by))


def _begun(c: Any, since: datetime) -> list[ColumnElement[bool]]:
    if "from_at" in c:
        return [c.from_at >= since, c.created_at >= since]
    if "opened_at" in c:
        return [c.opened_at >= since]
    begun = [c.duty_from >= since]
    return begun + [c.session_id >= first_id(since)] if "session_id" in c else begun


def left(reader: Actor, granted: Grant, since: datetime) -> Select[Any]:
    """The charts, `{id, deleted_at}`, that were in reach by what ended since, and are not now."""
    ends = union_all(*(_ended(reader, table, since) for table in _ENDS)).subquery("ended")
    last = func.max(ends.c.ended_at).label("deleted_at")
    gone = select(ends.c.patient_id.label("id"), last)
    if granted.reach != Reach.TEAM:
        return gone.where(false()).group_by(ends.c.patient_id)
    gone = gone.where(not_(gate.in_reach(reader, granted, ends.c.patient_id)))
    return gone.group_by(ends.c.patient_id).limit(MOST)


_ENDS = {
    care_team: ("from_at", "ended_at"),
    session_clinicians: ("duty_from", "duty_until"),
    past_duties: ("duty_from", "duty_until"),
    alert_duties: ("duty_from", "duty_until"),
    break_glass: ("opened_at", "ends_at"),
}


def _ended(reader: Actor, table: Any, since: datetime) -> Select[Any]:
    c, (begins, ends) = table.alias("old").c, _ENDS[table]
    return select(c.patient_id, c[ends].label("ended_at")).where(
        c.clinic_id == reader.clinic_id,
        c.clinician_id == reader.user_id,
        c[begins] < c[ends],
        c[ends] >= since,
        c[ends] <= clock.now(),
    )
