"""Outcomes: what a patient's complete check-ins of an instrument say, one after the other."""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, or_, select

from api.access.policies import Actor
from api.core.integration import entries
from api.core.integration.tables import practices
from api.core.outcomes import change
from api.core.outcomes.chart import draw
from api.core.outcomes.checkins import check_ins
from api.core.outcomes.checkins.scored import known_instrument
from api.core.outcomes.instruments.definition import Instrument
from api.core.outcomes.instruments.shelf import find_instrument, shelf
from api.core.outcomes.picture import Picture
from api.core.patients import open_chart
from api.core.treatment.sessions import sessions
from api.core.treatment.windows import windows_of
from api.core.words import words_for
from api.db import Instant, Values, store

MAX_POINTS = 500
"""The most points of one series; older ones are left out."""
MAX_READ: Final = 20_000
"""The most points of one patient that are looked at; a check-in a day for fifty years."""
POINT = ("answered_at", "answered_on", "source", "total", "band")
HELD = ("in_progress", "completed")
"""The states of a dosing session in which a dose was given, where its ledger has none."""


@dataclass(frozen=True)
class Told:
    """One instrument's series, what it is measured against, and what that comes to."""

    instrument: Instrument
    points: list[Values]
    baseline: Values | None
    current: Values | None
    change: Values


def read_outcomes(
    actor: Actor,
    patient_id: UUID,
    instrument: str | None = None,
    practice_id: UUID | None = None,
) -> Values:
    """Every series with its last point (`instruments`), or one in full (`series`, oldest first).

    Complete check-ins alone; one with missing answers is a point whose total is null. Each comes
    with its baseline and change; to the patient without verdicts. `practice_id` narrows an
    instrument that asks of one practice to it.
    """
    patient = open_chart(actor, "outcome:read", patient_id)
    if instrument is None:
        return {"instruments": [_brief(actor, each) for each in _told(patient)]}
    return _whole(actor, patient, _asked(actor, patient, instrument, practice_id))


def draw_outcomes(
    actor: Actor, patient_id: UUID, instrument: str, practice_id: UUID | None = None
) -> str:
    """The series of one instrument as an SVG picture, with its bands, doses and windows."""
    patient = open_chart(actor, "outcome:read", patient_id)
    told = _asked(actor, patient, instrument, practice_id)
    windows = windows_of(patient)
    return draw(
        Picture(
            instrument=told.instrument,
            points=[_point(row) for row in told.points[-MAX_POINTS:]],
            baseline=told.baseline,
            doses={dose.on: dose.days for dose in windows.doses},
        )
    )


def change_now(patient: Values, key: str) -> Values:
    """Baseline, current point and change of one series; asks nobody, for callers that did."""
    told = _one(patient, find_instrument(patient["clinic_id"], key))
    return {"baseline": told.baseline, "current": told.current, "change": told.change}


def every_change(patient: Values) -> list[Values]:
    """The same of every series, with its instrument; asks nobody, for callers that did.

    Instruments that ask of one practice are left out: whether it is shared is for the practice.
    """
    return [
        {
            "instrument": told.instrument.key,
            "title": told.instrument.short_title,
            "baseline": told.baseline,
            "current": told.current,
            "change": told.change,
        }
        for told in _told(patient)
        if told.points[-1]["practice_id"] is None
    ]


def _whole(reader: Actor, patient: Values, told: Told) -> Values:
    own = reader.rights.is_patient
    words = words_for(patient["locale"]).get("outcomes", {}) if own else {}
    return {
        "instrument": told.instrument.key,
        "title": told.instrument.title,
        "series": [_point(row) for row in told.points[-MAX_POINTS:]],
        **_measured(reader, told),
        **({"words": words["series"]} if words else {}),
    }


def _brief(reader: Actor, told: Told) -> Values:
    return {
        "instrument": told.instrument.key,
        "title": told.instrument.title,
        "last": _point(told.points[-1]),
        "count": len(told.points),
        **_measured(reader, told),
    }


