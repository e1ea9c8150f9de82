"""Filing: the form of a session read or drawn, and the clinic's word that it was filed."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, or_, select

from api import clock
from api.access.policies import Actor
from api.access.users import users
from api.audit import trail
from api.core import gate
from api.core.clinical_lists import records
from api.core.clinical_lists.table import MISTAKE, medications
from api.core.patients import display_name, patients
from api.core.treatment import dosing
from api.core.treatment.dosing.vocabulary import ESKETAMINE
from api.core.treatment.rems.deriving import Known, form_of
from api.core.treatment.rems.sheet import drawn
from api.core.treatment.rems.table import FILE_WITHIN, rems_filings
from api.core.treatment.sessions import sessions
from api.db import Values, found, store
from api.errors import Conflict, Invalid

NAMED = ("id", "clinic_id", "legal_given", "legal_family", "preferred_name", "birth_on")


def read_rems_form(actor: Actor, session_id: UUID) -> Values:
    """The form of a session with esketamine, from its record, with what is missing.

    Raises `Conflict` for any other session.
    """
    session = gate.find_in_chart(actor, "rems_form:read", sessions, session_id)
    return _told(session)


def draw_rems_form(actor: Actor, session_id: UUID) -> bytes:
    """The same as a PDF, with times as the patient's clocks show them."""
    session = gate.find_in_chart(actor, "rems_form:read", sessions, session_id)
    form = _told(session)
    return drawn(form, _patient_of(session)["time_zone"])


def file_rems_form(actor: Actor, session_id: UUID, values: Values) -> Values:
    """The clinic says that it filed the form, on a day that is today unless another is named.

    Raises `Conflict` while no dose of esketamine stands, `Invalid` for a day ahead or before it.
    """
    session = gate.find_in_chart(actor, "rems_form:file", sessions, session_id)
    _refuse_other(session)
    if session["esketamine_at"] is None:
        detail = "No dose of esketamine is recorded."
        raise Conflict(detail, state=session["state"], allowed=[], missing=["dose"])
    zone = _patient_of(session)["time_zone"]
    today = clock.today(zone)
    filed_on: date = values.get("filed_on") or today
    if not _day(session["esketamine_at"], zone) <= filed_on <= today:
        raise Invalid([("/filed_on", "Between the day of the session and today.")])
    trail.wrote(values)
    keys: Values = {name: session[name] for name in ("clinic_id", "patient_id")}
    said = {"filed_on": filed_on, "reference": values.get("reference")}
    row = store().add(
        rems_filings, keys | said | {"session_id": session["id"], "filed_by": actor.user_id}
    )
    trail.about(rems_filings.name, row["id"])
    return _told(session)


def unfiled(
    clinic_id: UUID, whose: ColumnElement[bool], zones: Mapping[UUID, str]
) -> Iterator[tuple[UUID, Values]]:
    """Sessions with esketamine and no form filed, `{session_id, dosed_at, due_at}`; one query.

    `whose` narrows `sessions.patient_id`; `zones` are those of the patients who are asked for.
    """
    s, f = sessions.c, rems_filings.c
    filed = select(f.id).where(f.clinic_id == s.clinic_id, f.session_id == s.id)
    statement = select(s.patient_id, s.id, s.esketamine_at).where(
        s.clinic_id == clinic_id,
        whose,
        s.esketamine_at.is_not(None),
        s.source == "app",
        s.deleted_at.is_(None),
        ~filed.exists(),
    )
    for row in store().rows(statement.order_by(s.esketamine_at, s.id)):
        if row["patient_id"] in zones:
            dosed_at = row["esketamine_at"]
            told = {"session_id": row["id"], "dosed_at": dosed_at}
            due = due_at(dosed_at, zones[row["patient_id"]])
            yield row["patient_id"], told | {"due_at": due}


def due_on(dosed_at: datetime, zone: str) -> date:
    """The last day on which the form of a session is in time, where the patient lives."""
    return _day(dosed_at, zone) + FILE_WITHIN


def due_at(dosed_at: datetime, zone: str) -> datetime:
    """The end of that day."""
    ends = due_on(dosed_at, zone) + timedelta(days=1)
    return datetime.combine(ends, time.min, ZoneInfo(zone)).astimezone(UTC)


def _day(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


def _refuse_other(session: Values) -> None:
    """Raise `Conflict` for a session that has no such form."""
    if session["esketamine_at"] is not None:
        return
    planned = dosing.plan_of(session["clinic_id"], session["id"])
    is_meant = session["last_dose_at"] is None and (planned or {}).get("medicine") == ESKETAMINE
    if not is_meant:
        detail = "Only a dosing session with esketamine has this form."
        raise Conflict(detail, state=session["state"], allowed=[])


def _told(session: Values) -> Values:
    _refuse_other(session)
    patient = _patient_of(session)
    zone, at = patient["time_zone"], session["esketamine_at"]
    entries = dosing.standing(dosing.entries_of(session["clinic_id"], session["id"]))
    protocol = dosing.protocol_of(session)
    day = _day(at or session["starts_at"], zone)
    known = Known(
        session,
        entries,
        protocol,
        _taken_on(session, day),
        records.confirmed(patient, medications)["confirmed_on"],
    )
    return {
        "session_id": session["id"],
        "patient": {"id": patient["id"], "display_name": display_name(patient)},
        "legal_name": {"given": patient["legal_given"], "family": patient["legal_family"]},
        "birth_on": patient["birth_on"],
        "given_on": None if at is None else day,
        "due_on": None if at is None else due_on(at, zone),
        "filed": _filed(session),
        "protocol": protocol.name,
        **form_of(known),
    }


def _patient_of(session: Values) -> Values:
    p = patients.c
    mine = (p.clinic_id == session["clinic_id"], p.id == session["patient_id"])
    return found(store().row(select(*(p[name] for name in (*NAMED, "time_zone"))).where(*mine)))


def _taken_on(session: Values, day: date) -> list[Values]:
    """What the patient took on a day: what is taken or held now, and what was stopped since."""
    m = medications.c
    begun = or_(m.from_on.is_(None), m.from_on <= day)
    still = or_(m.status.in_(("active", "held")), m.to_on >= day)
    statement = select(medications).where(
        m.clinic_id == session["clinic_id"],
        m.patient_id == session["patient_id"],
        m.status != MISTAKE,
        m.deleted_at.is_(None),
        begun,
        still,
    )
    return store().rows(statement.order_by(m.id), opens=medications)


def _filed(session: Values) -> Values | None:
    """The newest word that the form was filed."""
    f, u = rems_filings.c, users.c
    joined = (u.clinic_id == f.clinic_id) & (u.id == f.filed_by)
    statement = (
        select(rems_filings, u.display_name)
        .join(users, joined)
        .where(f.clinic_id == session["clinic_id"], f.session_id == session["id"])
        .order_by(f.id.desc())
    )
    row: Any = store().row(statement.limit(1), opens=rems_filings)
    if row is None:
        return None
    told = {name: row[name] for name in ("id", "filed_on", "reference")}
    by = {"id": row["filed_by"], "display_name": row["display_name"]}
    return told | {"recorded_at": row["created_at"], "filed_by": by}
