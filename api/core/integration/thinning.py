"""Practice gone thin while doses go up: medicine taking the place of the new trail.

A convention of this project: four weeks are held against the four weeks before.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, select

from api import clock
from api.access.policies import Actor
from api.core.gate import shown_to
from api.core.integration.tables import practices, steps
from api.core.integration.trail import WEIGHTS
from api.core.treatment import windows
from api.core.treatment.sessions import sessions
from api.db import among, store

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


def _dosed_more(clinic_id: UUID, now: datetime) -> Select[Any]:
    """Who had more doses in the last period than in the one before."""
    s = sessions.c
    lately = _count(s.completed_at > now - PERIOD)
    before = _count(s.completed_at <= now - PERIOD)
    recent = [s.clinic_id == clinic_id, s.completed_at > now - 2 * PERIOD]
    statement = select(s.patient_id).where(*recent, *windows.is_completed("dosing"))
    return statement.group_by(s.patient_id).having(lately > before)


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
