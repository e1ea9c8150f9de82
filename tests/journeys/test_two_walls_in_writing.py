"""Two walls between clinics, in writing: with either one gone no foreign row is changed.

As in `test_two_walls.py`, with every route that writes to a record it names.
"""

from collections.abc import Callable, Iterator
from typing import Final

import pytest
from flask import Flask

from tests.conftest import Caller
from tests.house import matrix, witness
from tests.house.matrix import World
from tests.house.test_matrix import LEFT_BEHIND
from tests.journeys import test_two_walls as reading
from tests.journeys.test_two_walls import ID, filled, strangers, unused

no_first_wall, no_second_wall = reading.no_first_wall, reading.no_second_wall
WRITES: Final = sorted(
    route
    for route, cells in matrix.rows().items()
    if not route.startswith("GET ") and "_id}" in route and set(cells.values()) != {"-"}
)
DONE: Final = {"sign_ins"}
"""Once a minute it is written down that somebody did something, in vain or not."""


@pytest.fixture(autouse=True, scope="module")
def _witnessed(database: str) -> Iterator[None]:
    with witness.present():
        yield


def written(world: World, persona: str, route: str, path: str) -> tuple[int, bytes]:
    """What one of the other clinic is answered who writes to a path."""
    client = Caller(world.app.test_client(), world.scene[persona].token)
    method = route.split()[0]
    headers = {"If-Match": "*"} if method in ("PATCH", "PUT", "DELETE") else {}
    answer = client(method, path, world.bodies[route], **headers, **{"X-Request-ID": "same"})
    return answer.status_code, answer.data


def ready(app: Flask, database: str, route: str) -> World:
    """A world in which the route can be asked; one of its own where tries are counted by day."""
    if not route.endswith("/break-glass"):
        return filled(app, database, route)
    world = World(app)
    world.ready(route, "CT")
    return world


def foreign_changed(world: World, route: str) -> list[str]:
    """Where a foreign id is not answered as a random one is, or anything was changed."""
    said, path = [], world.path(route, "CT")
    nowhere = ID.sub(lambda found: unused(found.group()), path)
    for persona in strangers(route):
        witness.look()
        status, data = written(world, persona, route, path)
        changed = witness.look() - LEFT_BEHIND - DONE
        random = written(world, persona, route, nowhere)
        alike = (status, data) == random
        if changed or not alike or status not in (403, 404):
            said.append(f"{persona} {route}: {status} {data!r}, a random one {random}; {changed}")
    return said


@pytest.mark.parametrize("route", WRITES)
def test_with_the_second_wall_alone_no_foreign_row_is_changed(
    on_postgres_alone: None, app: Flask, no_first_wall: Callable[[], None], route: str
) -> None:
    world = ready(app, "postgres", route)
    no_first_wall()
    assert foreign_changed(world, route) == []


@pytest.mark.parametrize("route", WRITES)
def test_with_the_first_wall_alone_no_foreign_row_is_changed(
    app: Flask, database: str, no_second_wall: None, route: str
) -> None:
    assert foreign_changed(ready(app, database, route), route) == []


def test_with_neither_wall_foreign_rows_are_changed(
    app: Flask, database: str, no_first_wall: Callable[[], None], no_second_wall: None
) -> None:
    """So the walls were down indeed where the tests above found none.

    A change it is: what is added in a chart of another clinic is refused by the composite keys.
    """
    route = "PATCH /goals/{goal_id}"
    world = filled(app, database, route)
    no_first_wall()
    witness.look()
    status, data = written(world, "XT", route, world.path(route, "CT"))
    assert (status, "goals" in witness.look()) == (200, True), data
