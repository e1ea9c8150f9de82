"""Judging: whether a chart may be removed now, asked again at every step of the way."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, exists, or_, select

from api.access.policies import roles
from api.access.users import sign_ins, users
from api.core import holds, retention
from api.core.alerts import alerts
from api.core.merges import merges_into
from api.core.patients import patients
from api.core.purges.removing import of_charts, removable
from api.core.purges.table import CHANGED, HELD, MERGED, NOT_ENTITLED, RETAINED
from api.db import Values, store

BY_CLOCK: Final = (
    *("check_in_occurrences", "alert_duties", "notification_attempts"),
    *("legal_holds", "record_versions"),
)
"""What the worker writes by itself, and what is written beside: neither says that anybody was here.
"""
MOVED_BY_CLOCK: Final = ("alerts",)
"""What somebody brings about, and the worker goes on with; of a plan it moves `look_at` alone,
which is no new version."""
DEEDS: Final = {"proposed_by": "chart_purge:propose", "approved_by": "chart_purge:approve"}
"""By whom it was decided, and what that person must still be entitled to."""


def charts_of(clinic_id: UUID, patient_id: UUID) -> list[UUID]:
    """The chart, and those that were merged into it."""
    return [patient_id, *store().execute(merges_into(clinic_id, patient_id)).scalars()]


def hindrance(row: Values) -> str | None:
    """Why a proposed chart may not be removed now; None when nothing stands in the way.

    Until the transaction ends no hold is placed on it, and nobody merges it.
    """
    clinic_id, patient_id = row["clinic_id"], row["patient_id"]
    charts = charts_of(clinic_id, patient_id)
    p = patients.c
    held = select(patients).where(p.clinic_id == clinic_id, p.id.in_(charts)).order_by(p.id)
    there = {one["id"]: one for one in store().rows(held.with_for_update())}
    if there[patient_id]["deleted_at"] is not None:
        return MERGED
    if holds.held_among(clinic_id, charts):
        return HELD
    if retention.kept(clinic_id, patient_id).until >= retention.today():
        return RETAINED
    if _is_changed(clinic_id, charts, row["created_at"]):
        return CHANGED
    return None if _are_entitled(row) else NOT_ENTITLED


def _are_entitled(row: Values) -> bool:
    """Whether those who decided could still do so: enabled, and of a role that may.

    Until the transaction ends nobody disables them or gives them another role.
    """
    u, by = users.c, {name: row[name] for name in DEEDS if row[name] is not None}
    works = (u.disabled_at.is_(None), u.deleted_at.is_(None))
    those = select(u.id, u.role).where(u.clinic_id == row["clinic_id"], u.id.in_(by.values()))
    held = those.where(*works).order_by(u.id).with_for_update(read=True)
    role_of = {one["id"]: one["role"] for one in store().rows(held)}
    return all(role_of.get(person) in roles(DEEDS[name]) for name, person in by.items())


def _is_changed(clinic_id: UUID, charts: list[UUID], since: datetime) -> bool:
    """Whether anybody wrote in the charts since, or their patient signed in."""
    asked = _written(clinic_id, charts, since)
    return any(store().row(one.limit(1)) is not None for one in asked)


def _written(clinic_id: UUID, charts: list[UUID], since: datetime) -> Iterator[Select[Any]]:
    p, u, s = patients.c, users.c, sign_ins.c
    yield select(p.id).where(p.clinic_id == clinic_id, p.id.in_(charts), p.updated_at > since)
    for table in removable():
        if "updated_at" in table.c and table.name not in BY_CLOCK:
            written = table.c["created_at" if table.name in MOVED_BY_CLOCK else "updated_at"]
            theirs = of_charts(table, clinic_id, charts)
            yield select(table.c.id).where(theirs, written > since)
    a = alerts.c
    attended = or_(a.acknowledged_at > since, a.resolved_at > since)
    yield select(a.id).where(of_charts(alerts, clinic_id, charts), attended)
    own = exists().where(u.clinic_id == s.clinic_id, u.id == s.user_id, u.patient_id.in_(charts))
    seen = or_(s.created_at > since, s.last_seen_at > since)
    yield select(s.id).where(s.clinic_id == clinic_id, own, seen)
