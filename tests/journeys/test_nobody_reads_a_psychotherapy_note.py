"""A marker in a psychotherapy note is found by its author, and by nobody and nothing else.

Every GET route of the application is asked by every persona about everything there is; every file
of the data folder is read as bytes, and every table of the database as text.
"""

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import inspect, text

from api import config, db
from api.access.policies import Privilege, Role
from tests import builders, roles
from tests.core import noting
from tests.house import matrix
from tests.journeys.sweeping import Swept

MARKER = "Frostflower-9042"
AUTHOR = "CT"
COLLEAGUE = "CO"
"""Another clinician of the same care team, with every profession's privileges."""
OTHERS = (*(one for one in matrix.PERSONAS if one != AUTHOR), COLLEAGUE)
APART = ("psychotherapy_notes", "psychotherapy_note_versions")
ANY = {"If-Match": "*"}


class Plot(Swept):
    """A chart with psychotherapy notes in every state, beside a session and beside none."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        scene = self.world.scene
        with db.transaction():
            all_of_them = [each.value for each in Privilege]
            scene.people[COLLEAGUE] = noting.colleague(scene, "supervisor", *all_of_them)
            session = noting.held_session(scene, scene[AUTHOR])
            plain = noting.signed_note(scene, session)
        self.author = self.world.caller(AUTHOR)
        self.session, self.plain = str(session["id"]), str(plain["id"])
        self.hidden: list[str] = []
        chart = self.ids["patient_id"][0]
        for place in (f"/sessions/{self.session}/notes", f"/patients/{chart}/notes"):
            for made in (self._drafted, self._changed, self._signed, self._added_to, self._gone):
                self.hidden.append(made(place))
        self.ids |= {
            "session_id": [self.session],
            "note_id": [self.plain, *self.hidden],
            "request_id": [self.world.id("request_id")],
        }

    def _post(self, path: str, body: Any, status: int = 201) -> Any:
        """A write of the author, sent twice under one key: its answer is kept."""
        keys = {"Idempotency-Key": db.new_id().hex}
        first, second = (self.author.post(path, body, **keys) for _ in range(2))
        assert first.status_code == second.status_code == status, first.text
        assert first.data == second.data and "Idempotent-Replayed" in second.headers
        return first.json

    def _drafted(self, place: str, words: str = MARKER) -> str:
        said = {"kind": "psychotherapy", "text": words, "sections": {"themes": words}}
        return str(self._post(place, said)["id"])

    def _changed(self, place: str) -> str:
        made = self._drafted(place, "Plain")
        answer = self.author("PATCH", f"/notes/{made}", {"text": MARKER}, **ANY)
        assert answer.status_code == 200, answer.text
        return made

    def _signed(self, place: str) -> str:
        made = self._drafted(place)
        self._post(f"/notes/{made}/sign", {}, 200)
        return made

    def _added_to(self, place: str) -> str:
        made = self._signed(place)
        added = self._post(f"/notes/{made}/addenda", {"text": MARKER})
        self.hidden.append(str(added["id"]))
        return made

    def _gone(self, place: str) -> str:
        made = self._signed(place)
        assert self.author("DELETE", f"/notes/{made}", **ANY).status_code == 204
        return made


@pytest.fixture
def plot(app: Flask) -> Plot:
    return Plot(app)


def test_nobody_reads_a_psychotherapy_note_through_any_route(
    plot: Plot, record_property: Any
) -> None:
    addresses = sorted(set(plot.addresses()))
    routes = [route for route in matrix.routes(plot.world.app) if route.startswith("GET")]
    answered = 0
    for persona in OTHERS:
        for address in addresses:
            answer = plot.fetch(persona, address)
            where = f"{persona} GET {address}: {answer.status_code}"
            assert answer.status_code < 500 or answer.status_code == 503, where
            assert MARKER not in answer.text, where
            seen = [one for one in plot.hidden if one in without_echo(answer, address)]
            assert seen == [], where
            assert "psychotherapy_note" not in told(answer, address), where
            answered += answer.status_code == 200
    record_property("routes_x_roles", len(routes) * len(OTHERS))
    record_property("addresses_x_roles", len(addresses) * len(OTHERS))
    assert len(routes) >= 70 and len(OTHERS) == 11
    assert answered > len(addresses), "the sweep was let in somewhere"


def without_echo(answer: Any, address: str) -> str:
    """The answer without the links that repeat what was asked for."""
    return str(answer.text).replace(address, "")


def told(answer: Any, address: str) -> str:
    """The answer, but for the document, which says that there is such a kind of note."""
    return "" if "openapi" in address or "docs" in address else str(answer.text)


def test_to_everybody_else_a_hidden_note_answers_like_none(plot: Plot) -> None:
    nowhere = str(db.new_id())
    for route in matrix.routes(plot.world.app):
        method, path = route.split()
        if "{note_id}" not in path:
            continue
        for persona in (COLLEAGUE, "PS", "CN", "CA", "PR", "AY", "XT"):
            bodies = [
                plot.world.caller(persona)(
                    method,
                    path.replace("{note_id}", one).replace("{request_id}", nowhere),
                    None if method in ("GET", "DELETE") else whole(route),
                    **({} if method in ("GET", "POST") else ANY),
                    **{"X-Request-ID": "0f3c"},
                )
                for one in (plot.hidden[0], plot.hidden[2], nowhere)
            ]
            assert {one.status_code for one in bodies} <= {403, 404}, (persona, route)
            assert len({(one.status_code, one.data) for one in bodies}) == 1, (persona, route)


def whole(route: str) -> Any:
    """The least body of a route."""
    body = matrix.BODIES.get(route, {})
    return body(None) if callable(body) else body


def test_others_count_the_plain_note_alone(plot: Plot) -> None:
    chart = plot.ids["patient_id"][0]
    for path in (f"/sessions/{plot.session}/notes", f"/patients/{chart}/notes"):
        rows = plot.fetch(COLLEAGUE, f"/api/v1{path}").json["items"]
        assert plot.plain in [row["id"] for row in rows]
        assert {row["kind"] for row in rows} <= {"progress"}
        tombstones = plot.fetch(COLLEAGUE, f"/api/v1{path}?updated_since=2020-01-01T00:00:00Z")
        assert tombstones.json["tombstones"] == []
    between = plot.fetch(COLLEAGUE, f"/api/v1/patients/{chart}/between").json
    assert between["unsigned_notes"] == []
    for persona, notes in ((COLLEAGUE, 0), (AUTHOR, 4)):
        [row] = plot.fetch(persona, "/api/v1/worklist").json["items"]
        [waits] = [one for one in row["reasons"] if one["code"] == "note_unsigned"]
        assert waits["unsigned_notes"] == notes, persona


def test_the_author_reads_each_of_them(plot: Plot) -> None:
    there = [one for one in plot.hidden if plot.fetch(AUTHOR, f"/api/v1/notes/{one}").is_json]
    found = [one for one in there if MARKER in plot.fetch(AUTHOR, f"/api/v1/notes/{one}").text]
    assert len(found) == len(plot.hidden) - 2, "all but the two that were taken back"
    everything = "".join(plot.fetch(AUTHOR, one).text for one in sorted(set(plot.addresses())))
    assert everything.count(MARKER) >= 4 * len(found)


def test_an_author_who_is_disabled_reads_none(plot: Plot) -> None:
    with db.transaction() as store:
        mine = builders.users.c.id == plot.world.scene[AUTHOR].user_id
        gone = {"disabled_at": builders.clock.now()}
        store.execute(builders.users.update().where(mine).values(**gone))
    for one in plot.hidden:
        assert plot.fetch(AUTHOR, f"/api/v1/notes/{one}").status_code == 401


def test_no_file_and_no_table_holds_the_marker(plot: Plot, record_property: Any) -> None:
    for persona in OTHERS:
        plot.fetch(persona, "/api/v1/worklist")
    files = {path: path.read_bytes() for path in data_files()}
    for path, content in files.items():
        for spelled in spellings():
            assert spelled not in content, path
    tables = dict(dumped())
    for name, dump in tables.items():
        assert MARKER not in dump, name
    record_property("files", len(files))
    record_property("tables", len(tables))
    assert set(APART) <= set(tables) and len(tables) >= 40
    assert files, "the keys at least lie there"
    if db.engine().dialect.name == "sqlite":
        assert any(path.name.endswith(".sqlite") for path in files)
        assert any(path.name.endswith("-wal") for path in files)


def test_a_plain_word_would_have_been_found(plot: Plot) -> None:
    """The search itself finds what lies in the clear: the name of the clinic."""
    if db.engine().dialect.name == "sqlite":
        assert any(b"Test Clinic" in path.read_bytes() for path in data_files())
    assert any("Test Clinic" in dump for _name, dump in dumped())


def test_its_name_and_id_lie_in_the_trail_as_any_notes_do(plot: Plot) -> None:
    rows = dict(dumped())["audit_events"]
    assert "psychotherapy" not in rows and UUID(plot.hidden[0]).hex in rows.replace("-", "")
    assert "psychotherapy" not in dict(dumped())["outbox_events"]
    assert UUID(plot.hidden[0]).hex not in dict(dumped())["outbox_events"].replace("-", "")
    assert UUID(plot.hidden[0]).hex not in dict(dumped())["changes"].replace("-", "")


def spellings() -> Iterator[bytes]:
    """The marker as text of several encodings, and as JSON would escape it."""
    yield from (MARKER.encode(each) for each in ("utf-8", "utf-16-le", "utf-16-be"))
    yield json.dumps(MARKER).encode()


def data_files() -> Iterator[Path]:
    """Every file of the data folder: the keys, and on SQLite the database with its WAL."""
    folder = Path(os.environ["FRESHTRAIL_DATA"])
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def dumped() -> Iterator[tuple[str, str]]:
    """Every table of the database as it really is, its rows as text, whatever clinic's."""
    with closing(roles.outside(config.settings().owner_url).connect()) as connection:
        for name in sorted(inspect(connection).get_table_names()):
            rows = connection.execute(text(f'SELECT * FROM "{name}"'))
            yield name, "\n".join(str(tuple(row)) for row in rows)


def test_the_roles_are_all_there() -> None:
    assert {role.value for role in Role} == {
        *("patient", "clinician", "administrator", "privacy_officer", "analyst", "system"),
    }
    assert config.settings().url
