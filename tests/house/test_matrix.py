"""Every route, asked by every persona: `matrix.txt` says what each is answered, cell by cell."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from api import db
from tests import builders
from tests.house import matrix, witness
from tests.house.matrix import World, counted, trail_of

ROWS = matrix.rows()
REFUSED = {"H": 404, "N": 403, "O": 403, "U": 401, "X": 409}
LEFT_BEHIND = {table.name for table in matrix.UNCOUNTED}
REACHING = ("PS", "CT", "CA")
"""Who has the patient of the scene in their lists."""


def test_the_table_has_every_route_and_no_other(application: Flask) -> None:
    there = matrix.routes(application)
    assert sorted(set(there) - set(ROWS)) == [], "routes without a row"
    assert sorted(set(ROWS) - set(there)) == [], "rows without a route"


def test_what_is_open_to_everybody_is_offered_so(application: Flask) -> None:
    for route, offer in matrix.routes(application).items():
        is_open = offer is None or offer.action is None
        assert is_open == (set(ROWS[route].values()) == {"-"}), route


@pytest.mark.parametrize("route", [r for r, cells in ROWS.items() if "-" in cells.values()])
def test_what_is_open_asks_for_no_token(app: Flask, route: str) -> None:
    method, path = route.split()
    offer = matrix.routes(app)[route]
    path = path.replace("{name}", "swagger-ui.css")
    path = path if offer is None else f"/api/v1{path}"
    body = None if method == "GET" else {}
    answer = app.test_client().open(path, method=method, json=body)
    no_link = "{token}" in route and answer.status_code == 404
    assert no_link or answer.status_code in (200, 202, 204, 302, 422, 503), answer.text
    answer.close()


@pytest.fixture(autouse=True, scope="module")
def _witnessed(database: str) -> Iterator[None]:
    with witness.present():
        yield


@pytest.fixture
def world(app: Flask) -> World:
    return World(app)


@pytest.mark.parametrize("route", [r for r, cells in ROWS.items() if "-" not in cells.values()])
def test_each_persona_is_answered_as_the_table_says(world: World, route: str) -> None:
    world.ready(route, "CT")
    assert set(ROWS[route]) == {*matrix.PERSONAS}
    for persona, code in ROWS[route].items():
        if code in REFUSED:
            refused(world, route, persona, REFUSED[code])
    for persona, code in ROWS[route].items():
        if code == "S":
            asked_to_step_up(World(world.app), route, persona)
        if code not in REFUSED:
            admitted(World(world.app), route, persona, code)


def refused(world: World, route: str, persona: str, status: int) -> None:
    """A refusal changes nothing, leaves one line in the trail, and tells nothing."""
    where = f"{persona} {route}"
    world.path(route, persona)
    witness.look()
    request_id = uuid4().hex
    answer = world.call(persona, route, **{"X-Request-ID": request_id})
    assert answer.status_code == status, f"{where}: {answer.status_code} {answer.text}"
    assert answer.content_type == "application/problem+json", where
    assert witness.look() <= LEFT_BEHIND, where
    traced(world, route, persona, request_id, None if status == 401 else "refused")
    if status in (403, 404) and ROWS[route][persona] != "O":
        nowhere = world.call(persona, route, nowhere=True, **{"X-Request-ID": request_id})
        assert nowhere.status_code == status and nowhere.data == answer.data, where
        assert _plain(nowhere.headers) == _plain(answer.headers), where
    no_better(world, route, persona, status)
    assert witness.look() <= LEFT_BEHIND, where


def no_better(world: World, route: str, persona: str, status: int) -> None:
    """Neither another method nor a header nor another spelling gets further."""
    caller, path, where = world.caller(persona), world.path(route, persona), f"{persona} {route}"
    method, bare = route.split()[0], path.partition("?")[0]
    if method == "GET":
        head = caller("HEAD", path)
        assert (head.status_code, head.data) == (status, b""), where
    assert caller("OPTIONS", path).data == b"", where
    assert caller(method, f"{bare}/").status_code in (401, 404), where
    override = {"X-HTTP-Method-Override": method, "X-Method-Override": method}
    other = caller("POST" if method == "GET" else "GET", path, None, **override)
    plain = caller("POST" if method == "GET" else "GET", path)
    assert other.status_code == plain.status_code, where


def traced(world: World, route: str, persona: str, request_id: str, outcome: str | None) -> None:
    """One line of the trail says who did what and how it ended; none for who is not known."""
    events = trail_of(request_id)
    told = [(e["action"], e["outcome"], e["actor_id"], e["clinic_id"]) for e in events]
    if outcome is None:
        assert told == [], route
        return
    who, offer = world.scene[persona], matrix.routes(world.app)[route]
    assert told == [(offer.action, outcome, who.user_id, who.clinic_id)], f"{persona} {route}"


def _plain(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in ("RateLimit", "Date")}


def asked_to_step_up(world: World, route: str, persona: str) -> None:
    """A sign-in of more than five minutes ago must be confirmed first, and nothing is done."""
    world.ready(route, persona)
    with db.transaction():
        builders.let_sign_in_age(world.scene[persona])
    witness.look()
    request_id = uuid4().hex
    answer = world.call(persona, route, **{"X-Request-ID": request_id})
    assert answer.status_code == 401, (persona, route, answer.text)
    challenge = answer.headers["WWW-Authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge and "max_age" in challenge
    assert witness.look() <= LEFT_BEHIND
    traced(world, route, persona, request_id, "refused")


def admitted(world: World, route: str, persona: str, code: str) -> None:
    """Whoever may is answered, with one line in the trail, and sees what the code lets them see."""
    where, request_id = f"{persona} {route}", uuid4().hex
    world.ready(route, persona)
    answer = world.call(persona, route, **{"X-Request-ID": request_id})
    assert 200 <= answer.status_code < 300, f"{where}: {answer.status_code} {answer.text}"
    traced(world, route, persona, request_id, "ok")
    if code == "F":
        hides(answer.json, matrix.HIDDEN[route][persona], where)
    if code == "L":
        mark, readers = matrix.MARKS.get(route, ("patient_id", REACHING))
        seen = world.id(mark) in answer.text
        assert seen == (persona in readers), f"{where}: {answer.text}"


def hides(answer: Any, names: tuple[str, ...], where: str) -> None:
    """No row of the answer shows any of the names."""
    for row in answer.get("items", [answer]):
        shown = [name for name in names if matrix.shows(row, name)]
        assert shown == [], f"{where} shows {shown}"


@pytest.mark.parametrize("route", [r for r in ROWS if r.count("{") > 1 and "patient_id" in r])
def test_a_record_of_one_patient_is_not_found_under_another(world: World, route: str) -> None:
    ids = world.ready(route, "CT")
    with db.transaction():
        mine = builders.make_patient(world.scene.clinic_id)
        builders.join_team(mine, world.scene["CT"])
    before = counted()
    world.ids["patient_id"] = str(mine["id"])
    assert world.path(route, "CT") != ids
    for persona in ("CT", "CA"):
        answer = world.call(persona, route)
        assert answer.status_code in (403, 404), answer.text
    assert counted() == before
