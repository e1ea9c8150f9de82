"""Clinic outcomes: whether it helped, by clinician, route or month of the first dose.

A clinician reads it of their own caseload, whose charts they may open anyway. Figures of the whole
clinic are of eleven patients or more, and none is told whose difference from another would tell of
fewer: groups of a table go together until none is small, in one fixed order of the tables.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from math import sqrt
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true

from api import clock
from api.access.policies import Actor, Privilege, Reach
from api.access.users import users
from api.audit import trail
from api.core import gate, team_reach
from api.core.outcomes import change
from api.core.outcomes.checkins import check_ins
from api.core.outcomes.checkins.scored import known_instrument
from api.core.outcomes.series import HELD
from api.core.patients import patients
from api.core.release import deidentify as d
from api.core.release.cube import ALL, OUTCOMES, Z95, Family, Part, Sums, join_least, told_of
from api.core.treatment.courses import courses
from api.core.treatment.sessions import sessions
from api.db import Instant, Values, store

CLINICIAN, COURSE_ROUTE, MONTH = BY = ("clinician", "course_route", "month")
CASELOAD, CLINIC = SCOPES = ("caseload", "clinic")
ORDER: Final = (ALL, COURSE_ROUTE, MONTH, CLINICIAN)
"""In which tables are told: what a later one would add to an earlier one is judged by it."""
USUAL: Final = "phq-9"
PLACES: Final = 2
POINT: Final = ("answered_at", "answered_on", "total")


@dataclass(slots=True)
class Course:
    """How it went for one patient: their groups, the improvement in points, and what was met."""

    patient_id: UUID
    groups: dict[str, str]
    improvement: float
    met: dict[str, bool]


@dataclass
class Told:
    """The sets of people of which figures were told so far."""

    sets: list[int] = field(default_factory=list)

    def is_close(self, one: int) -> bool:
        """Whether a set lies in another that was told, or holds it, but for one to ten people."""
        return any(one & a in (one, a) and not d.is_shown((one ^ a).bit_count()) for a in self.sets)


def read_clinic_outcomes(actor: Actor, by: str, instrument: str = USUAL) -> Values:
    """Rows by group: how many with a baseline and a later check-in, and what came of them.

    Of a clinician's caseload exactly; of the whole clinic (`direct`, administrators) by the rules
    above. Raises `Invalid` for an instrument that isn't known here. As many queries for one
    patient as for thousands.
    """
    granted = gate.admit(actor, "clinic_outcome:read")
    whole = granted.reach == Reach.CLINIC or Privilege.DIRECT in actor.rights.privileges
    moment, asked = clock.now(), patients.c.id
    mine = (
        true() if whole else team_reach.on_care_team(actor.clinic_id, actor.user_id, asked, moment)
    )
    found = _courses(actor.clinic_id, instrument, mine)
    if not whole:
        trail.touches([one.patient_id for one in found])
    tables = _suppressed(found) if whole else {cut: _exact(found, cut) for cut in (ALL, by)}
    names = _names(actor.clinic_id) if by == CLINICIAN else {}
    return {
        "by": by,
        "scope": CLINIC if whole else CASELOAD,
        "instrument": instrument,
        "least": d.LEAST if whole else None,
        "total": next(iter(tables[ALL]), None),
        "rows": [row | {"display_name": names.get(row["group"])} for row in tables[by]],
    }


def _exact(found: Sequence[Course], by: str) -> list[Values]:
    family, parts = _family(found, by)
    return [_row(family, part, OUTCOMES) for part in sorted(parts, key=_place)]


def _suppressed(found: Sequence[Course]) -> dict[str, list[Values]]:
    """Every table of the clinic, each judged by those before it."""
    told = Told()
    return {by: _table(told, *_family(found, by)) for by in ORDER}


def _table(told: Told, family: Family, parts: list[Part]) -> list[Values]:
    """The rows of one table; its smallest groups go together until nothing can be reckoned."""
    parts.sort(key=lambda part: part.who.bit_count())
    while parts and not _may_be_told(told, parts):
        parts = join_least(parts) if len(parts) > 1 else []
    names = [name for name in told_of(family, parts) if _is_far(told, family.outcomes[name], parts)]
    told.sets += [part.who for part in parts]
    told.sets += [family.outcomes[name] & part.who for name in names for part in parts]
    return [_row(family, part, names) for part in sorted(parts, key=_place)]


def _may_be_told(told: Told, parts: Iterable[Part]) -> bool:
    return all(d.is_shown(part.who.bit_count()) and not told.is_close(part.who) for part in parts)


def _is_far(told: Told, met: int, parts: Iterable[Part]) -> bool:
    return not any(
        told.is_close(some) for part in parts for some in (met & part.who, part.who & ~met) if some
    )


def _place(part: Part) -> tuple[bool, str]:
    return part.name in (d.OTHER, ""), part.name


def _family(found: Sequence[Course], by: str) -> tuple[Family, list[Part]]:
    """The groups of one cut as sets of bits; each course is one bit, the same in every cut."""
    family = Family()
    parts: dict[str, Part] = {}
    for number, one in enumerate(found):
        name, bit = one.groups[by], 1 << number
        part = parts.setdefault(name, Part(name, 0, Sums()))
        part.who |= bit
        part.sums.add(one.improvement)
        for outcome in OUTCOMES:
            family.outcomes[outcome] |= bit if one.met[outcome] else 0
        family.who |= bit
    return family, [*parts.values()]


def _row(family: Family, part: Part, told: Iterable[str]) -> Values:
    n, sums, named = part.who.bit_count(), part.sums, {*told}
    mean = sums.total / n
    row: Values = {"group": part.name or None, "n": n, "mean_improvement": round(mean, PLACES)}
    spread = sqrt(max(0.0, sums.squares - n * mean**2) / (n - 1)) if n > 1 else None
    half = None if spread is None else Z95 * spread / sqrt(n)
    row["ci95_low"] = None if half is None else round(mean - half, PLACES)
    row["ci95_high"] = None if half is None else round(mean + half, PLACES)
    for name in OUTCOMES:
        met = (family.outcomes[name] & part.who).bit_count()
        row[name] = {"n": met, "percent": round(100 * met / n)} if name in named else None
    return row


def _courses(clinic_id: UUID, instrument: str, mine: ColumnElement[bool]) -> list[Course]:
    """How it went for each patient with a baseline and a later check-in, in order of their ids."""
    rules = change.rules_of(known_instrument(clinic_id, instrument).definition)
    first = _first_doses(clinic_id, mine)
    grouped = _groups(clinic_id, mine, first)
    rows = store().rows(_points(clinic_id, instrument, mine))
    found = []
    for patient_id, some in groupby(rows, key=lambda row: row["patient_id"]):
        one = _judge(rules, list(some), first.get(patient_id))
        if one is not None:
            found.append(Course(patient_id, grouped(patient_id, one.on), one.improvement, one.met))
    return found


@dataclass(slots=True)
class _Judged:
    on: str
    improvement: float
    met: dict[str, bool]


def _judge(rules: change.Rules, rows: list[Values], first: datetime | None) -> _Judged | None:
    """The newest check-in against the baseline; None without both."""
    points = [
        change.Point(row["id"], row["answered_at"], row["answered_on"], row["total"])
        for row in rows
        if all(row[name] == rows[-1][name] for name in ("scoring_version", "practice_id"))
    ]
    first_on = first.astimezone(ZoneInfo(rows[0]["time_zone"])).date() if first else None
    chosen = change.baseline_of(points, first, first_on)
    if chosen is None or points[-1] is chosen[0]:
        return None
    told = change.change(rules, chosen[0].total, points[-1].total)
    reliable = told["reliable"]["verdict"]
    met = (
        *(told[name]["verdict"] is True for name in ("response", "remission")),
        *(reliable == word for word in (change.IMPROVED, change.DETERIORATED)),
    )
    on = f"{first_on or chosen[0].answered_on:%Y-%m}"
    return _Judged(on, told["improvement"], dict(zip(OUTCOMES, met, strict=True)))


def _points(clinic_id: UUID, instrument: str, mine: ColumnElement[bool]) -> Select[Any]:
    c = check_ins.c
    told = ("id", "patient_id", "practice_id", "scoring_version", *POINT)
    return (
        select(*(c[name] for name in told), patients.c.time_zone)
        .join(patients, _same_patient(c))
        .where(
            *_standing(clinic_id, mine),
            c.instrument == instrument,
            c.state == "complete",
            c.total.is_not(None),
            c.deleted_at.is_(None),
        )
        .order_by(c.patient_id, c.answered_at, c.id)
    )


def _first_doses(clinic_id: UUID, mine: ColumnElement[bool]) -> dict[UUID, datetime]:
    s = sessions.c
    began = func.min(func.coalesce(s.first_dose_at, s.started_at, s.starts_at), type_=Instant())
    held = or_(s.first_dose_at.is_not(None), s.state.in_(HELD))
    rows = store().rows(
        select(s.patient_id, began.label("began_at"))
        .join(patients, _same_patient(s))
        .where(*_standing(clinic_id, mine), s.kind == "dosing", held, s.deleted_at.is_(None))
        .group_by(s.patient_id)
    )
    return {row["patient_id"]: row["began_at"] for row in rows}


def _groups(
    clinic_id: UUID, mine: ColumnElement[bool], first: dict[UUID, datetime]
) -> Callable[[UUID, str], dict[str, str]]:
    """What says the groups of a patient; '' stands for none."""
    routes, leads = _routes(clinic_id, mine), _leads(clinic_id, mine)

    def groups(patient_id: UUID, month: str) -> dict[str, str]:
        found: dict[str, str] = defaultdict(str, {ALL: ALL, MONTH: month})
        found[COURSE_ROUTE] = routes.get(patient_id, "")
        found[CLINICIAN] = leads.get(patient_id, "")
        return found

    return groups


def _routes(clinic_id: UUID, mine: ColumnElement[bool]) -> dict[UUID, str]:
    """The route of the first course of each patient."""
    c = courses.c
    rows = store().rows(
        select(c.patient_id, c.route)
        .join(patients, _same_patient(c))
        .where(*_standing(clinic_id, mine), c.deleted_at.is_(None))
        .order_by(c.created_at.desc(), c.id.desc())
    )
    return {row["patient_id"]: row["route"] for row in rows}


def _leads(clinic_id: UUID, mine: ColumnElement[bool]) -> dict[UUID, str]:
    """Who leads each care team: its `lead`, else who is on it longest."""
    c = team_reach.care_team.alias("team").c
    rows = store().rows(
        select(c.patient_id, c.clinician_id)
        .join(patients, _same_patient(c))
        .where(*_standing(clinic_id, mine), c.ended_at.is_(None), c.from_at <= clock.now())
        .order_by(c.role == "lead", c.from_at.desc(), c.id.desc())
    )
    return {row["patient_id"]: str(row["clinician_id"]) for row in rows}


def _names(clinic_id: UUID) -> dict[str, str]:
    u = users.c
    mine = [u.clinic_id == clinic_id, u.profession.is_not(None)]
    rows = store().rows(select(u.id, u.display_name).where(*mine))
    return {str(row["id"]): row["display_name"] for row in rows}


def _same_patient(c: Any) -> ColumnElement[bool]:
    return and_(c.clinic_id == patients.c.clinic_id, c.patient_id == patients.c.id)


def _standing(clinic_id: UUID, mine: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    return [patients.c.clinic_id == clinic_id, patients.c.deleted_at.is_(None), mine]
