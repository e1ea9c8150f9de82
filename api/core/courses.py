"""Courses of treatment: doses planned and given, and the practice that goes beside them."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, select

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.holds import keep_held
from api.core.integration.thinning import balance
from api.core.patients import display_name, open_chart, patients
from api.core.treatment import windows
from api.core.treatment.courses import (
    COMPLETED,
    MEDICINES as MEDICINES,
    ROUTES as ROUTES,
    STATUSES as STATUSES,
    STOPPED,
    courses,
)
from api.core.treatment.dosing.finding import opened, summed
from api.core.treatment.dosing.table import ledger_entries
from api.core.treatment.moves import CHANGEABLE, FREEING
from api.core.treatment.sessions import sessions
from api.db import Instant, Listing, Page, Values, found, match, page, store
from api.errors import Conflict, Invalid
from api.outbox import events

ENDED: Final = (COMPLETED, STOPPED)
HIDDEN = ("clinic_id", "patient_id", "deleted_at")
TO_PATIENT: Final = (
    *("id", "version", "created_at", "updated_at", "patient", "status", "medicine", "route"),
    *("planned_doses", "interval_days", "starts_on", "ends_on", "aim", "doses"),
)
"""What a patient reads of a course."""


def list_courses(actor: Actor, patient_id: UUID, asked: Page, status: str | None = None) -> Listing:
    """The patient's courses, the newest first."""
    patient = open_chart(actor, "course:read", patient_id)
    c = courses.c
    statement = select(courses).where(
        c.clinic_id == patient["clinic_id"], c.patient_id == patient["id"]
    )
    if status is not None:
        statement = statement.where(c.status == status)
    listing = page(statement, courses, asked, newest_first=True, opens=courses)
    listing.items = _show(actor, patient, listing.items)
    return listing


def plan_course(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A new course: how many doses, how far apart, by which route."""
    patient = open_chart(actor, "course:write", patient_id)
    _refuse_order(values)
    keys = {"clinic_id": patient["clinic_id"], "patient_id": patient["id"]}
    row = store().add(courses, {"status": "planned"} | values | keys)
    subject = {"course_id": row["id"], "patient_id": patient["id"]}
    events.append(store(), patient["clinic_id"], "course.planned", subject)
    trail.about(courses.name, row["id"])
    trail.wrote(values)
    return _show(actor, patient, [row])[0]


def read_course(actor: Actor, course_id: UUID) -> Values:
    """One course, with what came of its doses, and how the practice went beside them."""
    row = gate.find_in_chart(actor, "course:read", courses, course_id)
    shown = _show(actor, _patient_of(row), [row])[0]
    if actor.rights.is_patient:
        return shown
    return shown | {"practice": balance(actor, row["patient_id"])}


def change_course(actor: Actor, course_id: UUID, version: int | None, values: Values) -> Values:
    """The plan of a course changed, or its end written down; an ended one may be taken up again."""
    row = gate.find_in_chart(actor, "course:write", courses, course_id)
    match(row, version)
    _refuse_order(row | values)
    _refuse_ended(row, values)
    trail.wrote(values)
    keep_held(courses, row, values)
    after = store().change(courses, row, values) if values else row
    shown = _show(actor, _patient_of(row), [after])[0]
    return shown | {"practice": balance(actor, row["patient_id"])}


def _refuse_order(values: Values) -> None:
    first, last = values.get("starts_on"), values.get("ends_on")
    if first is not None and last is not None and last < first:
        raise Invalid([("/ends_on", "A course ends after it begins.")])


def _refuse_ended(row: Values, values: Values) -> None:
    """An ended course is changed only by taking it up again."""
    if row["status"] in ENDED and values and values.get("status", row["status"]) in ENDED:
        detail = "The course has ended; take it up again first."
        raise Conflict(detail, state=row["status"], allowed=["planned", "active"])


def _patient_of(row: Values) -> Values:
    p = patients.c
    mine = [p.clinic_id == row["clinic_id"], p.id == row["patient_id"]]
    return found(store().row(select(patients).where(*mine)))


def _show(reader: Actor, patient: Values, rows: list[Values]) -> list[Values]:
    """Courses as their readers see them; two queries more, however many they are."""
    ids = [row["id"] for row in rows]
    counts = _counts(patient["clinic_id"], ids)
    given = {} if reader.rights.is_patient else _given(patient["clinic_id"], ids)
    named = {"id": patient["id"], "display_name": display_name(patient)}
    shown = []
    for row in rows:
        plain = {key: value for key, value in row.items() if key not in HIDDEN}
        count = counts.get(row["id"], dict.fromkeys(COUNTED, 0))
        one = plain | {"patient": named} | _told(row, count)
        if reader.rights.is_patient:
            shown.append({key: one[key] for key in TO_PATIENT})
        else:
            shown.append(one | {"cumulative_dose_mg": given.get(row["id"], 0)})
    return shown


def _told(row: Values, count: Values) -> Values:
    left = max(0, row["planned_doses"] - count["given"])
    doses = {"planned": row["planned_doses"], "given": count["given"], "left": left}
    return {
        "doses": doses | {"booked": count["booked"], "called_off": count["called_off"]},
        "sessions": {kind: count[kind] for kind in HELD},
        "last_dose_at": count.get("last_dose_at"),
    }


HELD: Final = ("preparation", "integration")
"""The kinds of session whose number says how a course is carried."""
COUNTED: Final = ("given", "booked", "called_off", *HELD)


def _counts(clinic_id: UUID, ids: Iterable[UUID]) -> dict[UUID, Values]:
    """What became of the sessions of each course; one query."""
    s, now = sessions.c, clock.now()
    is_dose = s.kind == "dosing"
    ahead = and_(is_dose, s.state.in_(CHANGEABLE), s.ends_at > now)
    columns = {
        "given": and_(*windows.is_dose()),
        "booked": ahead,
        "called_off": and_(is_dose, s.state.in_(FREEING)),
        **{kind: and_(*windows.is_completed(kind)) for kind in HELD},
    }
    last = func.max(case((columns["given"], windows.dosed_at())), type_=Instant())
    statement = select(
        s.course_id,
        *(_sum(condition).label(name) for name, condition in columns.items()),
        last.label("last_dose_at"),
    ).where(s.clinic_id == clinic_id, s.course_id.in_(list(ids)), s.deleted_at.is_(None))
    return {row["course_id"]: row for row in store().rows(statement.group_by(s.course_id))}


def _sum(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _given(clinic_id: UUID, ids: Iterable[UUID]) -> dict[UUID, float]:
    """What each course gave so far, in mg, from the doses that stand; one query."""
    e, s = ledger_entries.c, sessions.c
    joined = and_(s.clinic_id == e.clinic_id, s.id == e.session_id)
    statement = (
        select(ledger_entries, s.course_id)
        .join(sessions, joined)
        .where(e.clinic_id == clinic_id, s.course_id.in_(list(ids)), s.deleted_at.is_(None))
        .order_by(e.measured_at, e.id)
    )
    by: dict[UUID, list[Values]] = {}
    for row in opened(store().rows(statement, opens=ledger_entries)):
        by.setdefault(row["course_id"], [])
        if row["type"] == "dose" and row["superseded_by"] is None:
            by[row["course_id"]].append(row)
    return {course_id: summed(doses)["total_mg"] for course_id, doses in by.items()}
