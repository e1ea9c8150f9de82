"""Lists that an EHR owns: diagnoses, allergies, medications; and referrals, which it sends."""

from typing import Final
from uuid import UUID

from sqlalchemy import Table

from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.clinical_lists.records import change_entry, confirm_list, record_entry
from api.core.clinical_lists.table import allergies, diagnoses, medications
from api.core.ehr.identifiers import keep_identifiers
from api.core.ehr.table import referrals
from api.core.ehr.writing import CREATE, UPDATE, enter_to_write
from api.core.patients import open_chart
from api.db import Values, match, store

LISTS: Final[dict[str, Table]] = {
    "Condition": diagnoses,
    "AllergyIntolerance": allergies,
    "MedicationStatement": medications,
}
"""The list of each FHIR type."""


def list_entry(
    actor: Actor, kind: str, patient_id: UUID, values: Values, ids: list[Values]
) -> UUID:
    """A new entry of a list; that the EHR told it says that the list was gone through."""
    gate.admit(actor, CREATE)
    enter_to_write(actor, CREATE)
    row = record_entry(actor, CREATE, LISTS[kind], patient_id, values)
    return _settle(actor, CREATE, kind, patient_id, row["id"], ids)


def relist_entry(
    actor: Actor, kind: str, record_id: UUID, version: int | None, values: Values, ids: list[Values]
) -> None:
    """An entry as the EHR has it now; whose it is does not change."""
    row = gate.find_in_chart(actor, UPDATE, LISTS[kind], record_id)
    enter_to_write(actor, UPDATE)
    change_entry(actor, UPDATE, LISTS[kind], record_id, version, values)
    _settle(actor, UPDATE, kind, row["patient_id"], record_id, ids)


def _settle(
    actor: Actor, action: str, kind: str, patient_id: UUID, record_id: UUID, ids: list[Values]
) -> UUID:
    confirm_list(actor, action, LISTS[kind], patient_id, {})
    keys = {"id": record_id, "patient_id": patient_id}
    keep_identifiers(actor.clinic_id, kind, keys, ids)
    trail.about(LISTS[kind].name, record_id)
    return record_id


def refer_patient(actor: Actor, patient_id: UUID, values: Values, ids: list[Values]) -> UUID:
    """A patient is sent here, by whom and for what."""
    open_chart(actor, CREATE, patient_id)
    enter_to_write(actor, CREATE)
    keys = {"clinic_id": actor.clinic_id, "patient_id": patient_id, "recorded_by": actor.user_id}
    row = store().add(referrals, values | keys)
    keep_identifiers(actor.clinic_id, "ServiceRequest", row, ids)
    trail.about(referrals.name, row["id"])
    trail.wrote(values)
    record_id: UUID = row["id"]
    return record_id


def change_referral(
    actor: Actor, referral_id: UUID, version: int | None, values: Values, ids: list[Values]
) -> None:
    """A referral as the EHR has it now."""
    row = gate.find_in_chart(actor, UPDATE, referrals, referral_id)
    enter_to_write(actor, UPDATE)
    match(row, version)
    trail.about(referrals.name, referral_id)
    trail.wrote(values)
    store().change(referrals, row, values)
    keep_identifiers(actor.clinic_id, "ServiceRequest", row, ids)
