"""Verdicts: how the series of many patients changed, for lists that must know who got worse.

What `series` reckons for one chart, read for all of them at once: of each series only its newest
point, its first, and its last before the first dose, for no other can be compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, or_, select

from api.core.outcomes import change
from api.core.outcomes.checkins import check_ins
from api.core.outcomes.instruments.shelf import shelf
from api.core.outcomes.series import HELD
from api.core.patients import patients
from api.core.treatment.sessions import sessions
from api.db import Instant, Values, store

SERIES: Final = ("patient_id", "instrument")
ALIKE: Final = ("scoring_version", "practice_id")
"""What two points must have in common to be compared."""
READ: Final = ("id", *SERIES, *ALIKE, "answered_at", "answered_on", "total")


@dataclass(frozen=True)
class Verdict:
    """What one series comes to now: its newest point, when that was, and the change until then."""

    check_in_id: UUID
    answered_at: Any
    change: Values

    @property
    def is_worse(self) -> bool:
        """Whether it is reliably worse than the baseline."""
        return bool(self.change["deterioration"]["verdict"])


Verdicts = dict[UUID, dict[str, Verdict]]


def rules_of(clinic_id: UUID) -> dict[str, change.Rules]:
    """By what the series of each instrument of the clinic are judged; two queries."""
    known = (one.instrument for one in shelf(clinic_id))
    return {one.key: change.rules_of(one.definition) for one in known}


def verdicts(
    clinic_id: UUID, whose: ColumnElement[bool], rules: Mapping[str, change.Rules]
) -> Verdicts:
    """By patient and instrument how each series stands; one query, whoever they are.

    `whose` is a condition on `check_ins`; series without `rules` are left out. Asks nobody, for
    callers that did.
    """
    return _judged(rules, _telling(clinic_id, whose, list(rules)))


def deteriorations(clinic_id: UUID, whose: ColumnElement[bool]) -> Verdicts:
    """Of the same only the series that are reliably worse; those that hardly moved aren't read."""
    rules = {key: one for key, one in rules_of(clinic_id).items() if one.reliable}
    least = {key: one.reliable["points"] for key, one in rules.items() if one.reliable}
    found = _judged(rules, _telling(clinic_id, whose, list(rules), least))
    return {
        patient_id: {key: one for key, one in series.items() if one.is_worse}
        for patient_id, series in found.items()
    }


def _judged(rules: Mapping[str, change.Rules], telling: Select[Any]) -> Verdicts:
    rows = store().rows(telling)
    found: Verdicts = {}
    for (patient_id, key), points in groupby(rows, key=itemgetter(*SERIES)):
        found.setdefault(patient_id, {})[key] = _judge(rules[key], list(points))
    return found


def _judge(rules: change.Rules, rows: list[Values]) -> Verdict:
    """The verdict on one series from its telling points, the oldest first."""
    newest = rows[-1]
    points = [
        change.Point(row["id"], row["answered_at"], row["answered_on"], row["total"])
        for row in rows
        if all(row[name] == newest[name] for name in ALIKE)
    ]
    first = newest["began_at"]
    first_on = first.astimezone(ZoneInfo(newest["time_zone"])).date() if first else None
    chosen = change.baseline_of(points, first, first_on)
    later = points[-1].total if chosen and chosen[0] is not points[-1] else None
    baseline = chosen[0].total if chosen else None
    told = change.change(rules, baseline, later)
    return Verdict(newest["id"], newest["answered_at"], told)


def _telling(
    clinic_id: UUID,
    whose: ColumnElement[bool],
    keys: list[str],
    least: Mapping[str, float] | None = None,
) -> Select[Any]:
    """The points of each series that a verdict can hang on, the oldest first.

    With `least` only of series whose totals lie that far apart.
    """
    ranked = _ranked(_points(_totals(clinic_id, whose, keys), least)).subquery("ranked")
    r = ranked.c
    tells = or_(r.newest == 1, r.oldest == 1, and_(r.is_before == 1, r.last_of == 1))
    order = (*(r[name] for name in SERIES), r.answered_at, r.id)
    columns = (r[name] for name in (*READ, "began_at", "time_zone"))
    return select(*columns).where(tells).order_by(*order)


def _ranked(points: Subquery) -> Select[Any]:
    c = points.c
    before = case((c.answered_at < c.began_at, 1), else_=0)
    series, alike = [c[name] for name in SERIES], [c[name] for name in ALIKE]
    oldest_first = (c.answered_at, c.id)
    newest_first = (c.answered_at.desc(), c.id.desc())
    return select(
        *c,
        before.label("is_before"),
        _place(series, newest_first).label("newest"),
        _place([*series, *alike], oldest_first).label("oldest"),
        _place([*series, *alike, before], newest_first).label("last_of"),
    )


def _totals(clinic_id: UUID, whose: ColumnElement[bool], keys: list[str]) -> Subquery:
    """Every complete check-in with a total, and between what those of its series lie."""
    c = check_ins.c
    series = [c[name] for name in SERIES]
    statement = select(
        *(c[name] for name in ("clinic_id", *READ)),
        func.max(c.total).over(partition_by=series).label("highest"),
        func.min(c.total).over(partition_by=series).label("lowest"),
    )
    full = [c.state == "complete", c.total.is_not(None), c.deleted_at.is_(None)]
    mine = [c.clinic_id == clinic_id, c.instrument.in_(keys), *full, whose]
    return statement.where(*mine).subquery("totals")


def _points(totals: Subquery, least: Mapping[str, float] | None) -> Subquery:
    """Those that can matter, with where their patient lives, and when their doses began.

    Each is looked up by its key: a join may be planned as one table read through for every row.
    """
    t, p = totals.c, patients.c
    zone = select(p.time_zone).where(p.clinic_id == t.clinic_id, p.id == t.patient_id)
    statement = select(
        *(t[name] for name in READ),
        zone.correlate(totals).scalar_subquery().label("time_zone"),
        _first_dose_at(totals).label("began_at"),
    )
    if least:
        apart = t.highest - t.lowest >= case(least, value=t.instrument, else_=0)
        statement = statement.where(apart)
    return statement.subquery("points")


def _place(within: list[Any], order: tuple[Any, ...]) -> ColumnElement[int]:
    return func.row_number().over(partition_by=within, order_by=order)


def _first_dose_at(totals: Subquery) -> ColumnElement[Any]:
    """When the first dose of the chart of a check-in began."""
    s, t = sessions.c, totals.c
    began = func.min(func.coalesce(s.first_dose_at, s.started_at, s.starts_at), type_=Instant())
    given = or_(s.first_dose_at.is_not(None), s.state.in_(HELD))
    held = [s.kind == "dosing", given, s.deleted_at.is_(None)]
    mine = [s.clinic_id == t.clinic_id, s.patient_id == t.patient_id]
    return select(began).where(*mine, *held).correlate(totals).scalar_subquery()
