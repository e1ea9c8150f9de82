"""The whole, built: settings, doors, one transaction a request, and the one place that says no."""

import logging
import re
from typing import Any

from flask import Flask, Request, Response, g, request
from flask_cors import CORS
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from api import db, edge, watching
from api.access import tokens
from api.access.policies import Actor
from api.audit import trail
from api.config import settings
from api.core import (
    awake,
    client_volumes as _client_volumes,  # noqa: F401
    gate,
    refusals,
    sealing as _sealing,  # noqa: F401
)
from api.core.outcomes import worsening as _worsening  # noqa: F401
from api.core.treatment import sessions as _sessions  # noqa: F401
from api.errors import (
    Busy,
    Conflict,
    NotAllowed,
    NotSignedIn,
    OutcomeUnknown,
    Refusal,
    Stale,
    Suspended,
    Unavailable,
    Unreadable,
    Unsafe,
)
from api.fhir import door as fhir, outcome, smart
from api.research import door as research
from api.routing import IdConverter, Server
from api.v1 import discovery, door as v1, pages, problem, quota, signin
from api.v1.body import read_json
from api.v1.resource import Blueprint

log = logging.getLogger("freshtrail")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
HEEDED = (409, 412, 422, 428)
"""Refusals after which what a form says of somebody's safety is heard all the same; so it is while
the clinic is suspended (403)."""
SAME_KEY = "Try again with the same Idempotency-Key."
READ_FIRST = "Read whether it was done before you try again."


