"""The worklist: whom to see or call and why, most urgent first, from every room of the house.

Nothing here is stored; each reading reckons it anew, in a number of queries that does not grow
with the number of patients.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, select

from api import clock
from api.access.policies import Actor, Grant
from api.audit import trail
from api.core import consents, gate, on_call
from api.core.alerts import alerts, is_overdue, standing
from api.core.integration.thinning import thinned
from api.core.integration.trail import local_day
from api.core.outcomes import verdicts as judging
from api.core.outcomes.checkins import check_ins
from api.core.outcomes.unanswered import let_pass
from api.core.patients import display_name, patients
from api.core.treatment import rems, windows
from api.core.treatment.moves import CHANGEABLE
from api.core.treatment.notes import waiting
from api.core.treatment.protocols import in_use
from api.core.treatment.sessions import sessions
from api.db import Instant, Listing, Page, Values, among, store

(
    ALERT,
    WINDOW,
    CHECK_IN,
    MISSED,
    WORSE,
    THIN,
    CONSENT,
    UNSIGNED,
    UNFILED,
) = CODES = (
    "alert_open",
    "window_without_integration",
    "check_in_overdue",
    "check_in_missed",
    "reliable_deterioration",
    "practice_thin",
    "treatment_consent_missing",
    "note_unsigned",
    "rems_form_due",
)
"""Why a patient is on the worklist."""
FOR_ALL: Final = (ALERT, UNSIGNED, UNFILED)
"""What is seen to also of those who are not in treatment yet, or no more."""
URGENCY: Final = (
    "immediate",
    "same_day",
    "next_working_day",
    WORSE,
    WINDOW,
    CONSENT,
    UNFILED,
    CHECK_IN,
    MISSED,
    UNSIGNED,
    "historical",
    THIN,
)
"""The most urgent first: the priorities of alerts, and the other reasons among them."""
CONTACT_WITHIN: Final = timedelta(hours=72)
"""By when after a dose an integration session is usual; a convention of this project."""
NOT_YET, NO_MORE = "inquiry", "discharged"
"""Statuses of patients who are here for their alerts and what is owed of their records alone."""
NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
NAMES: Final = ("legal_given", "legal_family", "preferred_name")
Reasons = Iterator[tuple[UUID, Values]]


def list_worklist(actor: Actor, asked: Page) -> Listing:
    """The patients in reach whom somebody should see to, and beside them whether alerts escalate.

    Each with every reason there is. Where the reasons change between two pages, a patient may be
    met again or later.
    """
    granted = gate.admit(actor, "worklist:read")
    people = _people(actor, granted)
    rows = [_row(people[i], found) for i, found in _reasons(actor, granted, people).items()]
    listing = _page(sorted(rows, key=place_of), asked)
    trail.touches(row["patient"]["id"] for row in listing.items)
    _name_windows(actor.clinic_id, people, listing.items)
    listing.beside = {"escalation": on_call.escalation(actor.clinic_id)}
    return listing


def _page(rows: list[Values], asked: Page) -> Listing:
    after = asked.after
    left = rows if after is None else [row for row in rows if place_of(row) > after]
    shown = left[: asked.limit]
    return Listing(shown, place_of(shown[-1]) if len(left) > asked.limit else None)


def place_of(row: Values) -> tuple[int, datetime, UUID]:
    """What the list is ordered by: urgency, then what is due first."""
    return row["urgency"], row["due_at"] or NEVER, row["patient"]["id"]


def _row(patient: Values, reasons: list[Values]) -> Values:
    ordered = sorted(reasons, key=lambda each: (_urgency(each), each["due_at"] or NEVER))
    due = [each["due_at"] for each in reasons if each["due_at"] is not None]
    return {
        "patient": {"id": patient["id"], "display_name": display_name(patient)},
        "urgency": _urgency(ordered[0]),
        "due_at": min(due, default=None),
        "reasons": ordered,
    }


def _urgency(reason: Values) -> int:
    if reason["code"] != ALERT:
        return URGENCY.index(reason["code"])
    return URGENCY.index("historical" if reason["historical"] else reason["priority"])


def _reached(actor: Actor, granted: Grant) -> Select[Any]:
    p = patients.c
    mine = [p.clinic_id == actor.clinic_id, p.deleted_at.is_(None)]
    return select(p.id).where(*mine, gate.in_reach(actor, granted, p.id))


def _people(actor: Actor, granted: Grant) -> dict[UUID, Values]:
    """Everybody in reach, with what their own row and the consents know of them."""
    p = patients.c
    standing_consent = exists().where(*consents.standing(actor.clinic_id, p.id, "treatment"))
    statement = _reached(actor, granted).add_columns(
        *(p[name] for name in (*NAMES, "status", "time_zone")),
        standing_consent.correlate(patients).label("consents"),
    )
    return {row["id"]: row for row in store().rows(statement)}


def _reasons(actor: Actor, granted: Grant, people: dict[UUID, Values]) -> dict[UUID, list[Values]]:
    """Every reason there is, by patient."""
    reached, treated = _reached(actor, granted), _treated(people)
    raised = _alerts(actor.clinic_id, reached)
    courses = _courses(actor.clinic_id, reached)
    found: dict[UUID, list[Values]] = defaultdict(list)
    others = (
        _open(raised),
        _uncontacted(actor.clinic_id, treated, courses),
        _unconsented(treated, courses),
        _overdue(actor.clinic_id, reached, people),
        _worse(actor.clinic_id, reached, raised),
        ((i, _reason(THIN)) for i in thinned(actor, reached)),
        _unsigned(actor, reached),
        _unfiled(actor.clinic_id, reached, people),
    )
    for told in others:
        for patient_id, reason in told:
            if patient_id in treated or (patient_id in people and reason["code"] in FOR_ALL):
                found[patient_id].append(reason)
    return found


def _treated(people: dict[UUID, Values]) -> dict[UUID, Values]:
    """Those who are in treatment, or about to be."""
    return {i: row for i, row in people.items() if row["status"] not in (NOT_YET, NO_MORE)}


def _reason(code: str, due_at: datetime | None = None, **more: Any) -> Values:
    past = due_at is not None and clock.now() > due_at
    return {"code": code, "due_at": due_at, "overdue": past} | more


def _unsigned(actor: Actor, reached: Select[Any]) -> Reasons:
    """Whose sessions or notes wait for a signature; of notes kept apart, the actor's own."""
    for patient_id, row in waiting.waiting(actor, lambda whose: among(whose, reached)).items():
        told = {name: row[name] for name in ("session_id", "unsigned_sessions", "unsigned_notes")}
        yield patient_id, _reason(UNSIGNED, row["since"] + waiting.SIGN_WITHIN, **told)


