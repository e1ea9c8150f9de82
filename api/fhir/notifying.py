"""Notifications: what the receiver of a subscription is sent, and whether it may know of it."""

from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from api.access.policies import Actor
from api.core.ehr import subscriptions
from api.core.ehr.subscriptions import (
    Job,
    clinics_due as clinics_due,
    send as send,
    settle as settle,
)
from api.fhir import asking, scopes
from api.fhir.address import stand_at
from api.fhir.by_id import READS, read
from api.fhir.datatypes import Json, instant
from api.fhir.kinds import KINDS
from api.fhir.parameters import Filter, answers
from api.fhir.scopes import READ
from api.fhir.subscription import BACKPORT, BY_EVENT

STATUS: Final = f"{BACKPORT}StructureDefinition/backport-subscription-status-r4"
QUERY: Final = "query-status"
Values = dict[str, Any]


def take(store: Any) -> Job | None:
    """The notification that has been due the longest; None when nothing is."""
    return subscriptions.take(store, body, may_know)


def may_know(client: Actor, subscription: Values, target: str) -> bool:
    """Whether the client reads a resource now, and asked to be told of such."""
    name, _, resource_id = target.partition("/")
    kind, base = KINDS[name], subscription["base"]
    within = scopes.allowed(scopes.read_all(client.extras["registered"]), kind, READ)
    if within is None:
        return False
    stand_at(base)
    shown = read(client, kind, within, base, [resource_id], READS)
    asked = filters_of(subscription["criteria"] or "")
    return bool(shown) and all(answers(one, shown[0].resource, base) for one in asked)


def filters_of(criteria: str) -> tuple[Filter, ...]:
    """The filters of a criteria such as `Goal?patient=Patient/1`; none of an empty one."""
    name, _, query = criteria.partition("?")
    if not criteria:
        return ()
    return asking.understand(KINDS[name], parse_qsl(query, keep_blank_values=True), False).filters


def body(subscription: Values, notification: Values) -> bytes:
    """The Bundle of one notification: its status first, then to what it points, by id alone."""
    base, told = subscription["base"], [_first(subscription, notification)]
    focus = notification["focus"]
    if focus and subscription["content"] == "id-only":
        url = f"{base}/{focus}"
        request = {"method": "PUT", "url": focus}
        told.append({"fullUrl": url, "request": request, "response": {"status": "200"}})
    return orjson.dumps(
        {
            "resourceType": "Bundle",
            "id": str(notification["id"]),
            "type": "history",
            "timestamp": instant(notification["happened_at"]),
            "entry": told,
        }
    )


def _first(subscription: Values, notification: Values) -> Json:
    url = f"{subscription['base']}/Subscription/{subscription['id']}/$status"
    return {
        "fullUrl": f"urn:uuid:{notification['id']}",
        "resource": status_of(subscription, notification["type"], notification),
        "request": {"method": "GET", "url": url},
        "response": {"status": "200"},
    }


def status_of(subscription: Values, kind: str, notification: Values | None = None) -> Json:
    """The status of a subscription as R4 has it: Parameters."""
    at = f"{subscription['base']}/Subscription/{subscription['id']}"
    told: list[Json] = [
        {"name": "subscription", "valueReference": {"reference": at}},
        {"name": "topic", "valueCanonical": subscription["topic"]},
        {"name": "status", "valueCode": subscription["status"]},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(subscription["events"])},
    ]
    if notification is not None and kind == subscriptions.EVENT:
        told.append({"name": "notification-event", "part": _event(subscription, notification)})
    profile = {"profile": [STATUS]}
    own = notification["id"] if notification is not None else subscription["id"]
    return {"resourceType": "Parameters", "id": str(own), "meta": profile, "parameter": told}


def _event(subscription: Values, notification: Values) -> list[Json]:
    parts: list[Json] = [
        {"name": "event-number", "valueString": str(notification["number"])},
        {"name": "timestamp", "valueInstant": instant(notification["happened_at"])},
    ]
    if subscription["content"] == "id-only":
        focus = {"reference": f"{subscription['base']}/{notification['focus']}"}
        parts.append({"name": "focus", "valueReference": focus})
    return parts


subscriptions.heed(lambda event: subscriptions.share_out(event, BY_EVENT, may_know))