def build() -> Flask:
    """The application, ready to serve; raises `Unsafe` when the settings are not."""
    app = Server("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings().body_kib * 1024 + 1
    app.url_map.converters["id"] = IdConverter
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    tokens.prepare(app)
    app.before_request(_enter)
    app.after_request(_leave)
    app.teardown_request(_forget)
    if settings().origins:
        CORS(app, origins=settings().origins, expose_headers=edge.EXPOSED, max_age=600)
    app.extensions["v1"] = v1.open_door(app)
    app.extensions["research"] = research.open_door(app)
    fhir.open_door(app)
    app.extensions["offers"] = _offers((*v1.RESOURCES, *research.RESOURCES))
    pages.register(app)
    discovery.register(app)
    app.register_error_handler(Exception, _refuse)
    inner = edge.welcomed(app.wsgi_app, settings().trusted_hops, settings().body_seconds)
    dressed = edge.dressed(inner, settings().mode == "production")
    app.wsgi_app = watching.watched(dressed, settings())  # type: ignore[method-assign, assignment]
    return app


def _offers(resources: tuple[Blueprint, ...]) -> dict[str, Any]:
    return {f"{r.name}.{name}": offer for r in resources for name, offer in r.offers.items()}


def _at_hand() -> tuple[Request, Any]:
    """The request and its `g` themselves: by their proxies each use would look for them anew."""
    return request._get_current_object(), g._get_current_object()  # type: ignore[attr-defined]


def _enter() -> None:
    """Who knocks, before anything of the body is read."""
    asked, kept = _at_hand()
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
    offer = _app().extensions["offers"].get(asked.endpoint)
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
        door=_door(asked),
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


def _no() -> Any:
    """How a refusal is written at the door that was knocked at."""
    return outcome if fhir.is_ours(request.path) else problem


def _app() -> Flask:
    from flask import current_app

    return current_app


def _leave(response: Response) -> Response:
    """Settle the request: keep what was done, or undo it and keep only that it was refused."""
    try:
        _settle(response.status_code)
        response = _heed(response)
        _note_deed()
    except (DBAPIError, PoolTimeout) as problem:
        log.exception("the request could not be settled", extra={"request_id": g.request_id})
        db.leave_store()
        if response.status_code != 503:  # which says already why, and perhaps more
            response = _no().from_refusal(_unavailable(problem, SAME_KEY))
    _count_refusal(response.status_code)
    return _dress(response)


def _settle(status: int) -> None:
    actor: Actor | None = getattr(g, "actor", None)
    deed = trail.current()
    if status < 400:
        if deed is not None and actor is not None and actor.known is not None:
            trail.write(db.store(), actor.signature(), "ok")
        db.keep()
        return
    db.leave_store()
    if deed is not None and actor is not None and actor.known is not None and not deed.written:
        with db.within(actor.clinic_id), db.transaction() as store:
            trail.write(store, actor.signature(), "refused", str(getattr(g, "refused_as", status)))


def _count_refusal(status: int) -> None:
    """Count a refusal of whom nobody knows: it has left no event of its own."""
    actor: Actor | None = getattr(g, "actor", None)
    kind = getattr(g, "counted_as", None)
    is_told = trail.current() is not None and actor is not None and actor.known is not None
    if status in (401, 429) and kind is not None and not is_told:
        door = _door(request)
        refusals.count(request.remote_addr, door, kind)
        request.environ[edge.REFUSED] = (door, kind)


def _door(asked: Request) -> str:
    """Which door was knocked at."""
    if fhir.is_ours(asked.path):
        return "fhir"
    return "research" if asked.path.startswith(research.PREFIX) else "v1"


def _note_deed() -> None:
    """Keep the sign-in awake; whatever goes wrong here, the request is answered."""
    actor: Actor | None = getattr(g, "actor", None)
    if actor is None or actor.known is None or not signin.is_deed():
        return
    try:
        awake.note_deed(actor.sign_in_id, actor.known)
    except (DBAPIError, PoolTimeout):
        log.exception("a deed was not noted", extra={"request_id": g.request_id})
        db.leave_store()


def _heed(response: Response) -> Response:
    """Hear what a refused form says of somebody's safety, in a transaction of its own.

    Whatever goes wrong here, the refusal is answered.
    """
    refused_as = getattr(g, "refused_as", None)
    if response.status_code not in HEEDED and refused_as != Suspended.kind:
        return response
    offer = _app().extensions["offers"].get(request.endpoint)
    heard = fhir.heard(request.endpoint) if offer is None else offer.heard
    if heard is None:
        return response
    actor: Actor | None = getattr(g, "actor", None)
    if actor is None or actor.known is None or refused_as == Busy.kind:
        return response
    try:
        crisis = _hear(heard, actor)
    except Exception:
        log.exception("a refused form was not heard", extra={"request_id": g.request_id})
        return response
    return response if crisis is None else _no().with_crisis(response, crisis)


def _hear(heard: Any, actor: Actor) -> dict[str, Any] | None:
    trail.forget()
    trail.begin("alert:raise")
    actor.extras[gate.HEARING] = True
    try:
        said = fhir.read_body() if fhir.is_ours(request.path) else read_json(request)
        with db.within(actor.clinic_id), db.transaction() as store:
            crisis: dict[str, Any] | None = heard(actor, **request.view_args or {}, said=said)
            if crisis is not None:
                trail.write(store, actor.signature(), "ok")
    except Refusal:
        return None
    return crisis


def _dress(response: Response) -> Response:
    asked, kept = _at_hand()
    told = [("X-Request-ID", getattr(kept, "request_id", "")), *quota.told()]
    environ = asked.environ
    environ[edge.OF_REQUEST] = told
    if asked.url_rule is not None:
        environ[edge.ROUTE] = asked.url_rule.rule
    environ[edge.REQUEST_ID] = told[0][1]
    return response


def _forget(_error: BaseException | None) -> None:
    db.leave_store()
    db.walls.say(None)
    trail.forget()
    refusals.write_due()


def _refuse(error: Exception) -> Response:
    """The one handler: from whatever was raised to a problem document, or an outcome."""
    answer: Response
    if isinstance(error, Refusal):
        g.refused_as, g.counted_as = error.kind, error.counted_as
        answer = _no().from_refusal(error)
    elif isinstance(error, HTTPException):
        answer = _no().from_http(error)
    elif isinstance(error, DBAPIError | PoolTimeout):
        answer = _refuse_for_database(error)
    elif isinstance(error, Unsafe):  # keys that can't be read just now
        log.exception("unsafe", extra={"request_id": getattr(g, "request_id", "")})
        answer = _refuse(Unavailable("The keys can't be read just now."))
    else:
        log.exception("unexpected", extra={"request_id": getattr(g, "request_id", "")})
        answer = _no().problem("unexpected", "")
    return answer


def _refuse_for_database(error: Exception) -> Response:
    code = getattr(getattr(error, "orig", None), "sqlstate", None)
    log.exception("database", extra={"request_id": getattr(g, "request_id", "")})
    if code == "40001":
        return _refuse(Stale("The record was changed meanwhile."))
    if db.meets_another(error):
        return _refuse(Conflict("It meets what is there already. Read again, and then try again."))
    if type(error).__name__ in ("IntegrityError", "DataError", "ProgrammingError"):
        answer: Response = _no().problem("unexpected", "")
        return answer
    return _refuse(_unavailable(error, "The database did not answer in time."))


def _unavailable(problem: Exception, words: str) -> Refusal:
    """How it is told that the database is away: whether a write was kept may be unknown."""
    reads = request.method in ("GET", "HEAD") or request.path.endswith("/_search")
    if reads or not db.is_unknown(problem):
        return Unavailable(words)
    has_key = request.method == "POST" and "Idempotency-Key" in request.headers
    again = SAME_KEY if has_key and not fhir.is_ours(request.path) else READ_FIRST
    return OutcomeUnknown(f"The database was lost while this was kept. {again}")
