"""The ledger as the doors show it: entries with who recorded them, their codes and judgements."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from api.access.policies import Actor
from api.access.users import named
from api.core.patients import display_name, patients
from api.core.treatment.dosing.monitoring import standing
from api.core.treatment.dosing.vocabulary import DOSE, EVENT, codes_of
from api.db import Values, store

KEPT = (
    "id",
    "version",
    "created_at",
    "updated_at",
    "session_id",
    "type",
    "sequence",
    "client_event_id",
    "measured_at",
    "recorded_at",
    "device_sent_at",
    "device_clock_skew_ms",
    "late",
    "corrects_id",
    "superseded_by",
    "reason",
    "judgements",
)


def show_all(
    reader: Actor, session: Values, entries: Sequence[Values], ids: Collection[UUID] | None = None
) -> dict[UUID, Values]:
    """The entries of one whole ledger by id, or those of `ids`; two queries, however many."""
    wanted = [e for e in entries if ids is None or e["id"] in ids]
    if not wanted:
        return {}
    people = _people(reader.clinic_id, wanted)
    patient = _patient(session)
    doses = [e for e in standing(entries) if e["type"] == DOSE]
    return {e["id"]: _show(e, patient, people, doses) for e in wanted}


def _show(
    entry: Values, patient: Values, people: dict[str, Values], doses: Sequence[Values]
) -> Values:
    content = dict(entry["content"])
    if "witnessed_by" in content:
        content["witnessed_by"] = people.get(content["witnessed_by"])
    if entry["type"] == EVENT:
        content["onset_min"] = _onset(entry, doses)
    return content | {
        **{name: entry[name] for name in KEPT},
        "patient": patient,
        "recorded_by": people.get(str(entry["recorded_by"])),
        "codes": codes_of(entry["type"], entry["content"]),
        "protocol": {"key": entry["protocol_key"], "version": entry["protocol_version"]},
    }


def _onset(entry: Values, doses: Sequence[Values]) -> int | None:
    """Minutes from the last standing dose before an event to its onset; null before any."""
    at = entry["measured_at"]
    before = [dose["measured_at"] for dose in doses if dose["measured_at"] <= at]
    return int((at - before[-1]).total_seconds() // 60) if before else None


def _people(clinic_id: UUID, entries: Sequence[Values]) -> dict[str, Values]:
    who = {entry["recorded_by"] for entry in entries}
    who |= {UUID(e["content"]["witnessed_by"]) for e in entries if "witnessed_by" in e["content"]}
    return {str(one): person for one, person in named(clinic_id, who).items()}


def _patient(session: Values) -> Values:
    p = patients.c
    statement: Any = select(p.id, p.legal_given, p.legal_family, p.preferred_name).where(
        p.clinic_id == session["clinic_id"], p.id == session["patient_id"]
    )
    row = store().row(statement)
    assert row is not None, "a session hangs on a patient"
    return {"id": row["id"], "display_name": display_name(row)}
