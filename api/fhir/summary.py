"""The integration summary for whoever referred: one document of doses, safety, measures and goals.

A Bundle of type `document` (FHIR R4, https://hl7.org/fhir/R4/documents.html): the Composition
first, then every resource that its sections name.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from flask import Response, g

from api import clock
from api.access.policies import Actor
from api.core.ehr import enter, list_changes, tell
from api.errors import NotAllowed
from api.fhir import asking, scopes
from api.fhir.address import address
from api.fhir.by_id import READS, read_one
from api.fhir.datatypes import (
    HL7,
    LOINC,
    RESTRICTED,
    Json,
    clean,
    coding,
    concept,
    instant,
    narrative,
    ours,
    reference,
)
from api.fhir.finding import Search
from api.fhir.kind import Shown
from api.fhir.kinds import KINDS
from api.fhir.negotiation import answer
from api.fhir.outcome import TooCostly
from api.fhir.scopes import READ
from api.fhir.verdicts import verdict_of, words_of

MOST: Final = 1000
"""How many resources of a type one summary may hold."""
TYPE: Final = concept(
    coding(LOINC, "34133-9", "Summary of episode note"), text="Integration summary"
)
TITLE: Final = "Integration summary"
WITHHELD: Final = concept(coding(f"{HL7}list-empty-reason", "withheld", "Information Withheld"))
NONE: Final = concept(coding(f"{HL7}list-empty-reason", "nilknown", "Nil Known"))
SECTIONS: Final = (
    ("doses", "Doses", ("Encounter", "MedicationAdministration")),
    ("safety", "Safety", ("AllergyIntolerance", "AdverseEvent", "Flag")),
    ("measures", "Measures and change", ("Observation",)),
    ("goals", "Goals and trails", ("Goal", "CarePlan", "Observation")),
)
"""Each section: its code, its title, and the types that it names."""
NARROWED: Final = {
    "Encounter": [("type", "urn:freshtrail:codes:session-kind|dosing")],
    "MedicationAdministration": [("status", "completed")],
    "Flag": [("status", "active")],
}
TRAILS: Final = ("code", "urn:freshtrail:codes:trail|strength")


@dataclass
class Section:
    """A section while it is made: the words of each line, and what it names."""

    lines: list[str] = field(default_factory=list)
    named: list[tuple[str, Json]] = field(default_factory=list)
    withheld: bool = False


@dataclass(frozen=True)
class Summary:
    """One summary of one patient, as far as the scopes of a client let it say."""

    client: Actor
    base: str
    patient_id: str
    patient: Shown

    def found(self, name: str, *more: tuple[str, str]) -> list[Shown] | None:
        """The resources of a type in the chart; None where no scope opens it."""
        kind = KINDS[name]
        within = scopes.allowed(self.client.extras["scopes"], kind, READ)
        if within is None:
            return None
        pairs = [("patient", self.patient_id), *NARROWED.get(name, []), *more]
        asked = asking.understand(kind, pairs, False)
        there: list[Shown] = []
        for one in Search(self.client, kind, asked, within, self.base, READS).each(None):
            there.append(one)
            if len(there) > MOST:
                raise TooCostly("The chart is too large for a summary: ask for $everything.")
        return there

    def sections(self) -> Iterator[tuple[str, str, Section]]:
        """Every section with its code and title."""
        for code, title, names in SECTIONS:
            section = Section()
            for name in names:
                if name != "Observation":
                    self._list(section, name)
            if code == "measures":
                self._measures(section)
            if code == "goals":
                self._list(section, "Observation", TRAILS)
            yield code, title, section

    def _list(self, section: Section, name: str, *more: tuple[str, str]) -> None:
        there = self.found(name, *more)
        section.withheld |= there is None
        for one in there or []:
            section.lines.append(line_of(one.resource))
            section.named.append((self._url(one), one.resource))

    def _measures(self, section: Section) -> None:
        """Of each measure the two totals, and what lies between them with its verdicts."""
        for told in list_changes(self.client, UUID(self.patient_id)):
            points = [point for point in (told["baseline"], told["current"]) if point]
            ids = [f"{point['checkin_id']}-total" for point in points]
            there = self.found("Observation", ("_id", ",".join(ids))) if ids else []
            section.withheld |= there is None
            if not there or len(there) < len(ids):
                continue
            section.named += [(self._url(one), one.resource) for one in there]
            if told["current"]:
                made = verdict_of(told, self.patient_id, [one.resource for one in there])
                url = UUID(self.patient_id)
                section.named.append((f"urn:uuid:{uuid5(url, told['instrument'])}", made))
            section.lines.append(words_of(told))

    def _url(self, one: Shown) -> str:
        return f"{self.base}/{one.resource['resourceType']}/{one.resource['id']}"


def line_of(resource: Json) -> str:
    """What people read of a resource: its words and its day."""
    code = next((resource[name] for name in WORDS if name in resource), None)
    first = code[0] if isinstance(code, list) and code else code
    said = first if isinstance(first, str) else (first or {}).get("text", resource["resourceType"])
    at = next((resource[name] for name in DAYS if name in resource), "")
    on = str(at.get("start", "") if isinstance(at, dict) else at)[:10]
    return ", ".join(part for part in (on, said, _amount(resource)) if part)


WORDS: Final = ("medicationCodeableConcept", "event", "description", "code", "type", "category")
DAYS: Final = ("effectiveDateTime", "date", "startDate", "recordedDate", "period")


def _amount(resource: Json) -> str:
    value = resource.get("valueQuantity") or resource.get("dosage", {}).get("dose") or {}
    unit = value.get("unit", "")
    return f"{value['value']} {unit if unit != '1' else ''}".strip() if "value" in value else ""


def read_integration_summary(resource_id: str) -> Response:
    """The summary of one patient, as it stands now."""
    client: Actor = g.actor
    enter(client, READS)
    base = address()
    patient, clinic = (_whole(client, base, *one) for one in _people(client, resource_id))
    summary = Summary(client, base, resource_id, patient)
    sections = list(summary.sections())
    tell(client, "Patient", None, [UUID(resource_id)])
    return answer(_document(summary, clinic, sections, clock.now()))


def _people(client: Actor, resource_id: str) -> tuple[tuple[str, str], ...]:
    return ("Patient", resource_id), ("Organization", str(client.clinic_id))


def _whole(client: Actor, base: str, name: str, resource_id: str) -> Shown:
    """A resource that the document can't do without."""
    within = scopes.allowed(client.extras["scopes"], KINDS[name], READ)
    if within is None:
        raise NotAllowed(f"This needs the scope system/{name}.{READ}.")
    return read_one(client, KINDS[name], within, base, resource_id)


