"""Users over v1: who works at the clinic, who signs in, and how they are asked in."""

from typing import Any

import marshmallow as ma
from flask import g, request
from marshmallow import validate

from api.access.hashing import MAX_PASSWORD, MIN_PASSWORD
from api.access.policies import Actor, Privilege, Profession, Role
from api.core import accounts, invitations, staffing
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Id, Instant, Many, Show, Words, shown
from api.v1.me import PlaceSchema
from api.v1.resource import Blueprint, PageQuery
from api.v1.signin import TOKEN_EXAMPLE

blp = Blueprint("users", "Who works at the clinic and who signs in.")


class ClinicianSchema(Show):
    """A clinician, with what they may do beyond their care teams."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    display_name = shown(ma.fields.String)
    profession = Choice(Profession, required=True, allow_none=True)
    privileges = Many(Choice(Privilege), required=True)


class UserSchema(ClinicianSchema):
    """A user of the clinic; `disabled_at` is null while they may sign in."""

    email = shown(ma.fields.String)
    role = Choice(Role, required=True)
    patient_id = shown(ma.fields.UUID, nullable=True)
    locale = shown(ma.fields.String)
    disabled_at = shown(Instant, nullable=True)


class UserQuery(PageQuery):
    """Which users."""

    role = Choice(Role)


class ChangedUserSchema(Ask):
    """A merge patch of what somebody may do; what only clinicians have goes with their role."""

    role = Choice(staffing.STAFF)
    display_name = Words(200)
    profession = Choice(Profession, allow_none=True)
    privileges = Many(Choice(Privilege), most=len(Privilege))


class NewInvitationSchema(Ask):
    """Whom to ask in, and as what."""

    email = Words(254, required=True, validate=validate.Email())
    role = Choice(invitations.INVITABLE, required=True)
    display_name = Words(200, required=True)
    profession = Choice(Profession, allow_none=True)
    privileges = Many(Choice(Privilege), most=len(Privilege))
    patient_id = Id(
        allow_none=True, metadata={"description": "Whose chart is theirs; role patient alone."}
    )


class InvitationSchema(Show):
    """An invitation; `accepted_at` is null while it was not taken up."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    email = shown(ma.fields.String)
    role = Choice(invitations.INVITABLE, required=True)
    display_name = shown(ma.fields.String)
    profession = Choice(Profession, required=True, allow_none=True)
    privileges = Many(Choice(Privilege), required=True)
    patient_id = shown(ma.fields.UUID, nullable=True)
    invited_by = shown(ma.fields.UUID, nullable=True)
    expires_at = shown(Instant)
    accepted_at = shown(Instant, nullable=True)


class SentInvitationSchema(InvitationSchema):
    """A new invitation."""

    token = ma.fields.String(metadata={"description": "In demo and test mode alone."})


class AcceptSchema(Ask):
    """The token of the mail; a new password, or the one that the address has already."""

    token = Words(200, required=True)
    password = Words(MAX_PASSWORD, MIN_PASSWORD, required=True)


class NewUserSchema(Show):
    """Who has come in; they sign in next."""

    id = shown(ma.fields.UUID)
    kind = Choice(Role, required=True)
    display_name = shown(ma.fields.String)
    clinic = ma.fields.Nested(PlaceSchema, required=True)


@blp.offer("GET", "/clinicians", "clinician:list", answer=ClinicianSchema, paged=True)
def list_clinicians(actor: Actor, **asked: Any) -> Listing:
    """List the clinic's clinicians.

    A clinician's id is the id of their user.
    """
    return accounts.list_clinicians(actor, **asked)


@blp.offer("GET", "/users", "user:list", query=UserQuery, answer=UserSchema, paged=True)
def list_users(actor: Actor, **asked: Any) -> Listing:
    """List everybody who signs in at the clinic."""
    return accounts.list_users(actor, **asked)


@blp.offer("GET", "/users/<id:user_id>", "user:list", answer=UserSchema)
def read_user(actor: Actor, user_id: Any) -> Values:
    """Read a user of the clinic."""
    return accounts.read_user(actor, user_id)


@blp.offer(
    "PATCH",
    "/users/<id:user_id>",
    "user:change",
    body=ChangedUserSchema,
    answer=UserSchema,
    example={"privileges": ["administer", "discharge"]},
)
def change_user(actor: Actor, user_id: Any, version: int | None, values: Values) -> Values:
    """Change what a user may do.

    Needs a sign-in of the last five minutes. Nobody changes their own rights (403). It holds from
    their next request on, for tokens already issued too; the privacy officers are told.
    """
    return staffing.change_user(actor, user_id, version, values)


@blp.offer("POST", "/users/<id:user_id>/disable", "user:disable", answer=UserSchema, errors=(409,))
def disable_user(actor: Actor, user_id: Any) -> Values:
    """Disable a user.

    Needs a sign-in of the last five minutes. Every sign-in of theirs ends at once, and the webhooks
    that they made are switched off. Nobody disables themself (403).
    """
    return staffing.disable_user(actor, user_id)


@blp.offer("POST", "/users/<id:user_id>/enable", "user:disable", answer=UserSchema, errors=(409,))
def enable_user(actor: Actor, user_id: Any) -> Values:
    """Let a user sign in again.

    Needs a sign-in of the last five minutes. Sign-ins that ended and webhooks that were switched
    off stay so.
    """
    return staffing.enable_user(actor, user_id)


@blp.offer(
    "POST",
    "/invitations",
    "user:invite",
    body=NewInvitationSchema,
    answer=SentInvitationSchema,
    location="/api/v1/invitations/{id}",
    example={
        "email": "new.colleague@clinic.example",
        "role": "clinician",
        "display_name": "New Colleague",
        "profession": "therapist",
    },
)
def invite(actor: Actor, values: Values) -> Values:
    """Ask somebody in.

    Needs a sign-in of the last five minutes. The invitation is good once and for 72 hours. Of a
    colleague the privacy officers are told, now and when it is accepted.
    """
    return invitations.invite(actor, values)


@blp.offer("GET", "/invitations", "user:list", answer=InvitationSchema, paged=True)
def list_invitations(actor: Actor, **asked: Any) -> Listing:
    """List the clinic's invitations, newest first."""
    return invitations.list_invitations(actor, **asked)


@blp.offer("GET", "/invitations/<id:invitation_id>", "user:list", answer=InvitationSchema)
def read_invitation(actor: Actor, invitation_id: Any) -> Values:
    """Read an invitation."""
    return invitations.read_invitation(actor, invitation_id)


@blp.offer("DELETE", "/invitations/<id:invitation_id>", "user:invite", status=204)
def withdraw_invitation(actor: Actor, invitation_id: Any, version: int | None) -> None:
    """Withdraw an invitation that was not accepted.

    Needs a sign-in of the last five minutes.
    """
    invitations.withdraw_invitation(actor, invitation_id, version)


@blp.offer(
    "POST",
    "/invitations/accept",
    None,
    body=AcceptSchema,
    answer=NewUserSchema,
    location="/api/v1/me",
    errors=(401, 403, 409),
    example={"token": TOKEN_EXAMPLE, "password": "fresh-snow-2026"},
)
def accept_invitation(values: Values) -> Values:
    """Accept an invitation.

    With a new password, or with the address's own where it has an account; nobody is signed in.
    """
    by = {"where": request.remote_addr, "request_id": g.request_id}
    return invitations.accept_invitation(**values, **by)
