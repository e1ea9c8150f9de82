"""Every route of this door, asked by every persona: `matrix.txt` says what each is answered."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select

from api import db
from api.audit.trail import audit_event_patients
from api.fhir.door import OPEN
from api.fhir.kinds import KINDS
from tests.fhir import matrix
from tests.fhir.matrix import CLIENTS, PEOPLE, Row, World
from tests.house import witness
from tests.house.matrix import UNCOUNTED, trail_of

ROWS = matrix.rows()
LEFT_BEHIND = {table.name for table in UNCOUNTED}
REFUSED = {"N": 403, "H": 404, "V": 422, "E": 200}
LOCKED = [name for name, row in ROWS.items() if "-" not in row.cells.values()]
_worlds: dict[str, World] = {}


def test_the_table_has_every_route_and_no_other(application: Flask) -> None:
    there = matrix.routes(application)
    assert sorted(there - set(ROWS)) == [], "routes without a row"
    assert sorted(set(ROWS) - there) == [], "rows without a route"
    assert {row.kind for row in ROWS.values()} == {*KINDS, ""}


def test_what_is_open_to_everybody_is_what_needs_no_token() -> None:
    is_open = [row.path.rpartition("/")[2] for name, row in ROWS.items() if name not in LOCKED]
    assert sorted(is_open) == ["metadata", "smart-configuration", "token"]
    assert len(OPEN) == len(is_open)
    assert all(set(ROWS[name].cells.values()) & {*"-"} == set() for name in LOCKED)


@pytest.fixture(autouse=True, scope="module")
def _witnessed(database: str) -> Iterator[None]:
    with witness.present():
        yield


@pytest.fixture
def world(app: Flask, database: str) -> World:
    """One world for all rows: what is refused leaves it as it was."""
    if database not in _worlds:
        _worlds[database] = World(app)
    return _worlds[database]


@pytest.mark.parametrize("name", LOCKED)
def test_each_persona_is_answered_as_the_table_says(world: World, name: str) -> None:
    row = ROWS[name]
    assert all(row.cells[persona] == "U" for persona in PEOPLE)
    path, more = world.request(row)
    for persona in PEOPLE:
        turned_away(world, row, persona, path, more)
    for persona in CLIENTS:
        if row.cells[persona] in REFUSED:
            refused(world, row, persona, path, more)
    for persona in CLIENTS:
        if row.cells[persona] not in REFUSED:
            admitted(world, row, persona)


def turned_away(world: World, row: Row, persona: str, path: str, more: Any) -> None:
    """A person's token, or none, opens nothing: 401, nothing changed, nothing told."""
    where, request_id = f"{persona} {row.name}", uuid4().hex
    token = None if persona == "AN" else world.scene[persona].token
    headers = {**more.get("headers", {}), "X-Request-ID": request_id}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    witness.look()
    sent = {**more, "headers": headers}
    answer = world.app.test_client().open(f"/fhir/R4{path}", method=row.method, **sent)
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"], where
    assert answer.content_type == "application/fhir+json", where
    assert witness.look() <= LEFT_BEHIND and trail_of(request_id) == [], where


def refused(world: World, row: Row, persona: str, path: str, more: Any) -> None:
    """A refusal changes nothing, leaves one line in the trail, and tells nothing."""
    where, request_id = f"{persona} {row.name}", uuid4().hex
    client, status = world.client(persona, row), REFUSED[row.cells[persona]]
    witness.look()
    answer = ask(client, row.method, path, more, request_id)
    assert answer.status_code == status, f"{where}: {answer.status_code} {answer.text}"
    assert answer.content_type == "application/fhir+json", where
    assert witness.look() <= LEFT_BEHIND, where
    [event] = trail_of(request_id)
    told = (event["action"], event["actor_id"], event["clinic_id"], people_of(event))
    elsewhere = world.scene["XT"].clinic_id if persona == "XS" else world.scene.clinic_id
    assert told == (f"fhir:{row.deed}", client.client_id, elsewhere, []), where
    if row.cells[persona] == "E":
        [entry] = answer.json["entry"]
        assert entry["response"]["status"] in ("403", "422") and "resource" not in entry, where
        return
    assert answer.json["resourceType"] == "OperationOutcome", where
    assert event["outcome"] == "refused", where
    other, sent = world.nowhere(path, more)
    nowhere = ask(client, row.method, other, sent, request_id)
    assert nowhere.status_code == status and nowhere.data == answer.data, where
    assert plain(nowhere.headers) == plain(answer.headers), where
    no_better(client, row, path, more, status)
    assert witness.look() <= LEFT_BEHIND, where


