"""Twenty book the same hour at once: exactly one gets it, on both engines."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from api import clock, db
from api.core import team_reach
from api.core.treatment.moves import FREEING
from api.core.treatment.sessions import sessions
from api.v1.forms import show_instant
from tests import builders
from tests.builders import Person, Scene

RACERS, ROUNDS = 20, 3
TRIES = 5
"""A racer that found the database busy (503) comes back, as a client does."""


def race(app: Flask, runs: list[Callable[[Any], Any]]) -> list[Any]:
    """Run all at once, each with a client of its own; answers their last responses."""
    start, answers = Barrier(len(runs)), [None] * len(runs)

    def racer(place: int, run: Callable[[Any], Any]) -> None:
        start.wait()
        for _ in range(TRIES):
            answers[place] = run(app.test_client())
            if answers[place].status_code != 503:
                return

    threads = [Thread(target=racer, args=each) for each in enumerate(runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def post(token: str, path: str, body: dict[str, Any]) -> Callable[[Any], Any]:
    """One POST as somebody."""
    headers = {"Authorization": f"Bearer {token}"}
    return lambda client: client.post(f"/api/v1{path}", json=body, headers=headers)


def slot(hours: int, *clinicians: Person, **more: Any) -> dict[str, Any]:
    """A booking of one fixed hour."""
    starts_at = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=hours)
    return {
        "kind": "integration",
        "starts_at": show_instant(starts_at),
        "ends_at": show_instant(starts_at + timedelta(hours=1)),
        "clinician_ids": [str(person.user_id) for person in clinicians],
        "mode": "in_person",
        **more,
    }


def overlapping(scene: Scene) -> int:
    """How many pairs of held sessions of the clinic share somebody or a room at once."""
    a, b = sessions.alias(), sessions.alias()
    x, y = team_reach.session_clinicians.alias(), team_reach.session_clinicians.alias()
    at_once = (a.c.starts_at < b.c.ends_at) & (b.c.starts_at < a.c.ends_at) & (a.c.id < b.c.id)
    same = (
        (x.c.clinician_id == y.c.clinician_id)
        | (a.c.patient_id == b.c.patient_id)
        | (a.c.room_key == b.c.room_key)
    )
    statement = (
        select(func.count())
        .select_from(a.join(b, (a.c.clinic_id == b.c.clinic_id) & at_once))
        .join(x, x.c.session_id == a.c.id)
        .join(y, y.c.session_id == b.c.id)
        .where(a.c.clinic_id == scene.clinic_id, same)
        .where(a.c.state.not_in(FREEING), b.c.state.not_in(FREEING))
    )
    return int(db.store().execute(statement).scalar())


@pytest.mark.parametrize("shared", ["clinician", "room", "patient"])
def test_twenty_who_want_the_same_hour_get_it_once(app: Flask, scene: Scene, shared: str) -> None:
    token = scene["CA"].token
    with db.transaction():
        charts = [builders.make_patient(scene.clinic_id) for _ in range(RACERS)]
        staff = [builders.make_person(scene.clinic_id) for _ in range(RACERS)]
    for hours in range(ROUNDS):
        runs = []
        for i in range(RACERS):
            chart = charts[0] if shared == "patient" else charts[i]
            who = staff[0] if shared == "clinician" else staff[i]
            room = "Room 1" if shared == "room" else f"Room {i + 10}"
            body = slot(30 + hours * 2, who, room=room)
            runs.append(post(token, f"/patients/{chart['id']}/sessions", body))
        answers = race(app, runs)
        assert Counter(a.status_code for a in answers) == {201: 1, 409: RACERS - 1}
        busy = [a.json["busy"] for a in answers if a.status_code == 409]
        assert {one["what"] for each in busy for one in each} == {shared}
    db.leave_store()
    assert overlapping(scene) == 0


def test_those_who_name_each_other_crosswise_do_not_wait_in_a_ring(
    app: Flask, scene: Scene
) -> None:
    token = scene["CA"].token
    with db.transaction():
        charts = [builders.make_patient(scene.clinic_id) for _ in range(RACERS)]
    pair = [scene["CT"], scene["CN"]]
    runs = [
        post(token, f"/patients/{chart['id']}/sessions", slot(40, *pair[:: 1 if i % 2 else -1]))
        for i, chart in enumerate(charts)
    ]
    counted = Counter(answer.status_code for answer in race(app, runs))
    assert counted == {201: 1, 409: RACERS - 1}


def test_one_move_raced_is_made_once(app: Flask, scene: Scene) -> None:
    with db.transaction():
        made = builders.make_session(scene.patient, scene["CT"])
    path = f"/sessions/{made['id']}"
    answers = race(app, [post(scene["CT"].token, f"{path}/arrive", {})] * RACERS)
    assert Counter(a.status_code for a in answers) == {200: 1, 409: RACERS - 1}
    assert all(a.json["state"] == "arrived" for a in answers)


def test_reopening_races_with_a_new_booking_and_only_one_gets_the_hour(
    app: Flask, scene: Scene
) -> None:
    token = scene["CT"].token
    chart = f"/patients/{scene.patient['id']}/sessions"
    for hours in range(ROUNDS):
        body = slot(60 + hours * 2, scene["CT"])
        made = app.test_client().post(
            f"/api/v1{chart}", json=body, headers={"Authorization": f"Bearer {token}"}
        )
        path = f"/sessions/{made.json['id']}"
        called_off = race(app, [post(token, f"{path}/cancel", {"reason": "patient_asked"})])
        assert called_off[0].status_code == 200
        runs = [post(token, f"{path}/reopen", {}), post(token, chart, body)] * 4
        good = [a for a in race(app, runs) if a.status_code < 300]
        assert len(good) == 1
    db.leave_store()
    assert overlapping(scene) == 0
