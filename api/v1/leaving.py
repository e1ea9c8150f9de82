"""Leaving and coming back over v1: a patient is discharged, and readmitted."""

from typing import Any

from api.access.policies import Actor
from api.core import patients
from api.paging import Values
from api.v1.forms import Ask, Choice, Day
from api.v1.patients import PatientSchema
from api.v1.resource import Blueprint

blp = Blueprint("leaving", "A patient's treatment ends, or goes on again.")


class EndedTreatmentSchema(Ask):
    """Why the patient leaves, and since when."""

    reason = Choice(patients.DISCHARGED_FOR, required=True)
    on = Day(metadata={"description": "The patient's calendar day, not ahead; default today."})


class ResumedTreatmentSchema(Ask):
    """As what the patient comes back."""

    status = Choice(patients.STATUSES[:4], metadata={"description": "Default `active`."})


@blp.offer(
    "POST",
    "/patients/<id:patient_id>/discharge",
    "patient:discharge",
    body=EndedTreatmentSchema,
    answer=PatientSchema,
    example={"reason": "treatment_completed"},
)
def discharge_patient(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Discharge a patient.

    They keep sign-in, today, goals, practices, steps, moments and download; nobody reads what they
    write from then on, and the words say so.
    """
    return patients.discharge_patient(actor, patient_id, values)


@blp.offer(
    "POST",
    "/patients/<id:patient_id>/readmit",
    "patient:readmit",
    body=ResumedTreatmentSchema,
    answer=PatientSchema,
    example={},
)
def readmit_patient(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Readmit a patient who was discharged."""
    return patients.readmit_patient(actor, patient_id, values)
