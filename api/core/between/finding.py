"""What happened since a session, found for one patient or for a day's list in as many queries."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, Table, and_, func, or_, select

from api import clock
from api.access.policies import Actor
from api.core import gate
from api.core.alerts import alerts
from api.core.between.showing import MOST, Span, Told, show
from api.core.gate import shown_to
from api.core.integration import trails
from api.core.integration.tables import (
    KINDS as STEP_KINDS,
    goals,
    journal,
    moments,
    practices,
    steps,
)
from api.core.integration.trails import Log
from api.core.outcomes import verdicts as judging
from api.core.outcomes.checkins import check_ins
from api.core.outcomes.instruments.shelf import titles
from api.core.patients import open_chart, patients
from api.core.treatment import calendar, windows
from api.core.treatment.notes import waiting
from api.core.treatment.sessions import sessions
from api.db import Listing, Page, Values, store
from api.errors import Invalid

LAST_SESSION: Final = "last_session"
NAMES: Final = ("legal_given", "legal_family", "preferred_name")


def read_between(actor: Actor, patient_id: UUID, since: str | date = LAST_SESSION) -> Values:
    """Everything since the patient's last session, or since the beginning of one of their days."""
    patient = open_chart(actor, "between:read", patient_id)
    if isinstance(since, date):
        if since > clock.today(patient["time_zone"]):
            raise Invalid([("/since", "Not ahead of today where the patient lives.")])
        day = datetime.combine(since, time.min, ZoneInfo(patient["time_zone"]))
        span = Span(patient, None, day)
    else:
        [span] = _since_last_session(actor.clinic_id, [patient], {patient_id: clock.now()})
    return _between(actor, [span])[patient_id]


def read_day(actor: Actor, asked: Page, **when: Any) -> Listing:
    """The calendar with what happened to each patient since their last session before it.

    Each patient's stands once, at their first session of the page; what is busy has none.
    """
    listing = calendar.read_calendar(actor, asked, **when)
    gate.admit(actor, "between:read")
    first: dict[UUID, Values] = {}
    for row in (row for row in listing.items if not row["busy"]):
        first.setdefault(row["patient"]["id"], row)
    if not first:
        return listing
    begins = {patient_id: row["starts_at"] for patient_id, row in first.items()}
    people = _people(actor.clinic_id, begins)
    told = _between(actor, _since_last_session(actor.clinic_id, people, begins))
    for patient_id, row in first.items():
        row["between"] = told[patient_id]
    return listing


def _people(clinic_id: UUID, ids: Iterable[UUID]) -> list[Values]:
    p = patients.c
    columns = (p.id, p.clinic_id, p.time_zone, *(p[name] for name in NAMES))
    return store().rows(select(*columns).where(p.clinic_id == clinic_id, p.id.in_(list(ids))))


def _since_last_session(
    clinic_id: UUID, people: Sequence[Values], before: dict[UUID, datetime]
) -> list[Span]:
    """From the last session of each that was completed before an instant; one query."""
    s = sessions.c
    mine = [and_(s.patient_id == i, s.completed_at < at) for i, at in before.items()]
    newest = (s.completed_at.desc(), s.id.desc())
    place = func.row_number().over(partition_by=s.patient_id, order_by=newest)
    held = [s.clinic_id == clinic_id, s.state == "completed", s.deleted_at.is_(None)]
    ranked = select(s.id, s.patient_id, s.kind, s.starts_at, s.completed_at, place.label("place"))
    last = ranked.where(*held, or_(*mine)).subquery("last")
    rows = store().rows(select(last).where(last.c.place == 1))
    by_patient = {row["patient_id"]: row for row in rows}
    found = ((patient, by_patient.get(patient["id"])) for patient in people)
    return [Span(p, row, None if row is None else row["completed_at"]) for p, row in found]


def _between(reader: Actor, spans: Sequence[Span]) -> dict[UUID, Values]:
    """What happened in each span, by patient; the queries do not depend on how many they are."""
    if not spans:
        return {}
    clinic_id = reader.clinic_id
    zones = {span.patient["id"]: span.patient["time_zone"] for span in spans}
    agreed = _by_patient(_standing(reader, goals, spans, ("session_id", "title", "category")))
    told = Told(
        days=windows.windows_of_all(clinic_id, zones),
        goals=agreed,
        practices=_by_patient(_walked(reader, spans)),
        moments=_by_patient(_latest(reader, moments, spans, _moment_lies)),
        journal=_by_patient(_latest(reader, journal, spans, _day_lies)),
        check_ins=_by_patient(_judged(reader, spans)),
        alerts=_by_patient(_latest(reader, alerts, spans, _alert_lies)),
        unsigned_notes=_by_patient(waiting.drafts_of(reader, _is_of(spans))),
        unsigned_sessions=_by_patient(waiting.sessions_of(reader, _is_of(spans))),
    )
    return {span.patient["id"]: show(span, told) for span in spans}


def _by_patient(rows: Iterable[Values]) -> dict[UUID, list[Values]]:
    found: dict[UUID, list[Values]] = defaultdict(list)
    for row in rows:
        found[row["patient_id"]].append(row)
    return found


def _whose(table: Table, spans: Sequence[Span]) -> ColumnElement[bool]:
    return _is_of(spans)(table.c.patient_id)


def _is_of(spans: Sequence[Span]) -> waiting.Whose:
    ids = [span.patient["id"] for span in spans]
    return lambda patient_id: patient_id.in_(ids)


