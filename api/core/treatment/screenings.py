"""Screenings: each item of eligibility asked, answered and signed by a person.

The server lists what was asked and who signed it; it never says that anybody is eligible.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Date, Index, String, Uuid, select

from api import clock
from api.access.policies import Actor, Privilege
from api.access.users import named
from api.audit import trail
from api.core import gate
from api.core.holds import keep_held
from api.core.patients import display_name, open_chart, patients
from api.core.treatment.protocols.finding import in_force, versions_of
from api.core.treatment.sessions import sessions
from api.db import (
    Instant,
    Listing,
    Page,
    Sealed,
    Values,
    found,
    match,
    of,
    page,
    store,
    tenant_table,
)
from api.errors import Conflict, Invalid, NotAllowed
from api.outbox import events

ABSOLUTE, RELATIVE, NOTE = SEVERITIES = ("absolute", "relative", "note")
NO_CONCERN, WITH_CARE, WAIT, NOT_NOW = DECISIONS = (
    "no_concern",
    "proceed_with_care",
    "wait",
    "do_not_treat",
)
GOES_ON: Final = (NO_CONCERN, WITH_CARE)
"""Decisions that let a dose be prepared; the others hold it."""
YES, NO, UNKNOWN = ANSWERS = ("yes", "no", "unknown")
STATES: Final = ("unsigned", "signed")

screenings = tenant_table(
    "screenings",
    Column("item", String(60), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("answer", Sealed, nullable=False),
    Column("note", Sealed),
    Column("asked_on", Date, nullable=False),
    Column("asked_by", Uuid, nullable=False),
    Column("session_id", Uuid),
    Column("decision", String(20)),
    Column("decision_note", Sealed),
    Column("signed_by", Uuid),
    Column("signed_at", Instant),
    of("users", "asked_by"),
    of("users", "signed_by"),
    of("sessions", "session_id"),
    CheckConstraint(f"severity IN {SEVERITIES}", name="severity"),
    CheckConstraint(f"decision IN {DECISIONS}", name="decision"),
    CheckConstraint("(decision IS NULL) = (signed_at IS NULL)", name="signed"),
)
"""What was answered to one item; once signed it stands, and a later answer is a row of its own."""
Index("ix_screenings_item", *screenings.c["clinic_id", "patient_id", "item"])
HIDDEN = ("clinic_id", "patient_id", "deleted_at", "asked_by", "signed_by")


def list_screenings(
    actor: Actor, patient_id: UUID, asked: Page, item: str | None = None, state: str | None = None
) -> Listing:
    """What the patient was screened for, the newest first."""
    patient = open_chart(actor, "screening:read", patient_id)
    s = screenings.c
    statement = select(screenings).where(*_of(patient["clinic_id"], patient["id"]))
    if item is not None:
        statement = statement.where(s.item == item)
    if state is not None:
        is_signed = s.signed_at.is_not(None)
        statement = statement.where(is_signed if state == "signed" else ~is_signed)
    listing = page(statement, screenings, asked, newest_first=True, opens=screenings)
    listing.items = _show(patient, listing.items)
    return listing


def record_screening(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """An item was asked and answered; with a decision the one who writes it signs it as well.

    Raises `Invalid` without a severity where no protocol of the clinic knows the item.
    """
    patient = open_chart(actor, "screening:write", patient_id)
    store().hold(patients, patient)
    signing = ("decision", "decision_note")
    decided: Values = {name: values.pop(name) for name in signing if name in values}
    keys = {"clinic_id": patient["clinic_id"], "patient_id": patient["id"]}
    today = clock.today(patient["time_zone"])
    row: Values = {"asked_on": today, "session_id": None, "note": None, "severity": None} | values
    row["severity"] = _weight(patient["clinic_id"], row)
    _check(patient, row)
    trail.wrote([*values, *decided])
    row |= keys | {"asked_by": actor.user_id}
    row |= _signed(actor, row, decided) if decided.get("decision") else {}
    made = store().add(screenings, row)
    trail.about(screenings.name, made["id"])
    if made["signed_at"] is not None:
        _tell(made)
    return _show(patient, [made])[0]


def read_screening(actor: Actor, screening_id: UUID) -> Values:
    """One screening."""
    row = gate.find_in_chart(actor, "screening:read", screenings, screening_id)
    return _show(_patient_of(row), [row])[0]


def change_screening(
    actor: Actor, screening_id: UUID, version: int | None, values: Values
) -> Values:
    """An answer put right before anybody signed it."""
    row = _held(gate.find_in_chart(actor, "screening:write", screenings, screening_id))
    match(row, version)
    _refuse_signed(row)
    patient = _patient_of(row)
    _check(patient, row | values)
    trail.wrote(values)
    values = values and values | {"severity": _weight(row["clinic_id"], row | values)}
    keep_held(screenings, row, values)
    after = store().change(screenings, row, values) if values else row
    return _show(patient, [after])[0]


def sign_screening(actor: Actor, screening_id: UUID, values: Values) -> Values:
    """A person decides on one item, and signs it.

    To go on although the answer to an absolute item is not a plain no needs the privilege
    `prescribe` and words.
    """
    row = _held(gate.find_in_chart(actor, "screening:write", screenings, screening_id))
    store().hold(patients, {"clinic_id": row["clinic_id"], "id": row["patient_id"]})
    _refuse_signed(row)
    trail.wrote(values)
    after = store().change(screenings, row, _signed(actor, row, values))
    _tell(after)
    return _show(_patient_of(row), [after])[0]


def standing(clinic_id: UUID, patient_id: UUID) -> dict[str, Values]:
    """The newest screening of each item, by item; asks nobody, for callers that did."""
    s = screenings.c
    statement = select(screenings).where(*_of(clinic_id, patient_id), s.deleted_at.is_(None))
    rows = store().rows(statement.order_by(s.asked_on, s.id), opens=screenings)
    return {row["item"]: row for row in rows}


def _weight(clinic_id: UUID, row: Values) -> str:
    """The heaviest weight that a protocol in force gives the item, or whoever writes it.

    Nobody makes an item lighter than a protocol has it: to go on against it is a decision, signed.
    """
    known = in_force(versions_of(clinic_id), clock.now()).values()
    said = {row["severity"]} - {None}
    weights = said | {e.severity for one in known for e in one.eligibility if e.code == row["item"]}
    if not weights:
        raise Invalid([("/severity", "No protocol knows this item; say how much it weighs.")])
    return min(weights, key=SEVERITIES.index)


def _check(patient: Values, row: Values) -> None:
    if row["asked_on"] > clock.today(patient["time_zone"]):
        raise Invalid([("/asked_on", "This lies ahead.")])
    if row["session_id"] is not None:
        _refuse_other_session(patient, row["session_id"])


def _refuse_other_session(patient: Values, session_id: UUID) -> None:
    s = sessions.c
    mine = [s.clinic_id == patient["clinic_id"], s.patient_id == patient["id"]]
    if store().row(select(s.id).where(*mine, s.id == session_id)) is None:
        raise Invalid([("/session_id", "No session of this patient.")])


def _signed(signer: Actor, row: Values, values: Values) -> Values:
    decision, words = values["decision"], values.get("decision_note")
    if _weight(row["clinic_id"], row) == ABSOLUTE and row["answer"] != NO and decision in GOES_ON:
        if Privilege.PRESCRIBE not in signer.rights.privileges:
            raise NotAllowed("Only a clinician who may prescribe goes on against this.")
        if words is None:
            raise Invalid([("/decision_note", "Needed to go on against an absolute item.")])
    by = {"signed_by": signer.user_id, "signed_at": clock.now()}
    return {"decision": decision, "decision_note": words} | by


def _refuse_signed(row: Values) -> None:
    if row["signed_at"] is not None:
        detail = "This is signed; what is answered anew is a screening of its own."
        raise Conflict(detail, state="signed", allowed=[])


def _held(row: Values) -> Values:
    """The screening as it is now, kept from others until this transaction ends."""
    s = screenings.c
    statement = select(screenings).where(s.clinic_id == row["clinic_id"], s.id == row["id"])
    return found(store().row(statement.with_for_update(), opens=screenings))


def _tell(row: Values) -> None:
    subject = {"screening_id": row["id"], "patient_id": row["patient_id"]}
    events.append(store(), row["clinic_id"], "screening.signed", subject)


def _of(clinic_id: UUID, patient_id: UUID) -> list[Any]:
    return [screenings.c.clinic_id == clinic_id, screenings.c.patient_id == patient_id]


def _patient_of(row: Values) -> Values:
    p = patients.c
    mine = [p.clinic_id == row["clinic_id"], p.id == row["patient_id"]]
    return found(store().row(select(patients).where(*mine)))


def _show(patient: Values, rows: list[Values]) -> list[Values]:
    """Screenings with the names of who asked and signed; one query more."""
    who = {row[name] for row in rows for name in ("asked_by", "signed_by")}
    names = named(patient["clinic_id"], who)
    person = {"id": patient["id"], "display_name": display_name(patient)}
    return [
        {key: value for key, value in row.items() if key not in HIDDEN}
        | {
            "patient": person,
            "state": "unsigned" if row["signed_at"] is None else "signed",
            "asked_by": names.get(row["asked_by"]),
            "signed_by": names.get(row["signed_by"]),
        }
        for row in rows
    ]
