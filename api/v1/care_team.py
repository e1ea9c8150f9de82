"""Care teams over v1: who may open a chart, joined and ended by others, never by oneself."""

from typing import Any
from uuid import UUID

import marshmallow as ma

from api.access.policies import Actor
from api.core import care_team
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Day, Id, Instant, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("care_team", "The clinicians who may open a patient's chart.")
STATES = "`coming`: the chart opens on a later day; `current`: it is open; `past`: it has ended."
TEAM = "/patients/<id:patient_id>/care-team"


class NewMembershipSchema(Ask):
    """A clinician who joins the care team."""

    clinician_id = Id(required=True)
    role = Choice(care_team.ROLES, required=True)
    from_on = Day(metadata={"description": "The patient's calendar day; today unless given."})


class EndedMembershipSchema(Ask):
    """Why a membership ends."""

    reason = Words(500, allow_none=True)


class ClinicianRefSchema(Show):
    """A clinician, named."""

    id = shown(ma.fields.UUID)
    display_name = shown(ma.fields.String)


class MembershipSchema(Show):
    """A clinician's time on a patient's care team. `reason` is null for patients."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    clinician = ma.fields.Nested(ClinicianRefSchema, required=True)
    role = Choice(care_team.ROLES, required=True)
    state = Choice(care_team.STATES, required=True, metadata={"description": STATES})
    from_on = shown(Day)
    ended_at = shown(Instant, nullable=True)
    reason = shown(ma.fields.String, nullable=True)


class CareTeamQuery(PageQuery):
    """Which part of the care team."""

    state = Choice(care_team.STATES, metadata={"description": STATES})


@blp.offer("GET", TEAM, "care_team:read", query=CareTeamQuery, answer=MembershipSchema, paged=True)
def list_care_team(actor: Actor, patient_id: UUID, **asked: Any) -> Listing:
    """List a patient's care team.

    Those who are on it and those who were, in the order in which they joined.
    """
    return care_team.list_care_team(actor, patient_id, **asked)


@blp.offer(
    "POST",
    TEAM,
    "care_team:assign",
    body=NewMembershipSchema,
    answer=MembershipSchema,
    location="/api/v1/patients/{patient_id}/care-team/{id}",
    example={"clinician_id": "0195b7a6-5c00-7000-8000-000000000001", "role": "therapist"},
    errors=(409,),
)
def assign_clinician(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """Put a clinician on a patient's care team.

    Nobody assigns themself (403). With a later `from_on` the chart opens at midnight of that day
    where the patient lives. Whoever is on the team, or will be, joins once: 409 names the
    `membership_id` to end first.
    """
    return care_team.assign_clinician(actor, patient_id, values)


@blp.offer("GET", f"{TEAM}/<id:membership_id>", "care_team:read", answer=MembershipSchema)
def read_membership(actor: Actor, patient_id: UUID, membership_id: UUID) -> Values:
    """Read one membership of a care team."""
    return care_team.read_membership(actor, patient_id, membership_id)


@blp.offer(
    "POST",
    f"{TEAM}/<id:membership_id>/end",
    "care_team:end",
    body=EndedMembershipSchema,
    answer=MembershipSchema,
    example={"reason": "Moved to another clinic."},
    errors=(409,),
)
def end_membership(actor: Actor, patient_id: UUID, membership_id: UUID, values: Values) -> Values:
    """End a clinician's membership of a care team.

    It takes effect at once, for tokens already issued too.
    """
    return care_team.end_membership(actor, patient_id, membership_id, **values)
