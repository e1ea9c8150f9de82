"""Parts of a resource: `_summary` and `_elements`, marked so that nobody takes them for whole."""

from typing import Final

from api.fhir.asking import Asked
from api.fhir.datatypes import Json
from api.fhir.kind import Kind

ALWAYS: Final = ("resourceType", "id", "meta", "implicitRules", "modifierExtension")
SUBSETTED: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "subsetted",
}


def part_of(kind: Kind, resource: Json, asked: Asked) -> Json:
    """The resource as far as it was asked for."""
    if asked.elements:
        named = tuple(one.removeprefix(f"{kind.type}.").split(".")[0] for one in asked.elements)
        return _only(resource, (*named, *kind.mandatory))
    if asked.summary == "true":
        return _only(resource, (*kind.summary, *kind.mandatory))
    if asked.summary == "text":
        return _only(resource, ("text", *kind.mandatory))
    if asked.summary == "data":
        return _marked({name: value for name, value in resource.items() if name != "text"})
    return resource


def _only(resource: Json, names: tuple[str, ...]) -> Json:
    wanted = {*ALWAYS, *names}
    return _marked({name: value for name, value in resource.items() if name in wanted})


def _marked(resource: Json) -> Json:
    meta = dict(resource["meta"])
    return resource | {"meta": meta | {"tag": [*meta.get("tag", []), SUBSETTED]}}
