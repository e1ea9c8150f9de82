"""Starting: why a dose may not start, asked before and asked again when it is to begin."""

from datetime import date, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from api import clock
from api.access.policies import Actor
from api.core import gate
from api.core.patients import open_chart, patients
from api.core.readiness import finding, overriding
from api.core.readiness.reasons import NOT_SAID_AGAIN, UNMEASURED, UNPLANNED, consent_code, reasons
from api.core.treatment import dosing, moves
from api.core.treatment.protocols import Protocol, protocol_for
from api.core.treatment.sessions import moving, sessions
from api.db import Values, store
from api.errors import Conflict, Invalid

DOSING: Final = "dosing"
KINDS: Final = (DOSING,)
"""The kinds of session that ask for readiness."""
AT_SESSION: Final = (UNPLANNED, UNMEASURED)
"""What only the session itself can settle."""


def read_patient_readiness(
    actor: Actor,
    patient_id: UUID,
    kind: str = DOSING,
    on: date | None = None,
    route: str | None = None,
) -> Values:
    """Why a dose may not start, before anything is booked; by the protocol of a route, if given.

    A day ahead is asked as things stand now; what is true of that day alone is left to it.
    """
    patient = open_chart(actor, "readiness:read", patient_id)
    day = on or clock.today(patient["time_zone"])
    if day < clock.today(patient["time_zone"]):
        raise Invalid([("/on", "This day is over.")])
    protocol = protocol_for(patient["clinic_id"], route)
    found = reasons(finding.facts_of_patient(patient, protocol, day))
    again = [consent_code(NOT_SAID_AGAIN, each) for each in protocol.reaffirmed_consents]
    about = {"session_id": None, "kind": kind, "on": day, "at_session": [*AT_SESSION, *again]}
    return _show(patient, protocol, found) | about


def read_readiness(actor: Actor, session_id: UUID) -> Values:
    """Why the dose of a session may not start at this minute; of another kind nothing is asked."""
    session = gate.find_in_chart(actor, "readiness:read", sessions, session_id)
    patient, protocol = finding.patient_of(session), dosing.protocol_of(session)
    found = reasons_of(session, protocol)
    shown = _show(patient, protocol if session["kind"] == DOSING else None, found)
    day = session["starts_at"].astimezone(ZoneInfo(patient["time_zone"])).date()
    about = {"session_id": session["id"], "kind": session["kind"], "on": day}
    return shown | about | {"at_session": []}


def reasons_of(session: Values, protocol: Protocol) -> list[Values]:
    """The reasons of one session; none for one that gives no dose."""
    if session["kind"] != DOSING:
        return []
    return reasons(finding.facts_of_session(session, protocol))


def start_session(actor: Actor, session_id: UUID, values: Values) -> Values:
    """The session begins. A dose asks for a fresh sign-in, and is refused for each reason left.

    The version of the protocol that is in force stays with the session.
    """
    row = gate.find_in_chart(actor, "session:update", sessions, session_id)
    gate.admit(actor, moves.right_to("start", row["kind"]))
    overrides = values.get("overrides", [])
    if overrides:
        gate.admit(actor, "session:override_start")

    def weigh(session: Values, _at: datetime, others: list[str]) -> Values:
        return _begun(actor, session, overrides, others)

    return moving.move(actor, row, "start", values, weigh)


def _begun(starter: Actor, session: Values, overrides: list[Values], others: list[str]) -> Values:
    if session["kind"] != DOSING:
        return {}
    # Consents, alerts and screenings are written by whoever holds the patient.
    store().hold(patients, {"clinic_id": session["clinic_id"], "id": session["patient_id"]})
    fixed = dosing.protocol_fixed(session)
    found = reasons_of(session, dosing.protocol_of(session | fixed))
    refusal = Conflict(
        "This session may not start yet.", state=session["state"], allowed=others, ready=False
    )
    return fixed | overriding.kept(starter, session, found, overrides, refusal)


def _show(patient: Values, protocol: Protocol | None, found: list[Values]) -> Values:
    return {
        "ready": not found,
        "reasons": found,
        "protocol": None if protocol is None else protocol.name,
        "checked_at": clock.now(),
        **finding.lists_of(patient),
    }
