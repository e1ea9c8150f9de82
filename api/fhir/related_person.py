"""RelatedPerson: whom to call in an emergency."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import CONTACTS
from api.fhir.datatypes import HL7, US_CORE, coding, concept, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import patient, string, token


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The one whom a patient named."""
    there = row["emergency_contact"]
    if not there:
        return
    phone = there.get("phone")
    body = {
        "active": True,
        "patient": reference("Patient", row["id"]),
        "relationship": [
            concept(coding(f"{HL7}v2-0131", "C", "Emergency Contact"), text=there.get("relation"))
        ],
        "name": [{"text": there["name"]}],
        "telecom": [{"system": "phone", "value": phone}] if phone else None,
    }
    yield Made(body, "ec", (f"{US_CORE}relatedperson",))


KIND: Final = Kind(
    type="RelatedPerson",
    code="rel",
    parts=(Part(CONTACTS, to_fhir, singly=False),),
    params={
        **patient("patient"),
        "name": string("name"),
        "relationship": token("relationship"),
        "active": token("active"),
    },
    summary=("identifier", "active", "patient", "relationship", "name", "telecom", "gender"),
    mandatory=("patient",),
    restricted=False,
    chart="patient",
    doc="Whom to call in an emergency.",
)