def _document(
    summary: Summary, clinic: Shown, sections: Sequence[tuple[str, str, Section]], at: datetime
) -> Json:
    document_id = str(uuid5(UUID(summary.patient_id), at.isoformat()))
    head = _composition(document_id, summary, clinic, sections, at)
    entries: dict[str, Json] = {f"urn:uuid:{document_id}": head}
    for one in (summary.patient, clinic):
        entries[f"{summary.base}/{one.resource['resourceType']}/{one.resource['id']}"] = (
            one.resource
        )
    for _, _, section in sections:
        entries |= dict(section.named)
    return {
        "resourceType": "Bundle",
        "id": g.request_id,
        "meta": {"lastUpdated": instant(at)},
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{document_id}"},
        "type": "document",
        "timestamp": instant(at),
        "entry": [{"fullUrl": url, "resource": one} for url, one in entries.items()],
    }


def _composition(
    document_id: str, summary: Summary, clinic: Shown, sections: Iterable[Any], at: datetime
) -> Json:
    by = reference("Organization", clinic.resource["id"])
    told: Json = clean(
        {
            "resourceType": "Composition",
            "id": document_id,
            "meta": {"security": RESTRICTED},
            "status": "final",
            "type": TYPE,
            "subject": reference("Patient", summary.patient_id),
            "date": instant(at),
            "author": [by],
            "title": TITLE,
            "confidentiality": "R",
            "custodian": by,
            "section": [_section(*one) for one in sections],
        }
    )
    return told


def _section(code: str, title: str, section: Section) -> Json:
    empty = None if section.named else WITHHELD if section.withheld else NONE
    words = section.lines or ["Withheld." if section.withheld else "None known."]
    return {
        "title": title,
        "code": ours("summary-section", code, title),
        "text": narrative(words),
        "entry": [{"reference": _pointed(url, one)} for url, one in section.named],
        "emptyReason": empty,
    }


def _pointed(url: str, one: Json) -> str:
    return url if url.startswith("urn:") else f"{one['resourceType']}/{one['id']}"
