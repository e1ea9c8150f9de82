"""Parameters of an operation, however they are sent: in the address, or as a Parameters body."""

from typing import Any, Final

from flask import request

from api.fhir.datatypes import Json
from api.fhir.outcome import NotUnderstood, WrongMediaType
from api.strict import read_object

BODIES: Final = ("application/fhir+json", "application/json")
MAX_PARAMETERS: Final = 1000
Pairs = list[tuple[str, str]]


def asked() -> Pairs:
    """Every parameter as a name and a text; raises `NotUnderstood` for a body that is none.

    A POST may have no body at all, and its parameters in the address.
    """
    pairs = [*request.args.items(multi=True)]
    if request.method != "POST" or not request.get_data(cache=True):
        return pairs
    if request.mimetype not in BODIES:
        raise WrongMediaType("Send Parameters as application/fhir+json, or no body.")
    return pairs + list(map(_pair, _parameters()))


def _parameters() -> list[Any]:
    body = read_object(request.get_data(cache=True))
    there = body.get("parameter", []) if body.get("resourceType") == "Parameters" else None
    if not isinstance(there, list) or len(there) > MAX_PARAMETERS:
        raise NotUnderstood("The body is a Parameters resource.")
    return there


def _pair(one: Any) -> tuple[str, str]:
    """The name and the text of one parameter."""
    if isinstance(one, dict) and isinstance(one.get("name"), str):
        values = [value for key, value in one.items() if key.startswith("value")]
        said = _text(values[0]) if len(values) == 1 else None
        if said is not None:
            return one["name"], said
    raise NotUnderstood("Each parameter has a name and one value.")


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        told: Json = value
        return told["reference"] if isinstance(told.get("reference"), str) else None
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else None
