"""AdverseEvent: what went wrong in a dosing session, as its ledger has it."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import EVENTS
from api.fhir.datatypes import hl7, identifier, instant, ours, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token

SEVERITIES: Final = ("mild", "moderate", "severe", "severe", "severe")
"""By grade, from 1 to 5."""
OUTCOMES: Final = {
    "resolved": "resolved",
    "resolving": "recovering",
    "unchanged": "ongoing",
    "worsened": "ongoing",
    "sequelae": "resolvedWithSequelae",
    "fatal": "fatal",
    "unknown": "unknown",
}
"""Our outcomes in HL7's words."""


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The event of an entry; one that was corrected did not happen as it says."""
    gone = row["superseded"]
    if gone:
        return
    said = row["content"]
    grade, outcome = said.get("grade"), OUTCOMES.get(said.get("outcome") or "")
    serious = bool(said.get("serious") or said.get("serious_for"))
    suspects = [{"instance": reference("MedicationAdministration", dose)} for dose in row["doses"]]
    body = {
        "identifier": identifier("ledger-entry", row["id"]),
        "actuality": "actual",
        "category": [hl7("adverse-event-category", "medication-mishap")]
        if said.get("code") == "injection_site_reaction"
        else None,
        "event": ours("adverse-event", said["code"]),
        "subject": reference("Patient", row["patient_id"]),
        "encounter": reference("Encounter", row["session_id"]),
        "date": instant(row["measured_at"]),
        "recordedDate": instant(row["created_at"]),
        "seriousness": hl7("adverse-event-seriousness", "serious" if serious else "non-serious"),
        "severity": hl7("adverse-event-severity", SEVERITIES[grade - 1]) if grade else None,
        "outcome": hl7("adverse-event-outcome", outcome) if outcome else None,
        "recorder": reference("Practitioner", row["recorded_by"]),
        "suspectEntity": suspects,
    }
    yield Made(body)


KIND: Final = Kind(
    type="AdverseEvent",
    code="ade",
    parts=(Part(EVENTS, to_fhir, singly=False),),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "actuality": token("actuality"),
        "event": token("event"),
        "date": date("date"),
        "seriousness": token("seriousness"),
        "severity": token("severity"),
        "recorder": pointing("recorder", "Practitioner"),
        "substance": pointing("suspectEntity.instance", "MedicationAdministration"),
    },
    summary=(
        *("identifier", "actuality", "category", "event", "subject", "encounter", "date"),
        *("detected", "recordedDate", "seriousness", "severity", "outcome", "recorder"),
        "suspectEntity",
    ),
    mandatory=("actuality", "subject"),
    doc="Adverse events of dosing sessions.",
)
