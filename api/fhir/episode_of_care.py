"""EpisodeOfCare: a course of treatment."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import COURSES
from api.fhir.datatypes import identifier, ours, period, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token

STATUSES: Final = {
    "planned": "planned",
    "active": "active",
    "completed": "finished",
    "stopped": "cancelled",
}


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The course of a row."""
    said = f"Course of {row['medicine']} treatment"
    body = {
        "identifier": [identifier("course", row["id"])],
        "status": STATUSES[row["status"]],
        "type": [ours("course-of", row["medicine"], said)],
        "patient": reference("Patient", row["patient_id"]),
        "managingOrganization": reference("Organization", row["clinic_id"]),
        "period": period(row["starts_on"], row["ends_on"]),
    }
    yield Made(body)


KIND: Final = Kind(
    type="EpisodeOfCare",
    code="eoc",
    parts=(Part(COURSES, to_fhir),),
    params={
        **patient("patient"),
        "identifier": token("identifier"),
        "status": token("status"),
        "type": token("type"),
        "date": date("period"),
        "organization": pointing("managingOrganization", "Organization"),
    },
    summary=(
        *("status", "type", "diagnosis", "patient", "managingOrganization", "period"),
        "referralRequest",
    ),
    mandatory=("status", "patient"),
    chart="patient",
    doc="Courses of treatment.",
)