def no_better(client: matrix.Client, row: Row, path: str, more: Any, status: int) -> None:
    """Neither another method nor a header nor another spelling gets further."""
    if row.method == "GET":
        head = client("HEAD", path, **more)
        assert (head.status_code, head.data) == (status, b""), row.name
    assert client("OPTIONS", path).data == b"", row.name
    bare, query = path.partition("?")[0], path.partition("?")[2]
    assert client(row.method, f"{bare}/?{query}", **more).status_code == 404, row.name
    told = {"X-HTTP-Method-Override": row.method, "X-Method-Override": row.method}
    instead = "POST" if row.method == "GET" else "GET"
    overridden, by_itself = client(instead, path, headers=told), client(instead, path)
    assert overridden.status_code == by_itself.status_code, row.name


def ask(client: Any, method: str, path: str, more: Any, request_id: str) -> Any:
    """One request that the trail knows by its id."""
    sent = dict(more)
    sent["headers"] = {**sent.pop("headers", {}), "X-Request-ID": request_id}
    return client(method, path, buffered=True, **sent)


def people_of(event: db.Values) -> list[UUID]:
    """The patients in a line of the trail."""
    c = audit_event_patients.c
    with db.transaction() as store:
        rows = store.rows(select(c.patient_id).where(c.event_id == event["id"]))
    return [row["patient_id"] for row in rows]


def plain(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in ("RateLimit", "Date")}


def admitted(world: World, row: Row, persona: str) -> None:
    """Whoever may is answered, with one line in the trail, and sees what is in reach alone."""
    where, request_id = f"{persona} {row.name}", uuid4().hex
    client = world.client(persona, row)
    path, more = world.request(row, client if row.cells[persona] == "Y" else None)
    answer = ask(client, row.method, path, more, request_id)
    assert 200 <= answer.status_code < 300, f"{where}: {answer.status_code} {answer.text}"
    [event] = trail_of(request_id)
    told = (event["action"], event["outcome"], event["actor_id"])
    assert told == (f"fhir:{row.deed}", "ok", client.client_id), where
    people = people_of(event)
    mine = world.scene.patient["id"]
    if persona in ("SC", "XS"):
        assert mine not in people and not names(answer, world.me, client), where
    elif is_of_the_chart(row):
        assert mine in people, where
    if row.deed == "search":
        listed(world, row, persona, answer.json)
    if answer.status_code == 202 and "$export" in row.path:
        assert client("DELETE", answer.headers["Content-Location"]).status_code == 202
    if row.deed in ("create", "update") and row.path.startswith("/Consent"):
        world.ended(answer.json)


def names(answer: Any, patient_id: str, client: Any) -> bool:
    """Whether an answer names a patient, but for events of the client that asked for them."""
    if not (answer.is_json and "entry" in answer.json):
        return patient_id in answer.text
    told = [str(entry) for entry in answer.json["entry"]]
    return any(patient_id in one and str(client.client_id) not in one for one in told)


def is_of_the_chart(row: Row) -> bool:
    """Whether what is answered is of the patient's chart."""
    on_chart = row.kind in KINDS and (KINDS[row.kind].chart is not None or row.kind == "Provenance")
    of_new = row.kind == "Patient" and row.deed in ("create", "update") and "{id}" not in row.path
    return on_chart and not of_new and row.deed in ("read", "search", "create", "update")


def listed(world: World, row: Row, persona: str, found: Any) -> None:
    """A list holds the record exactly where it may be read by itself."""
    ids = {entry["resource"]["id"] for entry in found.get("entry", [])}
    one = ROWS[f"GET /{row.kind}/{{id}}"]
    assert (world.id(one) in ids) == (one.cells[persona] == "Y"), (persona, row.name)
