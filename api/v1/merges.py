"""Merging over v1: two charts of one person made one, and divided again."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import merges
from api.paging import Listing, Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Id, Instant, Many, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("merges", "Two charts of one person: merged into one, and divided again.")
INTO = {"description": "The chart that stays: of the same clinic, and not merged itself."}
MOVED = {
    "description": "How many records of each kind went along, but for what is one person's alone.",
    "example": {"goals": 1, "sessions": 4},
}


class NewPatientMergeSchema(Ask):
    """Into which chart, and how it is known that both are one person's."""

    into = Id(required=True, metadata=INTO)
    reason = Words(2000, required=True)


class PatientUnmergeSchema(Ask):
    """Why the charts are divided again."""

    reason = Words(2000, required=True)


class PatientMergeSchema(Show):
    """A merge: `merged` went into `patient`, with so many records of each kind."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    merged = ma.fields.Nested(PatientRefSchema, required=True)
    state = Choice(merges.STATES, required=True)
    reason = shown(ma.fields.String)
    merged_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    unmerged_at = shown(Instant, nullable=True)
    unmerged_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    unmerge_reason = shown(ma.fields.String, nullable=True)
    moved = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Integer(), required=True, metadata=MOVED
    )
    allowed = Many(ma.fields.String(), required=True)


class PatientMergeQuery(PageQuery):
    """Which merges."""

    patient_id = Id(metadata={"description": "Of this chart, whether it stayed or went."})
    state = Choice(merges.STATES)


@blp.offer(
    "POST",
    "/patients/<id:patient_id>/merge",
    "patient:merge",
    body=NewPatientMergeSchema,
    answer=PatientMergeSchema,
    example={
        "into": "01a2180a-0000-7000-8000-000000000001",
        "reason": "Same birth date and identity card; the front desk admitted her twice.",
    },
)
def merge_patient(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Merge this chart into another of the same person.

    Everything that hangs on it hangs on the other chart from then on, with a new version; other
    systems' numbers go along. The merged chart is gone from lists and reads (404, a tombstone in
    `updated_since`), and its access log is told with the other's. What the other chart has already
    (a colleague on its care team, a confirmed list) stays behind. Neither patient's own data are
    written over. 409 while both have a sign-in and that of the chart that goes is not disabled, and
    while somebody is invited to it. Of each kind of consent the patient's last word stands.
    """
    return merges.merge_patient(actor, patient_id, values)


@blp.offer(
    "POST",
    "/patients/<id:patient_id>/unmerge",
    "patient:merge",
    body=PatientUnmergeSchema,
    answer=PatientMergeSchema,
    example={"reason": "Two people of one name: the birth dates were mistyped."},
)
def unmerge_patient(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Divide a merged chart from the other one again.

    What went along returns, with what was made under it since; what else was written since then
    stays with the other chart.
    """
    return merges.unmerge_patient(actor, patient_id, values)


@blp.offer(
    "GET",
    "/patient-merges",
    "patient_merge:read",
    query=PatientMergeQuery,
    answer=PatientMergeSchema,
    paged=True,
)
def list_patient_merges(actor: Actor, **asked: Any) -> Listing:
    """List the merges of charts, the latest first."""
    return merges.list_patient_merges(actor, **asked)