def _unfiled(clinic_id: UUID, reached: Select[Any], people: dict[UUID, Values]) -> Reasons:
    """Whose sessions with esketamine have a form that the clinic did not file yet."""
    zones = {patient_id: row["time_zone"] for patient_id, row in people.items()}
    mine = among(sessions.c.patient_id, reached)
    for patient_id, told in rems.unfiled(clinic_id, mine, zones):
        yield patient_id, _reason(UNFILED, **told)


def _alerts(clinic_id: UUID, reached: Select[Any]) -> list[Values]:
    """The alerts that nobody resolved, and those of a deterioration that somebody did."""
    a = alerts.c
    columns = ("id", "patient_id", "check_in_id", "rule", "priority", "state", "historical")
    times = ("acknowledge_due_at", "contact_due_at", "contacted_at")
    statement = select(*(a[name] for name in (*columns, *times))).where(
        a.clinic_id == clinic_id,
        among(a.patient_id, reached),
        (a.state != "resolved") | (a.rule == WORSE),
        a.deleted_at.is_(None),
    )
    return store().rows(statement)


def _open(raised: Iterable[Values]) -> Reasons:
    shown = ("check_in_id", "rule", "priority", "state", "historical")
    for row in raised:
        if row["state"] != "resolved":
            due_at = standing.due_at(row)
            told = {name: row[name] for name in shown} | {"alert_id": row["id"]}
            reason = _reason(ALERT, due_at, **told)
            yield row["patient_id"], reason | {"overdue": is_overdue(row, clock.now())}


