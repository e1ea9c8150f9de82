"""What one operation takes and answers, and how the document says so."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from api.access import policies
from api.v1 import cursors
from api.v1.forms import Ask, Instant, Many, QueryWhole, Show, Words, shown

MAX_LIMIT, DEFAULT_LIMIT = 100, 25
MAX_KEY = 255
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": 'The ETag of the version you change, `"<version>"`. Without it: 428.',
    "schema": {"type": "string", "pattern": r'^("[0-9]{1,9}"|\*)$'},
    "example": '"1"',
}
CREATES = "The ETag of what you replace; none while there is nothing. Without it: 428 then."
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "Answer 304 while the record is still at this ETag.",
    "schema": {"type": "string"},
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Send the same key again to get the same answer without a second effect; 24 h.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY},
}
ETAG_HEADER = {"description": 'The version, `"<version>"`.', "schema": {"type": "string"}}
LOCATION_HEADER = {"description": "Where the new record is.", "schema": {"type": "string"}}
BYTES = {"type": "string", "format": "binary"}
LINK_HEADER = {"description": 'The next page, `rel="next"`.', "schema": {"type": "string"}}


class PageQuery(Ask):
    """The query of every list."""

    limit = QueryWhole(1, MAX_LIMIT, load_default=DEFAULT_LIMIT)
    cursor = Words(cursors.MAX_CURSOR, metadata={"description": "From `next_cursor`; alone."})
    updated_since = Instant(
        metadata={"description": "Only what changed since, oldest change first, with tombstones."}
    )


class TombstoneSchema(Show):
    """A record that was deleted or left your reach."""

    id = shown(ma.fields.UUID)
    deleted_at = shown(Instant)


_pages: dict[str, type[Show]] = {}


def page_of(schema: type[Show], beside: type[Show] = Show) -> type[Show]:
    """The schema of one page of `schema`, with what is told `beside` its items."""
    name = schema.__name__.removesuffix("Schema") + "PageSchema"
    if name not in _pages:
        fields = {
            "items": Many(ma.fields.Nested(schema), most=MAX_LIMIT, required=True),
            "next_cursor": ma.fields.String(required=True, allow_none=True),
            "tombstones": Many(ma.fields.Nested(TombstoneSchema), most=MAX_LIMIT),
            "synced_to": Instant(metadata={"description": "Pass as `updated_since` next time."}),
        }
        _pages[name] = type(name, (beside,), {**fields, "__doc__": "One page of a list."})
    return _pages[name]


Heard = Callable[..., dict[str, Any] | None]
"""Told of a refused request: `(actor, **path, said=body)`; answers crisis resources, or None."""


@dataclass(frozen=True)
class Offer:
    """What one operation takes and answers.

    One with `media` answers that kind of file; beside an `answer` it is the other one that `Accept`
    may ask for. One that `creates` needs If-Match only once the record is there. `outcomes` are
    those named in the answer's `result` that have a status, and perhaps a schema, of their own.
    A research project's key opens what is `keyed` too.
    """

    method: str
    action: str | None
    query: type[Ask] | None = None
    body: type[Ask] | None = None
    answer: type[Show] | None = None
    to_patient: type[Show] | None = None
    beside: type[Show] = Show
    heard: Heard | None = None
    status: int = 200
    paged: bool = False
    versioned: bool = False
    derived: bool = False
    ready: bool = False
    replays: bool = False
    early: bool = True
    location: str | None = None
    media: str | None = None
    edition: bool = False
    creates: bool = False
    keyed: bool = False
    outcomes: tuple[tuple[str, int, type[Show] | None], ...] = ()


def describe(
    plan: Offer, endpoint: Callable[..., Any], example: Any, errors: tuple[int, ...]
) -> dict[str, Any]:
    """What flask-smorest is told of an operation."""
    arguments = _headers(plan)
    if plan.query is not None or plan.paged:
        arguments.append({"in": "query", "schema": plan.query or PageQuery})
    if plan.body is not None:
        content: dict[str, Any] = {"in": "json", "required": True, "schema": plan.body}
        arguments.append(content | ({"example": example} if example is not None else {}))
    return {
        "arguments": {"parameters": arguments, "responses": {}} if arguments else None,
        "response": {"responses": {plan.status: _successes(plan), **_outcomes(plan)}},
        "manual_doc": {
            "operationId": endpoint.__name__,
            "description": _about(plan, endpoint),
            "responses": _other_answers(plan, errors),
            **({"x-roles": policies.roles(plan.action)} if plan.action else {"security": []}),
        },
    }


def _outcomes(plan: Offer) -> dict[int, Any]:
    """The statuses of outcomes that have one of their own."""
    return {
        status: [_success(plan) | {"description": f"`{word}`", "schema": schema or plan.answer}]
        for word, status, schema in plan.outcomes
    }


def _other_answers(plan: Offer, errors: tuple[int, ...]) -> dict[str, Any]:
    listed: dict[str, Any] = {str(s): {"$ref": _ref(s)} for s in refusals(plan, errors)}
    if _may_be_unchanged(plan):
        listed["304"] = {"description": "Still at the ETag of If-None-Match."}
    return listed


REACHES = {
    policies.Reach.OWN: "their own",
    policies.Reach.TEAM: "on the care team or by duty",
    policies.Reach.AUTHOR: "what they wrote themself",
    policies.Reach.CLINIC: "all of the clinic",
    policies.Reach.PROJECT: "their projects",
    policies.Reach.SELF: "",
}


def _about(plan: Offer, endpoint: Callable[..., Any]) -> str:
    """What the docstring says below its summary, and for whom the operation is."""
    more = inspect.cleandoc(endpoint.__doc__ or "").partition("\n\n")[2]
    if plan.action is None:
        return f"{more}\n\nNeeds no token.".strip()
    rows = policies.TABLE[plan.action]
    told = [_role(role, rows[role]) for role in policies.Role if role in rows]
    everybody = rows is policies.EVERYBODY
    return f"{more}\n\nFor: {'everybody signed in' if everybody else ', '.join(told)}.".strip()


def _role(role: policies.Role, granted: policies.Grant) -> str:
    reach = REACHES[granted.reach]
    notes = [reach] if reach else []
    notes += [f"with the privilege `{granted.privilege.value}`"] if granted.privilege else []
    notes += ["or opened in an emergency"] if granted.in_emergency else []
    notes += ["signed in or confirmed within 5 minutes"] if granted.step_up else []
    return role.value.replace("_", " ") + (f" ({'; '.join(notes)})" if notes else "")


def _successes(plan: Offer) -> list[dict[str, Any]]:
    """The answer, and beside it the other kind of file that may be asked for."""
    other = {"description": "As asked.", "content_type": plan.media, "schema": BYTES}
    both = plan.media is not None and plan.answer is not None
    return [*([other] if both else []), _success(plan)]


def _success(plan: Offer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": "As asked.", "content_type": None}
    if plan.answer is not None and plan.status != 204:
        described["schema"] = _answers(plan, plan.answer)
    if plan.media is not None and plan.answer is None:
        described |= {"content_type": plan.media, "schema": {"type": "string"}}
    headers = {}
    if plan.location:
        headers["Location"] = LOCATION_HEADER
    if plan.answer is not None and "version" in plan.answer._declared_fields and not plan.paged:
        headers["ETag"] = ETAG_HEADER
    if plan.paged:
        headers["Link"] = LINK_HEADER
    return described | ({"headers": headers} if headers else {})


def _answers(plan: Offer, answer: type[Show]) -> Any:
    """What is answered; a patient's own schema, where there is one, beside that of the staff.

    One record is `oneOf`. An empty page is one of both, and so is what differs within a part alone:
    they are `anyOf`.
    """
    if plan.to_patient is None or plan.action is None:
        return page_of(answer, plan.beside) if plan.paged else answer
    staff = [role for role in policies.roles(plan.action) if role != policies.Role.PATIENT]
    both = [page_of(s, plan.beside) if plan.paged else s for s in (answer, plan.to_patient)]
    first: dict[str, Any] = {"allOf": [both[0]], "x-roles": staff}
    second: dict[str, Any] = {"allOf": [both[1]], "x-roles": [policies.Role.PATIENT.value]}
    if plan.paged or not _has_more(answer, plan.to_patient):
        return {"anyOf": [first, second]}
    second["unevaluatedProperties"] = False  # else the staff's answer would be both
    return {"oneOf": [first, second]}


def _has_more(answer: type[Show], other: type[Show]) -> bool:
    """Whether a field is always in one schema and never in the other."""
    there = answer._declared_fields
    return any(f.required and n not in other._declared_fields for n, f in there.items())


def _headers(plan: Offer) -> list[dict[str, Any]]:
    asked = [IF_MATCH] if plan.versioned else []
    if plan.creates:
        asked = [IF_MATCH | {"required": False, "description": CREATES}]
    if plan.replays:
        asked.append(IDEMPOTENCY_KEY)
    if _may_be_unchanged(plan):
        asked.append(IF_NONE_MATCH)
    return [dict(parameter) for parameter in asked]


def _may_be_unchanged(plan: Offer) -> bool:
    """Whether the answer can be 304: one record, read by its version."""
    has_tag = plan.answer is not None and "version" in plan.answer._declared_fields
    return plan.method == "GET" and has_tag and not plan.derived and not plan.paged


def refusals(plan: Offer, errors: tuple[int, ...]) -> list[int]:
    """The statuses with which an operation may refuse, `errors` among them."""
    listed = {*errors, 422, 429, 500, 503}
    if plan.action is not None:
        listed |= {401, 403, 404}
    if plan.body is not None:
        listed |= {400, 408, 413, 415}
    if plan.paged:
        listed |= {400}
    if plan.versioned:
        listed |= {412, 428, 409}
    if plan.replays:
        listed |= {409}
    return sorted(listed)


def _ref(status: int) -> str:
    return f"#/components/responses/Problem{status}"
