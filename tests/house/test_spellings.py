"""An id spelled otherwise opens nothing and tells nothing, on any route, to anybody.

A seeded part of spellings and principals is tried each time; SPELLINGS_FULL=1 tries every one.
"""

import os
import random
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from api import db
from tests.builders import Scene
from tests.fhir import charts
from tests.house import matrix, witness
from tests.house.spelling import SPELLINGS, percent_encoded
from tests.house.states import World
from tests.house.test_matrix import LEFT_BEHIND

ROWS = matrix.rows()
FULL = bool(os.environ.get("SPELLINGS_FULL"))
SEED = os.environ.get("SPELLINGS_SEED", "20261126")
EACH = len(SPELLINGS) if FULL else 4
FOREIGN = ("XT", "XA", "XP", "PO")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LEAKS = ("Traceback", "sqlalchemy", "psycopg", "sqlite3", "badly formed", "invalid literal")
WITH_IDS = [
    route
    for route, cells in ROWS.items()
    if "-" not in cells.values() and re.search(r"\{\w*id\}", route)
]


@pytest.fixture(autouse=True, scope="module")
def _witnessed(database: str) -> Iterator[None]:
    with witness.present():
        yield


@pytest.fixture(scope="module")
def world(application: Flask) -> Iterator[World]:
    """One world for all: nothing here may change it."""
    with application.app_context():
        made = World(application)
        for route in WITH_IDS:
            made.path(route, "CT")
            made.bodies[route] = matrix._body(made, route)
        witness.look()
        yield made
    db.leave_store()


def test_the_spellings_are_those_that_python_takes_for_the_same_and_more() -> None:
    one = str(uuid4())
    spelled = {name: spell(one) for name, spell in SPELLINGS.items()}
    assert len(SPELLINGS) >= 25 and len(WITH_IDS) >= 170
    assert all(UUID.fullmatch(each) is None for each in spelled.values()), spelled
    assert UUID.sub("", percent_encoded(one)) == percent_encoded(one)


@pytest.mark.parametrize("route", WITH_IDS)
def test_another_spelling_is_answered_as_that_of_a_random_id(world: World, route: str) -> None:
    drawn = random.Random(f"{SEED}:{route}")
    who = ("CT", *(FOREIGN if FULL else drawn.sample(FOREIGN, 2)))
    path = world.path(route, "CT")
    found = UUID.findall(path.partition("?")[0])
    for persona in who:
        for name in drawn.sample(sorted(SPELLINGS), EACH):
            for one in found:
                answers_alike(world, route, persona, name, path, one)
    assert witness.look() <= LEFT_BEHIND, route


def answers_alike(world: World, route: str, persona: str, name: str, path: str, one: str) -> None:
    """404 for the spelling of an id that is there, and the same bytes for one that is not."""
    spell, where = SPELLINGS[name], f"{persona} {route}, {name}"
    same = {"X-Request-ID": uuid4().hex}
    mine = ask(world, persona, route, path.replace(one, spell(one)), same)
    nowhere = ask(world, persona, route, path.replace(one, spell(str(uuid4()))), same)
    assert mine.status_code in (404, 422), f"{where}: {mine.status_code} {mine.text}"
    assert mine.content_type == "application/problem+json", where
    assert nowhere.status_code == mine.status_code, where
    assert _plain(nowhere.text) == _plain(mine.text), where
    assert not any(word in mine.text for word in LEAKS), f"{where}: {mine.text}"
    assert one not in mine.text, f"{where}: {mine.text}"


def ask(world: World, persona: str, route: str, path: str, headers: dict[str, str]) -> Any:
    """One request to a path as it is."""
    method = route.split()[0]
    if method in ("PATCH", "PUT", "DELETE"):
        headers = {"If-Match": "*"} | headers
    return world.caller(persona)(method, path, world.bodies[route], **headers)


def _plain(text: str) -> str:
    return re.sub(r"[0-9a-f]{32}", "", UUID.sub("", text))


@pytest.mark.parametrize("route", [one for one in WITH_IDS if one.startswith("GET")])
def test_an_id_with_every_sign_encoded_is_the_id(world: World, route: str) -> None:
    path = world.path(route, "CT")
    spelled = UUID.sub(lambda found: percent_encoded(found.group()), path)
    for persona in ("CT", "PS", "CA", *FOREIGN):
        same = {"X-Request-ID": uuid4().hex}
        answer, encoded = (ask(world, persona, route, at, same) for at in (path, spelled))
        assert encoded.status_code == answer.status_code, (persona, route, encoded.text)
        if answer.status_code >= 400:
            assert encoded.data == answer.data, (persona, route)


def test_at_the_door_of_ehr_systems_another_spelling_opens_nothing(
    app: Flask, scene: Scene
) -> None:
    with db.transaction():
        charts.let_see_all(scene.clinic_id)
        seen = charts.chart(scene)
        ours = charts.register(app, scene.clinic_id).sign_in()
        charts.let_see_all(scene["XT"].clinic_id)
        theirs = charts.register(app, scene["XT"].clinic_id).sign_in()
    there = {
        "Patient": scene.patient["id"],
        "Goal": seen["goal"]["id"],
        "Encounter": seen["session"]["id"],
        "Consent": seen["consents"][0]["id"],
        "EpisodeOfCare": seen["course"]["id"],
        "Practitioner": scene["CT"].user_id,
        "Organization": scene.clinic_id,
    }
    for kind, row_id in there.items():
        one = str(row_id)
        assert ours.get(f"/{kind}/{one}").status_code == 200, kind
        for client in (ours, theirs):
            for name, spell in SPELLINGS.items():
                for path in (f"/{kind}/%s", f"/{kind}/%s/_history", f"/{kind}/%s/_history/1"):
                    mine = client.get(path % spell(one))
                    nowhere = client.get(path % spell(str(uuid4())))
                    where = f"{kind} {path}, {name}: {mine.status_code} {mine.text[:300]}"
                    assert mine.status_code in (400, 404), where
                    assert nowhere.status_code == mine.status_code, where
                    assert not any(word in mine.text for word in LEAKS), where
        foreign, random_one = theirs.get(f"/{kind}/{one}"), theirs.get(f"/{kind}/{uuid4()}")
        assert (foreign.status_code, _plain(foreign.text)) == (404, _plain(random_one.text)), kind