def _standing(
    reader: Actor, table: Table, spans: Sequence[Span], columns: tuple[str, ...]
) -> list[Values]:
    """The goals or practices that stand now, the newest first."""
    t = table.c
    stands = {goals: ("lifecycle_status", ("planned", "accepted", "active"))}
    name, states = stands.get(table, ("status", ("active", "paused", "familiar")))
    shown = ("clinic_id", "id", "patient_id", "created_at", name, *columns)
    statement = select(*(t[each] for each in shown)).where(
        t.clinic_id == reader.clinic_id,
        _whose(table, spans),
        t[name].in_(states),
        t.deleted_at.is_(None),
        shown_to(reader, table),
    )
    limit = MOST * len(spans)
    return store().rows(statement.order_by(t.id.desc()).limit(limit), opens=table)


def _walked(reader: Actor, spans: Sequence[Span]) -> list[Values]:
    """The practices that stand, each with its trail and what was logged in the span."""
    columns = ("goal_id", "title", "new_trail", "smallest_step", "interval_days")
    rows = _standing(reader, practices, spans, columns)
    logs, counts = trails.logs(reader, rows), _counted(reader, spans)
    since = {span.patient["id"]: span for span in spans}
    return [
        row | _trail(since[row["patient_id"]], logs[row["id"]], counts.get(row["id"], {}))
        for row in rows
    ]


def _counted(reader: Actor, spans: Sequence[Span]) -> dict[UUID, dict[str, int]]:
    """How many steps of each kind were logged for the days of the spans, by practice."""
    t = steps.c
    statement = select(t.practice_id, t.kind, func.count().label("count")).where(
        t.clinic_id == reader.clinic_id,
        or_(*(and_(t.patient_id == s.patient["id"], *_from(t.walked_on, s.on)) for s in spans)),
        t.deleted_at.is_(None),
        shown_to(reader, steps),
    )
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    for row in store().rows(statement.group_by(t.practice_id, t.kind)):
        found[row["practice_id"]][row["kind"]] = row["count"]
    return found


def _trail(span: Span, log: Log, counted: dict[str, int]) -> Values:
    summed = log.sums_up_to(clock.today(span.patient["time_zone"]))
    walked = sorted({walk.on for walk in log.walks if walk.weight > 0})
    taken = [day for day in sorted(log.detour_days) if span.on is None or day >= span.on]
    return {
        "trail": summed,
        "steps": {kind: counted.get(kind, 0) for kind in STEP_KINDS},
        "detours": [_detour(day, walked) for day in taken[-MOST:]],
    }


def _detour(day: date, walked: Sequence[date]) -> Values:
    """A detour, and the first day after it on which the new trail was walked again."""
    place = bisect_right(walked, day)
    returned_on = walked[place] if place < len(walked) else None
    days = None if returned_on is None else (returned_on - day).days
    return {"on": day, "returned_on": returned_on, "return_days": days}


def _from(column: ColumnElement[Any], least: Any) -> list[ColumnElement[bool]]:
    return [] if least is None else [column >= least]


def _day_lies(span: Span) -> list[ColumnElement[bool]]:
    return _from(journal.c.written_on, span.on)


def _moment_lies(span: Span) -> list[ColumnElement[bool]]:
    if span.on is None:
        return []
    m, first = moments.c, datetime.combine(span.on, time.min, ZoneInfo(span.patient["time_zone"]))
    return [or_(m.happened_on >= span.on, and_(m.happened_on.is_(None), m.noticed_at >= first))]


def _answer_lies(span: Span) -> list[ColumnElement[bool]]:
    return _from(check_ins.c.answered_at, span.at)


def _alert_lies(span: Span) -> list[ColumnElement[bool]]:
    """Raised since then, or raised before and not resolved."""
    since = _from(alerts.c.raised_at, span.at)
    return [or_(alerts.c.state != "resolved", *since)] if since else []


def _latest(reader: Actor, table: Table, spans: Sequence[Span], lies: Any) -> list[Values]:
    """The latest entries of one kind, at most one more for each patient than is shown."""
    t = table.c
    place = func.row_number().over(partition_by=t.patient_id, order_by=t.id.desc())
    inside = or_(*(and_(t.patient_id == span.patient["id"], *lies(span)) for span in spans))
    ranked = (
        select(table, place.label("place"))
        .where(t.clinic_id == reader.clinic_id, t.deleted_at.is_(None), shown_to(reader, table))
        .where(inside)
        .subquery("ranked")
    )
    statement: Select[Any] = select(ranked).where(ranked.c.place <= MOST + 1)
    return store().rows(statement.order_by(ranked.c.id.desc()), opens=table)


def _judged(reader: Actor, spans: Sequence[Span]) -> list[Values]:
    """The check-ins of the spans, the newest of each series with its verdict."""
    rows = _latest(reader, check_ins, spans, _answer_lies)
    if not rows:
        return []
    named = titles(reader.clinic_id, {row["instrument"] for row in rows})
    rules = judging.rules_of(reader.clinic_id)
    found = judging.verdicts(reader.clinic_id, _whose(check_ins, spans), rules)
    return [
        row
        | {"title": named[row["instrument"]]}
        | {"change": _change(found.get(row["patient_id"], {}).get(row["instrument"]), row)}
        for row in rows
    ]


def _change(verdict: judging.Verdict | None, row: Values) -> Values | None:
    is_newest = verdict is not None and verdict.check_in_id == row["id"]
    return verdict.change if verdict is not None and is_newest else None
