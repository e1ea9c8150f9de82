"""Every no of this door as an OperationOutcome; the one table from refusal to status and code."""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from flask import Response, g
from werkzeug.exceptions import HTTPException

from api.errors import Invalid, NotSignedIn, Refusal

MEDIA_TYPE: Final = "application/fhir+json"
STATUS: Final = {
    "unreadable": (400, "structure", "The request can't be read."),
    "not_understood": (400, "invalid", "The request is not understood."),
    "not_supported": (400, "not-supported", "This is not supported here."),
    "too_costly": (400, "too-costly", "Ask for less at once."),
    "not_signed_in": (401, "login", "Sign in first."),
    "not_allowed": (403, "forbidden", "The scopes of this client do not allow this."),
    "suspended": (403, "forbidden", "The clinic is suspended: it is read, and not written."),
    "not_found": (404, "not-found", "There is no such resource."),
    "method_not_allowed": (405, "not-supported", "This method is not supported here."),
    "not_acceptable": (406, "not-supported", "Ask for application/fhir+json."),
    "conflict": (409, "conflict", "The state of the record forbids it."),
    "busy": (409, "conflict", "The same request is being answered."),
    "gone": (410, "deleted", "The resource was deleted."),
    "cursor_too_old": (410, "expired", "The link is too old."),
    "stale": (412, "conflict", "The resource was changed meanwhile."),
    "too_many_match": (412, "multiple-matches", "More than one resource matches."),
    "too_large": (413, "too-long", "Too large."),
    "wrong_media_type": (415, "not-supported", "This media type is not supported."),
    "invalid": (422, "invalid", "Some values are not valid."),
    "version_needed": (412, "required", "Name the version you change in If-Match."),
    "too_many": (429, "throttled", "Too many requests."),
    "unexpected": (500, "exception", "Something went wrong here."),
    "unavailable": (503, "transient", "Not available just now."),
    "outcome_unknown": (503, "transient", "Perhaps done, perhaps not."),
}
MAX_TOLD: Final = 20
HEARD: Final = "Not kept; what it says of somebody's safety was told to the clinic all the same."
FROM_HTTP: Final = {
    400: "unreadable",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    414: "too_large",
    415: "wrong_media_type",
}


class NotUnderstood(Refusal):
    """A parameter or its value has no meaning here."""

    kind = "not_understood"


class Faulty(Refusal):
    """A resource can't be taken: its faults are `(code, expression, words)`, each an issue."""

    kind = "invalid"

    def __init__(self, faults: Sequence[tuple[str, str, str]], extras: str = "") -> None:
        super().__init__(extras or "The resource can't be taken as it is.")
        self.faults = list(faults)


class TooManyMatch(Refusal):
    """More than one resource answers to the condition of a write."""

    kind = "too_many_match"


class Gone(Refusal):
    """The resource was there, in reach, and is not any more."""

    kind = "gone"


class NotSupported(Refusal):
    """What was asked for exists in FHIR, and not at this door."""

    kind = "not_supported"


class NotAcceptable(Refusal):
    """The answer can't be given in a form that the client takes."""

    kind = "not_acceptable"


class TooCostly(Refusal):
    """The search would have to look at more than one request may."""

    kind = "too_costly"


class WrongMediaType(Refusal):
    """The body is of a type that is not read here."""

    kind = "wrong_media_type"


def from_refusal(refusal: Refusal) -> Response:
    """The outcome of one refusal, with its headers."""
    response = problem(refusal.kind, refusal.detail, issues_of(refusal))
    if isinstance(refusal, NotSignedIn):
        error = f'error="{refusal.error}"' if refusal.error else ""
        response.headers["WWW-Authenticate"] = f"Bearer {error}".strip()
    retry_after = getattr(refusal, "retry_after", 2 if STATUS[refusal.kind][0] == 503 else None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def issues_of(refusal: Refusal) -> list[dict[str, Any]]:
    """What an outcome tells of a refusal, each value that is wrong by itself."""
    if isinstance(refusal, Faulty):
        return [issue(code, said, at) for code, at, said in refusal.faults[:MAX_TOLD]]
    if isinstance(refusal, Invalid):
        errors = refusal.errors[:MAX_TOLD]
        return [
            issue("value", f"{at}: {said}", at.strip("/").replace("/", ".")) for at, said in errors
        ]
    _status, code, words = STATUS[refusal.kind]
    return [issue(code, refusal.detail or words)]


def outcome_of(issues: list[dict[str, Any]]) -> dict[str, Any]:
    """An outcome as a resource, for an answer that is none of a refusal or stands in a bundle."""
    return {"resourceType": "OperationOutcome", "issue": issues}


def from_http(error: HTTPException) -> Response:
    """The outcome of what the framework refused: no such path, no such method."""
    response = problem(FROM_HTTP.get(error.code or 500, "unexpected"), "")
    if error.code == 405 and getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # type: ignore[attr-defined]
    return response


def problem(kind: str, detail: str, issues: list[dict[str, Any]] | None = None) -> Response:
    """An OperationOutcome; it names neither person nor record, table nor statement."""
    status, code, words = STATUS[kind]
    body = {
        "resourceType": "OperationOutcome",
        "id": getattr(g, "request_id", "")[:64] or None,
        "issue": issues or [issue(code, detail or words)],
    }
    body = {name: value for name, value in body.items() if value}
    return Response(orjson.dumps(body), status, content_type=MEDIA_TYPE)


def with_crisis(response: Response, _crisis: dict[str, Any]) -> Response:
    """The outcome, which says besides that somebody was told of what was answered."""
    body = orjson.loads(response.get_data())
    body["issue"].append(issue("informational", HEARD, "", "warning"))
    response.set_data(orjson.dumps(body))
    return response


def issue(code: str, text: str, at: str = "", severity: str = "error") -> dict[str, Any]:
    """One issue of an outcome, with the element it speaks of as a FHIRPath."""
    said = text.encode("utf-8", "replace").decode()
    told: dict[str, Any] = {"severity": severity, "code": code, "diagnostics": said[:1000]}
    expression = at.encode("utf-8", "replace").decode()[:200]
    return told | ({"expression": [expression]} if expression else {})
