"""Two walls between clinics at the door for EHR systems: either one alone is enough there too.

As in `test_two_walls.py`: every route of this door is asked by a client of another clinic that
holds all its scopes, about every id there is and in every spelling, with one of the walls down.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote

import pytest
from flask import Flask

from api import db
from api.fhir.kinds import KINDS
from tests.fhir import charts
from tests.fhir.charts import BASE, Client
from tests.fhir.exporting import export
from tests.fhir.matrix import Row, World
from tests.fhir.test_matrix import LEFT_BEHIND, LOCKED, REFUSED, ROWS, ask
from tests.house import witness
from tests.journeys import test_two_walls as reading
from tests.journeys.test_two_walls import ID, SPELLINGS, unused

no_first_wall, no_second_wall = reading.no_first_wall, reading.no_second_wall
FOREIGN: Final = "XS"
READING: Final = ("search", "read", "export", "subscribe")
"""The deeds that show something."""
CHANGED: Final = "HVE"
"""What the other clinic's client is answered where it names a record of this one."""
OF_KINDS: Final = sorted({row.kind for row in ROWS.values()})
Asked = tuple[str, dict[str, Any]]
SPELLED: Final = ("as it is", "upper case", "urn")
_worlds: dict[str, World] = {}
_ids: dict[int, set[str]] = {}


@pytest.fixture(autouse=True, scope="module")
def _witnessed(database: str) -> Iterator[None]:
    with witness.present():
        yield


def the_world(app: Flask, database: str) -> World:
    """One world for all rows; whoever asks in it is signed in anew, for tokens last minutes."""
    if database not in _worlds:
        _worlds[database] = World(app)
    world = _worlds[database]
    world.wide.sign_in()
    return world


def rows_of(kind: str, writing: bool) -> list[Row]:
    """The locked routes of a type: those that show something, or those that name what they change.

    An export that begins is of its client's own clinic: its files are looked at by themselves.
    """
    mine = [ROWS[name] for name in LOCKED if ROWS[name].kind == kind]
    changes = {row.name for row in mine if row.deed not in READING or row.method == "DELETE"}
    if writing:
        named = {row.name for row in mine if row.cells[FOREIGN] in CHANGED}
        return [row for row in mine if row.name in changes & named]
    begins = {row.name for row in mine if row.cells[FOREIGN] == "Y" and row.deed != "read"}
    return [row for row in mine if row.name not in changes | begins]


def ids_of(world: World) -> set[str]:
    """Ids of the first clinic: of its people, and of all that a client of it finds."""
    if id(world) in _ids:
        return _ids[id(world)]
    people = world.scene.people.items()
    found = {str(one.user_id) for name, one in people if not name.startswith("X")}
    found |= {str(world.scene.clinic_id), world.me, str(world.scene.other_patient["id"])}
    for kind in KINDS:
        told = world.wide.get(f"/{kind}?_count=1000").json
        found |= {one for each in told.get("entry", []) for one in ids_in(each["resource"]["id"])}
    return _ids.setdefault(id(world), found)


def ids_in(text: str) -> set[str]:
    return set(ID.findall(text))


def spelled(asked: Asked, spell: Callable[[str], str]) -> Asked:
    """The same request with its ids spelled otherwise, in the address and in the body."""
    path, more = asked
    changed = {**more}
    if "json" in more:
        changed["json"] = json.loads(respelled(json.dumps(more["json"]), spell))
    if "content_type" in more:
        changed["data"] = respelled(more["data"], spell)
    return respelled(path, spell), changed


def respelled(text: str, spell: Callable[[str], str]) -> str:
    return ID.sub(lambda found: spell(found.group()), text)


def searches(world: World, row: Row, asked: Asked) -> Iterator[Asked]:
    """Searches for what the first clinic has: by its id, and by whose it is."""
    path, _ = asked
    one = world.id(ROWS[f"GET /{row.kind}/{{id}}"])
    pairs = [("_id", one)]
    if "patient" in KINDS[row.kind].params:
        pairs += [("patient", f"{at}{world.me}") for at in ("", "Patient/", f"{BASE}/Patient/")]
    for name, value in pairs:
        if row.method == "GET":
            yield f"{path}?{name}={quote(value)}", {}
        else:
            yield path, {"data": {name: value}}


