"""The one who is signed in, over v1: who they are here, and what they prefer."""

from typing import Any

import marshmallow as ma
from marshmallow import validate

from api.access.policies import Actor, Privilege, Profession, Role
from api.core import accounts
from api.paging import Values
from api.v1.forms import Ask, Choice, Flag, Instant, Many, Show, Words, shown
from api.v1.resource import Blueprint

blp = Blueprint("me", "The one who is signed in.")
CLOCK = validate.Regexp(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", error="Not a time such as 21:30.")


class PlaceSchema(Show):
    """A clinic, named."""

    id = shown(ma.fields.UUID)
    name = shown(ma.fields.String)
    time_zone = shown(ma.fields.String)


class OwnClinicSchema(PlaceSchema):
    """The clinic of the sign-in; while it is suspended nothing is written there."""

    suspended = shown(Flag)


class ThisSignInSchema(Show):
    """The sign-in at hand: when it was last confirmed, and its absolute end."""

    id = shown(ma.fields.UUID)
    auth_time = shown(Instant)
    ends_at = shown(Instant)


class MeSchema(Show):
    """Who is signed in; ids that do not apply are null."""

    kind = Choice(Role, required=True)
    user_id = shown(ma.fields.UUID)
    display_name = shown(ma.fields.String)
    patient_id = shown(ma.fields.UUID, nullable=True)
    clinician_id = shown(ma.fields.UUID, nullable=True)
    profession = Choice(Profession, required=True, allow_none=True)
    privileges = Many(Choice(Privilege), required=True)
    clinic = ma.fields.Nested(OwnClinicSchema, required=True)
    locale = shown(ma.fields.String)
    sign_in = ma.fields.Nested(ThisSignInSchema, required=True)


class QuietHoursSchema(Ask):
    """Local times between which no reminder is sent; they may span midnight."""

    starts = Words(5, 5, required=True, data_key="from", attribute="from", validate=CLOCK)
    ends = Words(5, 5, required=True, data_key="to", attribute="to", validate=CLOCK)


class ChangedQuietHoursSchema(Ask):
    """A merge patch of quiet hours; what comes of it has both ends."""

    starts = Words(5, 5, allow_none=True, data_key="from", attribute="from", validate=CLOCK)
    ends = Words(5, 5, allow_none=True, data_key="to", attribute="to", validate=CLOCK)


class ChangedPreferencesSchema(Ask):
    """A merge patch of preferences: absent = unchanged, null = cleared."""

    default_sharing = Choice(
        accounts.SHARING,
        allow_none=True,
        metadata={"description": "Patients alone. Null: the default of each kind of entry."},
    )
    reminder_channel = Choice(accounts.CHANNELS)
    quiet_hours = ma.fields.Nested(ChangedQuietHoursSchema, allow_none=True)
    quote_my_moments = Flag()


class PreferencesSchema(Show):
    """What you prefer."""

    version = shown(ma.fields.Integer)
    default_sharing = Choice(accounts.SHARING, required=True, allow_none=True)
    reminder_channel = Choice(accounts.CHANNELS, required=True)
    quiet_hours = ma.fields.Nested(QuietHoursSchema, required=True, allow_none=True)
    quote_my_moments = shown(Flag)


@blp.offer("GET", "/me", "me:read", answer=MeSchema)
def read_me(actor: Actor) -> Values:
    """Read who is signed in."""
    return accounts.read_me(actor)


@blp.offer("GET", "/me/preferences", "me:read", answer=PreferencesSchema)
def read_preferences(actor: Actor) -> Values:
    """Read your preferences."""
    return accounts.read_preferences(actor)


@blp.offer(
    "PATCH",
    "/me/preferences",
    "me:update",
    body=ChangedPreferencesSchema,
    answer=PreferencesSchema,
    example={"reminder_channel": "email", "quiet_hours": {"from": "21:00", "to": "08:00"}},
)
def change_preferences(actor: Actor, version: int | None, values: dict[str, Any]) -> Values:
    """Change your preferences.

    `default_sharing` is what a patient's new entries start with, and only a patient has it.
    """
    return accounts.change_preferences(actor, version, values)
