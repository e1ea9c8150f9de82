"""MedicationStatement: a medication of the chart's list."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import MEDICATIONS
from api.fhir.authors import writer
from api.fhir.datatypes import RXNORM, coding, concept, identifier, instant, period, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token

STATUSES: Final = {
    "active": "active",
    "held": "on-hold",
    "stopped": "stopped",
    "entered_in_error": "entered-in-error",
}


def to_fhir(reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The medication of a row."""
    body = {
        "identifier": [identifier("medication", row["id"]), *row["identifiers"]],
        "status": STATUSES[row["status"]],
        "medicationCodeableConcept": concept(coding(RXNORM, row["code"]), text=row["name"]),
        "subject": reference("Patient", row["patient_id"]),
        "effectivePeriod": period(row["from_on"], row["to_on"]),
        "dateAsserted": instant(row["created_at"]),
        "informationSource": writer(reader, row),
        "note": [{"text": row["note"]}],
        "dosage": [{"text": row["dose"]}],
    }
    yield Made(body)


KIND: Final = Kind(
    type="MedicationStatement",
    code="mst",
    parts=(Part(MEDICATIONS, to_fhir),),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "identifier": token("identifier"),
        "status": token("status"),
        "code": token("medicationCodeableConcept"),
        "effective": date("effectivePeriod"),
    },
    summary=(
        *("identifier", "status", "category", "medicationCodeableConcept", "subject"),
        *("context", "effectivePeriod", "dateAsserted", "informationSource"),
    ),
    mandatory=("status", "medicationCodeableConcept", "subject"),
    doc="Medications that the patient takes.",
)
