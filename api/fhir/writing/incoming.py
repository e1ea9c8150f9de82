"""A body on its way in: read strictly, held against HL7's schema, references made relative."""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Final

import jsonschema_rs
from flask import request

from api.config import settings
from api.errors import Refusal
from api.fhir.datatypes import Json
from api.fhir.outcome import Faulty, WrongMediaType
from api.strict import read_array, read_object

MEDIA: Final = ("application/fhir+json", "application/json", "text/json")
PATCHES: Final = ("application/json-patch+json",)
MOST: Final = 40_000
"""How many values a body may have: a bundle of some hundred resources."""
BAD: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters that can't be stored."""
CODES: Final = {
    "Required": "required",
    "Enum": "code-invalid",
    "Constant": "code-invalid",
    "Pattern": "value",
    "Type": "value",
}
"""The code of an issue by the word of the schema that is broken; any other is of structure."""
STEP: Final = re.compile(r"[A-Za-z0-9_]+", re.ASCII)


class TooLarge(Refusal):
    """The body is larger than this door reads."""

    kind = "too_large"


def read_body() -> Json:
    """The JSON object of a request that writes."""
    return read_object(_raw(MEDIA), MOST)


def read_patch() -> list[Any]:
    """The operations of a JSON Patch (RFC 6902)."""
    return read_array(_raw(PATCHES))


def _raw(media: tuple[str, ...]) -> bytes:
    if request.mimetype not in media:
        raise WrongMediaType(f"Send {media[0]}.")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise WrongMediaType("Send the body without compression.")
    limit = settings().body_kib * 1024
    raw = request.get_data() if (request.content_length or 0) <= limit else b" " * (limit + 1)
    if len(raw) > limit:
        raise TooLarge(f"At most {settings().body_kib} KiB.")
    return raw


@cache
def _schema() -> dict[str, Any]:
    text = files(__package__).joinpath("r4.schema.json").read_text("utf-8")
    return dict(json.loads(text))


@cache
def _validator(kind: str) -> Any:
    return jsonschema_rs.validator_for(_schema() | {"$ref": f"#/definitions/{kind}"})


def checked(kind: str, resource: Any, base: str) -> Json:
    """The resource, valid by HL7's schema of R4; raises `Faulty` with where each fault lies."""
    if not isinstance(resource, dict) or resource.get("resourceType") != kind:
        raise Faulty([("structure", "resourceType", f"A {kind} is expected here.")])
    faults = list(_unstorable(resource, kind)) or [
        (_code_of(fault), _place(kind, fault.instance_path), _said(fault))
        for fault in _some(_validator(kind).iter_errors(resource))
    ]
    faults = faults or list(_unheeded(resource, kind))
    if faults:
        raise Faulty(faults)
    relative: Json = _relative(resource, base + "/")
    return relative


def _some(faults: Iterator[Any], most: int = 20) -> Iterator[Any]:
    for _number, fault in zip(range(most), faults, strict=False):
        yield fault


def _unstorable(value: Any, at: str) -> Iterator[tuple[str, str, str]]:
    """Text that no database keeps, also in the names of elements."""
    if isinstance(value, str):
        if BAD.search(value):
            yield "value", at, "Contains a character that can't be stored."
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            if not STEP.fullmatch(name):
                yield "structure", at, "There is no such element."
            else:
                yield from _unstorable(inner, f"{at}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _unstorable(inner, f"{at}[{number}]")


def _unheeded(resource: Json, kind: str) -> Iterator[tuple[str, str, str]]:
    """What would change the meaning of the rest, and is not understood here."""
    for name in ("modifierExtension", "implicitRules"):
        if name in resource:
            yield "extension", f"{kind}.{name}", "Not understood here; nothing is taken with it."


def _place(kind: str, path: Any) -> str:
    told = kind
    for step in path:
        told += f"[{step}]" if isinstance(step, int) else f".{step}"
    return told


def _code_of(fault: Any) -> str:
    return CODES.get(type(fault.kind).__name__.rpartition("_")[2], "structure")


def _said(fault: Any) -> str:
    """The words of a fault, without the value that was sent: outcomes are kept in logs."""
    name = type(fault.kind).__name__.rpartition("_")[2]
    if name == "AdditionalProperties":
        unexpected = ", ".join(str(one) for one in fault.kind.unexpected)
        return f"There is no such element: {unexpected[:200]}."
    if name == "Required":
        return f"Needed: {fault.kind.property}."
    if name == "Enum":
        return "None of the codes that may stand here."
    if name == "Type":
        return f"Expected: {fault.kind.types}."
    return "Not of the form that FHIR gives this element."


def _relative(value: Any, prefix: str) -> Any:
    """The value with references to ours as we write them."""
    if isinstance(value, dict):
        return {
            key: inner.removeprefix(prefix)
            if key == "reference" and isinstance(inner, str)
            else _relative(inner, prefix)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_relative(inner, prefix) for inner in value]
    return value
