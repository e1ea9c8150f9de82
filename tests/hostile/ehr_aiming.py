"""Where hostile input goes at the door for EHR systems, and who sends it there.

Every search parameter of every type, in the address and in a form; what narrows a history, an
operation or an export; every id in a path; every element of every body; headers and media types.
"""

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

from flask import Flask

from api.fhir import asking, links
from api.fhir.bulk_asking import TAKES
from api.fhir.kinds import KINDS
from api.fhir.smart import ONCE
from api.fhir.writing.incoming import _schema
from tests.fhir.charts import JWT_BEARER
from tests.fhir.matrix import PATCH, Row, World, rows
from tests.hostile import aiming
from tests.hostile.aiming import Target

ROWS: Final = rows()
FHIR: Final = "application/fhir+json"
RESULTS: Final = (*asking.RESULTS, links.NAME, "_format", "_pretty", "_has", "no_such_parameter")
HISTORY: Final = ("_count", "_since", "_at", links.NAME)
EVERYTHING: Final = ("_count", "_since", "_type", links.NAME)
OF_EXPORTS: Final = tuple(TAKES)
MODIFIERS: Final = (":missing", ":exact", ":not", ":contains")
CHANGES: Final = ("PUT", "PATCH", "DELETE")
"""After these a record is another one, or gone: they come last."""
CONDITIONS: Final = ("identifier", "_id", "_lastUpdated", "name:exact", "identifier:not")
SHOWN: Final = ("_summary", "_elements", "_format")
BY_PATH: Final = {
    "/_history": HISTORY,
    "$everything": EVERYTHING,
    "$export": OF_EXPORTS,
    "/auth/token": ONCE,
}
"""What a route takes by what its path holds."""
SIGNED_IN_FOR: Final = 100
"""Requests with one token, which lasts five minutes."""
ENTRY: Final = {"fullUrl": "urn:uuid:01a212f6-4109-70c5-a266-d513cbb740a6"}
ASKED: Final = {"ifNoneExist": "identifier=a|b", "ifMatch": 'W/"1"', "ifNoneMatch": 'W/"1"'}
"""What an entry of a bundle may say besides."""


def targets(world: World) -> list[Target]:
    """Every place of every route of this door, in the order of its table."""
    return [one for row in ROWS.values() for one in _targets(world, row)]


def _targets(world: World, row: Row) -> Iterator[Target]:
    yield Target(row.name, "header")
    for name in ("id", "version", "name"):
        if f"{{{name}}}" in row.path:
            yield Target(row.name, "path", (name,))
    by_form = row.path.endswith(("/_search", "/auth/token"))
    for name in _parameters(row):
        yield Target(row.name, "form" if by_form else "query", (name,))
    if row.method in ("POST", "PUT", "PATCH"):
        yield Target(row.name, "media")
        yield Target(row.name, "body")
        if not by_form:
            yield from _elements(row, body_of(world, row))


def _parameters(row: Row) -> list[str]:
    if row.deed == "search":
        own = list(KINDS[row.kind].every_param)
        modified = [a + b for a, b in zip(own, MODIFIERS * len(own), strict=False)]
        return [*own, *modified, *RESULTS]
    if row.method == "PUT" and "{id}" not in row.path:
        return [*CONDITIONS]
    named = next((names for part, names in BY_PATH.items() if part in row.path), None)
    named = named or (SHOWN if row.deed == "read" else ())
    return ["no_such_parameter", *named]


def _elements(row: Row, body: Any) -> Iterator[Target]:
    for place, is_object in places(body):
        if place:
            yield Target(row.name, "value", place)
        if is_object:
            yield Target(row.name, "member", place)
    if isinstance(body, dict) and body.get("resourceType") in _schema()["definitions"]:
        named = _schema()["definitions"][body["resourceType"]]["properties"]
        for name in sorted(set(named) - set(body)):
            if not name.startswith("_"):
                yield Target(row.name, "value", (name,))


