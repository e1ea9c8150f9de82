"""Practitioner: the clinicians of the clinic."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import STAFF
from api.fhir.datatypes import US_CORE, Json, identifier
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import string, token


def name(display_name: str) -> Json:
    """A name of which only the whole is known: its last word is taken for the family name."""
    *given, family = display_name.split() or [display_name]
    return {"use": "usual", "text": display_name, "family": family, "given": given}


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The clinician of a row."""
    body = {
        "identifier": [identifier("practitioner", row["id"])],
        "active": row["disabled_at"] is None,
        "name": [name(row["display_name"])],
    }
    yield Made(body, profiles=(f"{US_CORE}practitioner",))


KIND: Final = Kind(
    type="Practitioner",
    code="prn",
    parts=(Part(STAFF, to_fhir),),
    params={
        "identifier": token("identifier"),
        "name": string("name"),
        "family": string("name.family"),
        "given": string("name.given"),
        "active": token("active"),
    },
    summary=("identifier", "active", "name", "telecom", "gender", "birthDate", "address"),
    restricted=False,
    chart=None,
    doc="The clinicians of the clinic.",
)
