"""Before anything is measured: do floor and ours answer the same, and in how many statements?"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from http.client import HTTPConnection
from typing import Any
from uuid import UUID

from api import db
from api.cli import app
from benchmarks.servers import Server

COMPARED = 20
ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*")
NOT_STATEMENTS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT")


def count(asked: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Statements that ours sends for one request of each endpoint, without BEGIN and COMMIT."""
    found = {}
    for endpoint, requests in asked.items():
        told: list[str] = []
        for watching in (False, True):  # the first marks the sign-in as seen, once a minute
            if watching:
                db.watchers.append(told.append)
            method, path, headers, body = parts_of(requests[0])
            answer = app.test_client().open(path, method=method, headers=headers, data=body or None)
        db.watchers.clear()
        assert answer.status_code in (200, 201), answer.text
        found[endpoint] = sum(not one.lstrip().startswith(NOT_STATEMENTS) for one in told)
    return found


def compare(ours: Server, floor: Server, asked: Mapping[str, Sequence[str]]) -> list[str]:
    """The reads whose answers differ in anything but how an id or an instant is written."""
    differing = []
    for endpoint, requests in asked.items():
        for request in requests[:COMPARED]:
            if request.startswith("GET") and _ask(ours, request) != _ask(floor, request):
                differing.append(endpoint)
                break
    return differing


def _ask(server: Server, request: str) -> Any:
    method, path, headers, body = parts_of(request)
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status < 300, f"{server.name}: {answer.status} {text.decode()}"
    return plain(json.loads(text))


def parts_of(request: str) -> tuple[str, str, dict[str, str], str]:
    """Method, path, headers and body of a request as `load.as_http` writes it."""
    head, _, body = request.replace("~KEY~", str(db.new_id())).partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    headers.pop("Content-Length", None)
    return method, path, headers, body


def plain(value: Any) -> Any:
    """The value with ids and instants as what they are, however they were written."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, str) and ID.fullmatch(value):
        return UUID(value)
    if isinstance(value, str) and INSTANT.fullmatch(value):
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return moment.replace(tzinfo=None)
    return value
