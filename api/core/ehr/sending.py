"""What an EHR sends of a patient: vitals of a session, answers, and that they agree to share."""

from collections.abc import Sequence
from uuid import UUID

from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.consents import consents, record_consent, withdraw_consent
from api.core.ehr.identifiers import keep_identifiers
from api.core.ehr.writing import CREATE, UPDATE, enter_to_write
from api.core.outcomes.checkins.refused import hear_refused_new
from api.core.outcomes.checkins.writing import receive_checkin
from api.core.outcomes.instruments.definition import Instrument
from api.core.outcomes.instruments.shelf import find_instrument
from api.core.treatment.dosing.recording import receive_entry
from api.core.treatment.dosing.table import ledger_entries
from api.core.treatment.dosing.vocabulary import VITALS
from api.db import Values, match, store
from api.errors import Conflict

SHARING = "ehr_sharing"
"""The one kind of consent that an EHR may record."""


def send_vitals(actor: Actor, session_id: UUID, values: Values) -> tuple[UUID, bool]:
    """A reading enters the ledger of its session; answers its id, and whether it was there."""
    gate.admit(actor, CREATE)
    enter_to_write(actor, CREATE)
    result = receive_entry(actor, CREATE, session_id, VITALS, values)
    entry_id: UUID = result["entry"]["id"]
    trail.about(ledger_entries.name, entry_id)
    return entry_id, result["outcome"] == "already_stored"


def find_shown(actor: Actor, key: str) -> Instrument:
    """The instrument of a key, as the clinic has it now; `NotFound` without one."""
    gate.admit(actor, CREATE)
    return find_instrument(actor.clinic_id, key)


def send_answers(actor: Actor, patient_id: UUID, values: Values, ids: Sequence[Values]) -> UUID:
    """Answers to an instrument become a complete check-in: scored here, alerts raised."""
    gate.admit(actor, CREATE)
    enter_to_write(actor, CREATE)
    row = receive_checkin(actor, CREATE, patient_id, values)
    keep_identifiers(actor.clinic_id, "QuestionnaireResponse", row, list(ids))
    check_in_id: UUID = row["id"]
    return check_in_id


def hear_refused(actor: Actor, patient_id: UUID, said: Values) -> Values | None:
    """What answers that were refused say of somebody's safety raises its alert all the same."""
    gate.admit(actor, CREATE)
    return hear_refused_new(actor, patient_id, said, CREATE)


def record_sharing(actor: Actor, patient_id: UUID, values: Values, ids: Sequence[Values]) -> UUID:
    """The patient agreed, at the EHR, that their data is shared with it."""
    gate.admit(actor, CREATE)
    enter_to_write(actor, CREATE)
    row = record_consent(actor, patient_id, {**values, "kind": SHARING}, CREATE)
    keys = {"id": row["id"], "patient_id": patient_id}
    keep_identifiers(actor.clinic_id, "Consent", keys, list(ids))
    consent_id: UUID = row["id"]
    return consent_id


def withdraw_sharing(
    actor: Actor, consent_id: UUID, version: int | None, stands: bool, ids: Sequence[Values]
) -> None:
    """The patient no longer agrees; an EHR that only says so again changes nothing."""
    row = gate.find_in_chart(actor, UPDATE, consents, consent_id)
    enter_to_write(actor, UPDATE)
    match(row, version)
    if row["kind"] != SHARING:
        raise Conflict("This consent is the clinic's to keep.", state=row["kind"], allowed=[])
    is_in_force = row["withdrawn_at"] is None and row["superseded_at"] is None
    if stands and not is_in_force:
        raise Conflict("A consent that ended is given anew.", state="withdrawn", allowed=[])
    if is_in_force and not stands:
        withdraw_consent(actor, consent_id, None, UPDATE)
    else:
        store().change(consents, row, {})
    keep_identifiers(actor.clinic_id, "Consent", row, list(ids))
