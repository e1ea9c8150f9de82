"""What anybody may ask: whether the service lives and is ready, its public keys, whom to tell."""

from datetime import timedelta

from flask import Blueprint, Flask, Response

from api import clock, draining, schema
from api.access import keys
from api.config import settings
from api.core import on_call
from api.errors import Unavailable
from api.v1.forms import show_instant
from api.v1.showing import json_response

KEYS_KEPT_S = 300
CONTACT_GOOD_FOR = timedelta(days=180)


def register(app: Flask) -> None:
    """Serve `/livez`, `/readyz` and the well-known addresses, without a token."""
    discovery = Blueprint("discovery", __name__)

    @discovery.get("/livez")
    def live() -> Response:
        return json_response({"status": "ok"})

    @discovery.get("/readyz")
    def ready() -> Response:
        if draining.is_draining() or not schema.is_ready():
            raise Unavailable("Not ready to serve.")
        return json_response({"status": "ok", "degraded": on_call.degraded()})

    @discovery.get("/.well-known/jwks.json")
    def jwks() -> Response:
        response = json_response(keys.jwks())
        response.headers["Cache-Control"] = f"public, max-age={KEYS_KEPT_S}"
        return response

    @discovery.get("/.well-known/security.txt")
    def security() -> Response:
        return Response(_security_text(), content_type="text/plain; charset=utf-8")

    app.register_blueprint(discovery)


def _security_text() -> str:
    """Whom to tell of a weakness (RFC 9116)."""
    expires = show_instant((clock.now() + CONTACT_GOOD_FOR).replace(microsecond=0))
    return f"Contact: {settings().security_contact}\nExpires: {expires}\nPreferred-Languages: en\n"
