"""What every v1 resource is made of: the locked blueprint with the rules of every request."""

import re
from collections.abc import Callable, Container
from functools import cache, wraps
from typing import Any

import flask_smorest
import marshmallow as ma
from flask import Response, g, request

from api.access.policies import Actor
from api.core import gate, replay
from api.errors import Invalid, Refusal, Stale, VersionNeeded
from api.paging import Listing, Page
from api.v1 import cursors
from api.v1.body import read_json
from api.v1.forms import Ask, Show, point_out, show_instant
from api.v1.offers import DEFAULT_LIMIT, MAX_KEY, Offer, PageQuery as PageQuery, describe
from api.v1.showing import json_response, show, show_all


class Blueprint(flask_smorest.Blueprint):
    """A blueprint whose every route is locked, documented and follows the rules of requests."""

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, name, description=description)
        self.offers: dict[str, Offer] = {}

    def offer(
        self,
        method: str,
        rule: str,
        action: str | None,
        *,
        body: type[Ask] | None = None,
        answer: type[Show] | None = None,
        example: dict[str, Any] | None = None,
        errors: tuple[int, ...] = (),
        **more: Any,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Offer a core function at an address: `action` is its row of the policy table.

        The endpoint takes the actor, the path's ids, the query's fields by name, `values` (the
        body), `asked` (the page) and `version` (from If-Match), each where it is offered. An
        `action` of None is open to everybody. Raises KeyError for an action without a row.
        """
        changes = method in ("PATCH", "PUT", "DELETE")
        more.setdefault("versioned", changes)
        more.setdefault("status", 201 if method == "POST" and more.get("location") else 200)
        more.setdefault("replays", method == "POST" and action is not None)
        plan = Offer(method, action, body=body, answer=answer, **more)

        def decorator(endpoint: Callable[..., Any]) -> Callable[..., Any]:
            view = _view(plan, endpoint)
            view._apidoc = describe(plan, endpoint, example, errors)  # type: ignore[attr-defined]
            self.offers[endpoint.__name__] = plan
            self.add_url_rule(rule, endpoint.__name__, view, methods=[method])
            return endpoint

        return decorator


def _view(plan: Offer, endpoint: Callable[..., Any]) -> Callable[..., Response]:
    @wraps(endpoint)
    def view(**path: Any) -> Response:
        actor: Actor | None = getattr(g, "actor", None)
        given = _admitted(plan, actor, path)
        return _replayed(plan, actor, given, lambda: _call(plan, endpoint, actor, given))

    return view


def _admitted(plan: Offer, actor: Actor | None, path: dict[str, Any]) -> dict[str, Any]:
    """What was given, read once the gate has admitted the actor.

    A hot read (not `early`) carries the gate in its own statement; there the gate is asked here
    only before a fault of the request is told.
    """
    if plan.early:
        _pass_gate(plan, actor)
    try:
        return _given(plan, actor, path)
    except Refusal:
        _pass_gate(plan, actor)
        raise


def _pass_gate(plan: Offer, actor: Actor | None) -> None:
    if plan.action is not None and actor is not None:
        gate.admit(actor, plan.action)


def _given(plan: Offer, actor: Actor | None, path: dict[str, Any]) -> dict[str, Any]:
    given = dict(path)
    if plan.versioned:
        given["version"] = _expected(plan)
    if plan.paged or plan.query is not None:
        given |= _query(plan, actor)
    else:
        _no_query()
    if plan.body is not None:
        given["values"] = _load(_form(plan.body), read_json(request))
    return given


def _call(plan: Offer, endpoint: Callable[..., Any], actor: Actor | None, given: Any) -> Response:
    result = endpoint(**given) if plan.action is None else endpoint(actor, **given)
    if isinstance(result, Response):
        return result
    if isinstance(result, Listing):
        return _answer_list(plan, actor, result)
    return _answer(plan, actor, result, given)


def _schema(plan: Offer, actor: Actor | None) -> type[Show] | None:
    """The schema of the answer to this actor."""
    if plan.to_patient is not None and actor is not None and actor.rights.is_patient:
        return plan.to_patient
    return plan.answer


@cache
def _form(schema: type[Ask]) -> Ask:
    """The one instance of a form: to make it copies every field, to read with it changes none."""
    return schema()


def _load(schema: Ask, data: Any) -> Any:
    try:
        return schema.load(data)
    except ma.ValidationError as error:
        messages = (
            error.messages if isinstance(error.messages, dict) else {"_schema": error.messages}
        )
        raise Invalid(point_out(messages)) from None


def _no_query(known: Container[str] = ()) -> None:
    given = request.args if request.query_string else ()
    if unknown := [name for name in given if name not in known]:
        raise Invalid([(f"/{name}", "This parameter is not known here.") for name in unknown])


def _query(plan: Offer, actor: Actor | None) -> dict[str, Any]:
    schema = _form(plan.query or PageQuery)
    _no_query([field.data_key or name for name, field in schema.load_fields.items()])
    raw: dict[str, Any] = {}
    for name, values in request.args.lists():
        if len(values) > 1:
            raise Invalid([(f"/{name}", "Given more than once.")])
        raw[name] = values[0]
    loaded = _load(schema, raw)
    if not plan.paged:
        return dict(loaded)
    after = None
    if "cursor" in loaded and actor is not None:
        if set(raw) - {"cursor", "limit"}:
            raise Invalid([("/cursor", "A cursor holds the filters; send it with limit alone.")])
        raw, after = cursors.read(actor, request.path, loaded["cursor"])
        loaded = _load(schema, raw) | {"limit": loaded["limit"]}
    raw.pop("limit", None)
    g.filters = raw
    asked = Page(loaded.pop("limit"), after, loaded.pop("updated_since", None))
    return {**loaded, "asked": asked}


def _expected(plan: Offer) -> int | str | None:
    """The version named by If-Match; 0 where none need be, for what may not be there yet."""
    if plan.creates and "If-Match" not in request.headers:
        return 0
    return expected_edition() if plan.edition else expected_version()


def expected_version() -> int | None:
    """The version named by If-Match; None for `*`. Raises 428's and 412's kinds."""
    number = expected_edition()
    if number is None:
        return None
    if not re.fullmatch(r"0|[1-9]\d{0,8}", number, re.ASCII):
        raise Stale("If-Match names no version of this record.")
    return int(number)


def expected_edition() -> str | None:
    """The same for a record whose version is a word, such as 1.0.0."""
    header = request.headers.get("If-Match")
    if header is None:
        raise VersionNeeded('Send If-Match with the ETag of the record, "<version>".')
    tag = header.strip()
    if tag == "*":
        return None
    return tag[1:-1] if len(tag) > 2 and tag[0] == tag[-1] == '"' else ""


def _answer(plan: Offer, actor: Actor | None, result: Any, given: dict[str, Any]) -> Response:
    if plan.status == 204:
        return Response(status=204)
    status, schema = _outcome(plan, result) or (plan.status, _schema(plan, actor))
    body = result if plan.ready or schema is None else show(schema, result)
    response = json_response(body, status)
    version = result.get("version") if isinstance(result, dict) else None
    if version is not None:
        response.headers["ETag"] = f'"{version}"'
        if plan.method == "GET" and not plan.derived and _is_unchanged(version):
            response.status_code = 304
            response.set_data(b"")
    if plan.location is not None and response.status_code in (201, _taken(plan)):
        response.headers["Location"] = plan.location.format(
            **{**result, **given, "id": result["id"]}
        )
    return response


def _taken(plan: Offer) -> int | None:
    """202 where that is the plain answer: what was asked for is there, and is being made."""
    return 202 if plan.status == 202 else None


def _outcome(plan: Offer, result: Any) -> tuple[int, type[Show] | None] | None:
    """Status and schema of an answer whose `result` has its own."""
    for word, status, schema in plan.outcomes:
        if result["result"] == word:
            return status, schema or plan.answer
    return None


def _is_unchanged(version: int) -> bool:
    header = request.headers.get("If-None-Match", "")
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return f'"{version}"' in tags or header.strip() == "*"


def _answer_list(plan: Offer, actor: Actor | None, listing: Listing) -> Response:
    schema = _schema(plan, actor)
    items = listing.items if plan.ready or schema is None else show_all(schema, listing.items)
    body: dict[str, Any] = {"items": items, "next_cursor": None}
    if listing.tombstones is not None:
        body["tombstones"] = listing.tombstones
    if listing.beside is not None:
        body |= listing.beside
    if listing.synced_to is not None:
        body["synced_to"] = show_instant(listing.synced_to)
    link = None
    if listing.next_after is not None and actor is not None:
        cursor = cursors.write(actor, request.path, g.filters, listing.next_after)
        limit = request.args.get("limit", str(DEFAULT_LIMIT))
        body["next_cursor"] = cursor
        link = f'<{request.path}?cursor={cursor}&limit={limit}>; rel="next"'
    response = json_response(body, 200)
    if link:
        response.headers["Link"] = link
    return response


def idempotency_key() -> str | None:
    """The request's Idempotency-Key, if it has one; raises `Invalid` for one that can't be."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (1 <= len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise Invalid([("/Idempotency-Key", f"1 to {MAX_KEY} printable ASCII characters.")])
    return key


def _replayed(
    plan: Offer, actor: Actor | None, given: dict[str, Any], run: Callable[[], Response]
) -> Response:
    if not plan.replays or actor is None or plan.action is None:
        return run()
    key = idempotency_key()
    if key is None:
        return run()
    asked = replay.digest(request.method, request.path, request.get_data())
    if not plan.early:
        made: list[Response] = []

        def answer() -> replay.Kept:
            made.append(run())
            return _kept(made[0])

        kept = replay.once(actor, plan.action, key, asked, answer)
        return _again(kept) if kept.replayed else made[0]
    first = replay.claim(actor, plan.action, key, asked)
    if first is not None:
        return _again(first)
    response = run()
    replay.keep(actor, key, _kept(response))
    return response


def _kept(response: Response) -> replay.Kept:
    """What is remembered of an answer."""
    names = ("Content-Type", "ETag", "Location")
    headers = {name: response.headers[name] for name in names if name in response.headers}
    return replay.Kept(response.status_code, headers, response.get_data(True))


def _again(kept: replay.Kept) -> Response:
    """The answer that is remembered."""
    return Response(kept.body, kept.status, {**kept.headers, "Idempotent-Replayed": "true"})
