"""What an EHR system may read of the clinic: records by the kind, in the order of their ids."""

from api.core.ehr.care import (
    ALERTS,
    ALLERGIES,
    CONSENTS,
    COURSES,
    DIAGNOSES,
    MEDICATIONS,
    SESSIONS,
)
from api.core.ehr.dosing import DOSED, DOSES, EVENTS, PLANS, VITALS
from api.core.ehr.measures import CHECK_INS, GOALS, QUESTIONNAIRES, TRAILS
from api.core.ehr.oversight import AUDIT
from api.core.ehr.people import CLINIC, CONTACTS, GROUP, PATIENTS, STAFF, TEAMS, sought
from api.core.ehr.reading import Source, Wanted, count_records, enter, list_records, tell

__all__ = [
    "ALERTS",
    "ALLERGIES",
    "AUDIT",
    "CHECK_INS",
    "CLINIC",
    "CONSENTS",
    "CONTACTS",
    "COURSES",
    "DIAGNOSES",
    "DOSED",
    "DOSES",
    "EVENTS",
    "GOALS",
    "GROUP",
    "MEDICATIONS",
    "PATIENTS",
    "PLANS",
    "QUESTIONNAIRES",
    "SESSIONS",
    "STAFF",
    "TEAMS",
    "TRAILS",
    "VITALS",
    "Source",
    "Wanted",
    "count_records",
    "enter",
    "list_records",
    "sought",
    "tell",
]
