"""Procedure: the dosing itself, once a dose was given."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import DOSED
from api.fhir.datatypes import US_CORE, identifier, ours, period, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token

TITLE: Final = "Ketamine-assisted psychotherapy, supervised dosing"


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The dosing of a session."""
    began = row["first_dose_at"] or row["started_at"] or row["starts_at"]
    ended = row["completed_at"]
    performers = [{"actor": reference("Practitioner", who)} for who in row["clinicians"]]
    body = {
        "identifier": [identifier("dosing", row["id"])],
        "status": "completed" if row["state"] == "completed" else "in-progress",
        "code": ours("procedure", "supervised_dosing", TITLE),
        "subject": reference("Patient", row["patient_id"]),
        "encounter": reference("Encounter", row["id"]),
        "performedPeriod": period(began, None if ended is None else max(began, ended)),
        "performer": performers,
    }
    yield Made(body, profiles=(f"{US_CORE}procedure",))


KIND: Final = Kind(
    type="Procedure",
    code="pcd",
    parts=(Part(DOSED, to_fhir),),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "identifier": token("identifier"),
        "status": token("status"),
        "code": token("code"),
        "date": date("performedPeriod"),
        "encounter": pointing("encounter", "Encounter"),
        "performer": pointing("performer.actor", "Practitioner"),
    },
    summary=(
        *("identifier", "basedOn", "partOf", "status", "statusReason", "category", "code"),
        *("subject", "encounter", "performedPeriod", "performer", "reasonCode", "bodySite"),
    ),
    mandatory=("status", "subject"),
    doc="Supervised dosing.",
)
