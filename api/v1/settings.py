"""Set and setting of a session over v1, in the patient's words and the care team's."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.treatment import settings
from api.paging import Values
from api.v1.forms import Ask, Choice, Flag, Instant, Many, Show, Words, shown
from api.v1.resource import Blueprint

blp = Blueprint("settings", "Set and setting of a session.")
ONE = "/sessions/<id:session_id>/setting"
INTENTION = {"description": "In the patient's words."}
KEEPING = {"description": "What the patient said and may want to hear again."}
TOUCH = {"description": "What was agreed about touch; how exactly, in `touch_words`."}


class SettingSetSchema(Ask):
    """How the patient comes."""

    mood = Words(500, allow_none=True)
    sleep = Words(500, allow_none=True)
    fears = Words(2000, allow_none=True)
    medicines_held = Words(500, allow_none=True)
    food = Words(500, allow_none=True)


class SettingPlaceSchema(Ask):
    """Where it takes place."""

    place = Words(500, allow_none=True)
    light = Words(500, allow_none=True)
    notes = Words(2000, allow_none=True)


class PutSettingSchema(Ask):
    """Set and setting, whole: what is left out is not said."""

    intention = Words(4000, allow_none=True, metadata=INTENTION)
    set = ma.fields.Nested(SettingSetSchema, allow_none=True)
    setting = ma.fields.Nested(SettingPlaceSchema, allow_none=True)
    people_present = Many(Words(200), most=20)
    music = Words(2000, allow_none=True)
    eyeshade = Flag(allow_none=True)
    touch_agreement = Choice(settings.TOUCH, allow_none=True, metadata=TOUCH)
    touch_words = Words(2000, allow_none=True)
    words_worth_keeping = Many(Words(4000), most=50, metadata=KEEPING)


class PatientSettingSchema(Show):
    """What the patient reads of set and setting, once the record is signed."""

    session_id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    updated_at = shown(Instant, nullable=True)
    intention = shown(ma.fields.String, nullable=True, metadata=INTENTION)
    music = shown(ma.fields.String, nullable=True)
    eyeshade = shown(Flag, nullable=True)
    touch_agreement = Choice(settings.TOUCH, required=True, allow_none=True, metadata=TOUCH)
    touch_words = shown(ma.fields.String, nullable=True)
    words_worth_keeping = Many(ma.fields.String(), required=True, metadata=KEEPING)


class SettingSchema(PatientSettingSchema):
    """Set and setting of a session; version 0 while nobody wrote any."""

    set = ma.fields.Nested(SettingSetSchema, required=True, allow_none=True)
    setting = ma.fields.Nested(SettingPlaceSchema, required=True, allow_none=True)
    people_present = Many(ma.fields.String(), required=True)


@blp.offer("GET", ONE, "setting:read", answer=SettingSchema, to_patient=PatientSettingSchema)
def read_setting(actor: Actor, session_id: Any) -> Values:
    """Read set and setting of a session.

    A patient reads their part of it once the record is signed.
    """
    return settings.read_setting(actor, session_id)


@blp.offer(
    "PUT",
    ONE,
    "setting:write",
    body=PutSettingSchema,
    answer=SettingSchema,
    creates=True,
    example={"intention": "To look at it from further away.", "touch_agreement": "hand_only"},
)
def put_setting(actor: Actor, session_id: Any, version: int | None, values: Values) -> Values:
    """Write down set and setting of a session, whole.

    The first time it needs no `If-Match`. Once the record is signed it is 409: add to it.
    """
    return settings.put_setting(actor, session_id, version, values)
