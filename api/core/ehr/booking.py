"""Visits that an EHR books: set down, moved while nobody has begun, called off."""

from typing import Final
from uuid import UUID

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.ehr.identifiers import keep_identifiers
from api.core.ehr.writing import CREATE, UPDATE, enter_to_write
from api.core.patients import open_chart
from api.core.treatment import moves, signatures
from api.core.treatment.sessions import holding, sessions
from api.core.treatment.sessions.booking import add_session, lock_session, rebook, subject_of
from api.db import Values, match, store
from api.errors import Conflict, Invalid
from api.outbox import events

KIND: Final = "Encounter"
BOOKED: Final = ("starts_at", "ends_at", "mode", "clinician_ids")
"""What of a booking an EHR may change."""
LEADS: Final = {"arrived": "arrive", "cancelled": "cancel"}
"""The move by which a session comes into a state that an EHR may tell of."""


def book_visit(actor: Actor, patient_id: UUID, values: Values, ids: list[Values]) -> UUID:
    """A new booking; `Conflict` says that somebody is busy then, and until when."""
    open_chart(actor, CREATE, patient_id)
    enter_to_write(actor, CREATE)
    holding.check_times(values["starts_at"], values["ends_at"])
    row = add_session(actor.clinic_id, patient_id, values)
    events.append(store(), actor.clinic_id, "session.booked", subject_of(row))
    keep_identifiers(actor.clinic_id, KIND, row, ids)
    trail.about(sessions.name, row["id"])
    trail.wrote(values)
    session_id: UUID = row["id"]
    return session_id


def move_visit(
    actor: Actor,
    session_id: UUID,
    version: int | None,
    state: str,
    values: Values,
    ids: list[Values],
) -> None:
    """A booking as the EHR has it now; what has begun is written by who holds it."""
    seen = gate.find_in_chart(actor, UPDATE, sessions, session_id)
    enter_to_write(actor, UPDATE)
    row = lock_session(seen)
    match(row, version)
    signatures.refuse_if_locked(row)
    if values["kind"] not in (None, row["kind"]):
        raise Invalid([("/kind", "The kind of a session is the care team's to change.")])
    trail.about(sessions.name, session_id)
    changed = _changed(row, values) if row["state"] in moves.CHANGEABLE else {}
    stays = state == row["state"] or (state, row["state"]) == ("cancelled", "no_show")
    trail.wrote([*changed, "state"])
    row = rebook(row, changed) if changed else row
    if not stays:
        row = _moved(row, state)
    elif not changed:
        row = store().change(sessions, row, {})
    keep_identifiers(actor.clinic_id, KIND, row, ids)


def _changed(row: Values, values: Values) -> Values:
    """What is asked to be otherwise; times are told to the millisecond."""
    there = row | {"clinician_ids": holding.named_on(row)}
    for name in ("starts_at", "ends_at"):
        there[name] = there[name].replace(microsecond=there[name].microsecond // 1000 * 1000)
    told = {name: values[name] for name in BOOKED if values[name]}
    return {name: value for name, value in told.items() if value != there[name]}


def _moved(row: Values, state: str) -> Values:
    move = LEADS.get(state)
    if move is None or row["state"] not in moves.MOVES[move].leads or row["last_dose_at"]:
        raise Conflict("This state does not follow from the one it is in.", state=row["state"])
    at = clock.now() if row["moved_at"] is None else max(clock.now(), row["moved_at"])
    changes = moves.after(move, row["state"], at, "other" if move == "cancel" else None)
    told = events.row(row["clinic_id"], "session.moved", subject_of(row))
    changed = store().change(sessions, row, changes, also=[told])
    holding.set_duty(changed)
    return changed