def entries_of(answer: Any, client: Client) -> list[str]:
    """What a bundle holds, but for events of the client itself: they name what it asked for."""
    told = [json.dumps(one) for one in answer.json.get("entry", [])]
    return [one for one in told if str(client.client_id) not in one]


def told_of(answer: Any, client: Client, ids: set[str]) -> set[str]:
    """The ids that an answer tells; the links of a bundle say again what was asked for."""
    is_bundle = answer.is_json and answer.json.get("resourceType") == "Bundle"
    return ids & ids_in(str(entries_of(answer, client)) if is_bundle else answer.text)


def foreign_shown(client: Client, row: Row, asked: Asked, ids: set[str]) -> list[str]:
    """Where a foreign id is not answered as a random one is, however spelled, or one is told."""
    wrong, same = [], "same"
    for name, spell in ((one, SPELLINGS[one]) for one in SPELLED):
        path, more = spelled(asked, spell)
        answer = ask(client, row.method, path, more, same)
        bad = bool(told_of(answer, client, ids)) or answer.status_code >= 500
        if row.cells[FOREIGN] == "H":
            other, sent = spelled(asked, lambda one, spell=spell: spell(unused(one)))
            nowhere = ask(client, row.method, other, sent, same)
            bad |= (answer.status_code, answer.data) != (404, nowhere.data)
        wrong += [f"{row.name}, {name}: {answer.status_code} {answer.text[:300]}"] if bad else []
    return wrong


def sought(client: Client, row: Row, asked: Asked) -> list[str]:
    """Where a search for what is another clinic's finds it, or counts it."""
    answer = ask(client, row.method, *asked, "same")
    bad = answer.status_code != 200 or bool(entries_of(answer, client))
    if row.kind != "AuditEvent":
        bad |= bool(answer.json.get("total"))
    return [f"{row.name} {asked}: {answer.status_code} {answer.text[:300]}"] if bad else []


Questions = list[tuple[Client, Row, Asked, list[Asked]]]


def questions(world: World, kind: str) -> Questions:
    """What the foreign client asks of a type; made while both walls stand."""
    made: Questions = []
    for row in rows_of(kind, writing=False):
        asked = world.request(row)
        by_search = row.deed == "search" and kind != "Questionnaire"  # which all clinics share
        more = list(searches(world, row, (asked[0], {}))) if by_search else []
        made.append((world.client(FOREIGN, row), row, asked, more))
    return made


def shown(asked: Questions, ids: set[str]) -> list[str]:
    """What is told of the first clinic in answer to all these."""
    wrong = []
    for client, row, one, more in asked:
        wrong += foreign_shown(client, row, one, ids)
        wrong += [said for each in more for said in sought(client, row, each)]
    return wrong


def test_every_route_is_asked_or_begins_something_of_ones_own() -> None:
    asked = {r.name for kind in OF_KINDS for both in (True, False) for r in rows_of(kind, both)}
    own = {name for name in set(LOCKED) - asked if ROWS[name].cells[FOREIGN] == "Y"}
    assert set(LOCKED) - asked == own
    assert all(ROWS[name].deed in ("create", "update", "export", "subscribe") for name in own)


@pytest.mark.parametrize("kind", OF_KINDS)
def test_with_the_second_wall_alone_no_foreign_row_is_shown(
    on_postgres_alone: None, app: Flask, no_first_wall: Callable[[], None], kind: str
) -> None:
    world = the_world(app, "postgres")
    asked, ids = questions(world, kind), ids_of(world)
    no_first_wall()
    assert shown(asked, ids) == []


@pytest.mark.parametrize("kind", OF_KINDS)
def test_with_the_first_wall_alone_no_foreign_row_is_shown(
    app: Flask, database: str, no_second_wall: None, kind: str
) -> None:
    world = the_world(app, database)
    assert shown(questions(world, kind), ids_of(world)) == []


