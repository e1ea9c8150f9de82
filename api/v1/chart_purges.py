"""Purges over v1: charts whose retention is over are removed, by two people."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import purges
from api.paging import Listing, Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Day, Id, Instant, Many, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("chart_purges", "Charts that need be kept no longer, and their removal.")
ALL, ONE = "/chart-purges", "/chart-purges/<id:purge_id>"
WHY = {"description": "Best without a name; it is forgotten when the removal begins."}
UNNAMED = {"description": "Null once the removal has begun: nobody is called so any more."}
UNTIL = {"description": "That day included; by state law, and six years as HIPAA documentation."}
MERGED = {"description": "Charts that had been merged into it and went with it."}
REMOVED = {
    "description": "How many records of each kind went; null before. What a patient may keep to "
    "themself and psychotherapy notes have no count.",
    "example": {"note": 12, "session": 9},
}


class OpenPurgeSchema(Show):
    """A purge that stands."""

    id = shown(ma.fields.UUID)
    state = Choice(purges.STATES, required=True)


class PastRetentionSchema(Show):
    """A chart whose retention is over. Under a `legal_hold` it stays all the same."""

    patient = ma.fields.Nested(PatientRefSchema, required=True)
    last_seen_on = shown(Day)
    retained_until = shown(Day, metadata=UNTIL)
    legal_hold = shown(ma.fields.Boolean)
    purge = ma.fields.Nested(OpenPurgeSchema, required=True, allow_none=True)


class NewChartPurgeSchema(Ask):
    """Which chart is to be removed, and why."""

    patient_id = Id(required=True)
    reason = Words(2000, 10, required=True, metadata=WHY)


class PurgedPatientSchema(Show):
    """The patient whose chart it is, or was."""

    id = shown(ma.fields.UUID)
    display_name = shown(ma.fields.String, nullable=True, metadata=UNNAMED)


class ChartPurgeSchema(Show):
    """A removal: proposed, agreed to, carried out; or withdrawn, or stopped for a reason."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PurgedPatientSchema, required=True)
    state = Choice(purges.STATES, required=True)
    reason = shown(ma.fields.String, nullable=True)
    last_seen_on = shown(Day)
    retained_until = shown(Day)
    proposed_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    expires_at = shown(Instant)
    approved_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    approved_at = shown(Instant, nullable=True)
    not_before = shown(Instant, nullable=True)
    withdrawn_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    stopped_for = Choice(purges.REASONS, required=True, allow_none=True)
    began_at = shown(Instant, nullable=True)
    ended_at = shown(Instant, nullable=True)
    merged_ids = Many(ma.fields.UUID(), required=True, metadata=MERGED)
    removed = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Integer(),
        required=True,
        allow_none=True,
        metadata=REMOVED,
    )
    allowed = Many(ma.fields.String(), required=True)


class ChartPurgeQuery(PageQuery):
    """Which purges."""

    state = Choice(purges.STATES)
    patient_id = Id()


@blp.offer(
    "GET",
    "/retention",
    "retention:read",
    query=PageQuery,
    answer=PastRetentionSchema,
    paged=True,
)
def list_charts_past_retention(actor: Actor, **asked: Any) -> Listing:
    """List the charts whose retention is over.

    A chart is kept for the clinic's `retention_years` after its patient was last seen (their last
    session, entry or discharge), for six years at the least, also after a consent or a request to
    amend was last said or decided; that of somebody who was a minor when first seen until they are
    thirty, or for the clinic's years from when they came of age; where no day of birth is known, as
    if they were born when first seen.
    """
    return purges.list_charts_past_retention(actor, **asked)


@blp.offer(
    "GET", ALL, "chart_purge:read", query=ChartPurgeQuery, answer=ChartPurgeSchema, paged=True
)
def list_chart_purges(actor: Actor, **asked: Any) -> Listing:
    """List the removals of charts, the latest first."""
    return purges.list_chart_purges(actor, **asked)


@blp.offer(
    "POST",
    ALL,
    "chart_purge:propose",
    body=NewChartPurgeSchema,
    answer=ChartPurgeSchema,
    location="/api/v1/chart-purges/{id}",
    example={
        "patient_id": "01a2180a-0000-7000-8000-000000000001",
        "reason": "Retention is over; nothing is pending.",
    },
)
def propose_chart_purge(actor: Actor, values: Values) -> Values:
    """Propose that a chart be removed.

    With it go those that were merged into it. The other privacy officers are told, and somebody
    else has to agree within 30 days. 409 before its retention is over (`retention_over`), under a
    legal hold (`no_legal_hold`), while one is proposed, and for a chart that was merged into
    another, whose id the answer names (`chart_that_stays`).
    """
    return purges.propose_chart_purge(actor, values)


@blp.offer("GET", ONE, "chart_purge:read", answer=ChartPurgeSchema, derived=True)
def read_chart_purge(actor: Actor, purge_id: Any) -> Values:
    """Read the removal of a chart."""
    return purges.read_chart_purge(actor, purge_id)


@blp.offer("POST", f"{ONE}/approve", "chart_purge:approve", answer=ChartPurgeSchema)
def approve_chart_purge(actor: Actor, purge_id: Any) -> Values:
    """Agree that a chart is removed.

    By another person than who proposed it (else 403). Everything is asked once more, whether
    somebody wrote in the chart since or the patient signed in (`chart_at_rest`), and whether who
    proposed it could still do so (`entitled_proposer`). The worker begins no sooner than
    `not_before`, asks again, of whoever agreed too, and stops with a reason where something speaks
    against it. Once it has begun the chart is gone for everybody, psychotherapy notes first, and
    for good.
    """
    return purges.approve_chart_purge(actor, purge_id)


@blp.offer("POST", f"{ONE}/withdraw", "chart_purge:withdraw", answer=ChartPurgeSchema)
def withdraw_chart_purge(actor: Actor, purge_id: Any) -> Values:
    """Take the removal of a chart back, or refuse it.

    Also once it was agreed to, until it begins.
    """
    return purges.withdraw_chart_purge(actor, purge_id)
