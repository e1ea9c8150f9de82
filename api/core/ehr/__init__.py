"""What an EHR system may read of the clinic: records by the kind, in the order of their ids."""

from api.core.ehr.admitting import bring_patient, rewrite_patient
from api.core.ehr.booking import book_visit, move_visit
from api.core.ehr.care import (
    ALERTS,
    ALLERGIES,
    CONSENTS,
    COURSES,
    DIAGNOSES,
    MEDICATIONS,
    REFERRALS,
    SESSIONS,
)
from api.core.ehr.changes import list_changes
from api.core.ehr.dosing import DOSED, DOSES, EVENTS, PLANS, VITALS
from api.core.ehr.former import BEGINNING, Versions, list_versions, with_maker
from api.core.ehr.identifiers import numbered
from api.core.ehr.listing import change_referral, list_entry, refer_patient, relist_entry
from api.core.ehr.measures import ANSWERS, CHECK_INS, GOALS, QUESTIONNAIRES, TRAILS
from api.core.ehr.oversight import AUDIT
from api.core.ehr.people import CLINIC, CONTACTS, GROUP, MERGED, PATIENTS, STAFF, TEAMS, sought
from api.core.ehr.reading import (
    count_records,
    enter,
    is_by_staff,
    list_records,
    set_out,
    staff_of,
    tell,
)
from api.core.ehr.sending import (
    find_shown,
    hear_refused,
    record_sharing,
    send_answers,
    send_vitals,
    withdraw_sharing,
)
from api.core.ehr.source import Source, Wanted
from api.core.ehr.subscriptions.keeping import SUBSCRIPTIONS
from api.core.ehr.writing import CREATE, READ, UPDATE, apart, enter_to_write

__all__ = [
    "ALERTS",
    "ALLERGIES",
    "ANSWERS",
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
    "MERGED",
    "PATIENTS",
    "PLANS",
    "QUESTIONNAIRES",
    "READ",
    "REFERRALS",
    "SESSIONS",
    "STAFF",
    "SUBSCRIPTIONS",
    "TEAMS",
    "TRAILS",
    "VITALS",
    "BEGINNING",
    "Source",
    "Versions",
    "list_versions",
    "UPDATE",
    "CREATE",
    "apart",
    "book_visit",
    "bring_patient",
    "find_shown",
    "hear_refused",
    "move_visit",
    "record_sharing",
    "send_answers",
    "send_vitals",
    "withdraw_sharing",
    "change_referral",
    "enter_to_write",
    "list_entry",
    "refer_patient",
    "relist_entry",
    "rewrite_patient",
    "is_by_staff",
    "set_out",
    "Wanted",
    "count_records",
    "enter",
    "list_changes",
    "list_records",
    "numbered",
    "sought",
    "staff_of",
    "with_maker",
    "tell",
]