def test_with_neither_wall_foreign_rows_are_shown(
    app: Flask, database: str, no_first_wall: Callable[[], None], no_second_wall: None
) -> None:
    """So the walls were down indeed where the tests above found none."""
    world = the_world(app, database)
    ids = ids_of(world)
    reads = [ROWS[f"GET /{kind}/{{id}}"] for kind in KINDS if kind != "Questionnaire"]
    asked = [(world.client(FOREIGN, row), row, world.request(row)) for row in reads]
    no_first_wall()
    told = [row.kind for client, row, one in asked if foreign_shown(client, row, one, ids)]
    assert len(told) >= 15, set(KINDS) - set(told)


def foreign_changed(client: Client, row: Row, asked: Asked, world: World) -> list[str]:
    """Where a foreign id is not answered as a random one is, or anything was changed."""
    witness.look()
    answer = ask(client, row.method, *asked, "same")
    changed = witness.look() - LEFT_BEHIND
    nowhere = ask(client, row.method, *world.nowhere(*asked), "same")
    bad = answer.status_code != REFUSED[row.cells[FOREIGN]] or bool(changed)
    if row.cells[FOREIGN] == "E":
        bad |= any("resource" in one for one in answer.json["entry"])
    else:
        bad |= answer.data != nowhere.data
    return [f"{row.name}: {answer.status_code} {answer.text[:300]}, {changed}"] if bad else []


def writes(world: World, kind: str) -> list[tuple[Client, Row, Asked]]:
    """What the foreign client sends to records of a type; made while both walls stand."""
    return [
        (world.client(FOREIGN, row), row, world.request(row)) for row in rows_of(kind, writing=True)
    ]


WRITTEN: Final = [kind for kind in OF_KINDS if rows_of(kind, writing=True)]


@pytest.mark.parametrize("kind", WRITTEN)
def test_with_the_second_wall_alone_no_foreign_row_is_changed(
    on_postgres_alone: None, app: Flask, no_first_wall: Callable[[], None], kind: str
) -> None:
    world = the_world(app, "postgres")
    sent = writes(world, kind)
    no_first_wall()
    assert [said for one in sent for said in foreign_changed(*one, world)] == []


@pytest.mark.parametrize("kind", WRITTEN)
def test_with_the_first_wall_alone_no_foreign_row_is_changed(
    app: Flask, database: str, no_second_wall: None, kind: str
) -> None:
    world = the_world(app, database)
    assert [s for one in writes(world, kind) for s in foreign_changed(*one, world)] == []


def test_with_neither_wall_a_foreign_row_is_changed(
    app: Flask, database: str, no_first_wall: Callable[[], None], no_second_wall: None
) -> None:
    """So the walls were down indeed where the tests above changed none."""
    world, row = the_world(app, database), ROWS["DELETE /Subscription/{id}"]
    client, asked = world.client(FOREIGN, row), world.request(row)
    no_first_wall()
    witness.look()
    answer = ask(client, row.method, *asked, "same")
    assert (answer.status_code, "ehr_subscriptions" in witness.look()) == (204, True), answer.text


def exported(app: Flask, world: World) -> dict[str, Any]:
    """Everything that a client of the other clinic gets in files."""
    with db.transaction():
        client = charts.register(app, world.scene["XT"].clinic_id)
    return export(client.sign_in())


def test_with_the_second_wall_alone_files_hold_no_foreign_row(
    on_postgres_alone: None, app: Flask, no_first_wall: Callable[[], None]
) -> None:
    world = the_world(app, "postgres")
    ids = ids_of(world)
    no_first_wall()
    files = exported(app, world)
    assert files and ids & ids_in(json.dumps(files)) == set()


def test_with_the_first_wall_alone_files_hold_no_foreign_row(
    app: Flask, database: str, no_second_wall: None
) -> None:
    world = the_world(app, database)
    files = exported(app, world)
    assert files and ids_of(world) & ids_in(json.dumps(files)) == set()
