"""What opens this door beside people: project keys open what says so, and programs nothing."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from api import db
from tests.conftest import Caller
from tests.fhir import charts
from tests.house import matrix, witness
from tests.house.matrix import World, trail_of
from tests.house.test_matrix import LEFT_BEHIND, no_better

ROWS = matrix.rows()
ROUTES = [one for one in ROWS if "/research/" in one and "-" not in ROWS[one].values()]
KEYED = {
    "GET /research/v1/projects/{project_id}/releases",
    "GET /research/v1/projects/{project_id}/releases/{number}",
    "GET /research/v1/projects/{project_id}/releases/{number}/manifest",
    "GET /research/v1/projects/{project_id}/releases/{number}/files/{name}",
    "GET /research/v1/projects/{project_id}/releases/{number}/codebook",
    "GET /research/v1/projects/{project_id}/cube",
    "GET /research/v1/projects/{project_id}/cube.svg",
}
"""What a key opens: 200 in its project, 404 in any other; all else 401."""


@pytest.fixture(autouse=True, scope="module")
def _witnessed(database: str) -> Iterator[None]:
    with witness.present():
        yield


class Keyed(World):
    """The world of the matrix, in which the analyst's key and a program knock too."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        path = f"/research/v1/projects/{self.id('project_id')}"
        made = super().caller("AY").post(f"{path}/keys", {"name": "K"})
        assert made.status_code == 201, made.text
        self.key, self.program = made.json["key"], ""

    def caller(self, persona: str) -> Caller:
        """A client of the persona; KE comes with the key, SY is a program of an EHR."""
        if persona == "KE":
            return Caller(self.app.test_client(), self.key)
        if persona == "SY":
            return Caller(self.app.test_client(), self.program)
        return super().caller(persona)


@pytest.fixture
def world(app: Flask) -> Keyed:
    return Keyed(app)


def test_the_document_says_what_a_key_opens(application: Flask) -> None:
    offers = matrix.routes(application)
    assert {route for route in ROUTES if offers[route].keyed} == KEYED


@pytest.mark.parametrize("route", ROUTES)
def test_a_key_opens_what_is_keyed_and_nothing_else(world: Keyed, route: str) -> None:
    world.ready(route, "AY")
    witness.look()
    request_id = uuid4().hex
    answer = world.call("KE", route, **{"X-Request-ID": request_id})
    told = [(e["action"], e["outcome"], e["actor_id"]) for e in trail_of(request_id)]
    if route in KEYED:
        assert answer.status_code == 200, answer.text
        action = matrix.routes(world.app)[route].action
        assert told == [(action, "ok", world.scene["AY"].user_id)]
        assert witness.look() <= LEFT_BEHIND
        elsewhere(world, route)
    else:
        refused(world, route, "KE", answer, told)


def elsewhere(world: Keyed, route: str) -> None:
    """Another project of the same analyst looks to the key like one that is not there."""
    with db.transaction():
        other = matrix.a_project(world)
    path = world.path(route, "AY").replace(world.ids["project_id"], str(other["id"]))
    nowhere = path.replace(str(other["id"]), str(uuid4()))
    same = {"X-Request-ID": uuid4().hex}
    assert world.caller("AY").get(path).status_code == 200  # it is there
    witness.look()
    answers = [world.caller("KE").get(one, **same) for one in (path, nowhere)]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].data == answers[1].data
    assert witness.look() <= LEFT_BEHIND
    assert {event["outcome"] for event in trail_of(same["X-Request-ID"])} == {"refused"}


@pytest.mark.parametrize("route", ROUTES)
def test_a_program_of_an_ehr_opens_nothing_here(world: Keyed, route: str) -> None:
    world.ready(route, "AY")
    with db.transaction():
        client = charts.register(world.app, world.scene.clinic_id)
    world.program = client.sign_in().token
    witness.look()
    request_id = uuid4().hex
    answer = world.call("SY", route, **{"X-Request-ID": request_id})
    told = [(e["action"], e["outcome"], e["actor_id"]) for e in trail_of(request_id)]
    assert answer.status_code == 403 and told == []
    refused(world, route, "SY", answer, told, 403)


def refused(
    world: Keyed, route: str, persona: str, answer: Any, told: list[Any], status: int = 401
) -> None:
    """Who is not known here is told 401, and who is at another door 403; nothing is changed, and no
    line is in the trail."""
    assert answer.status_code == status, (route, answer.status_code, answer.text)
    assert answer.content_type == "application/problem+json" and told == []
    assert (status == 401) == answer.headers.get("WWW-Authenticate", "").startswith("Bearer")
    nowhere = world.call(persona, route, nowhere=True)
    assert nowhere.status_code == status
    no_better(world, route, persona, status)
    assert witness.look() <= LEFT_BEHIND
