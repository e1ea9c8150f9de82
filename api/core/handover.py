"""Handing over: what one clinician cared for goes to a colleague, without a gap and all in one."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select

from api import clock
from api.access.policies import Actor, Role
from api.access.users import users
from api.audit import trail
from api.core import gate, mail
from api.core.alerts import alerts
from api.core.care_team import clinician_of
from api.core.patients import display_name, patients
from api.core.staffing import officers
from api.core.team_reach import alert_duties, care_team, session_clinicians
from api.core.treatment.moves import CHANGEABLE
from api.core.treatment.sessions import holding, sessions
from api.core.treatment.sessions.booking import subject_of
from api.db import Values, found, store
from api.errors import Conflict, Invalid
from api.outbox import events

MAX_PATIENTS = 500
"""How many patients may be named at once; without names it is all of them."""


def hand_over(actor: Actor, clinician_id: UUID, values: Values) -> Values:
    """Memberships, sessions ahead and what an alert asks of them go to the colleague.

    Answers what was handed over, and the sessions that stay because the colleague is booked then.
    Asked again it hands over what is left, and mostly nothing. Of what was handed over the privacy
    officers are told, in one letter each.
    """
    gate.admit(actor, "clinician:hand_over")
    leaver = _staff(actor, clinician_id)
    to_id = values["to_clinician_id"]
    if to_id == clinician_id:
        raise Invalid([("/to_clinician_id", "A colleague, not themself.")])
    colleague = clinician_of(actor.clinic_id, to_id, "/to_clinician_id")
    charts = _charts(actor, clinician_id, values.get("patients"))
    booked = _sessions(actor, clinician_id, charts)
    _hold(actor, {clinician_id, to_id}, booked, charts)
    trail.wrote(values)
    trail.touches(charts)
    alerted = _hand_alerts(actor, clinician_id, to_id, charts)
    members = [
        _hand_membership(actor, row, values)
        for row in _memberships(actor, clinician_id)
        if row["patient_id"] in charts
    ]
    handed, kept = _hand_sessions(booked, clinician_id, to_id)
    if members or handed:
        told = {"from_clinician_id": clinician_id, "to_clinician_id": to_id}
        events.append(store(), actor.clinic_id, "clinician.replaced", told)
    if members or handed or alerted:
        _tell_officers(actor)
    return {
        "from_clinician": leaver,
        "to_clinician": {name: colleague[name] for name in ("id", "display_name")},
        "memberships": [_with_patient(row, charts) for row in members],
        "sessions": [_with_patient(row, charts) for row in handed],
        "sessions_kept": [_with_patient(row, charts) for row in kept],
    }


def _tell_officers(handing: Actor) -> None:
    for address in officers(handing.clinic_id, handing.user_id):
        mail.send(address, "work_handed_over")


def _staff(actor: Actor, clinician_id: UUID) -> Values:
    """Whoever hands over; they may have been disabled, or do other work by now."""
    trail.about("user", clinician_id)
    mine = select(users.c.id, users.c.display_name).where(
        users.c.clinic_id == actor.clinic_id,
        users.c.id == clinician_id,
        users.c.role.not_in([Role.PATIENT.value, Role.SYSTEM.value]),
    )
    return found(store().row(mine))


def _charts(actor: Actor, clinician_id: UUID, named: list[UUID] | None) -> dict[UUID, Values]:
    """The patients that are handed over, by id; raises `Invalid` for one that is not there."""
    p = patients.c
    columns = (p.id, p.clinic_id, p.legal_given, p.legal_family, p.preferred_name)
    mine = [p.clinic_id == actor.clinic_id, p.deleted_at.is_(None)]
    if named is not None:
        mine.append(p.id.in_(named))
    else:
        mine.append(p.id.in_(_cared_for(actor, clinician_id)))
    rows = {row["id"]: row for row in store().rows(select(*columns).where(*mine).order_by(p.id))}
    missing = [number for number, one in enumerate(named or ()) if one not in rows]
    if missing:
        raise Invalid([(f"/patients/{number}", "No patient of this clinic.") for number in missing])
    return rows


def _cared_for(actor: Actor, clinician_id: UUID) -> Any:
    """A select of whose patients they are: by membership, a session ahead, or an alert."""
    c, n, s, d = care_team.c, session_clinicians.c, sessions.c, alert_duties.c
    of_session = and_(s.clinic_id == n.clinic_id, s.id == n.session_id)
    member = select(c.patient_id).where(
        c.clinic_id == actor.clinic_id, c.clinician_id == clinician_id, c.ended_at.is_(None)
    )
    booked = (
        select(n.patient_id)
        .join(sessions, of_session)
        .where(n.clinic_id == actor.clinic_id, n.clinician_id == clinician_id)
        .where(*_ahead())
    )
    alerted = select(d.patient_id).where(
        d.clinic_id == actor.clinic_id, d.clinician_id == clinician_id, d.duty_until.is_(None)
    )
    return member.union(booked, alerted)


def _ahead() -> list[Any]:
    s = sessions.c
    return [s.state.in_(CHANGEABLE), s.starts_at > clock.now(), s.deleted_at.is_(None)]


def _sessions(actor: Actor, clinician_id: UUID, charts: Iterable[UUID]) -> list[Values]:
    """Their sessions ahead with these patients, the next first."""
    n, s = session_clinicians.c, sessions.c
    mine = and_(n.clinic_id == s.clinic_id, n.session_id == s.id, n.clinician_id == clinician_id)
    statement = select(sessions).join(session_clinicians, mine)
    here = (s.clinic_id == actor.clinic_id, *_ahead())
    rows = store().rows(statement.where(*here).order_by(s.starts_at, s.id), opens=sessions)
    theirs = set(charts)
    return [row for row in rows if row["patient_id"] in theirs]


def _hold(actor: Actor, people: set[UUID], booked: list[Values], charts: Iterable[UUID]) -> None:
    """Keep bookings and care teams from others: people first and patients then, each in order."""
    named = people.union(*(holding.named_on(row) for row in booked))
    for table, ids in ((users, named), (patients, set(charts))):
        held = select(table.c.id).where(
            table.c.clinic_id == actor.clinic_id, table.c.id.in_(sorted(ids))
        )
        store().execute(held.order_by(table.c.id).with_for_update(key_share=True))


def _memberships(actor: Actor, clinician_id: UUID) -> list[Values]:
    c = care_team.c
    mine = (c.clinic_id == actor.clinic_id, c.clinician_id == clinician_id)
    still = (c.ended_at.is_(None), c.deleted_at.is_(None))
    return store().rows(
        select(care_team).where(*mine, *still).order_by(c.patient_id, c.id), opens=care_team
    )


def _hand_membership(actor: Actor, row: Values, values: Values) -> Values:
    """The colleague joins in the same role, unless they are on the team; the other one leaves."""
    now, to_id, c = clock.now(), values["to_clinician_id"], care_team.c
    ended = {"ended_at": now, "ended_by": actor.user_id, "end_reason": values["reason"]}
    store().change(care_team, row, ended)
    there = select(c.id).where(
        c.clinic_id == row["clinic_id"],
        c.patient_id == row["patient_id"],
        c.clinician_id == to_id,
        c.ended_at.is_(None),
        c.from_at <= now,
    )
    known = store().row(there)
    if known is None:
        same = {name: row[name] for name in ("clinic_id", "patient_id", "role")}
        by = {"clinician_id": to_id, "from_at": now, "added_by": actor.user_id}
        known = store().add(care_team, same | by)
    return {"id": known["id"], "patient_id": row["patient_id"], "role": row["role"]}


def _hand_alerts(actor: Actor, from_id: UUID, to_id: UUID, charts: Iterable[UUID]) -> bool:
    """Alerts that nobody has resolved are the colleague's to take on, with the chart they open.

    Tells whether there were any.
    """
    d, a, now = alert_duties.c, alerts.c, clock.now()
    of_alert = and_(a.clinic_id == d.clinic_id, a.id == d.alert_id, a.resolved_at.is_(None))
    theirs = (d.clinic_id == actor.clinic_id, d.duty_until.is_(None))
    open_ = select(d.alert_id, d.patient_id, d.clinician_id).join(alerts, of_alert)
    rows = store().rows(open_.where(*theirs, d.clinician_id.in_([from_id, to_id])))
    known = {row["alert_id"] for row in rows if row["clinician_id"] == to_id}
    handed = [r for r in rows if r["clinician_id"] == from_id and r["patient_id"] in set(charts)]
    for row in handed:
        mine = (d.clinic_id == actor.clinic_id, d.alert_id == row["alert_id"])
        past = alert_duties.update().where(*mine, d.clinician_id == from_id)
        store().execute(past.values(duty_until=now))
        if row["alert_id"] not in known:
            keys = {"clinic_id": actor.clinic_id, "clinician_id": to_id, "duty_from": now}
            ids = {name: row[name] for name in ("alert_id", "patient_id")}
            again = alert_duties.delete().where(*mine, d.clinician_id == to_id)
            store().execute(again)
            store().execute(alert_duties.insert().values(**keys, **ids))
    return bool(handed)


def _hand_sessions(
    booked: list[Values], from_id: UUID, to_id: UUID
) -> tuple[list[Values], list[Values]]:
    """The sessions that now name the colleague, and those that can't, with until when that is."""
    handed, kept = [], []
    for row in booked:
        named = [to_id if one == from_id else one for one in holding.named_on(row)]
        try:
            holding.hold(row, list(dict.fromkeys(named)), newly_named=False)
        except Conflict as busy:
            kept.append(row | {"busy": busy.extras["busy"]})
            continue
        told = events.row(row["clinic_id"], "session.changed", subject_of(row))
        changed = store().change(sessions, row, {}, also=[told])
        holding.name_clinicians(changed, list(dict.fromkeys(named)))
        handed.append(changed)
    return handed, kept


def _with_patient(row: Values, charts: dict[UUID, Values]) -> Values:
    patient = charts[row["patient_id"]]
    return row | {"patient": {"id": patient["id"], "display_name": display_name(patient)}}
