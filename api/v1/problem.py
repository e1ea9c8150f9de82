"""Every no of this door as RFC 9457 problem details; the one table from refusal to status."""

from typing import Any

import orjson
from flask import Response, g
from werkzeug.exceptions import HTTPException

from api.errors import Invalid, NotSignedIn, Refusal
from api.v1.forms import MAX_POINTER, writable

TYPE = "urn:freshtrail:problem:"
STATUS = {
    "unreadable": (400, "The request can't be read"),
    "not_signed_in": (401, "Not signed in"),
    "not_allowed": (403, "Not allowed"),
    "suspended": (403, "The clinic is suspended"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "Method not allowed"),
    "too_slow": (408, "The request took too long to arrive"),
    "conflict": (409, "The state of the record forbids it"),
    "busy": (409, "The same request is being answered"),
    "cursor_too_old": (410, "The cursor is too old"),
    "stale": (412, "Changed meanwhile"),
    "too_large": (413, "Too large"),
    "wrong_media_type": (415, "Wrong media type"),
    "invalid": (422, "Some values are not valid"),
    "version_needed": (428, "Name the version you change"),
    "too_many": (429, "Too many requests"),
    "unexpected": (500, "Something went wrong here"),
    "unavailable": (503, "Not available just now"),
    "outcome_unknown": (503, "Perhaps done, perhaps not"),
}
FROM_HTTP = {
    400: "unreadable",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
}


def from_refusal(refusal: Refusal) -> Response:
    """The problem of one refusal, with its headers and machine-readable extras."""
    body: dict[str, Any] = {k: v for k, v in refusal.extras.items() if v is not None}
    if isinstance(refusal, Invalid):
        body["errors"] = [
            {"pointer": writable(at[:MAX_POINTER]), "detail": writable(said)}
            for at, said in refusal.errors
        ]
    response = problem(refusal.kind, refusal.detail, body)
    if isinstance(refusal, NotSignedIn):
        response.headers["WWW-Authenticate"] = _challenge(refusal)
    retry_after = getattr(refusal, "retry_after", 2 if STATUS[refusal.kind][0] == 503 else None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _challenge(refusal: NotSignedIn) -> str:
    parts = [f'error="{refusal.error}"'] if refusal.error else []
    if "max_age" in refusal.extras:
        parts.append(f'max_age="{refusal.extras["max_age"]}"')
    return "Bearer " + ", ".join(parts) if parts else "Bearer"


def from_http(error: HTTPException) -> Response:
    """The problem of what the framework refused: no such path, no such method."""
    kind = FROM_HTTP.get(error.code or 500, "unexpected")
    response = problem(kind, "")
    if error.code == 405 and getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # type: ignore[attr-defined]
    return response


def with_crisis(response: Response, crisis: dict[str, Any]) -> Response:
    """The same refusal, with whom to turn to before anything else."""
    body = {"crisis": crisis} | response.get_json()
    response.set_data(orjson.dumps(body, option=orjson.OPT_UTC_Z))
    return response


def problem(kind: str, detail: str, more: dict[str, Any] | None = None) -> Response:
    """A problem document; it names neither person nor record, table nor statement."""
    status, title = STATUS[kind]
    request_id = getattr(g, "request_id", "")
    body = {
        "type": TYPE + kind,
        "title": title,
        "status": status,
        "detail": detail or title + ".",
        "instance": f"urn:freshtrail:request:{request_id}",
        "request_id": request_id,
        **(more or {}),
    }
    content = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    return Response(content, status, content_type="application/problem+json")
