"""Where hostile input goes: every field and parameter of the document, aimed at real records."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.hostile import corpus

MARK = "@@here@@"
NAMED = "@@member@@"
METHODS = ("get", "post", "put", "patch", "delete")
HEADERS = [(name, value) for name, values in corpus.HEADERS.items() for value in values]


@dataclass(frozen=True)
class Target:
    """One place of one operation; `kind` says what of the corpus is sent there."""

    route: str
    kind: str
    place: tuple[str, ...] = ()

    @property
    def payloads(self) -> list[Any]:
        """What is sent there."""
        return BY_KIND[self.kind]

    def __str__(self) -> str:
        return f"{self.route} {self.kind} /{'/'.join(self.place)}"


BY_KIND: dict[str, list[Any]] = {
    "value": corpus.RAW,
    "member": corpus.MEMBERS,
    "body": corpus.BODIES,
    "media": corpus.MEDIA,
    "query": corpus.QUERIES,
    "path": corpus.SEGMENTS,
    "header": HEADERS,
    "form": corpus.QUERIES,
}


def targets(document: dict[str, Any]) -> list[Target]:
    """Every place of every operation, in the order of the document."""
    found: list[Target] = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in METHODS:
                route = f"{method.upper()} {path.removeprefix('/api/v1')}"
                asked = [*operations.get("parameters", []), *operation.get("parameters", [])]
                found += _targets(route, operation, asked, document)
    return found


def _targets(
    route: str, operation: Any, asked: list[Any], document: dict[str, Any]
) -> Iterator[Target]:
    yield Target(route, "header")
    yield Target(route, "query", ("no_such_parameter",))
    for parameter in asked:
        parameter = _resolved(parameter, document)
        if parameter["in"] in ("query", "path"):
            yield Target(route, parameter["in"], (parameter["name"],))
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        yield Target(route, "body")
        yield Target(route, "media")
        for place, is_object in places(content["schema"], document):
            if place:
                yield Target(route, "value", place)
            if is_object:
                yield Target(route, "member", place)


def places(
    schema: dict[str, Any], document: dict[str, Any], at: tuple[str, ...] = (), depth: int = 0
) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Every place of a schema as the steps that lead there, and whether it is an object."""
    kinds = [one for one in _kinds(schema, document) if one.get("type") != "null"]
    inner: dict[str, Any] = {}
    for kind in kinds:
        inner |= kind.get("properties", {})
        if isinstance(kind.get("additionalProperties"), dict):
            inner.setdefault("any", kind["additionalProperties"])
        if "items" in kind:
            inner.setdefault("0", kind["items"])
    yield at, not at or any("object" in kind.get("type", "") for kind in kinds)
    if depth < 5:
        for name, below in inner.items():
            yield from places(below, document, (*at, name), depth + 1)


def _kinds(schema: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    schema = _resolved(schema, document)
    among = [*schema.get("allOf", []), *schema.get("anyOf", []), *schema.get("oneOf", [])]
    return [schema, *(kind for one in among for kind in _kinds(one, document))]


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    while "$ref" in schema:
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        schema = found
    return schema


def placed(body: Any, place: tuple[str, ...], mark: Any = MARK) -> Any:
    """The body with a mark at a place; what must lie above it is made."""
    if not place:
        return mark
    step, rest = place[0], place[1:]
    if step == "0":
        items = list(body) if isinstance(body, list) else []
        return [placed(items[0] if items else None, rest, mark), *items[1:]]
    inside = dict(body) if isinstance(body, dict) else {}
    return inside | {step: placed(inside.get(step), rest, mark)}


def body_with(body: Any, target: Target, payload: bytes) -> bytes:
    """The body of a target as bytes, with the payload where it belongs."""
    if target.kind == "value":
        return json.dumps(placed(body, target.place)).encode().replace(b'"@@here@@"', payload)
    inside = at(body, target.place)
    inside = inside if isinstance(inside, dict) else {}
    whole = placed(body, target.place, inside | {NAMED: 0})
    return json.dumps(whole).encode().replace(b'"@@member@@": 0', payload)


def at(body: Any, place: tuple[str, ...]) -> Any:
    """What stands at a place of a body; None where nothing does."""
    for step in place:
        if isinstance(body, dict):
            body = body.get(step)
        else:
            body = body[0] if isinstance(body, list) and body else None
    return body
