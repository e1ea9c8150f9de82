"""The data types of FHIR R4 as plain dicts, and the systems that our codes belong to."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

Json = dict[str, Any]
Values = dict[str, Any]

US_CORE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
HL7: Final = "http://terminology.hl7.org/CodeSystem/"
LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10: Final = "http://hl7.org/fhir/sid/icd-10-cm"
UCUM: Final = "http://unitsofmeasure.org"
OURS: Final = "urn:freshtrail:codes:"
"""The code systems of this project, one for each closed vocabulary."""
IDS: Final = "urn:freshtrail:ids:"
"""The systems of our own identifiers, one for each kind of record."""
RESTRICTED: Final = [
    {"system": f"{HL7}v3-Confidentiality", "code": "R", "display": "restricted"},
    {"system": f"{HL7}v3-ActCode", "code": "BH"},
]
"""How records of behavioural health are marked, as in the examples of HL7's SHIFT project."""


class Clean(dict[str, Any]):
    """An object from which nothing is left out any more, for what many resources have in common."""


def clean(value: Any) -> Any:
    """The value without what is absent: FHIR knows no null, no empty list and no empty object."""
    kind = type(value)
    if kind is dict:
        kept: Json = {}
        for key, inner in value.items():
            one = inner if type(inner) is str else clean(inner)
            if one or _is_said(one):
                kept[key] = one
        return kept
    if kind is list or kind is tuple:
        return [one for one in map(clean, value) if one or _is_said(one)]
    if kind is Clean or not isinstance(value, Mapping):
        return value
    return clean(dict(value))


def _is_said(value: Any) -> bool:
    """Whether what counts as false says something all the same: a nought or a no."""
    return value is not None and not isinstance(value, str | list | Mapping)


def coding(system: str, code: str | None, display: str | None = None) -> Json | None:
    """One code of a system, or None without one."""
    return None if code is None else {"system": system, "code": code, "display": display}


def concept(*codings: Json | None, text: str | None = None) -> Json:
    """A concept with its codes and the words for it."""
    return {"coding": [one for one in codings if one is not None], "text": text}


def ours(vocabulary: str, code: str, text: str | None = None) -> Json:
    """A concept of one of our own vocabularies, said in words as well."""
    said = text or code.replace("_", " ").capitalize()
    return concept(coding(OURS + vocabulary, code.replace("_", "-"), said), text=said)


def hl7(system: str, code: str, display: str | None = None) -> Json:
    """A concept of one of HL7's own code systems."""
    return concept(coding(HL7 + system, code, display))


def reference(kind: str, record_id: object | None, suffix: str = "") -> Json | None:
    """A relative reference, or None to nothing."""
    return None if record_id is None else {"reference": f"{kind}/{record_id}{suffix}"}


def identifier(kind: str, value: object) -> Json:
    """Our own identifier of a record."""
    return {"use": "official", "system": IDS + kind, "value": str(value)}


IN_UTC: Final = (UTC, ZoneInfo("UTC"))
"""What needs no moving: our own instants, as one driver and the other give them."""


def instant(at: datetime | None) -> str | None:
    """An instant in UTC, to the millisecond."""
    if at is None:
        return None
    there = at if at.tzinfo in IN_UTC else at.astimezone(UTC)
    return there.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def day(on: date | None) -> str | None:
    """A calendar day."""
    return None if on is None else on.isoformat()


def period(start: Any, end: Any) -> Json:
    """A span of instants or of days; a side that is not known is left out."""
    said = [instant(at) if isinstance(at, datetime) else day(at) for at in (start, end)]
    return {"start": said[0], "end": said[1]}


def quantity(value: float | None, unit: str, code: str) -> Json | None:
    """A quantity with its UCUM code."""
    if value is None:
        return None
    figure = int(value) if value == int(value) else value
    return {"value": figure, "unit": unit, "system": UCUM, "code": code}


def narrative(paragraphs: Iterable[str]) -> Json:
    """What people read of a resource; the words are ours or escaped."""
    inner = "".join(f"<p>{escape(one)}</p>" for one in paragraphs if one)
    return {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>',
    }
