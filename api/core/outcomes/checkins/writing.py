"""Writing check-ins: begun, answered in parts, completed, and later put right."""

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Table, select

from api import clock
from api.access.policies import Actor
from api.access.users import users
from api.audit import trail
from api.core import gate
from api.core.integration import entries
from api.core.integration.moments import CLOCKS_DIFFER
from api.core.one_trip import CLINIC, RECORD
from api.core.outcomes.checkins import safety, showing
from api.core.outcomes.checkins.about import practice_named
from api.core.outcomes.checkins.finding import PATIENT
from api.core.outcomes.checkins.scored import (
    answered_instrument,
    day_of,
    known_instrument,
    merged,
    taken,
)
from api.core.outcomes.checkins.table import (
    COMPLETE,
    DRAFT,
    check_in_corrections,
    check_ins,
    reached,
)
from api.core.outcomes.instruments.definition import Instrument
from api.core.outcomes.instruments.showing import refuse_without_text
from api.core.outcomes.plans.answering import answer_plans, any_plans
from api.core.patients import chart_for, open_chart, patients
from api.core.treatment.windows import doses_told
from api.db import Values, found, match, new_id, store
from api.errors import Conflict, Invalid, NotAllowed
from api.outbox import events

ALLOWED = {DRAFT: ["change", "complete"], COMPLETE: ["corrections"]}
"""What may be done with a check-in of each state."""

OLDEST = timedelta(days=20 * 365.25)
"""How long ago answers may have been given at the most."""
_CHART = chart_for(
    "check_in:log",
    (*PATIENT, "sex_at_birth", "birth_on"),
    doses_told(CLINIC, patients.c.id).label("doses"),
    any_plans(CLINIC, patients.c.id).label("has_plans"),
    beside=reached(CLINIC, RECORD),
)


