"""Booking: a session is set down, read, listed and changed before it begins."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from api.access.policies import Actor, Rights, Role
from api.audit import trail
from api.core import gate
from api.core.patients import open_chart
from api.core.treatment import signatures
from api.core.treatment.courses import refuse_other_course
from api.core.treatment.moves import CHANGEABLE, FREEING
from api.core.treatment.sessions import agreeing, holding, showing
from api.core.treatment.sessions.table import sessions
from api.db import Listing, Page, Values, found, match, metadata, new_id, page, store
from api.errors import Conflict, NotAllowed
from api.outbox import events

BOOKING = ("starts_at", "ends_at", "clinician_ids", "room", "mode")
"""What an administrator may change of a session; the rest is clinical."""
NOTED_LATER = ("also_covered", "course_id")
"""What the care team may still note of a session that has begun."""


def book_session(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A new session, also one in the past; `Conflict` says who is busy until when, no more."""
    open_chart(actor, "session:schedule", patient_id)
    holding.must_book(actor.rights, patient_id)
    holding.check_times(values["starts_at"], values["ends_at"])
    refuse_other_course(actor.clinic_id, patient_id, values.get("course_id"))
    trail.wrote(values)
    row = add_session(actor.clinic_id, patient_id, values)
    events.append(store(), actor.clinic_id, "session.booked", subject_of(row))
    trail.about(sessions.name, row["id"])
    return showing.show(actor.rights, row)


def add_session(clinic_id: UUID, patient_id: UUID, values: Values) -> Values:
    """The rows of a new session once everybody's time is held; asks nobody for a right.

    Raises `Conflict` too for a dosing session ahead of a patient who withdrew consent to treatment.
    """
    given = holding.tidy_room({"room": None, **values})
    clinician_ids = given.pop("clinician_ids")
    given |= {"id": new_id(), "clinic_id": clinic_id, "patient_id": patient_id}
    holding.hold(given, clinician_ids)
    agreeing.refuse_withdrawn(given)
    row = store().add(sessions, {"source": "app", "state": "scheduled"} | given)
    holding.name_clinicians(row, clinician_ids)
    return row


def read_session(actor: Actor, session_id: UUID) -> Values:
    """One session, as far as the reader may see it."""
    row = gate.find_in_chart(actor, "session:read", sessions, session_id)
    return showing.show(actor.rights, row)


def list_sessions(
    actor: Actor, patient_id: UUID, asked: Page, kind: str | None = None, state: str | None = None
) -> Listing:
    """The sessions of one patient, the latest first."""
    open_chart(actor, "session:list", patient_id)
    s = sessions.c
    statement = select(sessions).where(s.clinic_id == actor.clinic_id, s.patient_id == patient_id)
    if kind is not None:
        statement = statement.where(s.kind == kind)
    if state is not None:
        statement = statement.where(s.state == showing.state_of(actor.rights, state))
    listing = page(statement, sessions, asked, [s.starts_at], newest_first=True, opens=sessions)
    listing.items = showing.show_all(actor.rights, listing.items)
    return listing


def change_session(actor: Actor, session_id: UUID, version: int | None, values: Values) -> Values:
    """Change the booking while nobody has begun; whoever is newly needed must be free.

    What else the session came to cover, and to which course it belongs, is the care team's to
    note until it is called off.
    """
    seen = gate.find_in_chart(actor, "session:rebook", sessions, session_id)
    _refuse_clinical(actor.rights, values)
    row = lock_session(seen)
    match(row, version)
    signatures.refuse_if_locked(row)
    refuse_other_course(row["clinic_id"], row["patient_id"], values.get("course_id"))
    if row["state"] not in CHANGEABLE:
        return _cover(actor, row, values)
    _refuse_other_kind(actor.rights, row, values)
    if set(values) & set(holding.TIMES_AND_NAMES):
        holding.must_book(actor.rights, row["patient_id"])
    trail.wrote(values)
    after = rebook(row, holding.tidy_room(values)) if values else row
    return showing.show(actor.rights, after)


def _refuse_clinical(writer: Rights, values: Values) -> None:
    clinical = sorted(set(values) - set(BOOKING))
    if clinical and writer.role == Role.ADMINISTRATOR:
        raise NotAllowed(f"Only a clinician may change {', '.join(clinical)}.")


def _refuse_other_kind(writer: Rights, row: Values, values: Values) -> None:
    """Raise `Conflict` where a dosing session would lose its ledger or its plan with its kind."""
    if row["kind"] != "dosing" or values.get("kind", "dosing") == "dosing":
        return
    for name in ("ledger_entries", "dose_plans"):
        c = metadata.tables[name].c
        mine = (c.clinic_id == row["clinic_id"], c.session_id == row["id"])
        if store().row(select(c.id).where(*mine).limit(1)) is not None:
            raise not_now(writer, row, "It has a ledger or a dose plan; its kind stands.")


def _cover(actor: Actor, row: Values, values: Values) -> Values:
    if row["state"] in FREEING or not values or not set(values) <= set(NOTED_LATER):
        raise not_now(actor.rights, row, "It has begun or ended; the booking stands.")
    holding.must_book(actor.rights, row["patient_id"])
    trail.wrote(values)
    told = events.row(row["clinic_id"], "session.changed", subject_of(row))
    return showing.show(actor.rights, store().change(sessions, row, values, also=[told]))


def rebook(row: Values, values: Values) -> Values:
    """The booking changed, once everybody's time is held; asks nobody for a right.

    At another time, or as a dosing session, it is refused as a new one would be.
    """
    given: Any = values.pop("clinician_ids", None)
    after = {**row, **values}
    holding.check_times(after["starts_at"], after["ends_at"])
    clinician_ids = holding.named_on(row) if given is None else given
    holding.hold(after, clinician_ids, newly_named=given is not None)
    if any(after[name] != row[name] for name in agreeing.DECIDES):
        agreeing.refuse_withdrawn(after)
    told = events.row(row["clinic_id"], "session.changed", subject_of(row))
    changed = store().change(sessions, row, values, also=[told])
    holding.name_clinicians(changed, clinician_ids)
    return changed


def subject_of(row: Values) -> Values:
    """What events of a session name."""
    return {"session_id": row["id"], "patient_id": row["patient_id"]}


def lock_session(row: Values) -> Values:
    """The session as it is now, kept from others until this transaction ends."""
    s = sessions.c
    statement = select(sessions).where(s.clinic_id == row["clinic_id"], s.id == row["id"])
    return found(store().row(statement.with_for_update(), opens=sessions))


def not_now(reader: Rights, row: Values, detail: str) -> Conflict:
    """The refusal of what the session's state forbids, with what it allows this reader."""
    can = showing.allowed(reader, row, showing.is_member(reader, row["patient_id"]))
    return Conflict(detail, state=showing.state_for(reader, row["state"]), allowed=can)
