"""Finding: the ledger of a session opened, its plan, and the protocol in force for it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select

from api.core.treatment.dosing.table import dose_plans, ledger_entries
from api.core.treatment.dosing.vocabulary import DOSE
from api.core.treatment.protocols import Protocol, protocol_for, version_of
from api.core.treatment.sessions.table import sessions
from api.db import Instant, Values, store


def entries_of(clinic_id: UUID, session_id: UUID) -> list[Values]:
    """Every entry of a ledger, opened, in order of `sequence`; one query.

    What an entry says stands in `content` and beside it by name; `superseded_by` is the id of the
    entry that corrects it, `recorded_at` when it came.
    """
    e = ledger_entries.c
    mine = (e.clinic_id == clinic_id, e.session_id == session_id, e.deleted_at.is_(None))
    statement = select(ledger_entries).where(*mine).order_by(e.sequence)
    return opened(store().rows(statement, opens=ledger_entries))


def opened(rows: list[Values]) -> list[Values]:
    """Rows of one whole ledger, each with what became of it."""
    by = {row["corrects_id"]: row["id"] for row in rows if row["corrects_id"] is not None}
    return [with_content(row) | {"superseded_by": by.get(row["id"])} for row in rows]


def with_content(row: Values) -> Values:
    """A row with what it says beside it by name."""
    return {**row["content"], **row, "recorded_at": row["created_at"], "superseded_by": None}


def plan_of(clinic_id: UUID, session_id: UUID) -> Values | None:
    """The dose plan of a session, `{id, version, medicine, route, dose_mg, max_total_mg, ...}`."""
    p = dose_plans.c
    mine = (p.clinic_id == clinic_id, p.session_id == session_id, p.deleted_at.is_(None))
    row = store().row(select(dose_plans).where(*mine), opens=dose_plans)
    return None if row is None else {**row["content"], **row}


def protocol_of(session: Values) -> Protocol:
    """The version in force for a session: the one it began with, or that of its planned route."""
    if session.get("protocol_key") is not None:
        one = version_of(session["clinic_id"], session["protocol_key"], session["protocol_version"])
        if one is not None:
            return one
    return _by_route(session)


def protocol_fixed(session: Values) -> Values:
    """The columns that keep the version a dosing session begins with, for whoever starts it."""
    if session["kind"] != "dosing":
        return {}
    one = protocol_of(session)
    fixed = {"protocol_key": one.key, "protocol_version": one.version}
    return fixed | {"window_days": one.days}


def _by_route(session: Values) -> Protocol:
    clinic_id = session["clinic_id"]
    given = plan_of(clinic_id, session["id"]) or _first_dose(clinic_id, session["id"]) or {}
    at = session.get("started_at")
    return protocol_for(clinic_id, given.get("route"), given.get("medicine"), at)


def _first_dose(clinic_id: UUID, session_id: UUID) -> Values | None:
    doses = [e for e in entries_of(clinic_id, session_id) if e["type"] == DOSE]
    return next((dose for dose in doses if dose["superseded_by"] is None), None)


def last_dose_at(clinic_id: UUID, patient_id: UUID) -> datetime | None:
    """When the patient had their last dose: by the ledger, else by a dosing session's end."""
    s = sessions.c
    dosed = func.coalesce(s.last_dose_at, s.completed_at, type_=Instant())
    statement = select(func.max(dosed, type_=Instant()).label("at")).where(
        s.clinic_id == clinic_id,
        s.patient_id == patient_id,
        s.kind == "dosing",
        or_(s.last_dose_at.is_not(None), s.state == "completed"),
        s.deleted_at.is_(None),
    )
    row = store().row(statement)
    return None if row is None else row["at"]


def cumulative(clinic_id: UUID, owner_id: UUID) -> Values:
    """What a patient, or one course of treatment, has had so far, from the doses that stand.

    `{doses, total_mg, by_medicine [{medicine, doses, total_mg}], first_dose_at, last_dose_at}`.
    """
    e, s, later = ledger_entries.c, sessions.c, ledger_entries.alias("later").c
    whose: Any = or_(s.patient_id == owner_id, s.course_id == owner_id)
    theirs = select(s.id).where(s.clinic_id == clinic_id, whose, s.deleted_at.is_(None))
    corrected = select(later.id).where(later.clinic_id == e.clinic_id, later.corrects_id == e.id)
    statement = select(ledger_entries).where(
        e.clinic_id == clinic_id, e.session_id.in_(theirs), e.type == DOSE, ~corrected.exists()
    )
    statement = statement.order_by(e.measured_at, e.id)
    return summed(store().rows(statement, opens=ledger_entries))


def summed(doses: list[Values]) -> Values:
    """What these doses, in order, add up to; each medicine apart."""
    by: dict[str, list[float]] = {}
    for dose in doses:
        by.setdefault(dose["content"]["medicine"], []).append(dose["content"]["dose_mg"])
    return {
        "doses": len(doses),
        "total_mg": round(sum(map(sum, by.values())), 6),
        "by_medicine": [
            {"medicine": name, "doses": len(each), "total_mg": round(sum(each), 6)}
            for name, each in sorted(by.items())
        ],
        "first_dose_at": doses[0]["measured_at"] if doses else None,
        "last_dose_at": doses[-1]["measured_at"] if doses else None,
    }
