"""Batches and transactions: many requests in one body, each by itself or all of them or none."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import CREATE, READ, apart, enter, enter_to_write, tell
from api.errors import NotAllowed, Refusal
from api.fhir import bundle, scopes
from api.fhir.by_id import read_one
from api.fhir.datatypes import Json
from api.fhir.kinds import KINDS
from api.fhir.outcome import STATUS, Faulty, NotSupported, NotUnderstood, issues_of, outcome_of
from api.fhir.writing.heard import hear
from api.fhir.writing.storing import Hand, Stored, hand, version_of

MAX_ENTRIES: Final = 200
ORDER: Final = ("POST", "PUT", "PATCH", "GET")
"""In which order the entries of a transaction are done, as R4 asks for it."""
URN: Final = re.compile(r"urn:(uuid|oid):[A-Za-z0-9.\-]{1,64}", re.ASCII)
STATUSES: Final = {200: "200 OK", 201: "201 Created"}


@dataclass(frozen=True)
class Entry:
    """One request of a bundle: where it stood, under which name others point to it."""

    number: int
    name: str
    resource: Any
    method: str
    url: str
    request: Mapping[str, Any]

    @property
    def at(self) -> str:
        """Its place as a FHIRPath."""
        return f"Bundle.entry[{self.number}]"


def enter_bundle(actor: Actor) -> None:
    """The client is let in to send many at once; what each needs is asked with it."""
    enter_to_write(actor, CREATE)


def taken(client: Actor, body: Json, base: str) -> Json:
    """The answer to a bundle; raises for a transaction of which one entry is refused."""
    kind, entries = body.get("type"), _entries(body)
    if body.get("resourceType") != "Bundle" or kind not in ("batch", "transaction"):
        raise Faulty([("value", "Bundle.type", "A Bundle of type batch or transaction.")])
    if kind == "batch":
        return bundle.response("batch-response", [_alone(client, one, base) for one in entries])
    return bundle.response("transaction-response", _together(client, entries, base))


def _entries(body: Json) -> list[Entry]:
    told = body.get("entry", [])
    if not isinstance(told, list) or len(told) > MAX_ENTRIES:
        raise Faulty([("too-costly", "Bundle.entry", f"At most {MAX_ENTRIES} entries.")])
    return [_entry(number, one) for number, one in enumerate(told)]


def _entry(number: int, one: Any) -> Entry:
    request = one.get("request") if isinstance(one, dict) else None
    name = one.get("fullUrl", "") if isinstance(one, dict) else ""
    method = request.get("method") if isinstance(request, dict) else None
    url = request.get("url") if isinstance(request, dict) else None
    if not isinstance(method, str) or not isinstance(url, str) or not isinstance(name, str):
        at = f"Bundle.entry[{number}].request"
        raise Faulty([("required", at, "An entry has a request with method and url.")])
    return Entry(number, name, one.get("resource"), method, url, request or {})


def _alone(client: Actor, entry: Entry, base: str) -> Json:
    """The answer to an entry of a batch; what is refused of it undoes nothing else."""
    try:
        with apart():
            return _done(client, entry, base)
    except Refusal as refusal:
        hear(client, entry.resource)
        status = STATUS.get(refusal.kind, (400, "", ""))[0]
        return {"response": {"status": str(status), "outcome": outcome_of(issues_of(refusal))}}


def _together(client: Actor, entries: list[Entry], base: str) -> list[Json]:
    """The answers to a transaction in the order of its entries, whichever order they were done."""
    names = _names(entries)
    answers: dict[int, Json] = {}
    known: dict[str, str] = {}
    for entry in _ordered(entries, names):
        pointed = Entry(
            entry.number,
            entry.name,
            _resolved(entry.resource, known),
            entry.method,
            _named(entry.url, known),
            entry.request,
        )
        try:
            answers[entry.number] = _done(client, pointed, base)
        except Refusal as refusal:
            raise _blamed(refusal, entry) from refusal
        made = answers[entry.number].get("resource")
        if entry.name and made is not None and entry.method in ("POST", "PUT"):
            known[entry.name] = f"{made['resourceType']}/{made['id']}"
    return [answers[entry.number] for entry in entries]


def _blamed(refusal: Refusal, entry: Entry) -> Refusal:
    """The refusal, told of the entry that met it."""
    if isinstance(refusal, Faulty):
        within = f"{entry.at}.resource"
        return Faulty(
            [
                (code, f"{within}.{at.partition('.')[2]}" if "." in at else within, said)
                for code, at, said in refusal.faults
            ]
        )
    refusal.detail = f"{entry.at}: {refusal.detail}"
    return refusal


def _names(entries: list[Entry]) -> dict[str, Entry]:
    names: dict[str, Entry] = {}
    for entry in entries:
        if entry.name and entry.method in ("POST", "PUT"):
            if entry.name in names:
                raise Faulty([("duplicate", f"{entry.at}.fullUrl", "Another entry has this name.")])
            names[entry.name] = entry
    return names


def _ordered(entries: list[Entry], names: Mapping[str, Entry]) -> list[Entry]:
    """The entries as they are done: what others point to before them, and reads at the end."""
    sorter: TopologicalSorter[int] = TopologicalSorter()
    ranked = sorted(entries, key=lambda one: (_rank(one), one.number))
    for entry in ranked:
        pointed = (names[name] for name in _pointed(entry) if name in names)
        sorter.add(entry.number, *(one.number for one in pointed if one is not entry))
    try:
        before = {number: place for place, number in enumerate(sorter.static_order())}
    except CycleError:
        raise Faulty([("invalid", "Bundle.entry", "They point to each other.")]) from None
    return sorted(ranked, key=lambda one: (_rank(one) == len(ORDER) - 1, before[one.number]))


def _rank(entry: Entry) -> int:
    return ORDER.index(entry.method) if entry.method in ORDER else 0


def _pointed(entry: Entry) -> Iterator[str]:
    yield from (found.group() for found in URN.finditer(entry.url))
    yield from _references(entry.resource)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "reference" and isinstance(inner, str):
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _resolved(value: Any, known: Mapping[str, str]) -> Any:
    """The resource with each name of an entry replaced by where that entry's resource is now."""
    if isinstance(value, dict):
        return {
            key: known.get(inner, inner)
            if key == "reference" and isinstance(inner, str)
            else _resolved(inner, known)
            for key, inner in value.items()
        }
    return [_resolved(inner, known) for inner in value] if isinstance(value, list) else value


