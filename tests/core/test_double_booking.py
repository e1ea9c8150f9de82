"""Nobody and nothing is booked twice: no clinician, no room, no patient."""

import random
from typing import Any

import pytest

from api import clock, db
from api.core import team_reach
from api.core.treatment import moves, sessions
from api.core.treatment.sessions.table import sessions as table
from api.errors import Conflict, Invalid
from tests.builders import Scene
from tests.core.test_sessions import HOUR, book, booking, move


def test_nobody_and_nothing_is_booked_twice(scene: Scene) -> None:
    first = book(scene, room="Room 2")
    other, at = scene.other_patient["id"], {"starts_at": first["starts_at"]}
    until = first["ends_at"]
    times = at | {"ends_at": until}
    cases = [
        (other, ["CN"], "ROOM  2", [{"what": "room", "until": until}]),
        (scene.patient["id"], ["CN"], None, [{"what": "patient", "until": until}]),
        (
            other,
            ["CN", "CT"],
            "Room 1",
            [{"what": "clinician", "until": until, "clinician_id": scene["CT"].user_id}],
        ),
    ]
    for patient_id, names, room, busy in cases:
        values = booking(scene, *names, room=room) | times
        with pytest.raises(Conflict) as refused:
            sessions.book_session(scene["CA"].actor, patient_id, values)
        assert refused.value.extras == {"busy": busy}


def test_sessions_that_touch_do_not_overlap(scene: Scene) -> None:
    first = book(scene, room="Room 2")
    for starts_at in (first["ends_at"], first["starts_at"] - HOUR):
        book(scene, room="Room 2", starts_at=starts_at, ends_at=starts_at + HOUR)
    with pytest.raises(Conflict):
        inside = first["starts_at"] + HOUR / 3
        book(scene, starts_at=inside, ends_at=inside + HOUR / 3)


def test_a_long_session_is_seen_from_its_last_minute(scene: Scene) -> None:
    starts_at = clock.now()
    book(scene, starts_at=starts_at, ends_at=starts_at + 24 * HOUR)
    with pytest.raises(Conflict):
        book(scene, hours=23.9)
    assert book(scene, hours=24.1)


def test_time_that_was_called_off_is_free_and_reopening_asks_for_it_again(scene: Scene) -> None:
    first = book(scene)
    move(scene, first, "cancel")
    second = book(scene)
    with pytest.raises(Conflict) as refused:
        move(scene, first, "reopen")
    assert {one["what"] for one in refused.value.extras["busy"]} == {"clinician", "patient"}
    move(scene, second, "no-show")
    assert move(scene, first, "reopen")["state"] == "scheduled"


def test_another_clinic_has_rooms_of_the_same_name(scene: Scene) -> None:
    book(scene, room="Room 2")
    xt = scene["XT"].actor
    theirs = scene["XP"].patient_id
    values = booking(scene, "XT", room="Room 2")
    assert theirs and sessions.book_session(xt, theirs, values)["room"] == "Room 2"


def test_no_two_sessions_overlap_after_any_operations(scene: Scene) -> None:
    chance, made = random.Random(7), []
    for _ in range(150):
        try:
            made.append(_anything(scene, chance, made))
        except (Conflict, Invalid):
            continue
    rows = db.store().rows(table.select().where(table.c.clinic_id == scene.clinic_id))
    named = db.store().rows(team_reach.session_clinicians.select())
    held = [row for row in rows if row["state"] not in moves.FREEING]
    assert len(held) > 5
    for i, one in enumerate(held):
        for other in held[i + 1 :]:
            if one["starts_at"] < other["ends_at"] and other["starts_at"] < one["ends_at"]:
                assert not _needs(one, named) & _needs(other, named)


def _anything(scene: Scene, chance: random.Random, made: list[db.Values]) -> db.Values:
    hours, length = chance.randrange(12), chance.randint(1, 3)
    starts_at = clock.now().replace(minute=0, second=0, microsecond=0) + hours * HOUR
    values = booking(
        scene,
        *chance.sample(["CT", "CN"], chance.randint(1, 2)),
        starts_at=starts_at,
        ends_at=starts_at + length * HOUR,
        room=chance.choice([None, "A", "a", "B"]),
    )
    what = chance.choice(["book", "change", "cancel", "reopen"])
    if what == "book" or not made:
        patient = chance.choice([scene.patient, scene.other_patient])
        return sessions.book_session(scene["CA"].actor, patient["id"], values)
    mine = [one for one in made if one["patient"]["id"] == scene.patient["id"]] or [book(scene)]
    one = chance.choice(mine)
    if what == "change":
        return sessions.change_session(scene["CT"].actor, one["id"], None, values)
    return move(scene, one, what)


def _needs(row: db.Values, named: list[db.Values]) -> set[Any]:
    who = {n["clinician_id"] for n in named if n["session_id"] == row["id"]}
    return who | {row["patient_id"]} | ({row["room_key"]} - {None})
