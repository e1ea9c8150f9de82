"""Provenance: who wrote each resource of a chart, made of the same rows as the resource itself.

Of a later version it names who made that one. Its id is that of its target behind a code for the
target's type.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import is_by_staff, staff_of, with_maker
from api.fhir.datatypes import HL7, US_CORE, Json, coding, concept, instant, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, reference as pointing

AUTHOR: Final = concept(
    coding(f"{HL7}provenance-participant-type", "author", "Author"), text="Author"
)
CUSTODIAN: Final = concept(
    coding(
        "http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type",
        "transmitter",
        "Transmitter",
    ),
    text="Transmitter",
)
ACTIVITY: Final = ("CREATE", "create"), ("UPDATE", "revise")


def _writer(reader: Actor, part: Part, row: dict[str, Any]) -> Json | None:
    """Who wrote this version: the patient, a clinician, or where neither is known the clinic."""
    if "made_role" not in row or row["version"] == 1:
        return _author(reader, part, row)
    if row["made_role"] == "patient":
        return reference("Patient", row.get("patient_id", row["id"]))
    if row["made_by"] is not None and row["made_by"] in staff_of(reader):
        return reference("Practitioner", row["made_by"])
    return reference("Organization", row["clinic_id"])


def _author(reader: Actor, part: Part, row: dict[str, Any]) -> Json | None:
    """Who wrote it first."""
    is_patients = "patient" in (row.get("author_kind"), row.get("answered_by"))
    if is_patients:
        return reference("Patient", row["patient_id"])
    author = part.source.author
    if author is not None and is_by_staff(reader, row, author):
        return reference("Practitioner", row[author])
    return reference("Organization", row["clinic_id"])


def _over(kind: Kind, part: Part) -> Part:
    """The part that tells who wrote what another part makes."""

    def make(reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
        clinic = reference("Organization", row["clinic_id"])
        who = _writer(reader, part, row)
        for made in part.make(reader, row):
            suffix = f"-{made.suffix}" if made.suffix else ""
            code, display = ACTIVITY[row.get("version", 1) > 1]
            system = f"{HL7}v3-DataOperation"
            body = {
                "target": [reference(kind.type, row["id"], suffix)],
                "recorded": instant(made.updated_at or row["updated_at"]),
                "activity": concept(coding(system, code, display)),
                "agent": [
                    {"type": AUTHOR, "who": who, "onBehalfOf": clinic},
                    {"type": CUSTODIAN, "who": clinic},
                ],
            }
            profiles = (f"{US_CORE}provenance",)
            yield Made(body, made.suffix, profiles, made.updated_at, made.version)

    source, prefix = with_maker(part.source), f"{kind.code}-"
    return Part(source, make, prefix=prefix, digest=part.digest, singly=part.singly)


def over(kinds: Sequence[Kind]) -> Kind:
    """The type, over every other one that hangs on a chart."""
    parts = tuple(_over(kind, part) for kind in kinds if kind.chart for part in kind.parts)
    return Kind(
        type="Provenance",
        code="prv",
        parts=parts,
        params={
            "target": pointing("target", *(kind.type for kind in kinds if kind.chart)),
            "recorded": date("recorded"),
            "agent": pointing("agent.who", "Patient", "Practitioner", "Organization"),
        },
        summary=("target", "occurredDateTime", "recorded", "policy", "location", "activity"),
        mandatory=("target", "recorded", "agent"),
        chart=None,
        doc="Who wrote each resource of a chart.",
    )
