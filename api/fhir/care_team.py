"""CareTeam: who treats a patient, one team for each."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import TEAMS
from api.fhir.datatypes import US_CORE, ours, period, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import patient, reference as pointing, token


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The team of a patient, with those who left it."""
    members = [
        {
            "role": [ours("care-team-role", one["role"])],
            "member": reference("Practitioner", one["clinician_id"]),
            "onBehalfOf": reference("Organization", row["clinic_id"]),
            "period": period(one["from_at"], one["ended_at"]),
        }
        for one in row["members"]
    ]
    standing = any(one["ended_at"] is None for one in row["members"])
    body = {
        "status": "active" if standing else "inactive",
        "name": "Care team",
        "subject": reference("Patient", row["id"]),
        "participant": members,
        "managingOrganization": [reference("Organization", row["clinic_id"])],
    }
    at = max(one["updated_at"] for one in row["members"])
    yield Made(body, profiles=(f"{US_CORE}careteam",), updated_at=at)


KIND: Final = Kind(
    type="CareTeam",
    code="cat",
    parts=(Part(TEAMS, to_fhir, digest=True),),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "status": token("status"),
        "participant": pointing("participant.member", "Practitioner"),
    },
    summary=("status", "category", "name", "subject", "encounter", "period", "participant"),
    doc="Who treats a patient.",
)
