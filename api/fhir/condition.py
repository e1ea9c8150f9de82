"""Condition: a diagnosis that a person made; never one that a questionnaire suggests."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import DIAGNOSES
from api.fhir.authors import recorder
from api.fhir.datatypes import (
    HL7,
    ICD10,
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
from api.fhir.parameters import date, patient, reference as pointing, token

CATEGORY: Final = concept(
    coding(f"{HL7}condition-category", "problem-list-item", "Problem List Item")
)


def to_fhir(reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The diagnosis of a row."""
    mistaken = row["status"] == "entered_in_error"
    body = {
        "identifier": [identifier("diagnosis", row["id"]), *row["identifiers"]],
        "clinicalStatus": None if mistaken else hl7("condition-clinical", row["status"]),
        "verificationStatus": hl7(
            "condition-ver-status", "entered-in-error" if mistaken else "confirmed"
        ),
        "category": [CATEGORY],
        "code": concept(coding(ICD10, row["code"], row["title"]), text=row["title"]),
        "subject": reference("Patient", row["patient_id"]),
        "onsetDateTime": day(row["from_on"]),
        "abatementDateTime": None if mistaken else day(row["to_on"]),
        "recordedDate": instant(row["created_at"]),
        "note": [{"text": row["note"]}],
        "recorder": recorder(reader, row),
    }
    if row["to_on"] is not None and row["status"] == "active":
        body["abatementDateTime"] = None  # con-4: what has ended is not active
    yield Made(body, profiles=(f"{US_CORE}condition-problems-health-concerns",))


KIND: Final = Kind(
    type="Condition",
    code="con",
    parts=(Part(DIAGNOSES, to_fhir),),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "identifier": token("identifier"),
        "clinical-status": token("clinicalStatus"),
        "verification-status": token("verificationStatus"),
        "category": token("category"),
        "code": token("code"),
        "onset-date": date("onsetDateTime"),
        "abatement-date": date("abatementDateTime"),
        "recorded-date": date("recordedDate"),
    },
    summary=(
        *("identifier", "clinicalStatus", "verificationStatus", "category", "severity", "code"),
        *("bodySite", "subject", "encounter", "onsetDateTime", "recordedDate", "recorder"),
    ),
    mandatory=("subject",),
    doc="Diagnoses.",
)
