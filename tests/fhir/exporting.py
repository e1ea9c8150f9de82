"""Exports in tests: ordered, made, and fetched."""

import json
import zlib
from typing import Any
from uuid import UUID

from api.fhir import bulk_making
from tests.fhir.charts import BASE, Client

ASYNC = {"Prefer": "respond-async"}
Lines = dict[str, list[dict[str, Any]]]


def kick(client: Client, path: str = "/$export", method: str = "GET", **more: Any) -> str:
    """Order an export; where its status is asked."""
    headers = {**ASYNC, **more.pop("headers", {})}
    answer = client(method, path, headers=headers, **more)
    assert answer.status_code == 202, answer.text
    at: str = answer.headers["Content-Location"]
    assert at.startswith(f"{BASE}/bulk/")
    return at


def worked() -> None:
    """Everything that waits is made."""
    while bulk_making.make_next():
        pass


def manifest(client: Client, at: str) -> dict[str, Any]:
    answer = client.get(at, headers={"Accept": "application/json"})
    assert answer.status_code == 200, (answer.status_code, answer.text)
    assert answer.content_type == "application/json" and answer.headers["Expires"]
    told: dict[str, Any] = answer.json
    assert told["requiresAccessToken"] is True
    return told


def fetched(client: Client, url: str, **headers: str) -> list[dict[str, Any]]:
    answer = client.get(url, headers={"Accept": "application/fhir+ndjson", **headers})
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/fhir+ndjson"
    body = answer.data
    if headers.get("Accept-Encoding"):
        assert answer.headers["Content-Encoding"] == "gzip"
        body = of_one_member(body)
    return [json.loads(line) for line in body.splitlines()]


def of_one_member(packed: bytes) -> bytes:
    """What a client reads that stops at the end of the first member of gzip, as httpx does."""
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    body = reader.decompress(packed)
    assert reader.eof and reader.unused_data == b""
    return body


def export(client: Client, path: str = "/$export", **more: Any) -> Lines:
    """Everything of an export, by type."""
    at = kick(client, path, **more)
    worked()
    told = manifest(client, at)
    there: Lines = {}
    for one in told["output"]:
        there[one["type"]] = fetched(client, one["url"])
        assert len(there[one["type"]]) == one["count"]
    return there


def ids(lines: Lines) -> set[tuple[str, str]]:
    return {(name, one["id"]) for name, many in lines.items() for one in many}


def db_id(at: str) -> UUID:
    return UUID(at[-36:])
