"""What a state changes of the matrix: `states.txt`, cell by cell over HTTP, with old tokens."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from tests.house import matrix, states, witness
from tests.house.becoming import BECOMING
from tests.house.matrix import trail_of
from tests.house.states import State, World
from tests.house.test_matrix import LEFT_BEHIND, REFUSED

ROWS = matrix.rows()
STATES = states.table()
SHARES = ("GET /patients", "GET /sessions", "GET /alerts", "GET /worklist", "GET /dosing-board")
"""Lists of which a row of the patient's is looked for."""
UNNAMED = ("LK", "KE", "SY")
"""Personas that are no user of the scene."""


@pytest.fixture(autouse=True, scope="module")
def _witnessed(database: str) -> Iterator[None]:
    with witness.present():
        yield


def cells(state: State) -> list[tuple[str, str, str]]:
    """Every `(route, persona, code)` of a state; what is named outdoes `every route`."""
    found = [(r, p, code) for r, named in state.routes.items() for p, code in named.items()]
    said = {(route, persona) for route, persona, _ in found}
    for route, row in ROWS.items():
        if "-" not in row.values():
            for persona, like in state.every(route).items():
                if (route, persona) not in said:
                    code = row[like[1:]] if like.startswith("=") else like
                    found.append((route, persona, code))
    return found


def test_every_state_of_the_table_comes_about_and_there_is_no_other() -> None:
    assert [state.name for state in STATES] == list(BECOMING)
    named = {route for state in STATES for route in state.routes if "/fhir/" not in route}
    assert sorted(named - set(ROWS)) == [], "no such route"
    by_name = sum(len(row) for state in STATES for row in state.routes.values())
    assert by_name >= 220, by_name


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_each_is_answered_as_the_table_says_in_this_state(app: Flask, state: State) -> None:
    held, alone, of_the_table = [], [], cells(state)
    assert of_the_table, "a state that changes nothing"
    for cell in of_the_table:
        changes = cell[2] not in REFUSED and not cell[0].startswith("GET")
        (alone if changes else held).append(cell)
    world = prepared(app, state, [route for route, *_ in held])
    for route, persona, code in sorted(held, key=lambda cell: cell[2] not in REFUSED):
        answered(world, state, route, persona, code)
    for route, persona, code in alone:
        of_its_own = World(app)
        if named(state):
            of_its_own.ready(route, matrix_persona(persona))
        BECOMING[state.name](of_its_own)
        answered(of_its_own, state, route, persona, code)


def answered(world: World, state: State, route: str, persona: str, code: str) -> None:
    """One cell."""
    if code in REFUSED:
        refused(world, state, route, persona, REFUSED[code])
    else:
        admitted(world, state, route, persona, code)


def named(state: State) -> bool:
    """Whether the state is one of people alone, in which records are made before it comes."""
    return bool(state.personas)


def matrix_persona(persona: str) -> str:
    """Whose records a path names; strangers to the matrix have none."""
    return persona if persona in matrix.PERSONAS else "CT"


def prepared(app: Flask, state: State, routes: list[str]) -> World:
    """A world in this state, in which the records and bodies of these routes are there."""
    world = World(app)
    if named(state):
        for route in routes:
            for persona in state.personas:
                world.path(route, persona)
                for name in matrix.SEEDED.get(route, ()):
                    world.id(name, persona)
            world.bodies[route] = matrix._body(world, route)
    BECOMING[state.name](world)
    for route in routes:
        if route not in world.bodies:
            world.bodies[route] = matrix._body(world, route)
    return world


def refused(world: World, state: State, route: str, persona: str, status: int) -> None:
    """Refused as told: nothing changes, one line says so, and what was hidden is not told apart."""
    where = f"[{state.name}] {persona} {route}"
    address = world.path(route, matrix_persona(persona))
    witness.look()
    request_id = uuid4().hex
    answer = world.call(persona, route, **{"X-Request-ID": request_id})
    assert answer.status_code == status, f"{where}: {answer.status_code} {answer.text}"
    assert witness.look() <= LEFT_BEHIND, where
    traced(world, route, persona, request_id, None if status == 401 else "refused", where)
    if status == 404 and "{token}" not in route and "{" in route:
        nowhere = world.call(persona, route, nowhere=True, **{"X-Request-ID": request_id})
        assert nowhere.status_code == 404, where
        assert _bare(nowhere.text) == _bare(answer.text), (where, address)


def _bare(text: str) -> str:
    return "".join(matrix.re.split(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text))


def traced(
    world: World, route: str, persona: str, request_id: str, outcome: str | None, where: str
) -> None:
    """One line of the trail says who did what and how it ended; none for who is not known."""
    told = [(e["action"], e["outcome"], e["actor_id"]) for e in trail_of(request_id)]
    if outcome is None or (persona == "LK" and outcome == "refused"):
        assert told == [], where
        return
    if persona in UNNAMED:
        assert [one[1] for one in told] == [outcome], where
        return
    offer = matrix.routes(world.app)[route]
    assert told == [(offer.action, outcome, world.scene[persona].user_id)], where


def admitted(world: World, state: State, route: str, persona: str, code: str) -> None:
    """Admitted as told, with one line in the trail; what is hidden or gone is not shown."""
    where, request_id = f"[{state.name}] {persona} {route}", uuid4().hex
    answer = world.call(persona, route, **{"X-Request-ID": request_id})
    assert 200 <= answer.status_code < 300, f"{where}: {answer.status_code} {answer.text}"
    traced(world, route, persona, request_id, "ok", where)
    if code == "F":
        like = persona if persona in matrix.HIDDEN.get(route, {}) else None
        for row in answer.json.get("items", [answer.json]) if like else ():
            shown = [n for n in matrix.HIDDEN[route][persona] if matrix.shows(row, n)]
            assert shown == [], f"{where} shows {shown}"
    if code in ("L", "G"):
        listed(world, state, route, persona, code, answer, where)


def listed(
    world: World, state: State, route: str, persona: str, code: str, answer: Any, where: str
) -> None:
    """The list has the patient's rows exactly when whom it is like sees them."""
    patient_id = world.ids["patient_id"]
    if code == "G":
        items = answer.json["items"] + answer.json.get("left", [])
        told = [item for item in items if patient_id in str(item)]
        assert all(item["deleted_at"] and item["version"] is None for item in told), told
        return
    if route in SHARES and state.reads[persona].startswith("="):
        readers = matrix.MARKS.get(route, ("", ("PS", "CT", "CA")))[1]
        there = patient_id in answer.text
        by_name = persona in state.routes.get(route, {})
        seen = by_name or state.reads[persona][1:] in readers
        assert there == seen, f"{where}: {answer.text}"
