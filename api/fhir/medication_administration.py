"""MedicationAdministration: a dose that was given, as the ledger of its session has it."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import DOSES
from api.fhir.datatypes import HL7, coding, concept, identifier, instant, reference
from api.fhir.dosing_codes import medicine, milligrams, route
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token

CATEGORY: Final = concept(
    coding(f"{HL7}medication-admin-category", "outpatient", "Outpatient"), text="Outpatient"
)


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The dose of an entry; one that was corrected was entered in error."""
    said, gone = row["content"], row["superseded"]
    body = {
        "identifier": [identifier("ledger-entry", row["id"])],
        "status": "entered-in-error" if gone else "completed",
        "category": CATEGORY,
        "medicationCodeableConcept": medicine(said["medicine"]),
        "subject": reference("Patient", row["patient_id"]),
        "context": reference("Encounter", row["session_id"]),
        "effectiveDateTime": instant(row["measured_at"]),
        "performer": [{"actor": reference("Practitioner", row["recorded_by"])}],
        "request": reference("MedicationRequest", row["plan_id"]),
        "dosage": {"route": route(said["route"]), "dose": milligrams(said["dose_mg"])},
    }
    at, version = (gone["created_at"], 2) if gone else (row["updated_at"], 1)
    yield Made(body, updated_at=at, version=version)


KIND: Final = Kind(
    type="MedicationAdministration",
    code="mad",
    parts=(Part(DOSES, to_fhir),),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "identifier": token("identifier"),
        "status": token("status"),
        "code": token("medicationCodeableConcept"),
        "effective-time": date("effectiveDateTime"),
        "context": pointing("context", "Encounter"),
        "request": pointing("request", "MedicationRequest"),
        "performer": pointing("performer.actor", "Practitioner"),
    },
    summary=(
        *("instantiates", "partOf", "status", "category", "medicationCodeableConcept"),
        *("subject", "effectiveDateTime", "performer", "identifier"),
    ),
    mandatory=("status", "medicationCodeableConcept", "subject", "effectiveDateTime"),
    doc="Doses that were given.",
)
