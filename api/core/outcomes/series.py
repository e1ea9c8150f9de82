"""Outcomes: what a patient's complete check-ins of an instrument say, one after the other."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select

from api.access.policies import Actor
from api.core.outcomes.checkins import check_ins
from api.core.outcomes.checkins.scored import known_instrument
from api.core.outcomes.instruments.catalogue import instrument as shipped
from api.core.patients import open_chart
from api.db import Values, store

MAX_POINTS = 500
"""The most points of one series; older ones are left out."""
POINT = ("answered_at", "answered_on", "source", "total", "band")


def read_outcomes(actor: Actor, patient_id: UUID, instrument: str | None = None) -> Values:
    """Every series with its last point (`instruments`), or one in full (`series`, oldest first).

    Complete check-ins alone; one with missing answers is a point whose total is null.
    """
    patient = open_chart(actor, "outcome:read", patient_id)
    if instrument is None:
        return {"instruments": _latest(patient)}
    one = known_instrument(instrument)
    return {"instrument": one.key, "title": one.title, "series": _series(patient, one.key)}


def _series(patient: Values, key: str) -> list[Values]:
    c = check_ins.c
    statement = _complete(patient).where(c.instrument == key)
    newest = store().rows(statement.order_by(c.answered_at.desc(), c.id.desc()).limit(MAX_POINTS))
    return [_point(row) for row in reversed(newest)]


def _latest(patient: Values) -> list[Values]:
    c = check_ins.c
    newest = (c.answered_at.desc(), c.id.desc())
    place = func.row_number().over(partition_by=c.instrument, order_by=newest)
    count = func.count().over(partition_by=c.instrument)
    ranked = _complete(patient).add_columns(place.label("place"), count.label("count"))
    each = ranked.subquery()
    rows = store().rows(select(each).where(each.c.place == 1).order_by(each.c.instrument))
    return [
        {
            "instrument": row["instrument"],
            "title": shipped(row["instrument"]).title,
            "last": _point(row),
            "count": row["count"],
        }
        for row in rows
    ]


def _complete(patient: Values) -> Select[Any]:
    c = check_ins.c
    return select(c.id, c.instrument, *(c[name] for name in POINT)).where(
        c.clinic_id == patient["clinic_id"],
        c.patient_id == patient["id"],
        c.state == "complete",
        c.deleted_at.is_(None),
    )


def _point(row: Values) -> Values:
    return {"checkin_id": row["id"]} | {name: row[name] for name in POINT}
