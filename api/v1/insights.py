"""Insights over v1: what the patient took from a session."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.integration import insights
from api.paging import Listing, Values
from api.v1.entries import EntrySchema, sharing
from api.v1.forms import Ask, Id, Words, shown
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("insights", "What patients took from a session, in their words.")
ONE = "/insights/<id:insight_id>"
OF_PATIENT = "/patients/<id:patient_id>/insights"


class NewInsightSchema(Ask):
    """An insight as it is written down."""

    text = Words(4000, required=True)
    session_id = Id(allow_none=True)
    shared_with = sharing()


class ChangedInsightSchema(Ask):
    """A merge patch of an insight: absent = unchanged, null = cleared."""

    text = Words(4000)
    session_id = Id(allow_none=True)
    shared_with = sharing()


class InsightSchema(EntrySchema):
    """An insight, word by word."""

    text = shown(ma.fields.String)
    session_id = shown(ma.fields.UUID, nullable=True)


class InsightQuery(PageQuery):
    """Which of a patient's insights."""

    session_id = Id()


@blp.offer("GET", OF_PATIENT, "insight:read", query=InsightQuery, answer=InsightSchema, paged=True)
def list_insights(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's insights, the newest first."""
    return insights.list_insights(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "insight:write",
    body=NewInsightSchema,
    answer=InsightSchema,
    location="/api/v1/insights/{id}",
    example={"text": "Rest is not something that has to be earned."},
)
def note_insight(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Note an insight.

    The text is kept word by word.
    """
    return insights.note_insight(actor, patient_id, values)


@blp.offer("GET", ONE, "insight:read", answer=InsightSchema)
def read_insight(actor: Actor, insight_id: Any) -> Values:
    """Read an insight."""
    return insights.read_insight(actor, insight_id)


@blp.offer(
    "PATCH",
    ONE,
    "insight:write",
    body=ChangedInsightSchema,
    answer=InsightSchema,
    example={"shared_with": "me"},
)
def change_insight(actor: Actor, insight_id: Any, version: int | None, values: Values) -> Values:
    """Change an insight or with whom it is shared.

    The text is changed by who wrote it, patient or clinicians; the sharing is the patient's alone.
    """
    return insights.change_insight(actor, insight_id, version, values)


@blp.offer("DELETE", ONE, "insight:write", status=204)
def remove_insight(actor: Actor, insight_id: Any, version: int | None) -> None:
    """Remove an insight."""
    return insights.remove_insight(actor, insight_id, version)
