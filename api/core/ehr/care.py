"""Care as an EHR reads it: sessions, courses, what the chart lists, consents, open signals."""

from typing import Final
from uuid import UUID

from sqlalchemy import select

from api.access.policies import Actor
from api.core.alerts import alerts
from api.core.clinical_lists.table import allergies, diagnoses, medications
from api.core.consents import consents
from api.core.ehr.identifiers import carrying, numbers_of, open_numbers
from api.core.ehr.source import Source
from api.core.ehr.table import referrals
from api.core.team_reach import session_clinicians
from api.core.treatment.courses import courses
from api.core.treatment.sessions import sessions
from api.db import Values, store, versions


def clinicians(reader: Actor, rows: list[Values]) -> None:
    """Put the ids of who is named on each session beside it."""
    t, named = session_clinicians.c, dict[UUID, list[UUID]]()
    statement = select(t.session_id, t.clinician_id).where(
        t.clinic_id == reader.clinic_id, t.session_id.in_([row["id"] for row in rows])
    )
    for one in store().rows(statement.order_by(t.session_id, t.place)):
        named.setdefault(one["session_id"], []).append(one["clinician_id"])
    for row in rows:
        row["clinicians"] = named.get(row["id"], [])


def _booked(reader: Actor, rows: list[Values]) -> None:
    clinicians(reader, rows)
    open_numbers(reader, rows)


def _every(_version: Values) -> bool:
    return True


SESSIONS: Final = Source(
    "sessions",
    sessions,
    sessions.c.patient_id,
    beside=_booked,
    former=_every,
    **carrying("Encounter", sessions),
)
COURSES: Final = Source("courses", courses, courses.c.patient_id)
DIAGNOSES: Final = Source(
    "diagnoses",
    diagnoses,
    diagnoses.c.patient_id,
    author="recorded_by",
    beside=open_numbers,
    former=_every,
    **carrying("Condition", diagnoses),
)
ALLERGIES: Final = Source(
    "allergies",
    allergies,
    allergies.c.patient_id,
    author="recorded_by",
    beside=open_numbers,
    former=_every,
    **carrying("AllergyIntolerance", allergies),
)
MEDICATIONS: Final = Source(
    "medications",
    medications,
    medications.c.patient_id,
    author="recorded_by",
    beside=open_numbers,
    former=_every,
    **carrying("MedicationStatement", medications),
)
CONSENTS: Final = Source(
    "consents",
    consents,
    consents.c.patient_id,
    author="recorded_by",
    beside=open_numbers,
    former=_every,
    **carrying("Consent", consents),
)
ALERTS: Final = Source("alerts", alerts, alerts.c.patient_id)
REFERRALS: Final = Source(
    "referrals",
    referrals,
    referrals.c.patient_id,
    author="recorded_by",
    beside=open_numbers,
    former=_every,
    **carrying("ServiceRequest", referrals),
)
for _source, _kind in (
    (SESSIONS, "Encounter"),
    (DIAGNOSES, "Condition"),
    (ALLERGIES, "AllergyIntolerance"),
    (MEDICATIONS, "MedicationStatement"),
    (CONSENTS, "Consent"),
    (REFERRALS, "ServiceRequest"),
):
    assert _source.table is not None, "each stands in a table"
    versions.keep(_source.table, numbers_of(_kind))
