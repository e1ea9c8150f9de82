"""Rooms: the names by which the clinic books its places, so that all write them alike."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, String, Text, select

from api import clock
from api.access.policies import Actor
from api.access.users import clinics
from api.audit import trail
from api.core import gate
from api.core.treatment.moves import FREEING
from api.core.treatment.sessions import sessions
from api.core.treatment.sessions.holding import tidy_room
from api.db import Listing, Page, Sealed, Values, found, match, page, store, tenant_table
from api.errors import Conflict

MAX_NAME, MAX_ROOMS = 60, 200

rooms = tenant_table(
    "rooms",
    Column("name", String(MAX_NAME), nullable=False),
    Column("room_key", Text, nullable=False),
    Column("note", Sealed),
    patient=False,
)
"""`room_key` is the name folded, as sessions have it: a booking names a room by its name, and may
name a place that is not listed here."""
THERE = rooms.c.deleted_at.is_(None)
Index(
    "uq_rooms_key",
    *rooms.c["clinic_id", "room_key"],
    unique=True,
    sqlite_where=THERE,
    postgresql_where=THERE,
)


def list_rooms(actor: Actor, asked: Page) -> Listing:
    """The clinic's rooms, in the order in which they were added."""
    gate.admit(actor, "room:read")
    mine = select(rooms).where(rooms.c.clinic_id == actor.clinic_id)
    return page(mine, rooms, asked, opens=rooms)


def read_room(actor: Actor, room_id: UUID) -> Values:
    """One room."""
    gate.admit(actor, "room:read")
    return _find(actor, room_id)


def add_room(actor: Actor, values: Values) -> Values:
    """A new room; `Conflict` when one is called so already, case and spaces aside."""
    gate.admit(actor, "room:manage")
    _hold_clinic(actor)
    full = _named(values)
    _refuse_taken(actor, full["room_key"], None)
    _refuse_too_many(actor)
    row = store().add(rooms, full | {"clinic_id": actor.clinic_id})
    trail.about("room", row["id"])
    trail.wrote(values)
    return row


def change_room(actor: Actor, room_id: UUID, version: int | None, values: Values) -> Values:
    """Another name or note; a room keeps its name while sessions ahead are booked under it."""
    gate.admit(actor, "room:manage")
    _hold_clinic(actor)
    row = _find(actor, room_id)
    match(row, version)
    full = _named(values)
    if full.get("room_key", row["room_key"]) != row["room_key"]:
        _refuse_taken(actor, full["room_key"], room_id)
        _refuse_booked(row, clock.now())
    trail.wrote(values)
    return store().change(rooms, row, full) if full else row


def remove_room(actor: Actor, room_id: UUID, version: int | None) -> None:
    """The room goes from the list; `Conflict` while sessions ahead are booked in it."""
    gate.admit(actor, "room:manage")
    row = _find(actor, room_id)
    match(row, version)
    _refuse_booked(row, clock.now())
    store().remove(rooms, row)


def _find(actor: Actor, room_id: UUID) -> Values:
    trail.about("room", room_id)
    mine = select(rooms).where(
        rooms.c.clinic_id == actor.clinic_id, rooms.c.id == room_id, rooms.c.deleted_at.is_(None)
    )
    return found(store().row(mine, opens=rooms))


def _hold_clinic(actor: Actor) -> None:
    """Whoever names a room at the same time waits, and then sees this one."""
    clinic = select(clinics.c.id).where(clinics.c.id == actor.clinic_id)
    store().execute(clinic.with_for_update(key_share=True))


def _named(values: Values) -> Values:
    if "name" not in values:
        return dict(values)
    tidy = tidy_room({"room": values["name"]})
    return values | {"name": tidy["room"], "room_key": tidy["room_key"]}


def _refuse_taken(actor: Actor, room_key: str, but: UUID | None) -> None:
    mine: list[Any] = [rooms.c.clinic_id == actor.clinic_id, rooms.c.deleted_at.is_(None)]
    mine += [] if but is None else [rooms.c.id != but]
    if store().row(select(rooms.c.id).where(*mine, rooms.c.room_key == room_key)) is not None:
        detail = "A room of the clinic is called so already."
        raise Conflict(detail, allowed=[], errors=[{"pointer": "/name", "detail": detail}])


def _refuse_too_many(actor: Actor) -> None:
    mine = (rooms.c.clinic_id == actor.clinic_id, rooms.c.deleted_at.is_(None))
    if len(store().rows(select(rooms.c.id).where(*mine).limit(MAX_ROOMS))) == MAX_ROOMS:
        raise Conflict(f"A clinic has at most {MAX_ROOMS} rooms.", allowed=[])


def _refuse_booked(row: Values, now: datetime) -> None:
    s = sessions.c
    ahead = select(s.id).where(
        s.clinic_id == row["clinic_id"],
        s.room_key == row["room_key"],
        s.ends_at > now,
        s.state.not_in(FREEING),
        s.deleted_at.is_(None),
    )
    if store().row(ahead.limit(1)) is not None:
        raise Conflict("Sessions ahead are booked in this room.", state="booked", allowed=[])
