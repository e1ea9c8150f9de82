"""The document and the pages that show it, served from the package alone."""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Flask, Response, redirect, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from api.v1.showing import json_response

DIST = Path(flask_swagger_ui.__file__).parent / "dist"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
NAMES = ", ".join(f'"{name}"' for name in FILES)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Freshtrail API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png"></head>
<body><div id="page"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script>
</body></html>
"""
START = """window.onload = () => SwaggerUIBundle({
  url: "/api/v1/openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null,
  persistAuthorization: false, tryItOutEnabled: true, displayRequestDuration: true,
});
"""


def register(app: Flask) -> None:
    """Serve `/api/v1/openapi.json` and `/docs`."""
    pages = Blueprint("pages", __name__)

    @pages.get("/api/v1/openapi.json")
    def document() -> Response:
        return json_response(app.extensions["v1"].spec.to_dict())

    @pages.get("/")
    def home() -> AnyResponse:
        return redirect("/docs", 302)

    @pages.get("/docs")
    def page() -> Response:
        return Response(PAGE, content_type="text/html; charset=utf-8", headers=_headers())

    @pages.get("/docs/start.js")
    def start() -> Response:
        return Response(START, content_type="text/javascript; charset=utf-8", headers=_headers())

    @pages.get(f"/docs/<any({NAMES}):name>")
    def file(name: str) -> Response:
        response = send_from_directory(DIST, name)
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response

    app.register_blueprint(pages)


def _headers() -> dict[str, str]:
    return {"Content-Security-Policy": CSP}
