"""MedicationRequest: the dose plan of a session."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import PLANS
from api.fhir.datatypes import US_CORE, identifier, instant, reference
from api.fhir.dosing_codes import medicine, milligrams, route
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The plan of a row; why it was made stays with the clinic."""
    said = row["content"]
    most = said.get("max_total_mg")
    text = f"{said['dose_mg']:g} mg, {row['route']}"
    body = {
        "identifier": [identifier("dose-plan", row["id"])],
        "status": "active",
        "intent": "order",
        "reportedBoolean": False,
        "medicationCodeableConcept": medicine(row["medicine"]),
        "subject": reference("Patient", row["patient_id"]),
        "encounter": reference("Encounter", row["session_id"]),
        "authoredOn": instant(row["updated_at"]),
        "requester": reference("Practitioner", row["planned_by"]),
        "dosageInstruction": [
            {
                "text": text if most is None else f"{text}, at most {most:g} mg in the session",
                "route": route(row["route"]),
                "doseAndRate": [{"doseQuantity": milligrams(said["dose_mg"])}],
                "maxDosePerAdministration": milligrams(most),
            }
        ],
    }
    yield Made(body, profiles=(f"{US_CORE}medicationrequest",))


KIND: Final = Kind(
    type="MedicationRequest",
    code="mrq",
    parts=(Part(PLANS, to_fhir),),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "identifier": token("identifier"),
        "status": token("status"),
        "intent": token("intent"),
        "code": token("medicationCodeableConcept"),
        "authoredon": date("authoredOn"),
        "encounter": pointing("encounter", "Encounter"),
        "requester": pointing("requester", "Practitioner"),
    },
    summary=(
        *("identifier", "status", "intent", "priority", "doNotPerform", "reportedBoolean"),
        *("medicationCodeableConcept", "subject", "authoredOn", "requester"),
    ),
    mandatory=("status", "intent", "medicationCodeableConcept", "subject"),
    doc="Dose plans.",
)
