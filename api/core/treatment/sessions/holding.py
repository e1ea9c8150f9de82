"""Nobody is booked twice: whose time a session holds, and whose chart it opens by duty."""

from datetime import datetime
from hashlib import sha256
from typing import Any
from unicodedata import normalize
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select

from api import clock
from api.access.policies import Rights, Role
from api.access.users import users
from api.core.patients import patients
from api.core.team_reach import DUTY_AFTER, DUTY_BEFORE, past_duties, session_clinicians
from api.core.treatment.moves import FREEING
from api.core.treatment.sessions.showing import is_member
from api.core.treatment.sessions.table import LONGEST, MAX_CLINICIANS, sessions
from api.db import Values, store
from api.errors import Conflict, Invalid, NotAllowed

TIMES_AND_NAMES = ("starts_at", "ends_at", "clinician_ids")
"""What decides who reaches the chart by duty, and until when."""


def must_book(reader: Rights, patient_id: UUID) -> None:
    """Only the patient's care team and administrators book; reach by duty books nothing."""
    if reader.role == Role.ADMINISTRATOR:
        return
    if not is_member(reader, patient_id):
        raise NotAllowed("Only the patient's care team and administrators book.")


def check_times(starts_at: datetime, ends_at: datetime) -> None:
    """Raise `Invalid` unless the session ends after it starts and within a day."""
    if ends_at <= starts_at:
        raise Invalid([("/ends_at", "A session ends after it starts.")])
    if ends_at - starts_at > LONGEST:
        raise Invalid([("/ends_at", "A session is at most 24 hours long.")])


def tidy_room(values: Values) -> Values:
    """The values with the room's name tidied and its folded key beside it; `Invalid` if blank."""
    if values.get("room") is None:
        return values | ({"room_key": None} if "room" in values else {})
    room = " ".join(values["room"].split())
    if not room:
        raise Invalid([("/room", "A room has a name.")])
    return values | {"room": room, "room_key": normalize("NFKC", room).casefold()}


def hold(booking: Values, clinician_ids: list[UUID], newly_named: bool = True) -> list[Values]:
    """Hold the time of everybody the booking needs until this transaction ends.

    Answers the clinicians `{id, display_name}` in the order given. Raises `Invalid` for names
    that are no active clinicians of the clinic, `Conflict` when somebody is booked already.
    """
    _must_be_listable(clinician_ids)
    rows = {row["id"]: row for row in store().rows(_lock_clinicians(booking, clinician_ids))}
    if newly_named and not all(_may_be_named(rows.get(each)) for each in clinician_ids):
        raise Invalid([("/clinician_ids", "Not all are active clinicians of this clinic.")])
    if store().on_postgres:
        _lock_patient_and_room(booking)
    _refuse_if_busy(booking, clinician_ids)
    return [{"id": i, "display_name": rows[i]["display_name"]} for i in clinician_ids]


def _must_be_listable(clinician_ids: list[UUID]) -> None:
    if not 1 <= len(clinician_ids) <= MAX_CLINICIANS:
        raise Invalid([("/clinician_ids", f"1 to {MAX_CLINICIANS} clinicians.")])
    if len(set(clinician_ids)) != len(clinician_ids):
        raise Invalid([("/clinician_ids", "Each clinician is named once.")])


def _may_be_named(row: Values | None) -> bool:
    return (
        row is not None
        and row["role"] == Role.CLINICIAN
        and row["disabled_at"] is None
        and row["deleted_at"] is None
    )


def _lock_clinicians(booking: Values, clinician_ids: list[UUID]) -> Select[Any]:
    # SQLite ignores the lock: its transactions are serial from their first statement on.
    u = users.c
    return (
        select(u.id, u.display_name, u.role, u.disabled_at, u.deleted_at)
        .where(u.clinic_id == booking["clinic_id"], u.id.in_(clinician_ids))
        .order_by(u.id)
        .with_for_update(key_share=True)
    )


def _lock_patient_and_room(booking: Values) -> None:
    """Always after the clinicians, the patient before the room: no two wait in a ring."""
    chart = {"clinic_id": booking["clinic_id"], "id": booking["patient_id"]}
    store().hold(patients, chart)
    if booking["room_key"] is not None:
        name = f"{booking['clinic_id']}|{booking['room_key']}".encode()
        number = int.from_bytes(sha256(name).digest()[:8], "big", signed=True)
        store().execute(select(func.pg_advisory_xact_lock(number)))


