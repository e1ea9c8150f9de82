"""Sessions as their readers see them: with names, and with the moves that are theirs to make."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import and_, literal, select

from api import clock
from api.access.policies import Rights
from api.access.users import users
from api.core.patients import display_name, patients
from api.core.team_reach import on_care_team, session_clinicians
from api.core.treatment import moves, signatures
from api.db import Values, store
from api.errors import Invalid

HIDDEN = ("clinic_id", "patient_id", "room_key", "deleted_at")
TO_PATIENT = (
    "id",
    "version",
    "created_at",
    "updated_at",
    "patient",
    "kind",
    "state",
    "mode",
    "room",
    "starts_at",
    "ends_at",
    "clinicians",
    "preparation",
    "allowed",
)
"""What a patient sees of a session as soon as it is booked."""
ONCE_SIGNED = ("also_covered", "arrived_at", "started_at", "completed_at", "signed_at")
"""What a patient sees besides, once every owed part of the record has its signature."""
NOT_HELD = "not_held"
"""The patient's word for a session they did not come to; it counts nothing against them."""


def show(reader: Rights, row: Values) -> Values:
    """One session as this reader sees it."""
    return show_all(reader, [row])[0]


def show_all(reader: Rights, rows: list[Values]) -> list[Values]:
    """Sessions as this reader sees them; two queries, however many they are."""
    named = _clinicians_of(reader.clinic_id, [row["id"] for row in rows])
    people = _patients_of(reader, {row["patient_id"] for row in rows})
    return [
        _shown(reader, row, people[row["patient_id"]], named.get(row["id"], [])) for row in rows
    ]


def _clinicians_of(clinic_id: UUID, ids: list[UUID]) -> dict[UUID, list[Values]]:
    t = session_clinicians.c
    statement = (
        select(t.session_id, users.c.id, users.c.display_name)
        .join(users, and_(users.c.clinic_id == t.clinic_id, users.c.id == t.clinician_id))
        .where(t.clinic_id == clinic_id, t.session_id.in_(ids))
        .order_by(t.session_id, t.place)
    )
    named: dict[UUID, list[Values]] = {}
    for row in store().rows(statement) if ids else []:
        named.setdefault(row.pop("session_id"), []).append(row)
    return named


def _patients_of(reader: Rights, ids: Iterable[UUID]) -> dict[UUID, Values]:
    p = patients.c
    member: Any = literal(False)
    if reader.role == "clinician":
        member = on_care_team(reader.clinic_id, reader.user_id, p.id, clock.now())
    columns = (p.id, p.legal_given, p.legal_family, p.preferred_name)
    statement = select(*columns, member.label("is_member"))
    found = store().rows(statement.where(p.clinic_id == reader.clinic_id, p.id.in_(list(ids))))
    return {row["id"]: row for row in found}


def _shown(reader: Rights, row: Values, patient: Values, clinicians: list[Values]) -> Values:
    shown = {key: value for key, value in row.items() if key not in HIDDEN}
    shown["also_covered"] = row["also_covered"] or []
    shown["overrides"] = (row["overrides"] or []) if reader.role == "clinician" else []
    shown["patient"] = {"id": patient["id"], "display_name": display_name(patient)}
    shown["clinicians"] = clinicians
    shown["allowed"] = allowed(reader, row, bool(patient["is_member"]))
    if reader.is_patient:
        shown["state"] = state_for(reader, row["state"])
        told = (*TO_PATIENT, *ONCE_SIGNED) if signatures.is_signed(row) else TO_PATIENT
        return {key: shown[key] for key in told}
    return shown


def allowed(reader: Rights, row: Values, is_member: bool) -> list[str]:
    """The moves this reader may make with the session now; none once its record is signed."""
    if signatures.is_signed(row):
        return []
    names = moves.allowed(row["state"], row["kind"], reader.role, is_member)
    if row.get("last_dose_at") is None:
        return names
    # A dose stands: whoever had it is watched and let go, not called off.
    return [name for name in names if moves.MOVES[name].leads[row["state"]] not in moves.FREEING]


def state_for(reader: Rights, state: str) -> str:
    """The state in the reader's word for it."""
    return NOT_HELD if reader.is_patient and state == "no_show" else state


def state_of(reader: Rights, word: str) -> str:
    """The state that the reader asks for by their word for it; `Invalid` for another's word."""
    words = [state_for(reader, state) for state in moves.STATES]
    if word not in words:
        raise Invalid([("/state", f"Must be one of: {', '.join(words)}.")])
    return moves.STATES[words.index(word)]


def is_member(reader: Rights, patient_id: UUID) -> bool:
    """Whether the reader is on the patient's care team itself, not by duty."""
    return bool(_patients_of(reader, [patient_id])[patient_id]["is_member"])
