"""Encounter: a therapy session, also while it is only booked."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import SESSIONS
from api.fhir.datatypes import HL7, US_CORE, Json, coding, identifier, ours, period, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token

STATUSES: Final = {
    "scheduled": "planned",
    "arrived": "arrived",
    "in_progress": "in-progress",
    "completed": "finished",
    "cancelled": "cancelled",
    "no_show": "cancelled",
}
CLASSES: Final = {
    "in_person": ("AMB", "ambulatory"),
    "telehealth": ("VR", "virtual"),
    "at_home": ("HH", "home health"),
}
WORDS: Final = {
    "intake": "Intake session",
    "preparation": "Preparation session",
    "dosing": "Ketamine dosing session",
    "integration": "Integration session",
    "follow_up": "Follow-up session",
}
PERFORMER: Final = {
    "coding": [
        {
            "system": f"{HL7}v3-ParticipationType",
            "code": "PPRF",
            "display": "primary performer",
        }
    ]
}


def takers(row: dict[str, Any]) -> list[Json]:
    """The clinicians named on it; the first one leads."""
    return [
        {
            "type": [PERFORMER] if place == 0 else None,
            "individual": reference("Practitioner", who),
        }
        for place, who in enumerate(row["clinicians"])
    ]


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The session of a row: when it was held, or when it is booked."""
    code, display = CLASSES[row["mode"]]
    began = row["started_at"] or row["starts_at"]
    ended = row["completed_at"] or (None if row["state"] == "in_progress" else row["ends_at"])
    course = row["course_id"]
    body = {
        "identifier": [identifier("session", row["id"]), *row["identifiers"]],
        "status": STATUSES[row["state"]],
        "class": coding(f"{HL7}v3-ActCode", code, display),
        "type": [ours("session-kind", row["kind"], WORDS[row["kind"]])],
        "subject": reference("Patient", row["patient_id"]),
        "episodeOfCare": [reference("EpisodeOfCare", course)] if course else None,
        "participant": takers(row),
        "period": period(began, None if ended is None else max(began, ended)),
        "serviceProvider": reference("Organization", row["clinic_id"]),
    }
    yield Made(body, profiles=(f"{US_CORE}encounter",))


KIND: Final = Kind(
    type="Encounter",
    code="enc",
    parts=(Part(SESSIONS, to_fhir),),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "identifier": token("identifier"),
        "status": token("status"),
        "class": token("class"),
        "type": token("type"),
        "date": date("period"),
        "participant": pointing("participant.individual", "Practitioner"),
        "episode-of-care": pointing("episodeOfCare", "EpisodeOfCare"),
        "service-provider": pointing("serviceProvider", "Organization"),
    },
    summary=(
        *("identifier", "status", "class", "type", "serviceType", "subject", "episodeOfCare"),
        *("participant", "appointment", "reasonCode", "diagnosis"),
    ),
    mandatory=("status", "class"),
    doc="Therapy sessions, also while they are only booked.",
)
