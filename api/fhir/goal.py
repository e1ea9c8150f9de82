"""Goal: what the patient wants to practise now. What they keep for themself is nowhere here."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import GOALS
from api.fhir.datatypes import (
    HL7,
    US_CORE,
    Json,
    coding,
    concept,
    day,
    identifier,
    ours,
    reference,
)
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token


def expressed_by(row: dict[str, Any]) -> Json | None:
    """Who set it down."""
    if row["author_kind"] == "patient":
        return reference("Patient", row["patient_id"])
    return reference("Practitioner", row["author_id"])


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The goal of a row."""
    reached = row["achievement_status"].replace("_", "-")
    body = {
        "identifier": [identifier("goal", row["id"])],
        "lifecycleStatus": row["lifecycle_status"].replace("_", "-"),
        "achievementStatus": concept(coding(f"{HL7}goal-achievement", reached)),
        "category": [ours("goal-category", row["category"])],
        "description": {"text": row["title"]},
        "subject": reference("Patient", row["patient_id"]),
        "startDate": day(row["created_at"].date()),
        "target": [{"dueDate": day(row["target_on"])}],
        "expressedBy": expressed_by(row),
    }
    yield Made(body, profiles=(f"{US_CORE}goal",))


KIND: Final = Kind(
    type="Goal",
    code="goa",
    parts=(Part(GOALS, to_fhir),),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "identifier": token("identifier"),
        "lifecycle-status": token("lifecycleStatus"),
        "achievement-status": token("achievementStatus"),
        "category": token("category"),
        "start-date": date("startDate"),
        "target-date": date("target.dueDate"),
    },
    summary=(
        *("identifier", "lifecycleStatus", "achievementStatus", "category", "priority"),
        *("description", "subject", "startDate", "statusDate", "expressedBy", "addresses"),
        "target",
    ),
    mandatory=("lifecycleStatus", "description", "subject"),
    doc="Goals that are shared with the care team.",
)
