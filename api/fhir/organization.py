"""Organization: the clinic itself."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import CLINIC
from api.fhir.address import address
from api.fhir.datatypes import US_CORE, hl7, identifier
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import string, token


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The clinic."""
    body = {
        "identifier": [identifier("clinic", row["id"])],
        "active": True,
        "type": [hl7("organization-type", "prov", "Healthcare Provider")],
        "name": row["name"],
        "telecom": [{"system": "url", "value": address()}],
    }
    yield Made(body, profiles=(f"{US_CORE}organization",))


KIND: Final = Kind(
    type="Organization",
    code="org",
    parts=(Part(CLINIC, to_fhir),),
    params={
        "identifier": token("identifier"),
        "name": string("name"),
        "address": string("address"),
        "active": token("active"),
        "type": token("type"),
    },
    summary=("identifier", "active", "type", "name"),
    restricted=False,
    chart=None,
    doc="The clinic.",
)
