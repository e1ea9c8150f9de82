"""Subscribing: a client begins a subscription, asks how it goes, and ends it."""

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import orjson
from flask import Response, g, request

from api import clock
from api.access.policies import Actor
from api.core.ehr import enter, subscriptions, tell
from api.errors import Invalid, NotAllowed, NotFound
from api.fhir import bundle, dates, scopes
from api.fhir.address import address
from api.fhir.by_id import read_one
from api.fhir.datatypes import Json, instant
from api.fhir.kinds import KINDS
from api.fhir.negotiation import answer, nothing
from api.fhir.notifying import QUERY, filters_of, status_of
from api.fhir.operation import BODIES
from api.fhir.outcome import NotUnderstood, WrongMediaType
from api.fhir.scopes import CREATE, DELETE, READ
from api.fhir.subscription import CONTENT, FILTER, HEARTBEAT, HOOK, PAYLOAD, TOPICS
from api.strict import read_object

HEADER: Final = re.compile(r"(Authorization|X-[A-Za-z0-9-]{1,60}): ?([\x21-\x7e ]{1,2000})")
MOST_HEADERS, MAX_WORDS = 5, 500
AT: Final = "/Subscription"


def begin_subscription() -> Response:
    """Begin a subscription; it is active once its receiver has taken a first notification."""
    client: Actor = g.actor
    enter(client, subscriptions.SUBSCRIBES)
    _needs(client, "Subscription", CREATE)
    values = _read(_body())
    _needs(client, TOPICS[values["topic"]], READ)
    row = subscriptions.begin_subscription(client, values | {"base": address()})
    shown = read_one(client, KINDS["Subscription"], [()], address(), str(row["id"]))
    at = f"{address()}/Subscription/{row['id']}"
    version = shown.resource["meta"]["versionId"]
    return answer(shown.resource, 201, Location=f"{at}/_history/{version}", ETag=f'W/"{version}"')


def _needs(client: Actor, name: str, letter: str) -> None:
    if scopes.allowed(client.extras["scopes"], KINDS[name], letter) is None:
        raise NotAllowed(f"This needs the scope system/{name}.{letter}.")


def _body() -> Json:
    if request.mimetype not in BODIES:
        raise WrongMediaType("Send a Subscription as application/fhir+json.")
    told = read_object(request.get_data())
    if told.get("resourceType") != "Subscription":
        raise NotUnderstood("The body is a Subscription.")
    return told


def _read(told: Json) -> dict[str, Any]:
    """The subscription as the core keeps it; raises `Invalid`, naming what can't be had."""
    topic = told.get("criteria")
    if not isinstance(topic, str) or topic not in TOPICS:
        raise _fault("criteria", "One of the topics that the CapabilityStatement lists.")
    if told.get("status") not in ("requested", "active"):
        raise _fault("status", "requested")
    reason = told.get("reason")
    if not isinstance(reason, str) or not 0 < len(reason) <= MAX_WORDS:
        raise _fault("reason", f"Up to {MAX_WORDS} characters.")
    return {
        "topic": topic,
        "reason": reason,
        "criteria": _criteria(told, TOPICS[topic]),
        "ends_at": _end(told.get("end")),
        **_channel(told.get("channel")),
    }


def _fault(at: str, said: str) -> Invalid:
    return Invalid([(f"{AT}/{at}", said)])


def _extended(element: Any, url: str, key: str) -> Any:
    """The value of an extension of an element, or None."""
    there = element.get("extension") if isinstance(element, dict) else None
    for one in there if isinstance(there, list) else []:
        if isinstance(one, dict) and one.get("url") == url:
            return one.get(key)
    return None


def _criteria(told: Json, name: str) -> str | None:
    said = _extended(told.get("_criteria"), FILTER, "valueString")
    if said is None:
        return None
    if not isinstance(said, str) or not said.startswith(f"{name}?") or len(said) > MAX_WORDS:
        raise _fault("criteria/extension", f"A search of {name}, such as {name}?patient=...")
    filters_of(said)
    return said


def _end(said: Any) -> Any:
    if said is None:
        return None
    try:
        ends = dates.span(said if isinstance(said, str) else "")[0]
    except ValueError:
        raise _fault("end", "An instant.") from None
    if ends <= clock.now():
        raise _fault("end", "An instant to come.")
    return ends


def _channel(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict) or told.get("type") != HOOK:
        raise _fault("channel/type", "rest-hook")
    content = _extended(told.get("_payload"), CONTENT, "valueCode")
    if told.get("payload") != PAYLOAD or content not in subscriptions.CONTENTS:
        raise _fault("channel/payload", "application/fhir+json, with the content empty or id-only.")
    endpoint = told.get("endpoint")
    if not isinstance(endpoint, str):
        raise _fault("channel/endpoint", "An https:// address.")
    header = orjson.dumps(_headers(told.get("header") or [])).decode()
    beats = {"heartbeat_s": _heartbeat(told)}
    return {"endpoint": endpoint, "content": content, "header": header, **beats}


def _heartbeat(channel: Json) -> int | None:
    """After how many seconds without a notification a heartbeat is wanted; None without any."""
    said = _extended(channel, HEARTBEAT, "valueUnsignedInt")
    there = channel.get("extension")
    is_named = any(HEARTBEAT in str(one) for one in (there if isinstance(there, list) else []))
    if said is None and not is_named:
        return None
    least, most = subscriptions.HEARTBEAT_S
    if type(said) is not int or not least <= said <= most:
        raise _fault("channel/extension", f"A heartbeat comes every {least} to {most} seconds.")
    return said


def _headers(told: Any) -> Mapping[str, str]:
    there = told if isinstance(told, list) and len(told) <= MOST_HEADERS else [None]
    found = [HEADER.fullmatch(one) if isinstance(one, str) else None for one in there]
    if not all(found):
        raise _fault("channel/header", "Up to five of `Authorization: ...` or `X-...: ...`.")
    return {one[1]: one[2].strip() for one in found if one is not None}


def end_subscription(resource_id: str) -> Response:
    """End a subscription; nothing more is sent."""
    client: Actor = g.actor
    enter(client, subscriptions.SUBSCRIBES)
    _needs(client, "Subscription", DELETE)
    try:
        subscription_id = UUID(resource_id)
    except ValueError:
        raise NotFound("There is no such resource.") from None
    subscriptions.end_subscription(client, subscription_id)
    return nothing(204)


def read_status(resource_id: str) -> Response:
    """How a subscription goes: its status, and of how many events it told."""
    client: Actor = g.actor
    enter(client, subscriptions.SUBSCRIBES)
    _needs(client, "Subscription", READ)
    row = subscriptions.read_subscription(client, resource_id)
    tell(client, "Subscription", row["id"], [])
    base = address()
    entry = bundle.entry(base, status_of(row, QUERY), bundle.MATCH)
    entry["fullUrl"] = f"urn:uuid:{row['id']}"
    at = {"self": f"{base}/Subscription/{row['id']}/$status"}
    return answer(bundle.searchset([entry], at, 1, g.request_id, instant(clock.now()) or ""))
