"""The whole, built: settings, doors, and who knocks at them."""

import re
from typing import Any

from flask import Flask, Request, g, request
from flask_cors import CORS

from api import db, edge, ending, watching
from api.access import tokens
from api.access.policies import Actor
from api.audit import trail
from api.config import settings
from api.core import (
    client_volumes as _client_volumes,  # noqa: F401
    sealing as _sealing,  # noqa: F401
)
from api.core.outcomes import worsening as _worsening  # noqa: F401
from api.core.treatment import sessions as _sessions  # noqa: F401
from api.errors import NotAllowed, NotSignedIn, Unreadable
from api.fhir import door as fhir, smart
from api.research import door as research
from api.routing import IdConverter, Server
from api.v1 import discovery, door as v1, pages, quota
from api.v1.resource import Blueprint

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def build() -> Flask:
    """The application, ready to serve; raises `Unsafe` when the settings are not."""
    app = Server("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings().body_kib * 1024 + 1
    app.url_map.converters["id"] = IdConverter
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    tokens.prepare(app)
    app.before_request(_enter)
    app.after_request(ending.leave)
    app.teardown_request(ending.forget)
    if settings().origins:
        CORS(app, origins=settings().origins, expose_headers=edge.EXPOSED, max_age=600)
    app.extensions["v1"] = v1.open_door(app)
    app.extensions["research"] = research.open_door(app)
    fhir.open_door(app)
    app.extensions["offers"] = _offers((*v1.RESOURCES, *research.RESOURCES))
    pages.register(app)
    discovery.register(app)
    app.register_error_handler(Exception, ending.refuse)
    inner = edge.welcomed(app.wsgi_app, settings().trusted_hops, settings().body_seconds)
    dressed = edge.dressed(inner, settings().mode == "production")
    app.wsgi_app = watching.watched(dressed, settings())  # type: ignore[method-assign, assignment]
    return app


def _offers(resources: tuple[Blueprint, ...]) -> dict[str, Any]:
    return {f"{r.name}.{name}": offer for r in resources for name, offer in r.offers.items()}


def _enter() -> None:
    """Who knocks, before anything of the body is read."""
    asked, kept = ending.at_hand()
    given = asked.environ.get("HTTP_X_REQUEST_ID", "")
    kept.request_id = given if REQUEST_ID.fullmatch(given) else db.new_id().hex
    trail.forget()
    db.walls.say(db.walls.NOBODY)
    _look_at_host(asked)
    if asked.method == "OPTIONS":
        return
    if fhir.is_ours(asked.path):
        _enter_by_fhir()
        return
    offer = ending.the_app().extensions["offers"].get(asked.endpoint)
    if offer is None or offer.action is None:
        return
    header = asked.environ.get("HTTP_AUTHORIZATION")
    who = kept.request_id, asked.remote_addr
    kept.actor = research.holder_of(header, *who) if offer.keyed else None
    kept.actor = kept.actor or _signed_in(header, asked, kept.request_id)
    db.walls.say(db.Within(kept.actor.clinic_id))
    quota.spend(kept.actor)


def _signed_in(header: str | None, asked: Request, request_id: str) -> Actor:
    """Who comes with an access token; their rights are not looked at yet."""
    claims = _claims(header)
    return Actor(
        sign_in_id=claims["sid"],
        user_id=claims["sub"],
        clinic_id=claims["clinic"],
        door=ending.door_of(asked),
        request_id=request_id,
        client_ip=asked.remote_addr,
    )


def _claims(header: str | None) -> dict[str, Any]:
    """What a person's token says. An EHR client's own is good, but not at this door."""
    try:
        return tokens.read(header)
    except NotSignedIn:
        if smart.is_clients(header):
            raise NotAllowed("A system client acts at the FHIR door alone.") from None
        raise


PROBES = ("/livez", "/readyz")
"""What those ask who look after the process: they know it by its address."""


def _look_at_host(asked: Request) -> None:
    """Answer only to the names that are ours, where the settings say which."""
    hosts = settings().hosts
    if hosts and asked.path not in PROBES:
        host = asked.headers.get("Host", "").lower()
        if host not in hosts and host.rpartition(":")[0] not in hosts:
            raise Unreadable("This is not the address of this service.")


def _enter_by_fhir() -> None:
    """A client with its token; whoever comes for one is counted by where from."""
    if fhir.is_locked(request.endpoint):
        actor = smart.knock()
        db.walls.say(db.Within(actor.clinic_id))
        quota.spend(actor)
        g.actor = actor
    elif request.method == "POST":
        quota.spend_assertion(request.remote_addr)
