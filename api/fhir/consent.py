"""Consent: what a patient agreed to, and since when; withdrawn, it is inactive."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import CONSENTS
from api.fhir.datatypes import (
    LOINC,
    OURS,
    coding,
    concept,
    hl7,
    identifier,
    instant,
    ours,
    period,
    reference,
)
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, token

SCOPES: Final = {"research": "research", "ehr_sharing": "patient-privacy"}
"""The scope of each kind of consent; the others are to treatment."""
CATEGORY: Final = concept(coding(LOINC, "59284-0", "Consent Document"))


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The consent of a row."""
    ended = row["withdrawn_at"] or row["superseded_at"]
    kind = row["kind"]
    body = {
        "identifier": [identifier("consent", row["id"]), *row["identifiers"]],
        "status": "active" if ended is None else "inactive",
        "scope": hl7("consentscope", SCOPES.get(kind, "treatment")),
        "category": [CATEGORY, ours("consent-kind", kind)],
        "patient": reference("Patient", row["patient_id"]),
        "dateTime": instant(row["granted_at"]),
        "performer": [reference("Patient", row["patient_id"])],
        "organization": [reference("Organization", row["clinic_id"])],
        "policyRule": concept(
            coding(f"{OURS}consent-text", f"{kind}-{row['text_version']}".replace(" ", "-")),
            text=f"{kind.replace('_', ' ').capitalize()}, text {row['text_version']}",
        ),
        "provision": {"type": "permit", "period": period(row["granted_at"], ended)},
    }
    yield Made(body)


KIND: Final = Kind(
    type="Consent",
    code="cns",
    parts=(Part(CONSENTS, to_fhir),),
    params={
        **patient("patient"),
        "identifier": token("identifier"),
        "status": token("status"),
        "scope": token("scope"),
        "category": token("category"),
        "date": date("dateTime"),
        "period": date("provision.period"),
    },
    summary=(
        *("identifier", "status", "scope", "category", "patient", "dateTime", "performer"),
        *("organization", "sourceReference", "policyRule", "verification", "provision"),
    ),
    mandatory=("status", "scope", "category"),
    chart="patient",
    doc="Consents.",
)
