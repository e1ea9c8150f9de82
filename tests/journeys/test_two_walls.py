"""Two walls between clinics: with either one gone, the other alone shows nobody a foreign row.

The first are the statements, each with its clinic; a test takes the clinic out of every one of
them, and lets every role reach every chart. The second are PostgreSQL's policies; a role that
passes through them takes that one away.
"""

import re
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import BindParameter, Column, Engine, event, true
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression
from sqlalchemy.sql.visitors import replacement_traverse

from api import clock, config, db
from api.access.policies import Role
from api.access.users import sign_ins
from api.core import client_reach, gate, release
from api.core.ehr import at_once
from api.core.one_trip import composing
from api.core.one_trip.reading import Listed, Reading
from tests import builders, roles
from tests.conftest import Caller, use_database
from tests.house import matrix
from tests.house.matrix import World
from tests.research.test_keys_and_clients import KEYED

STRANGERS: Final = ("XT", "XA", "XP")
ALIKE: Final = {"XR": "PR", "XY": "AY"}
"""An officer and an analyst elsewhere, who come to the routes to which those of here are let."""
OWNERS: Final = ("clinic_id", "client_id", "analyst_id")
"""The columns of whose something is: of a clinic, of an EHR client, of an analyst."""
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SPELLINGS: Final[dict[str, Callable[[str], str]]] = {
    "as it is": str,
    "upper case": str.upper,
    "half upper": lambda one: one[:18].upper() + one[18:],
    "bare": lambda one: one.replace("-", ""),
    "braces": lambda one: f"{{{one}}}",
    "urn": lambda one: f"urn:uuid:{one}",
}
ROUTES: Final = sorted(
    route
    for route, cells in matrix.rows().items()
    if route.startswith("GET ") and set(cells.values()) != {"-"}
)
OF_A_RECORD: Final = [route for route in ROUTES if "_id}" in route]


def without_clinic(statement: Any) -> Any:
    """The statement with every `clinic_id = value` in it true, and so for any other owner."""
    if not (statement.is_select or statement.is_dml):
        return statement

    def forget(element: Any, **_more: Any) -> Any:
        if isinstance(element, BinaryExpression) and element.operator is operators.eq:
            sides = (element.left, element.right)
            named = any(getattr(side, "key", "") in OWNERS for side in sides)
            given = any(isinstance(side, BindParameter) for side in sides)
            column = any(isinstance(side, Column) or hasattr(side, "table") for side in sides)
            if named and given and column:
                return true()
        return None

    return replacement_traverse(statement, {}, replace=forget)


