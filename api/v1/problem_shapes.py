"""The shape of a problem document, and how the OpenAPI document tells of each kind."""

from typing import Any

from api.v1 import problem

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:freshtrail:problem:invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
        "reason": {
            "type": "string",
            "enum": [
                "instrument_text_missing",
                "instrument_has_text",
                "instrument_is_shipped",
                "version_is_not_newer",
            ],
        },
        "version": {"type": "string", "description": "The newest version that there is."},
        "note_ids": {
            "type": "array",
            "description": "The drafts that stand in the way of a signature.",
            "items": {"type": "string", "format": "uuid"},
        },
        "crisis": {"$ref": "#/components/schemas/Crisis"},
        "reasons": {
            "type": "array",
            "description": "Why a session may not start or end, and whose privilege overrides it.",
            "items": {
                "type": "object",
                "required": ["code", "detail", "overridable_by"],
                "properties": {
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "about": {"type": "array", "items": {"type": "string"}},
                    "overridable_by": {"type": ["string", "null"]},
                },
            },
        },
        "state": {"type": "string"},
        "membership_id": {
            "type": "string",
            "format": "uuid",
            "description": "The membership of the care team that stands in the way.",
        },
        "allowed": {"type": "array", "items": {"type": "string"}},
        "missing": {"type": "array", "items": {"type": "string"}},
        "memberships": {
            "type": "array",
            "description": "The clinics of an account, when one must be chosen to sign in.",
            "items": {
                "type": "object",
                "required": ["clinic_id", "name", "kind"],
                "properties": {
                    "clinic_id": {"type": "string", "format": "uuid"},
                    "name": {"type": "string"},
                    "kind": {"type": "string"},
                },
            },
        },
        "busy": {
            "type": "array",
            "description": "Which of those asked for is booked already, until when.",
            "items": {
                "type": "object",
                "required": ["what", "until"],
                "properties": {
                    "what": {"type": "string", "enum": ["clinician", "room", "patient"]},
                    "until": {"type": "string", "format": "date-time"},
                    "clinician_id": {"type": "string", "format": "uuid"},
                },
            },
        },
    },
}


def response(kind: str, status: int, title: str) -> dict[str, Any]:
    """The response of a kind of problem, with its headers and an example."""
    headers: dict[str, Any] = {}
    if status == 401:
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}}
    if status in (429, 503):
        headers["Retry-After"] = {"schema": {"type": "integer"}}
    example = {
        "type": problem.TYPE + kind,
        "title": title,
        "status": status,
        "detail": title + ".",
        "instance": "urn:freshtrail:request:0f3c",
        "request_id": "0f3c",
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    described = {"description": title + ".", "content": {"application/problem+json": content}}
    return described | ({"headers": headers} if headers else {})