def _named(url: str, known: Mapping[str, str]) -> str:
    for name, place in known.items():
        url = url.replace(name, place) if name and name in url else url
    return url


def _done(client: Actor, entry: Entry, base: str) -> Json:
    """One request of a bundle, done."""
    url = entry.url.removeprefix(base + "/").removeprefix("/")
    at, _, query = url.partition("?")
    kind, _, record_id = at.partition("/")
    if entry.method == "GET":
        return _read(client, kind, record_id, query, base)
    one = hand(client, kind, base)
    stored = _stored(one, entry, record_id, query)
    shown = stored.shown
    tell(client, kind, None, [shown.patient_id] if shown.patient_id is not None else [])
    if stored.is_left:
        return {"response": {"status": STATUSES[stored.status]}}
    return {
        "fullUrl": f"{base}/{kind}/{shown.resource['id']}",
        "resource": shown.resource,
        "response": {
            "status": STATUSES[stored.status],
            "location": stored.place,
            "etag": stored.etag,
            "lastModified": shown.resource["meta"]["lastUpdated"],
        },
    }


def _stored(one: Hand, entry: Entry, record_id: str, query: str) -> Stored:
    condition = entry.request.get("ifNoneExist")
    match = entry.request.get("ifMatch")
    if not isinstance(condition, str | None) or not isinstance(match, str | None):
        raise NotUnderstood("ifNoneExist and ifMatch are texts.")
    if entry.method == "POST" and not record_id:
        return one.create(entry.resource, condition or query or None)
    if entry.method == "PUT" and record_id:
        return one.update(record_id, entry.resource, version_of(match))
    if entry.method == "PUT" and query:
        return one.update_where(query, entry.resource, version_of(match))
    raise NotSupported(f"{entry.method[:10]} is not done in a bundle here.")


def _read(client: Actor, kind: str, record_id: str, query: str, base: str) -> Json:
    if kind not in KINDS or not record_id or "/" in record_id or query:
        raise NotSupported("A bundle reads one resource at a time here, by its id.")
    enter(client, READ)
    within = scopes.allowed(client.extras["scopes"], KINDS[kind], scopes.READ)
    if within is None:
        raise NotAllowed(f"This needs the scope system/{kind}.r.")
    shown = read_one(client, KINDS[kind], within, base, record_id)
    tell(client, kind, None, [shown.patient_id] if shown.patient_id is not None else [])
    etag = f'W/"{shown.resource["meta"]["versionId"]}"'
    return {
        "fullUrl": f"{base}/{kind}/{record_id}",
        "resource": shown.resource,
        "response": {"status": "200 OK", "etag": etag},
    }
