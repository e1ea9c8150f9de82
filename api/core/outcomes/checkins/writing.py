"""Writing check-ins: begun, answered in parts, completed, and later put right."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.integration import entries
from api.core.integration.moments import CLOCKS_DIFFER
from api.core.outcomes.checkins import showing
from api.core.outcomes.checkins.scored import day_of, known_instrument, merged, taken
from api.core.outcomes.checkins.table import COMPLETE, DRAFT, check_in_corrections, check_ins
from api.core.outcomes.instruments.catalogue import Instrument
from api.core.outcomes.instruments.showing import refuse_without_text
from api.core.patients import open_chart
from api.db import Values, found, match, store
from api.errors import Conflict, Invalid

ALLOWED = {DRAFT: ["change", "complete"], COMPLETE: ["corrections"]}
"""What may be done with a check-in of each state."""


def log_checkin(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A new check-in: a draft that may be answered in parts, or with `complete` whole at once."""
    patient = open_chart(actor, "check_in:log", patient_id)
    one = _answerable(actor, values["instrument"])
    state = COMPLETE if values.get("complete") else DRAFT
    row = store().add(
        check_ins,
        {
            "clinic_id": patient["clinic_id"],
            "patient_id": patient["id"],
            "instrument": one.key,
            "source": "app",
            "answered_by": _answered_by(actor, values.get("answered_by")),
            "recorded_by": actor.user_id,
            **_when(patient, values.get("answered_at")),
            **taken(one, values["answers"], state),
        },
    )
    trail.about(check_ins.name, row["id"])
    trail.wrote(values)
    return showing.answered(actor, patient, row)


def change_checkin(actor: Actor, check_in_id: UUID, version: int | None, values: Values) -> Values:
    """More answers of a draft: merged with those before by link id."""
    seen = gate.find_in_chart(actor, "check_in:log", check_ins, check_in_id)
    row = _held(seen)
    match(row, version)
    _refuse_unless(DRAFT, row, "What is complete is corrected, not changed.")
    patient = entries.patient_of(row)
    trail.wrote(values)
    after = store().change(check_ins, row, _more(actor, patient, row, values))
    return showing.answered(actor, patient, after)


def complete_checkin(actor: Actor, check_in_id: UUID, values: Values) -> Values:
    """The draft is complete, whatever was left open; its total stands when nothing was."""
    seen = gate.find_in_chart(actor, "check_in:log", check_ins, check_in_id)
    row = _held(seen)
    _refuse_unless(DRAFT, row, "It is complete already.")
    patient, one = entries.patient_of(row), known_instrument(row["instrument"])
    changes = taken(one, row["answers"], COMPLETE)
    if "answered_at" in values:
        changes |= _when(patient, values["answered_at"])
    trail.wrote(["state", *values])
    after = store().change(check_ins, row, changes)
    return showing.answered(actor, patient, after)


def correct_checkin(actor: Actor, check_in_id: UUID, values: Values) -> Values:
    """A complete check-in put right: answers merged by link id, what was there is kept."""
    seen = gate.find_in_chart(actor, "check_in:correct", check_ins, check_in_id)
    row = _held(seen)
    _refuse_unless(COMPLETE, row, "A draft is changed, not corrected.")
    one = known_instrument(row["instrument"])
    changes = taken(one, merged(row["answers"], values["answers"]), COMPLETE)
    _keep_former(actor, row, values["reason"])
    trail.wrote(values)
    return showing.answered(actor, entries.patient_of(row), store().change(check_ins, row, changes))


def _keep_former(corrector: Actor, row: Values, reason: str) -> None:
    store().add(
        check_in_corrections,
        {
            "clinic_id": row["clinic_id"],
            "patient_id": row["patient_id"],
            "check_in_id": row["id"],
            "replaced_version": row["version"],
            "former_answers": row["answers"],
            "former_scores": row["scores"],
            "former_scoring_version": row["scoring_version"],
            "reason": reason,
            "corrected_by": corrector.user_id,
            "corrected_at": clock.now(),
        },
    )


def _more(writer: Actor, patient: Values, row: Values, values: Values) -> Values:
    one = _answerable(writer, row["instrument"])
    changes = taken(one, merged(row["answers"], values.get("answers", {})))
    if "answers" in values or "answered_at" in values:
        changes |= _when(patient, values.get("answered_at"))
    if "answers" in values and not writer.rights.is_patient and row["answered_by"] == "patient":
        changes["answered_by"] = "clinician_asked"
    return changes


def _answerable(writer: Actor, key: str) -> Instrument:
    one = known_instrument(key)
    refuse_without_text(writer, one)
    return one


def _answered_by(writer: Actor, asked: str | None) -> str:
    if writer.rights.is_patient:
        if asked not in (None, "patient"):
            raise Invalid([("/answered_by", "A patient answers for themself.")])
        return "patient"
    if asked == "patient":
        raise Invalid([("/answered_by", "The patient did not write this themself.")])
    return asked or "clinician_asked"


def _when(patient: Values, at: datetime | None) -> Values:
    now = clock.now()
    if at is not None and at > now + CLOCKS_DIFFER:
        raise Invalid([("/answered_at", "Lies in the future.")])
    moment = now if at is None else min(at, now)
    return {"answered_at": moment, **day_of(moment, patient["time_zone"])}


def _held(row: Values) -> Values:
    """The check-in as it is now, kept from others until this transaction ends."""
    c = check_ins.c
    statement = select(check_ins).where(
        c.clinic_id == row["clinic_id"], c.id == row["id"], c.deleted_at.is_(None)
    )
    return found(store().row(statement.with_for_update(), opens=check_ins))


def _refuse_unless(state: str, row: Values, detail: str) -> None:
    if row["state"] != state:
        raise Conflict(detail, state=row["state"], allowed=ALLOWED[row["state"]])