def log_checkin(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A new check-in: a draft that may be answered in parts, or with `complete` whole at once."""
    patient = _CHART.one(actor, patient_id, instrument=values["instrument"])
    one = _answerable(actor, known_instrument(actor.clinic_id, values["instrument"]))
    state = COMPLETE if values.get("complete") else DRAFT
    full = {
        "id": new_id(),
        "clinic_id": patient["clinic_id"],
        "patient_id": patient["id"],
        "instrument": one.key,
        "source": "app",
        "answered_by": _answered_by(actor, values.get("answered_by")),
        "recorded_by": actor.writer_id,
        **_when(patient, values.get("answered_at")),
        **taken(one, values["answers"], state, patient["sex_at_birth"]),
        **practice_named(actor, patient, one.key, values.get("practice_id")),
        "patients_own": _given(values["answers"]) if actor.rights.is_patient else [],
    }
    told = [_event(full, "check_in.completed")] if state == COMPLETE else []
    row = store().add(check_ins, full, also=told)
    trail.about(check_ins.name, row["id"])
    trail.wrote(values)
    if state == COMPLETE and patient["has_plans"]:
        answer_plans(patient, row)
    safety.heed(row, actor.writer_id, reached=patient)
    return showing.answered(actor, patient, row)


def receive_checkin(actor: Actor, action: str, patient_id: UUID, values: Values) -> Values:
    """Answers that another system took: complete, scored here, and heeded as any others are."""
    patient = open_chart(actor, action, patient_id)
    one = known_instrument(actor.clinic_id, values["instrument"])
    full = {
        "id": new_id(),
        "clinic_id": patient["clinic_id"],
        "patient_id": patient["id"],
        "instrument": one.key,
        "source": "ehr",
        "answered_by": values["answered_by"],
        "recorded_by": actor.user_id,
        **_when(patient, values.get("answered_at")),
        **taken(one, values["answers"], COMPLETE, patient["sex_at_birth"]),
        "patients_own": _given(values["answers"]) if values["answered_by"] == "patient" else [],
    }
    row = store().add(check_ins, full, also=[_event(full, "check_in.completed")])
    trail.about(check_ins.name, row["id"])
    trail.wrote(values)
    answer_plans(patient, row)
    safety.heed(row, actor.user_id)
    return row


def change_checkin(actor: Actor, check_in_id: UUID, version: int | None, values: Values) -> Values:
    """More answers of a draft: merged with those before by link id."""
    seen = gate.find_in_chart(actor, "check_in:log", check_ins, check_in_id)
    row = _held(seen)
    match(row, version)
    _refuse_unless(DRAFT, row, "What is complete is corrected, not changed.")
    patient = entries.patient_of(row)
    trail.wrote(values)
    more = _more(actor, patient, row, values)
    after = store().change(check_ins, row, more) if values else row
    safety.heed(after, actor.writer_id, row)
    return showing.answered(actor, patient, after)


def complete_checkin(actor: Actor, check_in_id: UUID, values: Values) -> Values:
    """The draft is complete, whatever was left open; its total stands when nothing was."""
    seen = gate.find_in_chart(actor, "check_in:log", check_ins, check_in_id)
    row = _held(seen)
    _refuse_unless(DRAFT, row, "It is complete already.")
    patient, one = entries.patient_of(row), answered_instrument(row)
    changes = taken(one, row["answers"], COMPLETE, patient["sex_at_birth"])
    if "answered_at" in values:
        changes |= _when(patient, values["answered_at"])
    trail.wrote(["state", *values])
    told = _event(row, "check_in.completed")
    after = store().change(check_ins, row, changes, also=[told])
    answer_plans(patient, after)
    safety.heed(after, actor.writer_id, row)
    return showing.answered(actor, patient, after)


def correct_checkin(actor: Actor, check_in_id: UUID, values: Values) -> Values:
    """A complete check-in put right: answers merged by link id, what was there is kept."""
    seen = gate.find_in_chart(actor, "check_in:correct", check_ins, check_in_id)
    row = _held(seen)
    _refuse_unless(COMPLETE, row, "A draft is changed, not corrected.")
    patient, one = entries.patient_of(row), answered_instrument(row)
    answers = merged(row["answers"], values["answers"])
    changes = taken(one, answers, COMPLETE, patient["sex_at_birth"])
    _keep_former(actor, row, values["reason"])
    trail.wrote(values)
    told = _event(row, "check_in.corrected")
    after = store().change(check_ins, row, changes, also=[told])
    safety.heed(after, actor.writer_id, row)
    return showing.answered(actor, patient, after)


def _event(row: Values, name: str) -> tuple[Table, Values]:
    subject = {"check_in_id": row["id"], "patient_id": row["patient_id"]}
    return events.row(row["clinic_id"], name, subject)


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
    one = _answerable(writer, answered_instrument(row))
    _refuse_other_words(writer, row, values.get("answers", {}))
    answers = merged(row["answers"], values.get("answers", {}))
    changes = taken(one, answers, DRAFT, patient["sex_at_birth"])
    if "answers" in values or "answered_at" in values:
        changes |= _when(patient, values.get("answered_at"))
    if "answers" in values and not writer.rights.is_patient and row["answered_by"] == "patient":
        changes["answered_by"] = "clinician_asked"
    if "answers" in values and writer.rights.is_patient:
        mine = set(_own(row)) - set(values["answers"])
        changes["patients_own"] = sorted(mine.union(_given(values["answers"])))
    return changes


def _given(answers: Values) -> list[str]:
    """The link ids to which an answer was given, and not left open."""
    return sorted(name for name, value in answers.items() if value is not None)


def _refuse_other_words(writer: Actor, row: Values, part: Values) -> None:
    """What the patient answered themself stands; others fill what was left open."""
    there = row["answers"]
    changed = {name for name in part if there.get(name) not in (None, part[name])}
    if changed and not writer.rights.is_patient and not changed.isdisjoint(_own(row)):
        raise NotAllowed("These are the patient's own answers; only they change them.")


def _own(row: Values) -> list[str]:
    """Which answers the patient gave; of a draft from before that was kept, all or none."""
    own: list[str] | None = row["patients_own"]
    if own is not None:
        return own
    return _given(row["answers"]) if _is_patients(row) else []


def _is_patients(row: Values) -> bool:
    """Whether the patient began the check-in, also where somebody has filled in since."""
    mine = (users.c.clinic_id == row["clinic_id"], users.c.id == row["recorded_by"])
    by = store().row(select(users.c.patient_id).where(*mine))
    return by is None or by["patient_id"] is not None


def _answerable(writer: Actor, one: Instrument) -> Instrument:
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
    if at is not None and _is_too_old(patient, at, now):
        said = "Before the patient was born, or too long ago to be believed."
        raise Invalid([("/answered_at", said)])
    moment = now if at is None else min(at, now)
    return {"answered_at": moment, **day_of(moment, patient["time_zone"])}


def _is_too_old(patient: Values, at: datetime, now: datetime) -> bool:
    born: date | None = patient["birth_on"]
    before_birth = born is not None and day_of(at, patient["time_zone"])["answered_on"] < born
    return before_birth or at < now - OLDEST


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
