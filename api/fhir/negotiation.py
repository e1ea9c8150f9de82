"""In which form a request comes and its answer goes: FHIR's JSON, whatever JSON it is called."""

from typing import Any, Final

import orjson
from flask import Response, request

from api.fhir.datatypes import Json
from api.fhir.outcome import MEDIA_TYPE, NotAcceptable, WrongMediaType

FORMATS: Final = ("json", "application/json", "application/fhir+json", "text/json")
TAKEN: Final = ("application/fhir+json", "application/json", "application/*", "*/*", "text/json")
VERSIONS: Final = ("4.0", "4.0.1")
FORM: Final = "application/x-www-form-urlencoded"


def check_accepted() -> None:
    """Raise `NotAcceptable` unless the client takes JSON; `_format` stands above `Accept`."""
    told = request.args.get("_format")
    if told is not None:
        if told.split(";")[0].strip().replace(" ", "+") not in FORMATS:
            raise NotAcceptable("_format is json.")
        return
    accepted = request.headers.get("Accept", "").strip()
    if accepted and not any(_takes(one) for one in accepted.split(",")):
        raise NotAcceptable("Ask for application/fhir+json.")


def _takes(one: str) -> bool:
    kind, *rest = [part.strip() for part in one.split(";")]
    options = dict(part.split("=", 1) for part in rest if "=" in part)
    try:
        refused = float(options.get("q", "1")) <= 0
    except ValueError:
        refused = False
    version = options.get("fhirVersion", "4.0").strip('"')
    return kind.lower() in TAKEN and not refused and version in VERSIONS


def check_form() -> None:
    """Raise `WrongMediaType` unless the body is a form."""
    if request.mimetype != FORM:
        raise WrongMediaType(f"POST _search takes {FORM}.")


def answer(body: Json, status: int = 200, **headers: str) -> Response:
    """A resource on its way out."""
    pretty = request.args.get("_pretty") == "true"
    content = orjson.dumps(body)
    if pretty:  # what was written beforehand is laid out with the rest
        content = orjson.dumps(orjson.loads(content), option=orjson.OPT_INDENT_2)
    response = Response(content, status, content_type=MEDIA_TYPE)
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response


def nothing(status: int) -> Response:
    """An answer without a body, and so of no type."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response


def plain(body: Any, status: int = 200) -> Response:
    """JSON that is no resource: of the token endpoint and of the configuration."""
    response = Response(orjson.dumps(body), status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response
