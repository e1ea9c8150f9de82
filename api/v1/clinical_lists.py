"""Allergies, medications and diagnoses over v1: each entry a record, each list gone through."""

from typing import Any

from api.access.policies import Actor
from api.core.clinical_lists import records
from api.paging import Listing, Values
from api.v1.clinical_list_shapes import (
    AllergyQuery,
    AllergySchema,
    ChangedAllergySchema,
    ChangedDiagnosisSchema,
    ChangedMedicationSchema,
    ConfirmedListSchema,
    ConfirmedSchema,
    ConfirmListSchema,
    DiagnosisQuery,
    MedicationQuery,
    MedicationSchema,
    NewAllergySchema,
    NewDiagnosisSchema,
    NewMedicationSchema,
    RecordedDiagnosisSchema,
)
from api.v1.resource import Blueprint

blp = Blueprint("clinical-lists", "What a patient is allergic to, takes, and is diagnosed with.")
OF = "/patients/<id:patient_id>"


@blp.offer(
    "GET",
    f"{OF}/allergies",
    "allergy:read",
    query=AllergyQuery,
    answer=AllergySchema,
    beside=ConfirmedSchema,
    paged=True,
)
def list_allergies(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's allergies.

    Beside them, when somebody last went through the list: an empty one that was confirmed says
    that none is known.
    """
    return records.list_allergies(actor, patient_id, **asked)


@blp.offer(
    "POST",
    f"{OF}/allergies",
    "allergy:write",
    body=NewAllergySchema,
    answer=AllergySchema,
    location="/api/v1/allergies/{id}",
    example={"substance": "Latex", "severity": "mild"},
)
def record_allergy(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Write down an allergy."""
    return records.record_allergy(actor, patient_id, values)


@blp.offer(
    "POST",
    f"{OF}/allergies/confirm",
    "allergy:write",
    body=ConfirmListSchema,
    answer=ConfirmedListSchema,
    example={},
)
def confirm_allergies(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Say that the allergies were gone through with the patient."""
    return records.confirm_allergies(actor, patient_id, values)


@blp.offer("GET", "/allergies/<id:allergy_id>", "allergy:read", answer=AllergySchema)
def read_allergy(actor: Actor, allergy_id: Any) -> Values:
    """Read an allergy."""
    return records.read_allergy(actor, allergy_id)


@blp.offer(
    "PATCH",
    "/allergies/<id:allergy_id>",
    "allergy:write",
    body=ChangedAllergySchema,
    answer=AllergySchema,
    example={"status": "resolved"},
)
def change_allergy(actor: Actor, allergy_id: Any, version: int | None, values: Values) -> Values:
    """Change an allergy.

    What was written by mistake gets the status `entered_in_error`; nothing is removed.
    """
    return records.change_allergy(actor, allergy_id, version, values)


@blp.offer(
    "GET",
    f"{OF}/medications",
    "medication:read",
    query=MedicationQuery,
    answer=MedicationSchema,
    beside=ConfirmedSchema,
    paged=True,
)
def list_medications(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List what a patient takes or took.

    Beside it, when somebody last went through the list.
    """
    return records.list_medications(actor, patient_id, **asked)


@blp.offer(
    "POST",
    f"{OF}/medications",
    "medication:write",
    body=NewMedicationSchema,
    answer=MedicationSchema,
    location="/api/v1/medications/{id}",
    example={"name": "Sertraline", "dose": "50 mg in the morning"},
)
def record_medication(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Write down a medication.

    Interactions with a dose are found by its name, and by `drug_class` where a person gives one.
    """
    return records.record_medication(actor, patient_id, values)


@blp.offer(
    "POST",
    f"{OF}/medications/confirm",
    "medication:write",
    body=ConfirmListSchema,
    answer=ConfirmedListSchema,
    example={},
)
def confirm_medications(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Say that the medications were gone through with the patient."""
    return records.confirm_medications(actor, patient_id, values)


@blp.offer("GET", "/medications/<id:medication_id>", "medication:read", answer=MedicationSchema)
def read_medication(actor: Actor, medication_id: Any) -> Values:
    """Read a medication."""
    return records.read_medication(actor, medication_id)


@blp.offer(
    "PATCH",
    "/medications/<id:medication_id>",
    "medication:write",
    body=ChangedMedicationSchema,
    answer=MedicationSchema,
    example={"status": "stopped"},
)
def change_medication(
    actor: Actor, medication_id: Any, version: int | None, values: Values
) -> Values:
    """Change a medication.

    What was written by mistake gets the status `entered_in_error`; nothing is removed.
    """
    return records.change_medication(actor, medication_id, version, values)


@blp.offer(
    "GET",
    f"{OF}/diagnoses",
    "diagnosis:read",
    query=DiagnosisQuery,
    answer=RecordedDiagnosisSchema,
    beside=ConfirmedSchema,
    paged=True,
)
def list_diagnoses(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's diagnoses.

    Beside them, when somebody last went through the list.
    """
    return records.list_diagnoses(actor, patient_id, **asked)


@blp.offer(
    "POST",
    f"{OF}/diagnoses",
    "diagnosis:write",
    body=NewDiagnosisSchema,
    answer=RecordedDiagnosisSchema,
    location="/api/v1/diagnoses/{id}",
    example={"code": "F33.1"},
)
def record_diagnosis(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Write down a diagnosis."""
    return records.record_diagnosis(actor, patient_id, values)


@blp.offer(
    "POST",
    f"{OF}/diagnoses/confirm",
    "diagnosis:write",
    body=ConfirmListSchema,
    answer=ConfirmedListSchema,
    example={},
)
def confirm_diagnoses(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Say that the diagnoses were gone through with the patient."""
    return records.confirm_diagnoses(actor, patient_id, values)


@blp.offer("GET", "/diagnoses/<id:diagnosis_id>", "diagnosis:read", answer=RecordedDiagnosisSchema)
def read_diagnosis(actor: Actor, diagnosis_id: Any) -> Values:
    """Read a diagnosis."""
    return records.read_diagnosis(actor, diagnosis_id)


@blp.offer(
    "PATCH",
    "/diagnoses/<id:diagnosis_id>",
    "diagnosis:write",
    body=ChangedDiagnosisSchema,
    answer=RecordedDiagnosisSchema,
    example={"status": "resolved"},
)
def change_diagnosis(
    actor: Actor, diagnosis_id: Any, version: int | None, values: Values
) -> Values:
    """Change a diagnosis.

    What was written by mistake gets the status `entered_in_error`; nothing is removed.
    """
    return records.change_diagnosis(actor, diagnosis_id, version, values)