@pytest.fixture
def no_first_wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Called, it takes the clinic out of every statement, and reach out of the gate."""
    listening: list[Any] = []
    prepare, question = db.prepare_trip, db.prepare_question

    def rewrite(_connection: Any, statement: Any, many: Any, one: Any, _options: Any) -> Any:
        return without_clinic(statement), many, one

    def take_down() -> None:
        event.listen(Engine, "before_execute", rewrite, retval=True)
        listening.append(rewrite)
        monkeypatch.setattr(gate, "in_reach", lambda *_asked: true())
        monkeypatch.setattr(gate, "on_team", lambda *_asked: true())
        role = composing._word
        is_role = lambda r, _reach, who, _chart: who.c.role == role(r.value)  # noqa: E731
        monkeypatch.setattr(composing, "_one_role", is_role)
        monkeypatch.setattr(db, "prepare_trip", lambda made: prepare(without_clinic(made)))
        plainly = lambda made, front: question(without_clinic(made), front)  # noqa: E731
        monkeypatch.setattr(db, "prepare_question", plainly)
        monkeypatch.setattr(client_reach, "known_to", lambda *_asked: true())
        forget_prepared()

    yield take_down
    for one in listening:
        event.remove(Engine, "before_execute", one)
    monkeypatch.undo()
    forget_prepared()


def forget_prepared() -> None:
    """Hot statements are made anew."""
    Reading._prepared.cache_clear()
    gate._one_of_role.cache_clear()
    at_once._prepared.cache_clear()
    for name, module in list(sys.modules.items()):
        if name.startswith("api."):
            for one in vars(module).values():
                if isinstance(one, Listed):
                    one._prepared.cache_clear()


@pytest.fixture
def no_second_wall(database: str) -> Iterator[None]:
    """The application connects as a role that passes through the policies."""
    before = config.settings().url
    use_database(config.settings().owner_url)
    yield
    use_database(before)


_worlds: dict[str, World] = {}


def filled(app: Flask, database: str, route: str) -> World:
    """A world in which the route has something to show; made once, and anew where it must be."""
    world = _worlds.get(database) or World(app)
    try:
        world.ready(route, "CT")
    except AssertionError:
        world = World(app)
        world.ready(route, "CT")
    _worlds.setdefault(database, world)
    settle_elsewhere(world)
    return world


def settle_elsewhere(world: World) -> None:
    """The other clinic has an officer, an analyst and a project too; all signed in just now."""
    people, elsewhere = world.scene.people, world.scene["XT"].clinic_id
    with db.transaction() as store:
        if "XY" not in people:
            people["XR"] = builders.make_person(elsewhere, Role.PRIVACY_OFFICER)
            people["XY"] = builders.make_person(elsewhere, Role.ANALYST)
            said = {"title": "T", "purpose": "P", "analyst_ids": [people["XY"].user_id]}
            project = release.open_project(people["XR"].actor, said)
            made = release.make_key(people["XY"].actor, project["id"], {"name": "K"})
            people["XK"] = SimpleNamespace(token=made["key"])  # type: ignore[assignment]
        theirs = sign_ins.update().where(sign_ins.c.clinic_id == elsewhere)
        store.execute(theirs.values(auth_time=clock.now()))


def strangers(route: str) -> list[str]:
    """Who of the other clinic comes to a route."""
    cells = matrix.rows()[route]
    keyed = ["XK"] if route in KEYED else []  # their project key
    return [*STRANGERS, *(one for one, like in ALIKE.items() if cells[like] != "N"), *keyed]


def ids_of(world: World) -> set[str]:
    """Ids of the first clinic, as an answer would spell them."""
    people = [one for name, one in world.scene.people.items() if not name.startswith("X")]
    found = {str(one.user_id) for one in people} | set(world.ids.values())
    return found | {str(world.scene.clinic_id), str(world.scene.other_patient["id"])}


def shown(world: World, persona: str, path: str) -> tuple[int, bytes]:
    """What one of the other clinic is answered, alike in every header that could differ."""
    client = Caller(world.app.test_client(), world.scene[persona].token)
    answer = client.get(path, **{"X-Request-ID": "same"})
    return answer.status_code, answer.data


def unused(one: str) -> str:
    """An id that nobody has, whose letters change when one of `one` do."""
    return f"{one[:24]}{uuid4().hex[:11]}e"


def foreign_shown(world: World, route: str, persona: str) -> list[str]:
    """Where a foreign id is not answered as a random one is, however spelled, or one is told."""
    said = []
    path = world.path(route, "CT")
    if route == "GET /audit-events":
        path += "?outcome=ok"  # what strangers asked for in vain stands in their own clinic's trail
    for name, spell in SPELLINGS.items():
        foreign = ID.sub(lambda found, spell=spell: spell(found.group()), path)
        nowhere = ID.sub(lambda found, spell=spell: spell(unused(found.group())), path)
        status, data = shown(world, persona, foreign)
        told = bool(ids_of(world) & set(ID.findall(data.decode())))
        if ID.search(path):
            told |= status not in (403, 404) or (status, data) != shown(world, persona, nowhere)
        said += [f"{persona} {route}, {name}: {status} {data!r}"] if told else []
    return said


def shown_to_strangers(world: World, route: str) -> list[str]:
    """What of all of them is answered otherwise than it should be."""
    return [one for who in strangers(route) for one in foreign_shown(world, route, who)]


@pytest.mark.parametrize("route", ROUTES)
def test_with_the_second_wall_alone_no_foreign_row_is_shown(
    on_postgres_alone: None, app: Flask, no_first_wall: Callable[[], None], route: str
) -> None:
    world = filled(app, "postgres", route)
    no_first_wall()
    assert [
        said for persona in strangers(route) for said in foreign_shown(world, route, persona)
    ] == []


@pytest.mark.parametrize("route", ROUTES)
def test_with_the_first_wall_alone_no_foreign_row_is_shown(
    app: Flask, database: str, no_second_wall: None, route: str
) -> None:
    world = filled(app, database, route)
    assert [
        said for persona in strangers(route) for said in foreign_shown(world, route, persona)
    ] == []


def test_with_neither_wall_foreign_rows_are_shown(
    app: Flask, database: str, no_first_wall: Callable[[], None], no_second_wall: None
) -> None:
    """So the walls were down indeed where the tests above found none."""
    world = World(app)
    for route in OF_A_RECORD[:30]:
        world = filled(app, database, route)
    no_first_wall()
    said = [shown(world, "XT", world.path(route, "CT"))[0] for route in OF_A_RECORD[:30]]
    assert said.count(200) >= 10, said


def test_the_role_of_this_proof_passes_through_and_the_applications_does_not(
    app: Flask, database: str, no_second_wall: None
) -> None:
    if database == "postgres":
        with db.within(uuid4()), db.transaction() as store:
            name = store.execute(db.walls.select(db.walls.func.current_user())).scalar()
        assert name == roles.OWNER
