"""Practice gone thin while doses go up: medicine taking the place of the new trail.

A convention of this project: four weeks are held against the four weeks before.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, case, func, select

from api import clock
from api.access.policies import Actor
from api.core.gate import shown_to
from api.core.integration.tables import practices, steps
from api.core.integration.trail import WEIGHTS
from api.core.treatment import windows
from api.core.treatment.sessions import sessions
from api.db import Values, among, store

PERIOD: Final = timedelta(days=28)
SETTLED: Final = timedelta(days=14)
"""How long a practice has been there before its steps are missed."""
WALKED: Final = [kind for kind, weight in WEIGHTS.items() if weight > 0]


def thinned(reader: Actor, whom: Select[Any]) -> set[UUID]:
    """The ids of those patients whose doses went up while the steps logged fell below a half.

    Only of practices that are active and as far as the reader may count their steps; one query.
    """
    now = clock.now()
    today = clock.today(reader.rights.zone)
    pr, st = practices.c, steps.c
    walked = and_(
        st.clinic_id == pr.clinic_id,
        st.practice_id == pr.id,
        st.kind.in_(WALKED),
        st.walked_on > today - 2 * PERIOD,
        st.deleted_at.is_(None),
        shown_to(reader, steps),
    )
    lately = _count(st.walked_on > today - PERIOD)
    before = _count(st.walked_on <= today - PERIOD)
    statement = (
        select(pr.patient_id)
        .select_from(practices.outerjoin(steps, walked))
        .where(
            pr.clinic_id == reader.clinic_id,
            among(pr.patient_id, whom),
            among(pr.patient_id, _dosed_more(reader.clinic_id, now)),
            pr.status == "active",
            pr.created_at <= now - SETTLED,
            pr.deleted_at.is_(None),
            shown_to(reader, practices),
        )
        .group_by(pr.patient_id)
        .having((lately == 0) | (lately * 2 < before))
    )
    return {row["patient_id"] for row in store().rows(statement)}


def balance(reader: Actor, patient_id: UUID) -> Values:
    """Doses and steps of one patient in the last period, beside those of the period before it.

    `{period_days, doses {lately, before}, steps {lately, before}, active_practices, thin}`, as far
    as the reader may count the steps; four queries.
    """
    now, today = clock.now(), clock.today(reader.rights.zone)
    st, pr, whom = steps.c, practices.c, (reader.clinic_id, patient_id)
    recent = [st.walked_on > today - 2 * PERIOD, st.kind.in_(WALKED), st.deleted_at.is_(None)]
    walked = select(*_both(st.walked_on > today - PERIOD, st.walked_on <= today - PERIOD)).where(
        *_of(steps, whom), *recent, shown_to(reader, steps)
    )
    at = windows.dosed_at()
    dosed = select(*_both(at > now - PERIOD, at <= now - PERIOD)).where(
        *_of(sessions, whom), at > now - 2 * PERIOD, *windows.is_dose()
    )
    is_active = [pr.status == "active", pr.deleted_at.is_(None), shown_to(reader, practices)]
    active = select(func.count().label("active")).where(*_of(practices, whom), *is_active)
    found = store().rows(active)[0]
    theirs = select(pr.patient_id).where(*_of(practices, whom))
    return {
        "period_days": PERIOD.days,
        "doses": store().row(dosed),
        "steps": store().row(walked),
        "active_practices": found["active"],
        "thin": patient_id in thinned(reader, theirs),
    }


def _both(lately: ColumnElement[bool], before: ColumnElement[bool]) -> list[Any]:
    return [_count(lately).label("lately"), _count(before).label("before")]


def _of(table: Table, whom: tuple[UUID, UUID]) -> list[ColumnElement[bool]]:
    return [table.c.clinic_id == whom[0], table.c.patient_id == whom[1]]


def _dosed_more(clinic_id: UUID, now: datetime) -> Select[Any]:
    """Who had more doses in the last period than in the one before."""
    s, at = sessions.c, windows.dosed_at()
    lately, before = _count(at > now - PERIOD), _count(at <= now - PERIOD)
    recent = [s.clinic_id == clinic_id, at > now - 2 * PERIOD]
    statement = select(s.patient_id).where(*recent, *windows.is_dose())
    return statement.group_by(s.patient_id).having(lately > before)


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
