"""Rooms over v1: the names under which the clinic books its places."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.treatment import rooms
from api.paging import Listing, Values
from api.v1.forms import Ask, Instant, Show, Words, shown
from api.v1.resource import Blueprint

blp = Blueprint("rooms", "The clinic's rooms. A session names one by its name, as `room`.")
ONE = "/rooms/<id:room_id>"


class NewRoomSchema(Ask):
    """A room."""

    name = Words(rooms.MAX_NAME, required=True)
    note = Words(500, allow_none=True)


class ChangedRoomSchema(Ask):
    """A merge patch of a room."""

    name = Words(rooms.MAX_NAME)
    note = Words(500, allow_none=True)


class RoomSchema(Show):
    """A room; a session that names it is never booked beside another in it."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    name = shown(ma.fields.String)
    note = shown(ma.fields.String, nullable=True)


@blp.offer("GET", "/rooms", "room:read", answer=RoomSchema, paged=True)
def list_rooms(actor: Actor, **asked: Any) -> Listing:
    """List the clinic's rooms."""
    return rooms.list_rooms(actor, **asked)


@blp.offer(
    "POST",
    "/rooms",
    "room:manage",
    body=NewRoomSchema,
    answer=RoomSchema,
    location="/api/v1/rooms/{id}",
    example={"name": "Room 2", "note": "Recliner, door to the garden."},
)
def add_room(actor: Actor, values: Values) -> Values:
    """Add a room.

    No two rooms have the same name, case and spaces aside (409).
    """
    return rooms.add_room(actor, values)


@blp.offer("GET", ONE, "room:read", answer=RoomSchema)
def read_room(actor: Actor, room_id: Any) -> Values:
    """Read a room."""
    return rooms.read_room(actor, room_id)


@blp.offer(
    "PATCH",
    ONE,
    "room:manage",
    body=ChangedRoomSchema,
    answer=RoomSchema,
    example={"note": "The lamp is mended."},
)
def change_room(actor: Actor, room_id: Any, version: int | None, values: Values) -> Values:
    """Change a room.

    It keeps its name while sessions ahead are booked under it (409).
    """
    return rooms.change_room(actor, room_id, version, values)


@blp.offer("DELETE", ONE, "room:manage", status=204)
def remove_room(actor: Actor, room_id: Any, version: int | None) -> None:
    """Remove a room.

    Not while sessions ahead are booked in it (409).
    """
    rooms.remove_room(actor, room_id, version)
