"""Access from afar: who of the staff was in a chart without being on its care team or on duty.

By breaking the glass, or by a role that reaches the whole clinic. Once a week the privacy officers
are told how often; they read who and whose. Their own reading is oversight, and left out.
"""

from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from api import clock
from api.access.policies import Actor, Role
from api.access.users import clinics
from api.audit import trail
from api.audit.trail import audit_event_patients, audit_events, happened_since
from api.core import audit_search, gate, lookouts, mail, staffing
from api.core.clocks import DUE, WHERE
from api.core.opened import break_glass
from api.core.patients import patients
from api.core.team_reach import alert_duties, care_team, past_duties, session_clinicians
from api.db import Listing, Page, Values, page, seconds_on, store

STAFF: Final = (Role.CLINICIAN.value, Role.ADMINISTRATOR.value)
"""Of whom it is told; of one alone, where that is asked for."""
BROKEN, BY_ROLE = WHYS = ("break_glass", "clinic_work")
NEAR: Final = (
    (care_team, "from_at", "ended_at"),
    (session_clinicians, "duty_from", "duty_until"),
    (past_duties, "duty_from", "duty_until"),
    (alert_duties, "duty_from", "duty_until"),
)
"""Where it is dated that somebody was near a chart."""
LEEWAY: Final[Any] = literal_column("60")
"""Seconds: a deed is written at its end, and what itself ended the nearness came just before."""
LATELY: Final = timedelta(days=28)
"""How far back is looked where nobody says."""
A_WEEK: Final = timedelta(days=7)
HIDDEN: Final = ("clinic_id", "actor_id", "deleted_at", "updated_at", "field_names", "record_id")


def list_unrelated_access(
    actor: Actor,
    asked: Page,
    from_: datetime | None = None,
    to: datetime | None = None,
    **equal: Any,
) -> Listing:
    """The events by which somebody was in a chart from afar, the latest first.

    `patient_ids` are the charts that they were not near, and no others of the same event.
    """
    gate.admit(actor, "access_log:search")
    since = clock.now() - LATELY if from_ is None else from_
    seen = audit_search.seen_by(actor).where(*happened_since(since))
    t = seen.subquery("trail")
    p = audit_event_patients.c
    touched = exists().where(p.clinic_id == t.c.clinic_id, p.event_id == t.c.id, _afar(t))
    wanted = [t.c[name] == value for name, value in equal.items() if value is not None]
    wanted += [] if to is None else [t.c.at < to]
    statement = select(t).where(*_by_staff(t.c), touched, *wanted)
    listing = page(statement, t, asked, newest_first=True)  # type: ignore[arg-type]
    listing.items = _show(actor, listing.items)
    return listing


def _by_staff(e: Any) -> list[ColumnElement[bool]]:
    return [e.role.in_(STAFF), e.outcome == "ok"]


def _afar(events: Any) -> ColumnElement[bool]:
    """Whether who did an event was near the chart neither then nor a minute around it.

    A chart that was merged since is asked for where its care team went.
    """
    p, c = audit_event_patients.c, patients.c
    kept = select(func.coalesce(c.merged_into, c.id)).where(
        c.clinic_id == p.clinic_id, c.id == p.patient_id
    )
    chart = kept.correlate(audit_event_patients).scalar_subquery()
    return and_(*(~_near(table, begins, ends, events, chart) for table, begins, ends in NEAR))


def _near(table: Any, begins: str, ends: str, events: Any, chart: Any) -> ColumnElement[bool]:
    """Event and chart are always those that are asked about, also from an `exists` within one."""
    c, e = table.c, events.c
    near = exists().where(
        c.clinic_id == e.clinic_id,
        c.clinician_id == e.actor_id,
        c.patient_id == chart,
        c[begins] <= seconds_on(e.at, LEEWAY),
        or_(c[ends].is_(None), seconds_on(c[ends], LEEWAY) > e.at),
    )
    return near.correlate(events, audit_event_patients)


def _show(reader: Actor, rows: list[Values]) -> list[Values]:
    names = audit_search.names_of(reader.clinic_id, {row["actor_id"] for row in rows} - {None})
    charts: dict[UUID, list[Values]] = {}
    for one in store().rows(_charts(reader.clinic_id, [row["id"] for row in rows])):
        charts.setdefault(one["event_id"], []).append(one)
    trail.touches(one["patient_id"] for several in charts.values() for one in several)
    return [
        {key: value for key, value in row.items() if key not in HIDDEN}
        | {
            "actor": names.get(row["actor_id"]),
            "why": _why(row, charts.get(row["id"], [])),
            "patient_ids": [
                one["patient_id"] for one in charts.get(row["id"], [])[: audit_search.MOST_PATIENTS]
            ],
        }
        for row in rows
    ]


def _why(row: Values, charts: list[Values]) -> str | None:
    if row["action"] == "break_glass:open" or any(one["broken"] for one in charts):
        return BROKEN
    return BY_ROLE if row["role"] == Role.ADMINISTRATOR else None


def _charts(clinic_id: UUID, event_ids: list[UUID]) -> Select[Any]:
    """The charts of these events that were opened from afar, and whether by breaking the glass."""
    e, p = audit_events.c, audit_event_patients.c
    broken = _near(break_glass, "opened_at", "ends_at", audit_events, p.patient_id)
    said = case((broken, literal_column("1")), else_=literal_column("0")).label("broken")
    of_event = and_(e.clinic_id == p.clinic_id, e.id == p.event_id)
    asked = select(p.event_id, p.patient_id, said).join(audit_events, of_event)
    mine = (p.clinic_id == clinic_id, p.event_id.in_(event_ids))
    return asked.where(*mine, _afar(audit_events)).order_by(p.event_id, p.patient_id)


def count_unrelated(clinic_id: UUID, since: datetime, to: datetime) -> int:
    """How many pairs of a person and a chart there were from afar, from a moment to another."""
    e, p = audit_events.c, audit_event_patients.c
    of_event = and_(p.clinic_id == e.clinic_id, p.event_id == e.id)
    pairs = (
        select(e.actor_id, p.patient_id)
        .join(audit_event_patients, of_event)
        .where(e.clinic_id == clinic_id, *happened_since(since), e.at < to)
        .where(*_by_staff(e), _afar(audit_events))
        .distinct()
        .subquery()
    )
    return int(store().execute(select(func.count()).select_from(pairs)).scalar_one())


def tell_last_week() -> bool:
    """Tell the privacy officers how often it was last week (Monday to Sunday, UTC); not of none.

    False where they were told already.
    """
    return lookouts.look(clinics.c.unrelated_until, _monday(), _tell)


def _monday() -> date:
    today = clock.today("UTC")
    return today - timedelta(days=today.weekday())


def _tell(clinic_id: UUID) -> None:
    to = clock.midnight(_monday())
    many = count_unrelated(clinic_id, to - A_WEEK, to)
    for address in staffing.addresses(clinic_id, Role.PRIVACY_OFFICER) if many else ():
        mail.send(address, "unrelated_access", str(many))


def _clinics_behind() -> Select[Any]:
    return lookouts.behind(clinics.c.unrelated_until, _monday())


DUE.append(tell_last_week)
WHERE[tell_last_week] = _clinics_behind
