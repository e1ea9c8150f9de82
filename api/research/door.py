"""Door 3: what analysts are offered, under which address, in which document."""

from typing import Any

import flask_smorest
from flask import Flask, Response

from api.access.policies import Actor
from api.core import release
from api.research import cube, keys, projects, releases
from api.v1 import problem
from api.v1.resource import Blueprint
from api.v1.showing import json_response

PREFIX = "/research/v1"
RESOURCES: tuple[Blueprint, ...] = (projects.blp, releases.blp, cube.blp, keys.blp)
ABOUT = """\
De-identified outcomes. An analyst signs in with `POST /api/v1/auth/token` and sends the access
token as `Authorization: Bearer`; a project key opens what says so. Nothing that identifies anybody
is reached here, and an analyst's token reaches nothing else. Refusals are problem documents (RFC
9457). Rows are told by windows from the first dose, never by date; a count below eleven is not
told. A project of tier C tells limited data sets (45 CFR 164.514(e)) to the analysts whom a data
use agreement in force names: they are PHI, hold dates and postal codes, and no name.
"""
NO_OPERATION = 405
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "detail", "instance")},
        "status": {"type": "integer"},
        "request_id": {"type": "string"},
        "state": {"type": "string"},
        "allowed": {"type": "array", "items": {"type": "string"}},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


class Api(flask_smorest.Api):
    """The documented door; its errors are answered in one place of the app."""

    DEFAULT_ERROR_RESPONSE_NAME = ""

    def _register_error_handlers(self) -> None:
        """Leave errors to the one handler of the app."""

    def _register_responses(self) -> None:
        components = self.spec.components
        components.schema("Problem", PROBLEM)
        bearer = {"type": "http", "scheme": "bearer"}
        components.security_scheme("bearer", bearer)
        for kind, (status, title) in problem.STATUS.items():
            if f"Problem{status}" not in components.responses and status != NO_OPERATION:
                components.response(f"Problem{status}", _refusal(kind, status, title))

    def _register_pagination_header(self) -> None:
        """Cursors need no count."""

    def _register_etag_headers(self) -> None:
        """Each operation names its own."""


def _refusal(kind: str, status: int, title: str) -> dict[str, Any]:
    example = {"type": problem.TYPE + kind, "title": title, "status": status, "detail": f"{title}."}
    example |= {"instance": "urn:freshtrail:request:0f3c", "request_id": "0f3c"}
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": f"{title}.", "content": {"application/problem+json": content}}


def open_door(app: Flask) -> Api:
    """Register every resource and its document, which is served beside them."""
    app.config.update(
        RESEARCH_API_TITLE="Freshtrail research",
        RESEARCH_API_VERSION="1.0.0",
        RESEARCH_OPENAPI_VERSION="3.1.0",
        RESEARCH_API_SPEC_OPTIONS={
            "info": {
                "description": ABOUT,
                "license": {
                    "name": "Apache-2.0",
                    "url": "https://www.apache.org/licenses/LICENSE-2.0",
                },
                "contact": {"name": "Freshtrail", "url": "https://freshtrail.example"},
            },
            "servers": [{"url": "/"}],
            "security": [{"bearer": []}],
        },
    )
    api = Api(app, config_prefix="RESEARCH_")
    ident = {"type": "string", "format": "uuid"}
    api.register_converter(app.url_map.converters["id"], lambda _id: dict(ident))
    for blueprint in RESOURCES:
        api.register_blueprint(blueprint, url_prefix=PREFIX)

    @app.get(f"{PREFIX}/openapi.json")
    def research_document() -> Response:
        return json_response(api.spec.to_dict())

    return api


def holder_of(header: str | None, request_id: str, address: str | None) -> Actor | None:
    """Who comes with a project key; None for an access token."""
    return None if header is None else release.holder_of(header, request_id, address)