def _measured(reader: Actor, told: Told) -> Values:
    """Baseline and change; a verdict on themself is nothing that a patient is sent."""
    if reader.rights.is_patient:
        baseline = _point(told.baseline) if told.baseline else None
        return {"baseline": baseline, "change": {"difference": told.change["difference"]}}
    return {"baseline": told.baseline, "current": told.current, "change": told.change}


def _asked(reader: Actor, patient: Values, key: str, practice_id: UUID | None) -> Told:
    one = known_instrument(patient["clinic_id"], key)
    entries.named(reader, practices, patient, "/practice_id", practice_id)
    return _one(patient, one, practice_id)


def _one(patient: Values, one: Instrument, practice_id: UUID | None = None) -> Told:
    c = check_ins.c
    narrowed = [c.instrument == one.key]
    narrowed += [c.practice_id == practice_id] if practice_id is not None else []
    rows = _rows(patient, *narrowed)
    return _judge(one, rows, _first_dose(patient) if rows else None, patient["time_zone"])


def _told(patient: Values) -> list[Told]:
    """Every series of a chart, by instrument; four queries at the most."""
    rows = sorted(_rows(patient), key=lambda row: str(row["instrument"]))
    if not rows:
        return []
    known = {each.instrument.key: each.instrument for each in shelf(patient["clinic_id"])}
    first, zone = _first_dose(patient), patient["time_zone"]
    return [
        _judge(known[name], list(points), first, zone)
        for name, points in groupby(rows, key=lambda row: row["instrument"])
    ]


def _rows(patient: Values, *narrowed: ColumnElement[bool]) -> list[Values]:
    """The complete check-ins of a chart, the oldest first."""
    c = check_ins.c
    columns = (c.id, c.instrument, c.scoring_version, c.practice_id, *(c[n] for n in POINT))
    statement = select(*columns).where(
        c.clinic_id == patient["clinic_id"],
        c.patient_id == patient["id"],
        c.state == "complete",
        c.deleted_at.is_(None),
        *narrowed,
    )
    newest = statement.order_by(c.answered_at.desc(), c.id.desc()).limit(MAX_READ)
    return store().rows(newest)[::-1]


def _first_dose(patient: Values) -> datetime | None:
    """When the first dose of a chart began; before it lies the baseline."""
    s = sessions.c
    began = func.min(func.coalesce(s.first_dose_at, s.started_at, s.starts_at), type_=Instant())
    statement = select(began.label("began_at")).where(
        s.clinic_id == patient["clinic_id"],
        s.patient_id == patient["id"],
        s.kind == "dosing",
        or_(s.first_dose_at.is_not(None), s.state.in_(HELD)),
        s.deleted_at.is_(None),
    )
    row = store().row(statement)
    return row["began_at"] if row else None


def _judge(one: Instrument, rows: list[Values], first: datetime | None, zone: str) -> Told:
    first_on = first.astimezone(ZoneInfo(zone)).date() if first else None
    points, by_id = _comparable(rows), {row["id"]: row for row in rows}
    chosen = change.baseline_of(points, first, first_on)
    later = points[-1] if chosen and points[-1] is not chosen[0] else None
    totals = (chosen[0].total if chosen else None, later.total if later else None)
    return Told(
        instrument=one,
        points=rows,
        baseline=_baseline(by_id, *chosen, first) if chosen else None,
        current=_point(by_id[later.id]) if later else None,
        change=change.change(change.rules_of(one.definition), *totals),
    )


def _baseline(by_id: Values, point: change.Point, rule: str, first: datetime | None) -> Values:
    before = first is None or point.answered_at < first
    return _point(by_id[point.id]) | {"rule": rule, "before_first_dose": before}


def _comparable(rows: list[Values]) -> list[change.Point]:
    """The points with a total that the newest can be set against: scored alike, of one practice."""
    full = [row for row in rows if row["total"] is not None]
    return [
        change.Point(row["id"], row["answered_at"], row["answered_on"], row["total"])
        for row in full
        if all(row[name] == full[-1][name] for name in ("scoring_version", "practice_id"))
    ]


def _point(row: Values) -> Values:
    return {"checkin_id": row.get("checkin_id", row.get("id"))} | {n: row[n] for n in POINT}
