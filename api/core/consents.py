"""Consents: what a patient agreed to, in which words, since when, and until when."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Select,
    String,
    UniqueConstraint,
    Uuid,
    and_,
    column,
    select,
    table as plain_table,
)

from api import clock
from api.access.policies import Actor, Role
from api.audit import trail
from api.core import gate
from api.core.care_team import clinician_of
from api.core.patients import display_name, open_chart, patients
from api.db import Instant, Listing, Page, Sealed, Store, Values, of, page, store, tenant_table
from api.errors import Conflict, Invalid
from api.outbox import events

KINDS = (
    "treatment",
    "off_label_medicine",
    "telehealth",
    "recording",
    "touch",
    "research",
    "ehr_sharing",
    "companion",
)
STATES = ("in_force", "superseded", "withdrawn")
CLOCKS_DIFFER = timedelta(seconds=30)
"""How far a device's clock may run ahead of ours."""

consents = tenant_table(
    "consents",
    Column("kind", String(20), nullable=False),
    Column("text_version", String(60), nullable=False),
    Column("shown_as", Sealed),
    Column("granted_at", Instant, nullable=False),
    Column("witnessed_by", Uuid),
    Column("recorded_by", Uuid, nullable=False),
    Column("superseded_at", Instant),
    Column("withdrawn_at", Instant),
    Column("withdrawn_by", Uuid),
    Column("withdraw_reason", Sealed),
    of("users", "witnessed_by"),
    of("users", "recorded_by"),
    of("users", "withdrawn_by"),
    CheckConstraint(f"kind IN {KINDS}", name="kind"),
)
Index("ix_consents_kind", *consents.c["clinic_id", "patient_id", "kind"])
consent_reaffirmations = tenant_table(
    "consent_reaffirmations",
    Column("consent_id", Uuid, nullable=False),
    Column("session_id", Uuid, nullable=False),
    Column("reaffirmed_by", Uuid, nullable=False),
    of("consents", "consent_id"),
    of("sessions", "session_id"),
    of("users", "reaffirmed_by"),
    UniqueConstraint("clinic_id", "consent_id", "session_id"),
)
_sessions = plain_table(
    "sessions", *(column(name, Uuid) for name in ("clinic_id", "id", "patient_id"))
)
"""Sessions stand a floor above; all that is asked of them here is whose they are."""


def in_force(store: Store, clinic_id: UUID, patient_id: UUID, kind: str) -> bool:
    """Whether the patient's consent of this kind stands at this moment."""
    found = select(consents.c.id).where(*standing(clinic_id, patient_id, kind))
    return store.row(found) is not None


def list_consents(
    actor: Actor, patient_id: UUID, asked: Page, kind: str | None = None, state: str | None = None
) -> Listing:
    """The patient's consents, in the order in which they were recorded."""
    patient = open_chart(actor, "consent:read", patient_id)
    statement = select(consents).where(*_of_patient(patient["clinic_id"], patient_id))
    if kind is not None:
        statement = statement.where(consents.c.kind == kind)
    if state is not None:
        statement = statement.where(*_in_state(state))
    listing = page(statement, consents, asked, opens=consents)
    listing.items = _show(actor, patient, listing.items)
    return listing


def read_consent(actor: Actor, consent_id: UUID) -> Values:
    """One consent, with the sessions at which it was reaffirmed."""
    row = gate.find_in_chart(actor, "consent:read", consents, consent_id)
    return _show_one(actor, row)


def record_consent(
    actor: Actor, patient_id: UUID, values: Values, action: str = "consent:sign"
) -> Values:
    """The patient agrees, or a clinician records that they did; newer words replace older ones."""
    patient = open_chart(actor, action, patient_id)
    store().hold(patients, patient)
    full: Values = {"granted_at": clock.now()} | values | {"witnessed_by": _witness(actor, values)}
    _refuse_ahead(full["granted_at"])
    _replace_older(patient, full)
    keys = {"clinic_id": actor.clinic_id, "patient_id": patient_id, "recorded_by": actor.user_id}
    row = store().add(consents, full | keys)
    _tell(row, "consent.given")
    trail.about("consents", row["id"])
    trail.wrote(values)
    return _show(actor, patient, [row])[0]


def withdraw_consent(
    actor: Actor, consent_id: UUID, reason: str | None = None, action: str = "consent:withdraw"
) -> Values:
    """The patient no longer agrees; what needed the consent stops at once."""
    row = _hold(gate.find_in_chart(actor, action, consents, consent_id))
    _refuse_unless_in_force(row)
    trail.wrote(["withdrawn_at", "withdraw_reason"])
    gone = {"withdrawn_at": clock.now(), "withdrawn_by": actor.user_id, "withdraw_reason": reason}
    _tell(row, "consent.withdrawn")
    return _show_one(actor, store().change(consents, row, gone))


def reaffirm_consent(actor: Actor, consent_id: UUID, session_id: UUID) -> Values:
    """The patient still agrees, at this session; said twice it is kept once."""
    row = _hold(gate.find_in_chart(actor, "consent:sign", consents, consent_id))
    _refuse_unless_in_force(row)
    _refuse_other_session(row, session_id)
    keys = {"clinic_id": row["clinic_id"], "consent_id": consent_id, "session_id": session_id}
    table = consent_reaffirmations
    if store().row(select(table.c.id).filter_by(**keys)) is None:
        by = {"patient_id": row["patient_id"], "reaffirmed_by": actor.user_id}
        store().add(table, keys | by)
        row = store().change(consents, row, {})
        trail.wrote(["session_id"])
    return _show_one(actor, row)


