"""How a request ends: kept or undone, heard, counted, and told in the words of its door."""

import logging
from typing import Any

from flask import Flask, Request, Response, g, request
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from api import db, edge
from api.access.policies import Actor
from api.audit import trail
from api.core import awake, gate, refusals
from api.errors import (
    Busy,
    Conflict,
    OutcomeUnknown,
    Refusal,
    Stale,
    Suspended,
    Unavailable,
    Unsafe,
)
from api.fhir import door as fhir, outcome
from api.research import door as research
from api.v1 import problem, quota, signin
from api.v1.body import read_json

log = logging.getLogger("freshtrail")
HEEDED = (409, 412, 422, 428)
"""Refusals after which what a form says of somebody's safety is heard all the same; so it is while
the clinic is suspended (403)."""
SAME_KEY = "Try again with the same Idempotency-Key."
READ_FIRST = "Read whether it was done before you try again."


def at_hand() -> tuple[Request, Any]:
    """The request and its `g` themselves: by their proxies each use would look for them anew."""
    return request._get_current_object(), g._get_current_object()  # type: ignore[attr-defined]


def _no() -> Any:
    """How a refusal is written at the door that was knocked at."""
    return outcome if fhir.is_ours(request.path) else problem


def the_app() -> Flask:
    """The application that answers."""
    from flask import current_app

    return current_app


def leave(response: Response) -> Response:
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
        door = door_of(request)
        refusals.count(request.remote_addr, door, kind)
        request.environ[edge.REFUSED] = (door, kind)


def door_of(asked: Request) -> str:
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
    offer = the_app().extensions["offers"].get(request.endpoint)
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
    asked, kept = at_hand()
    told = [("X-Request-ID", getattr(kept, "request_id", "")), *quota.told()]
    environ = asked.environ
    environ[edge.OF_REQUEST] = told
    if asked.url_rule is not None:
        environ[edge.ROUTE] = asked.url_rule.rule
    environ[edge.REQUEST_ID] = told[0][1]
    return response


def forget(_error: BaseException | None) -> None:
    """Leave nothing of this request to the next one."""
    db.leave_store()
    db.walls.say(None)
    trail.forget()
    refusals.write_due()


def refuse(error: Exception) -> Response:
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
        answer = refuse(Unavailable("The keys can't be read just now."))
    else:
        log.exception("unexpected", extra={"request_id": getattr(g, "request_id", "")})
        answer = _no().problem("unexpected", "")
    return answer


def _refuse_for_database(error: Exception) -> Response:
    code = getattr(getattr(error, "orig", None), "sqlstate", None)
    log.exception("database", extra={"request_id": getattr(g, "request_id", "")})
    if code == "40001":
        return refuse(Stale("The record was changed meanwhile."))
    if db.meets_another(error):
        return refuse(Conflict("It meets what is there already. Read again, and then try again."))
    if type(error).__name__ in ("IntegrityError", "DataError", "ProgrammingError"):
        answer: Response = _no().problem("unexpected", "")
        return answer
    return refuse(_unavailable(error, "The database did not answer in time."))


def _unavailable(problem: Exception, words: str) -> Refusal:
    """How it is told that the database is away: whether a write was kept may be unknown."""
    reads = request.method in ("GET", "HEAD") or request.path.endswith("/_search")
    if reads or not db.is_unknown(problem):
        return Unavailable(words)
    has_key = request.method == "POST" and "Idempotency-Key" in request.headers
    again = SAME_KEY if has_key and not fhir.is_ours(request.path) else READ_FIRST
    return OutcomeUnknown(f"The database was lost while this was kept. {again}")
