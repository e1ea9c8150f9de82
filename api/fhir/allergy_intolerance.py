"""AllergyIntolerance: an allergy of the chart's list."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import ALLERGIES
from api.fhir.authors import recorder
from api.fhir.datatypes import (
    RXNORM,
    US_CORE,
    coding,
    concept,
    day,
    hl7,
    identifier,
    instant,
    reference,
)
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, token

MISTAKE: Final = "entered_in_error"


def to_fhir(reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The allergy of a row."""
    mistaken = row["status"] == MISTAKE
    reaction = {
        "manifestation": [{"text": row["reaction"] or "Reaction not described"}],
        "severity": row["severity"],
    }
    body = {
        "identifier": [identifier("allergy", row["id"]), *row["identifiers"]],
        "clinicalStatus": None if mistaken else hl7("allergyintolerance-clinical", row["status"]),
        "verificationStatus": hl7(
            "allergyintolerance-verification", "entered-in-error" if mistaken else "confirmed"
        ),
        "code": concept(coding(RXNORM, row["code"]), text=row["substance"]),
        "patient": reference("Patient", row["patient_id"]),
        "onsetDateTime": day(row["from_on"]),
        "recordedDate": instant(row["created_at"]),
        "note": [{"text": row["note"]}],
        "recorder": recorder(reader, row),
        "reaction": [reaction] if row["reaction"] or row["severity"] else None,
    }
    yield Made(body, profiles=(f"{US_CORE}allergyintolerance",))


KIND: Final = Kind(
    type="AllergyIntolerance",
    code="alg",
    parts=(Part(ALLERGIES, to_fhir),),
    params={
        **patient("patient"),
        "identifier": token("identifier"),
        "clinical-status": token("clinicalStatus"),
        "verification-status": token("verificationStatus"),
        "code": token("code"),
        "date": date("recordedDate"),
    },
    summary=(
        *("identifier", "clinicalStatus", "verificationStatus", "type", "category"),
        *("criticality", "code", "patient", "recordedDate", "recorder"),
    ),
    mandatory=("patient",),
    chart="patient",
    doc="Allergies.",
)