def _tell(row: Values, name: str) -> None:
    subject = {"consent_id": row["id"], "patient_id": row["patient_id"]}
    events.append(store(), row["clinic_id"], name, subject)


def _of_patient(clinic_id: UUID, patient_id: UUID) -> list[Any]:
    return [consents.c.clinic_id == clinic_id, consents.c.patient_id == patient_id]


def standing(clinic_id: Any, patient_id: Any, kind: str) -> list[Any]:
    """The SQL conditions of a consent of this kind that stands; ids may be columns."""
    standing = [consents.c.kind == kind, consents.c.deleted_at.is_(None), *_in_state("in_force")]
    return _of_patient(clinic_id, patient_id) + standing


def _in_state(state: str) -> list[Any]:
    if state == "withdrawn":
        return [consents.c.withdrawn_at.is_not(None)]
    superseded = consents.c.superseded_at
    return [
        consents.c.withdrawn_at.is_(None),
        superseded.is_(None) if state == "in_force" else superseded.is_not(None),
    ]


def _state(row: Values) -> str:
    if row["withdrawn_at"] is not None:
        return "withdrawn"
    return "in_force" if row["superseded_at"] is None else "superseded"


def _hold(row: Values) -> Values:
    """The consent as it is once nobody else is changing the patient's consents."""
    store().hold(patients, {"clinic_id": row["clinic_id"], "id": row["patient_id"]})
    again = select(consents).where(
        consents.c.clinic_id == row["clinic_id"], consents.c.id == row["id"]
    )
    return store().row(again, opens=consents) or row


def _witness(actor: Actor, values: Values) -> UUID | None:
    """A clinician who records a paper consent witnesses it, unless a colleague did."""
    named: UUID | None = values.get("witnessed_by")
    if actor.rights.role == Role.SYSTEM:
        return None  # whoever saw it is known where it was signed
    if actor.rights.is_patient:
        if named is not None:
            raise Invalid([("/witnessed_by", "A clinician names the witness.")])
        return None
    if named is None or named == actor.user_id:
        return actor.user_id
    clinician_of(actor.clinic_id, named, "/witnessed_by")
    return named


def _refuse_ahead(granted_at: datetime) -> None:
    if granted_at > clock.now() + CLOCKS_DIFFER:
        raise Invalid([("/granted_at", "Lies in the future.")])


def _replace_older(patient: Values, values: Values) -> None:
    clinic_id, patient_id, kind = patient["clinic_id"], patient["id"], values["kind"]
    alike = [*_of_patient(clinic_id, patient_id), consents.c.kind == kind]
    for row in store().rows(select(consents).where(*alike, consents.c.deleted_at.is_(None))):
        said_last = max(row["granted_at"], row["withdrawn_at"] or row["granted_at"])
        standing = _state(row) == "in_force"
        if standing and row["text_version"] == values["text_version"]:
            detail = "This consent is in force already."
            raise Conflict(detail, state="in_force", allowed=["reaffirm", "withdraw"])
        if values["granted_at"] < said_last:
            detail = "The patient has said something else since then."
            at = [{"pointer": "/granted_at", "detail": detail}]
            raise Conflict(detail, state=_state(row), allowed=[], errors=at)
        if standing:
            store().change(consents, row, {"superseded_at": clock.now()})


def _refuse_unless_in_force(row: Values) -> None:
    state = _state(row)
    if state == "withdrawn":
        raise Conflict("This consent is withdrawn.", state=state, allowed=[])
    if state == "superseded":
        detail = "A newer consent of this kind stands in its place."
        raise Conflict(detail, state=state, allowed=[])


def _refuse_other_session(row: Values, session_id: UUID) -> None:
    theirs = select(_sessions.c.id).where(
        _sessions.c.clinic_id == row["clinic_id"],
        _sessions.c.id == session_id,
        _sessions.c.patient_id == row["patient_id"],
    )
    if store().row(theirs) is None:
        raise Invalid([("/session_id", "No session of this patient.")])


def _show_one(actor: Actor, row: Values) -> Values:
    patient = store().row(
        select(patients).where(
            patients.c.clinic_id == row["clinic_id"], patients.c.id == row["patient_id"]
        )
    )
    assert patient is not None
    return _show(actor, patient, [row])[0]


SHOWN = (
    "id",
    "version",
    "created_at",
    "updated_at",
    "kind",
    "text_version",
    "shown_as",
    "granted_at",
    "witnessed_by",
    "withdrawn_at",
)


def _show(actor: Actor, patient: Values, rows: list[Values]) -> list[Values]:
    """Consents as the doors show them; why one was withdrawn is for patient and care team."""
    said = _reaffirmations(rows)
    named = {"id": patient["id"], "display_name": display_name(patient)}
    tells = actor.rights.role in ("patient", "clinician")
    return [
        {key: row[key] for key in SHOWN}
        | {
            "state": _state(row),
            "patient": named,
            "reason": row["withdraw_reason"] if tells else None,
            "reaffirmations": said.get(row["id"], []),
        }
        for row in rows
    ]


def _reaffirmations(rows: list[Values]) -> dict[UUID, list[Values]]:
    table = consent_reaffirmations
    asked: Select[Any] = select(
        table.c.consent_id, table.c.session_id, table.c.created_at.label("reaffirmed_at")
    )
    if not rows:
        return {}
    ids = [row["id"] for row in rows]
    mine = and_(table.c.clinic_id == rows[0]["clinic_id"], table.c.consent_id.in_(ids))
    by_consent: dict[UUID, list[Values]] = {}
    for found in store().rows(asked.where(mine).order_by(table.c.id)):
        by_consent.setdefault(found.pop("consent_id"), []).append(found)
    return by_consent
