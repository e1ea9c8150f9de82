"""Breaking the glass over v1: opening a chart in an emergency, and the review of it."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import break_glass, opened
from api.paging import Listing, Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Id, Instant, Many, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("break-glass", "Charts opened in an emergency, and who reviewed it.")
ONE = "/break-glass/<id:break_glass_id>"
REASON = {"description": "Why it can't wait, in words that the privacy officer reads."}


class NewBreakGlassSchema(Ask):
    """Why the chart must be opened now."""

    reason = Words(2000, 20, required=True, metadata=REASON)
    reason_code = Choice(opened.CODES, load_default="other")


class BreakGlassReviewSchema(Ask):
    """What the review found."""

    outcome = Choice(opened.OUTCOMES, required=True)
    note = Words(4000, required=True)


class BreakGlassSchema(Show):
    """A chart that was opened in an emergency; `overdue` when nobody reviewed it in 72 hours."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    clinician = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    reason_code = Choice(opened.CODES, required=True)
    reason = shown(ma.fields.String)
    opened_at = shown(Instant)
    ends_at = shown(Instant)
    state = Choice(break_glass.STATES, required=True)
    review_due_at = shown(Instant)
    overdue = shown(ma.fields.Boolean)
    reviewed_at = shown(Instant, nullable=True)
    reviewed_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    outcome = Choice(opened.OUTCOMES, required=True, allow_none=True)
    review_note = shown(ma.fields.String, nullable=True)
    allowed = Many(ma.fields.String(), required=True)


class BreakGlassQuery(PageQuery):
    """Which openings."""

    state = Choice(break_glass.STATES)
    patient_id = Id()
    clinician_id = Id()


@blp.offer(
    "POST",
    "/patients/<id:patient_id>/break-glass",
    "break_glass:open",
    body=NewBreakGlassSchema,
    answer=BreakGlassSchema,
    derived=True,
    location="/api/v1/break-glass/{id}",
    example={"reason": "Found unconscious at the station; what was given?"},
)
def break_the_glass(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Open a chart in an emergency.

    One chart opens for 60 minutes, to read and to acknowledge alerts; psychotherapy notes, the
    journal and what the patient keeps for themself stay closed. The privacy officers are told at
    once and review it, and the patient sees it in their access log. At most 3 within 24 hours.
    """
    return break_glass.break_the_glass(actor, patient_id, values)


@blp.offer(
    "GET",
    "/break-glass",
    "break_glass:read",
    query=BreakGlassQuery,
    answer=BreakGlassSchema,
    paged=True,
)
def list_break_glass(actor: Actor, **asked: Any) -> Listing:
    """List the charts that were opened in an emergency, the latest first.

    The privacy officer sees all of the clinic, a clinician their own.
    """
    return break_glass.list_break_glass(actor, **asked)


@blp.offer("GET", ONE, "break_glass:read", answer=BreakGlassSchema, derived=True)
def read_break_glass(actor: Actor, break_glass_id: Any) -> Values:
    """Read one emergency opening.

    It ends by itself at `ends_at`.
    """
    return break_glass.read_break_glass(actor, break_glass_id)


@blp.offer(
    "POST",
    f"{ONE}/review",
    "break_glass:review",
    body=BreakGlassReviewSchema,
    answer=BreakGlassSchema,
    derived=True,
    example={"outcome": "justified", "note": "I spoke with both; it was needed."},
)
def review_break_glass(actor: Actor, break_glass_id: Any, values: Values) -> Values:
    """Review an emergency opening.

    Once, and never one's own; due 72 hours after it was opened.
    """
    return break_glass.review_break_glass(actor, break_glass_id, values)