def _refuse_if_busy(booking: Values, clinician_ids: list[UUID]) -> None:
    until: dict[tuple[str, UUID | None], datetime] = {}
    for row in store().rows(_overlapping(booking, clinician_ids)):
        for one in _taken(row, booking, clinician_ids):
            until[one] = max(row["ends_at"], until.get(one, row["ends_at"]))
    if until:
        busy = [
            {"what": what, "until": end} | ({"clinician_id": who} if who else {})
            for (what, who), end in until.items()
        ]
        raise Conflict("Somebody or something is booked already.", busy=busy)


def _overlapping(booking: Values, clinician_ids: list[UUID]) -> Select[Any]:
    s, named = sessions.c, session_clinicians.c
    joined = and_(named.clinic_id == s.clinic_id, named.session_id == s.id)
    needs = [s.patient_id == booking["patient_id"], named.clinician_id.in_(clinician_ids)]
    if booking["room_key"] is not None:
        needs.append(s.room_key == booking["room_key"])
    statement = select(s.patient_id, s.room_key, s.ends_at, named.clinician_id)
    return statement.outerjoin(session_clinicians, joined).where(
        s.clinic_id == booking["clinic_id"],
        s.id != booking["id"],
        s.state.not_in(FREEING),
        s.starts_at > booking["starts_at"] - LONGEST,
        s.starts_at < booking["ends_at"],
        s.ends_at > booking["starts_at"],
        s.deleted_at.is_(None),
        or_(*needs),
    )


def _taken(
    row: Values, booking: Values, clinician_ids: list[UUID]
) -> list[tuple[str, UUID | None]]:
    taken: list[tuple[str, UUID | None]] = []
    if row["clinician_id"] in clinician_ids:
        taken.append(("clinician", row["clinician_id"]))
    if booking["room_key"] is not None and row["room_key"] == booking["room_key"]:
        taken.append(("room", None))
    if row["patient_id"] == booking["patient_id"]:
        taken.append(("patient", None))
    return taken


def name_clinicians(session: Values, clinician_ids: list[UUID]) -> None:
    """Name these clinicians, and nobody else, on the session."""
    table = session_clinicians
    _keep_ended(session, set(clinician_ids))
    store().execute(table.delete().where(*_of(session)))
    ids = {name: session[name] for name in ("clinic_id", "patient_id")}
    rows = [
        {"session_id": session["id"], "clinician_id": who, "place": place, **ids, **duty(session)}
        for place, who in enumerate(clinician_ids)
    ]
    store().execute(table.insert(), rows)


def set_duty(session: Values) -> None:
    """Let the session open the chart to those named for the hours it now gives."""
    _keep_ended(session, set(named_on(session)))
    store().execute(session_clinicians.update().where(*_of(session)).values(**duty(session)))


def _keep_ended(session: Values, still_named: set[UUID]) -> None:
    """Write down whose duty ends by this before its hour: they are told that the chart is gone."""
    t, now, given = session_clinicians.c, clock.now(), duty(session)
    on_duty = [*_of(session), t.duty_from <= now, t.duty_until > now]
    goes_on = given["duty_from"] <= now < given["duty_until"]
    for row in store().rows(select(t.clinician_id, t.duty_from).where(*on_duty)):
        if row["clinician_id"] not in still_named or not goes_on:
            ids = {"clinic_id": session["clinic_id"], "patient_id": session["patient_id"]}
            store().add(past_duties, ids | row | {"session_id": session["id"], "duty_until": now})


def duty(session: Values) -> Values:
    """From when and until when the session opens the chart; never, once it was called off."""
    begins = session["starts_at"] - DUTY_BEFORE
    ends = session["ends_at"] + DUTY_AFTER
    if session["state"] in FREEING:
        ends = min(begins, clock.now())
    return {"duty_from": begins, "duty_until": ends}


def named_on(session: Values) -> list[UUID]:
    """The ids of the clinicians named on the session, in their order."""
    t = session_clinicians.c
    statement = select(t.clinician_id).where(*_of(session)).order_by(t.place)
    return [row["clinician_id"] for row in store().rows(statement)]


def _of(session: Values) -> list[Any]:
    t = session_clinicians.c
    return [t.clinic_id == session["clinic_id"], t.session_id == session["id"]]
