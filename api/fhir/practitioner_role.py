"""PractitionerRole: what each clinician is at the clinic."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import STAFF
from api.fhir.address import address
from api.fhir.datatypes import US_CORE, ours, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import reference as pointing, token


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The role of a clinician; where to reach them is where the clinic is reached."""
    body = {
        "active": row["disabled_at"] is None,
        "practitioner": reference("Practitioner", row["id"]),
        "organization": reference("Organization", row["clinic_id"]),
        "code": [ours("profession", row["profession"] or "therapist")],
        "telecom": [{"system": "url", "value": address(), "use": "work"}],
    }
    yield Made(body, "role", (f"{US_CORE}practitionerrole",))


KIND: Final = Kind(
    type="PractitionerRole",
    code="pro",
    parts=(Part(STAFF, to_fhir),),
    params={
        "practitioner": pointing("practitioner", "Practitioner"),
        "organization": pointing("organization", "Organization"),
        "role": token("code"),
        "active": token("active"),
    },
    summary=("active", "practitioner", "organization", "code", "specialty", "telecom", "period"),
    restricted=False,
    chart=None,
    doc="The profession of each clinician.",
)