def places(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Every place of a body as the steps that lead there, and whether it is an object."""
    yield at, isinstance(value, dict)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*at, name))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*at, "0"))


def body_of(world: World, row: Row) -> Any:
    """A body that is right, with all that it may say where that is little."""
    if "$" in row.path:
        said = {"name": _some_parameter(row), "valueString": "2026-01-01"}
        return {"resourceType": "Parameters", "parameter": [said]}
    if row.method == "PATCH":
        return [{"op": "replace", "path": "/id", "value": "x", "from": "/id"}]
    more = world.request(row)[1]
    body = more.get("json", {})
    if row.path.startswith("(base)"):
        [entry] = body["entry"]
        return body | {"entry": [entry | ENTRY | {"request": entry["request"] | ASKED}]}
    return body


def _some_parameter(row: Row) -> str:
    return "_type" if "$export" in row.path else "_since"


class EhrSender:
    """Sends cases as the client that reaches the patient."""

    def __init__(self, app: Flask, world: World) -> None:
        self.app, self.world, self.sent = app, world, 0
        for row in ROWS.values():
            if not is_open(row):
                world.request(row)  # what it names is there before anything is changed

    def __call__(self, target: Target, payload: Any) -> Any:
        """The answer to one case."""
        if self.sent % SIGNED_IN_FOR == 0:
            self.world.wide.sign_in()
        self.sent += 1
        row = ROWS[target.route]
        path, headers = self._path(row, target, payload), self._headers(row, target, payload)
        if target.kind == "query":
            path += ("&" if "?" in path else "?") + f"{target.place[0]}={payload}"
        data = self._data(row, target, payload)
        client = self.app.test_client()
        answer = client.open(f"/fhir/R4{path}", method=row.method, headers=headers, data=data)
        self._take_back(row, answer)
        return answer

    def _path(self, row: Row, target: Target, payload: Any) -> str:
        if is_open(row):
            return row.path
        if target.kind != "path":
            return self.world.request(row)[0]
        [name] = target.place
        path = row.path.replace(f"{{{name}}}", payload)
        path = path.replace("{id}", self.world.id(row)) if "{id}" in path else path
        return path.replace("{version}", "1").replace("{name}", "Goal")

    def _headers(self, row: Row, target: Target, payload: Any) -> dict[str, str]:
        form = "application/x-www-form-urlencoded"
        kind = PATCH if row.method == "PATCH" else form if _is_form(row) else FHIR
        headers = {"Accept": "*/*", "Content-Type": kind}
        if row.method in ("GET", "DELETE"):
            headers.pop("Content-Type")
        if "$export" in row.path:
            headers["Prefer"] = "respond-async"
        if not is_open(row):
            headers["Authorization"] = f"Bearer {self.world.wide.token}"
        if target.kind == "media":
            headers["Content-Type"] = payload
        elif target.kind == "header":
            headers |= {payload[0]: payload[1]}
        return headers

    def _data(self, row: Row, target: Target, payload: Any) -> bytes | None:
        if target.kind == "body":
            return bytes(payload)
        if row.path == "/auth/token":
            return self._sign_in(target, payload)
        if target.kind == "form":
            return f"{target.place[0]}={payload}".encode()
        if row.method in ("GET", "DELETE") or _is_form(row):
            return None
        body = body_of(self.world, row)
        if target.kind in ("value", "member"):
            return aiming.body_with(body, target, payload)
        return json.dumps(body).encode()

    def _sign_in(self, target: Target, payload: Any) -> bytes:
        """A form that signs in, but for the field that is aimed at."""
        known = self.world.known
        told = {"grant_type": "client_credentials", "client_assertion_type": JWT_BEARER}
        told |= {"client_assertion": known.assertion(), "scope": known.scope}
        if target.kind != "form":
            return urlencode(told).encode()
        told.pop(target.place[0], None)
        return f"{urlencode(told)}&{target.place[0]}={payload}".encode()

    def _take_back(self, row: Row, answer: Any) -> None:
        """Remove an export that was begun: a client has only so many."""
        if answer.status_code == 202 and "$export" in row.path:
            done = self.world.wide("DELETE", answer.headers["Content-Location"])
            assert done.status_code == 202, done.text


def is_open(row: Row) -> bool:
    """Whether a route needs no token."""
    return "-" in row.cells.values()


def _is_form(row: Row) -> bool:
    return row.path.endswith(("/_search", "/auth/token"))


def changes_last(target: Target) -> bool:
    """Whether a record is another one after what is sent there."""
    return target.route.split()[0] in CHANGES
