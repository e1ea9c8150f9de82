"""Projects over the research door: for what purpose outcomes are told, and to whom."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import release
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Day, Id, Instant, Many, Show, Words, shown
from api.v1.resource import Blueprint

blp = Blueprint("research_projects", "For what purpose outcomes are told, and to whom.")
ONE = "/projects/<id:project_id>"
EXAMPLE = {
    "title": "Practice after ketamine",
    "purpose": "Whether practice in the window goes with lasting response.",
    "analyst_ids": ["01a212f6-4109-70c5-a266-d513cbb740a6"],
}
MOST = 50
MOST_TEXTS = 20
TIER = {
    "description": "B, de-identified (Safe Harbor, 45 CFR 164.514(b)(2)), unless C is asked for: a"
    " limited data set (164.514(e)), which is PHI. It stands for good."
}
FOR_LIMITED = {"description": "Needed of a project of tier C, and for no other."}


class NewProjectSchema(Ask):
    """A project as it is opened."""

    title = Words(200, required=True)
    purpose = Words(2000, required=True)
    analyst_ids = Many(Id(), most=MOST, least=1, required=True)
    tier = Choice(release.TIERS, metadata=TIER)


class ChangedProjectSchema(Ask):
    """A merge patch: absent = unchanged. `analyst_ids` replaces all of them."""

    title = Words(200)
    analyst_ids = Many(Id(), most=MOST, least=1)
    state = Choice(("closed",))


class NewAgreementSchema(Ask):
    """A data use agreement that was signed.

    For a limited data set it names who may use it (analysts of the project), for what, all five
    terms of 45 CFR 164.514(e)(4), a last day, and which texts of the consent to research cover it.
    """

    recipient = Words(200, required=True)
    signed_on = Day(required=True)
    expires_on = Day(allow_none=True)
    analyst_ids = Many(Id(), most=MOST, metadata=FOR_LIMITED)
    uses = Many(Choice(release.USES), metadata=FOR_LIMITED)
    terms = Many(Choice(release.TERMS), metadata=FOR_LIMITED)
    consent_text_versions = Many(Words(60), most=MOST_TEXTS, metadata=FOR_LIMITED)


class AgreementSchema(Show):
    """A data use agreement, 45 CFR 164.514(e)(4)."""

    id = shown(ma.fields.UUID)
    recipient = shown(ma.fields.String)
    signed_on = shown(Day)
    expires_on = shown(Day, nullable=True)
    ended_at = shown(Instant, nullable=True)
    analyst_ids = Many(ma.fields.UUID(), required=True)
    uses = Many(Choice(release.USES), required=True)
    terms = Many(Choice(release.TERMS), required=True)
    consent_text_versions = Many(ma.fields.String(), required=True)


class AnalystSchema(Show):
    """An analyst of a project."""

    id = shown(ma.fields.UUID)
    display_name = shown(ma.fields.String)


class ProjectSchema(Show):
    """A project."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    title = shown(ma.fields.String)
    purpose = shown(ma.fields.String)
    tier = Choice(release.TIERS, required=True)
    state = Choice(release.PROJECT_STATES, required=True)
    closed_at = shown(Instant, nullable=True)
    policy_version = shown(ma.fields.String)
    analysts = Many(ma.fields.Nested(AnalystSchema), required=True)
    agreements = Many(ma.fields.Nested(AgreementSchema), required=True)


@blp.offer("GET", "/projects", "research_project:read", answer=ProjectSchema, paged=True)
def list_projects(actor: Actor, asked: Any) -> Listing:
    """List the projects that name you; for a privacy officer all of the clinic."""
    return release.list_projects(actor, asked)


@blp.offer(
    "POST",
    "/projects",
    "research_project:open",
    body=NewProjectSchema,
    answer=ProjectSchema,
    location="/research/v1/projects/{id}",
    example=EXAMPLE,
)
def open_project(actor: Actor, values: Values) -> Values:
    """Open a project.

    `analyst_ids` are users of the clinic whose role is analyst; nobody else opens it. One of tier C
    tells nothing until an agreement is recorded that names who asks.
    """
    return release.open_project(actor, values)


@blp.offer("GET", ONE, "research_project:read", answer=ProjectSchema)
def read_project(actor: Actor, project_id: Any) -> Values:
    """Read a project."""
    return release.read_project(actor, project_id)


@blp.offer(
    "PATCH",
    ONE,
    "research_project:change",
    body=ChangedProjectSchema,
    answer=ProjectSchema,
    example={"title": "Practice after a dose"},
)
def change_project(actor: Actor, project_id: Any, version: int | None, values: Values) -> Values:
    """Change who may see a project, or close it.

    The keys of analysts who leave end at once. A closed project gets no more releases.
    """
    return release.change_project(actor, project_id, version, values)


@blp.offer(
    "POST",
    f"{ONE}/agreements",
    "research_project:change",
    body=NewAgreementSchema,
    answer=ProjectSchema,
    status=201,
    example={"recipient": "University of the Hills", "signed_on": "2026-10-01"},
)
def record_agreement(actor: Actor, project_id: Any, values: Values) -> Values:
    """Record a data use agreement that was signed.

    In a project of tier C it is what lets the analysts whom it names read, until its last day.
    """
    return release.record_agreement(actor, project_id, values)


@blp.offer(
    "POST",
    f"{ONE}/agreements/<id:agreement_id>/end",
    "research_project:change",
    answer=ProjectSchema,
    errors=(409,),
)
def end_agreement(actor: Actor, project_id: Any, agreement_id: Any) -> Values:
    """End an agreement before its last day.

    In a project of tier C whom no other agreement names reads nothing any more, from now on.
    """
    return release.end_agreement(actor, project_id, agreement_id)
