"""History over v1: the versions of a record, who made each and what it changed."""

from collections.abc import Callable
from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import history
from api.paging import Listing
from api.v1.forms import Instant, Many, Show, shown
from api.v1.resource import Blueprint

blp = Blueprint("history", "The versions of a record, who made each, and what it changed.")
Endpoint = Callable[..., Any]
VALUES = {
    "description": "The record's own fields as this version had them, as far as you may read them."
    " What it pointed to, and what is reckoned from others, is in the record as it is now."
}


class MakerSchema(Show):
    """Who made a version."""

    id = shown(ma.fields.UUID)
    display_name = shown(ma.fields.String)


class VersionSchema(Show):
    """A version of a record; `made_by` is null where the house itself made it, or it is not known.

    A version in which the patient kept an entry for themself is in their own answers alone.
    """

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    made_at = shown(Instant)
    made_by = ma.fields.Nested(MakerSchema, required=True, allow_none=True)
    changed = Many(ma.fields.String(), required=True)
    values = ma.fields.Dict(keys=ma.fields.String(), required=True, metadata=VALUES)


def _offer(path: str, action: str) -> Callable[[Endpoint], Endpoint]:
    return blp.offer("GET", f"{path}/history", action, answer=VersionSchema, paged=True)


@_offer("/patients/<id:patient_id>", "patient:read")
def list_patient_history(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List the versions of a patient's details, the newest first."""
    return history.list_patient_history(actor, patient_id, **asked)


@_offer("/goals/<id:goal_id>", "goal:read")
def list_goal_history(actor: Actor, goal_id: Any, **asked: Any) -> Listing:
    """List the versions of a goal, the newest first."""
    return history.list_goal_history(actor, goal_id, **asked)


@_offer("/practices/<id:practice_id>", "practice:read")
def list_practice_history(actor: Actor, practice_id: Any, **asked: Any) -> Listing:
    """List the versions of a practice, the newest first."""
    return history.list_practice_history(actor, practice_id, **asked)


@_offer("/sessions/<id:session_id>", "session:read")
def list_session_history(actor: Actor, session_id: Any, **asked: Any) -> Listing:
    """List the versions of a session, the newest first."""
    return history.list_session_history(actor, session_id, **asked)


@_offer("/check-ins/<id:check_in_id>", "check_in:read")
def list_checkin_history(actor: Actor, check_in_id: Any, **asked: Any) -> Listing:
    """List the versions of a check-in, the newest first."""
    return history.list_checkin_history(actor, check_in_id, **asked)


@_offer("/consents/<id:consent_id>", "consent:read")
def list_consent_history(actor: Actor, consent_id: Any, **asked: Any) -> Listing:
    """List the versions of a consent, the newest first."""
    return history.list_consent_history(actor, consent_id, **asked)
