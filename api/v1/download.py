"""The download of one's own record over v1: every list that a patient may read, in one file."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import marshmallow as ma
from flask import Response

from api.access.policies import Actor
from api.core import (
    access_log,
    after_doses,
    amendments,
    care_team,
    companions,
    consents,
    courses,
    download,
    erasure,
    history,
    patients,
)
from api.core.clinical_lists import records
from api.core.download import Part
from api.core.integration import goals, insights, journals, moments, practices, ratings, steps
from api.core.outcomes import checkins, plans
from api.core.treatment import dosing, notes, sessions
from api.paging import Listing, Page
from api.v1.amendments import PatientAmendmentRequestSchema
from api.v1.attainment import RatingSchema
from api.v1.care_team import MembershipSchema
from api.v1.checkin_shapes import PatientCheckInSchema
from api.v1.clinical_list_shapes import AllergySchema, MedicationSchema, RecordedDiagnosisSchema
from api.v1.companions import CompanionSchema
from api.v1.consents import ConsentSchema
from api.v1.courses import PatientCourseSchema
from api.v1.erasure import PatientErasureRequestSchema
from api.v1.forms import Instant, Show, shown
from api.v1.goals import PatientGoalSchema
from api.v1.history import VersionSchema
from api.v1.insights import InsightSchema
from api.v1.journal import JournalSchema
from api.v1.ledger_shapes import WhatWasGivenSchema
from api.v1.moments import MomentSchema
from api.v1.note_shapes import PatientNoteSchema
from api.v1.oversight import AccessSchema
from api.v1.patients import PatientSchema
from api.v1.plans import PatientCheckInPlanSchema
from api.v1.practices import PracticeSchema, StepSchema
from api.v1.resource import Blueprint
from api.v1.session_shapes import PatientSessionSchema
from api.v1.showing import json_response, show, show_all
from api.v1.windows import PatientWindowSchema

blp = Blueprint("download", "One's own record, whole, to take along.")
AT_ONCE: Final = 500
"""How many records are read at once."""
List = Callable[..., Listing]


def _all(rows_of: List, schema: type[Show]) -> Part:
    """Every row of a list of the chart, through the schema that its patient reads it by."""

    def tell(actor: Actor, record_id: UUID) -> list[Any]:
        rows: list[Any] = []
        asked = Page(AT_ONCE)
        while True:
            listing = rows_of(actor, record_id, asked)
            rows += show_all(schema, listing.items)
            if listing.next_after is None:
                return rows
            asked = Page(AT_ONCE, listing.next_after)

    return tell


def _under(parents: Part, children: Part) -> Part:
    """Every row of the lists under other rows."""

    def tell(actor: Actor, record_id: UUID) -> list[Any]:
        above = parents(actor, record_id)
        return [row for parent in above for row in children(actor, UUID(str(parent["id"])))]

    return tell


def _given(actor: Actor, patient_id: UUID) -> list[Any]:
    """What was given at each session whose record is signed."""
    told = []
    for session in SESSIONS(actor, patient_id):
        if session["kind"] == "dosing" and session.get("signed_at") is not None:
            given = dosing.read_given(actor, UUID(str(session["id"])))
            told.append({"session_id": session["id"]} | show(WhatWasGivenSchema, given))
    return told


SESSIONS: Final = _all(sessions.list_sessions, PatientSessionSchema)
GOALS: Final = _all(goals.list_goals, PatientGoalSchema)
PRACTICES: Final = _under(GOALS, _all(practices.list_practices, PracticeSchema))
PARTS: Final[dict[str, tuple[Part, type[Show]]]] = {
    "history": (_all(history.list_patient_history, VersionSchema), VersionSchema),
    "care_team": (_all(care_team.list_care_team, MembershipSchema), MembershipSchema),
    "consents": (_all(consents.list_consents, ConsentSchema), ConsentSchema),
    "allergies": (_all(records.list_allergies, AllergySchema), AllergySchema),
    "medications": (_all(records.list_medications, MedicationSchema), MedicationSchema),
    "diagnoses": (
        _all(records.list_diagnoses, RecordedDiagnosisSchema),
        RecordedDiagnosisSchema,
    ),
    "courses": (_all(courses.list_courses, PatientCourseSchema), PatientCourseSchema),
    "sessions": (SESSIONS, PatientSessionSchema),
    "given": (_given, WhatWasGivenSchema),
    "notes": (_all(notes.list_patient_notes, PatientNoteSchema), PatientNoteSchema),
    "insights": (_all(insights.list_insights, InsightSchema), InsightSchema),
    "goals": (GOALS, PatientGoalSchema),
    "ratings": (_under(GOALS, _all(ratings.list_ratings, RatingSchema)), RatingSchema),
    "practices": (PRACTICES, PracticeSchema),
    "steps": (_under(PRACTICES, _all(steps.list_steps, StepSchema)), StepSchema),
    "moments": (_all(moments.list_moments, MomentSchema), MomentSchema),
    "journal": (_all(journals.list_journal, JournalSchema), JournalSchema),
    "windows": (_all(after_doses.list_windows, PatientWindowSchema), PatientWindowSchema),
    "check_ins": (_all(checkins.list_checkins, PatientCheckInSchema), PatientCheckInSchema),
    "check_in_plans": (
        _all(plans.list_check_in_plans, PatientCheckInPlanSchema),
        PatientCheckInPlanSchema,
    ),
    "amendment_requests": (
        _all(amendments.list_amendment_requests, PatientAmendmentRequestSchema),
        PatientAmendmentRequestSchema,
    ),
    "companions": (_all(companions.list_companions, CompanionSchema), CompanionSchema),
    "erasure_requests": (
        _all(erasure.list_erasure_requests, PatientErasureRequestSchema),
        PatientErasureRequestSchema,
    ),
    "access_log": (_all(access_log.read_access_log, AccessSchema), AccessSchema),
}
"""Each part of the download: how it is told, and the schema of its rows."""
DownloadSchema: type[Show] = type(
    "DownloadSchema",
    (Show,),
    {
        "__doc__": "All that is the patient's, as each list answers it.",
        "made_at": shown(Instant),
        "patient_id": shown(ma.fields.UUID),
        "patient": ma.fields.Nested(PatientSchema, required=True),
        **{
            name: ma.fields.List(ma.fields.Nested(schema), required=True)
            for name, (_, schema) in PARTS.items()
        },
    },
)


def _patient(actor: Actor, patient_id: UUID) -> Any:
    return show(PatientSchema, patients.read_patient(actor, patient_id))


@blp.offer(
    "GET",
    "/patients/<id:patient_id>/download",
    "patient:download",
    answer=DownloadSchema,
    derived=True,
)
def download_record(actor: Actor, patient_id: Any) -> Response:
    """Download one's own record.

    All that the patient may read, in one file: what each list answers, kept apart by name.
    """
    parts = {"patient": _patient} | {name: tell for name, (tell, _) in PARTS.items()}
    response = json_response(download.download_record(actor, patient_id, parts), 200)
    response.headers["Content-Disposition"] = 'attachment; filename="record.json"'
    return response