def _courses(clinic_id: UUID, reached: Select[Any]) -> dict[UUID, Values]:
    """The last dose of each patient, the last integration session, and what of both is booked."""
    s, now = sessions.c, clock.now()
    ahead = and_(s.state.in_(CHANGEABLE), s.ends_at > now)

    def last(held: list[ColumnElement[bool]], at: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.max(case((and_(*held), at)), type_=Instant())

    def following(kind: str) -> ColumnElement[Any]:
        return func.min(case((and_(s.kind == kind, ahead), s.starts_at)), type_=Instant())

    statement = select(
        s.patient_id,
        last(windows.is_dose(), windows.dosed_at()).label("dosed_at"),
        last(windows.is_completed("integration"), s.completed_at).label("met_at"),
        following("integration").label("booked_at"),
        following("dosing").label("next_dose_at"),
    ).where(s.clinic_id == clinic_id, among(s.patient_id, reached), s.deleted_at.is_(None))
    return {row["patient_id"]: row for row in store().rows(statement.group_by(s.patient_id))}


def _uncontacted(
    clinic_id: UUID, people: dict[UUID, Values], courses: dict[UUID, Values]
) -> Reasons:
    """Whose window is open while no integration session was held since the dose."""
    usual, unusual = in_use().days, windows.unusual_lengths(clinic_id)
    for patient_id, course in courses.items():
        dosed_at, met_at, patient = course["dosed_at"], course["met_at"], people.get(patient_id)
        if patient is None or dosed_at is None or (met_at is not None and met_at >= dosed_at):
            continue
        zone = patient["time_zone"]
        day = (clock.today(zone) - local_day(dosed_at, zone)).days
        if day <= unusual.get((patient_id, dosed_at), usual):
            told = {"window_day": day, "dosed_at": dosed_at, "booked_at": course["booked_at"]}
            yield patient_id, _reason(WINDOW, dosed_at + CONTACT_WITHIN, **told)


def _unconsented(people: dict[UUID, Values], courses: dict[UUID, Values]) -> Reasons:
    """Whose treatment has no consent that stands; due when the next dose is booked."""
    for patient_id, patient in people.items():
        if not patient["consents"]:
            yield patient_id, _reason(CONSENT, courses.get(patient_id, {}).get("next_dose_at"))


def _overdue(clinic_id: UUID, reached: Select[Any], people: dict[UUID, Values]) -> Reasons:
    """Whose check-in was not answered in its time: it still can be, or was missed of late."""
    for one in let_pass(clinic_id, reached):
        named = {name: one[name] for name in ("instrument", "due_on", "practice_id")}
        patient = people.get(one["patient_id"])
        if patient is None:  # came into reach this moment
            continue
        due_at = _end_of(one["until_on"], patient["time_zone"])
        code = CHECK_IN if one["is_late"] else MISSED
        yield one["patient_id"], _reason(code, due_at, plan_id=one["id"], **named)


def _end_of(day: date, zone: str) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(zone)).astimezone(UTC)


def _worse(clinic_id: UUID, reached: Select[Any], raised: Iterable[Values]) -> Reasons:
    """Whose newest total is reliably worse than the baseline, until an alert of it is resolved."""
    seen_to = {row["check_in_id"] for row in raised if row["state"] == "resolved"}
    whose = among(check_ins.c.patient_id, reached)
    for patient_id, series in judging.deteriorations(clinic_id, whose).items():
        for key, verdict in series.items():
            if verdict.check_in_id not in seen_to:
                named: Values = {"instrument": key, "check_in_id": verdict.check_in_id}
                yield patient_id, _reason(WORSE, **named)


def _name_windows(clinic_id: UUID, people: dict[UUID, Values], rows: list[Values]) -> None:
    """Name the dosing session behind each open window of a page; one query."""
    told = [
        (row["patient"]["id"], each)
        for row in rows
        for each in row["reasons"]
        if each["code"] == WINDOW
    ]
    zones = {patient_id: people[patient_id]["time_zone"] for patient_id, _ in told}
    days = windows.windows_of_all(clinic_id, zones)
    for patient_id, reason in told:
        reason["session_id"] = days[patient_id].doses[-1].session_id
