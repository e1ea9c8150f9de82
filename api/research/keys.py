"""Project keys over the research door."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import release
from api.paging import Listing, Values
from api.v1.forms import Ask, Instant, Show, Words, shown
from api.v1.resource import Blueprint

blp = Blueprint("research_keys", "Keys that read the releases of one project and nothing else.")
ALL = "/projects/<id:project_id>/keys"
ONCE = {"description": "Sent as `Authorization: Bearer`; told in this answer and never again."}


class NewResearchKeySchema(Ask):
    """A key as it is asked for."""

    name = Words(60, required=True)


class ResearchKeySchema(Show):
    """A key; what it says is not told again."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    name = shown(ma.fields.String)
    expires_at = shown(Instant)


class MadeResearchKeySchema(ResearchKeySchema):
    """A key that was just made."""

    key = shown(ma.fields.String, metadata=ONCE)


@blp.offer("GET", ALL, "research_key:read", answer=ResearchKeySchema, paged=True)
def list_keys(actor: Actor, project_id: Any, asked: Any) -> Listing:
    """List your keys of a project."""
    return release.list_keys(actor, project_id, asked)


@blp.offer(
    "POST",
    ALL,
    "research_key:make",
    body=NewResearchKeySchema,
    answer=MadeResearchKeySchema,
    status=201,
    errors=(409,),
    example={"name": "Laptop"},
)
def make_key(actor: Actor, project_id: Any, values: Values) -> Values:
    """Make a key of a project.

    It reads this project's releases and cube for 90 days, and nothing else. 409 in a project of
    tier C.
    """
    return release.make_key(actor, project_id, values)


@blp.offer("DELETE", f"{ALL}/<id:key_id>", "research_key:read", status=204)
def revoke_key(actor: Actor, project_id: Any, key_id: Any, version: int | None) -> None:
    """Revoke a key; it opens nothing from now on, old releases included."""
    release.revoke_key(actor, project_id, key_id, version)
