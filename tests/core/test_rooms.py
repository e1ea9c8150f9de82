"""Rooms: one name each, and none is renamed or taken away under those who are booked in it."""

from datetime import timedelta

import pytest
from flask import Flask

from api import clock, db
from api.core.treatment import rooms
from api.errors import Conflict, Invalid, NotAllowed, NotFound, Stale
from api.paging import Page
from tests import builders
from tests.builders import Scene
from tests.racing import at_once


def add(scene: Scene, name: str = "Room 2") -> db.Values:
    with db.transaction():
        return rooms.add_room(scene["CA"].actor, {"name": name, "note": "To the garden."})


def test_clinicians_read_the_rooms_that_an_administrator_adds(scene: Scene) -> None:
    made = add(scene, "  Room   2 ")
    assert made["name"] == "Room 2"
    for name in ("CT", "CN", "CA"):
        [row] = rooms.list_rooms(scene[name].actor, Page()).items
        assert (row["id"], row["note"]) == (made["id"], "To the garden.")
    assert rooms.list_rooms(scene["XT"].actor, Page()).items == []
    with pytest.raises(NotAllowed):
        rooms.add_room(scene["CT"].actor, {"name": "Mine"})
    with pytest.raises(NotFound):
        rooms.read_room(scene["XA"].actor, made["id"])


def test_a_name_is_given_once_also_when_two_come_at_once(app: Flask, scene: Scene) -> None:
    names = ["Garden", "garden", " GARDEN "]
    tries = [lambda n=n: rooms.add_room(scene["CA"].actor, {"name": n}) for n in names]
    answers = at_once(app, tries)
    assert sorted(isinstance(answer, Conflict) for answer in answers) == [False, True, True]
    assert add(scene)["name"] == "Room 2"
    with pytest.raises(Invalid):
        add(scene, " ")


def test_a_room_that_is_booked_ahead_keeps_its_name_and_its_place(scene: Scene) -> None:
    made = add(scene)
    with db.transaction():
        builders.make_session(scene.patient, scene["CT"], room="room 2")
    actor = scene["CA"].actor
    for deed in (
        lambda: rooms.change_room(actor, made["id"], 1, {"name": "Room 3"}),
        lambda: rooms.remove_room(actor, made["id"], 1),
    ):
        with pytest.raises(Conflict):
            deed()
        db.leave_store()
    with db.transaction():
        same = rooms.change_room(actor, made["id"], 1, {"name": "ROOM 2", "note": None})
    assert (same["name"], same["note"], same["version"]) == ("ROOM 2", None, 2)
    with pytest.raises(Stale):
        rooms.change_room(actor, made["id"], 1, {"note": "x"})


def test_once_nobody_is_booked_ahead_a_room_is_renamed_and_removed(scene: Scene) -> None:
    made, then = add(scene), clock.now() - timedelta(days=2)
    times = {"starts_at": then, "ends_at": then + timedelta(hours=1)}
    with db.transaction():
        builders.make_session(scene.patient, scene["CT"], room="Room 2", **times)
        builders.make_session(scene.patient, scene["CT"], room="Room 2", state="cancelled")
        renamed = rooms.change_room(scene["CA"].actor, made["id"], 1, {"name": "Room 3"})
        assert renamed["name"] == "Room 3"
        rooms.remove_room(scene["CA"].actor, made["id"], 2)
    assert rooms.list_rooms(scene["CT"].actor, Page()).items == []
    db.leave_store()
    assert add(scene, "Room 3")["version"] == 1
