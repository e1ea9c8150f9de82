"""`$everything`: the chart of a patient, page by page, with who wrote and who treats beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flask import Response, g, request

from api import clock
from api.access.policies import Actor
from api.core.ehr import enter, tell
from api.errors import NotAllowed
from api.fhir import asking, bundle, dates, links, operation, scopes
from api.fhir.address import address
from api.fhir.by_id import READS, read, read_one
from api.fhir.datatypes import instant
from api.fhir.finding import Search
from api.fhir.kind import Kind, Shown
from api.fhir.kinds import KINDS
from api.fhir.negotiation import answer
from api.fhir.outcome import NotUnderstood
from api.fhir.parameters import found
from api.fhir.scopes import READ

CHARTED: Final = tuple(kind.type for kind in KINDS.values() if kind.chart)
"""The types that hang on a chart, in their order."""
POINTED: Final = ("Practitioner", "Organization")
"""What is read beside them where they point to it."""
BESIDE: Final = (*POINTED, "Provenance")
PATHS: Final = (
    *("performer", "participant.individual", "recorder", "requester", "author", "asserter"),
    *("performer.actor", "expressedBy", "organization", "managingOrganization", "custodian"),
    *("serviceProvider", "participant.member", "generalPractitioner"),
)
"""Elements that may name a practitioner or the clinic."""


@dataclass
class Told:
    """What is asked of `$everything`, and how far its pages have come."""

    types: tuple[str, ...] = (*CHARTED, *BESIDE)
    since: str | None = None
    count: int = asking.DEFAULT_COUNT
    applied: list[tuple[str, str]] = field(default_factory=list)


def everything(resource_id: str) -> Response:
    """A page of all that is in the chart of a patient and that the scopes let be read."""
    client: Actor = g.actor
    enter(client, READS)
    base, pairs, after = address(), operation.asked(), None
    at = f"Patient/{resource_id}/$everything"
    linked = next((value for name, value in pairs if name == links.NAME), None)
    if linked is not None:
        pairs, after, _ = links.opened(linked, at, client)
    lenient = linked is not None or asking.is_lenient(request.headers.getlist("Prefer"))
    asked = _understood(pairs, lenient)
    read_one(client, KINDS["Patient"], _alternatives(client, "Patient", True), base, resource_id)
    matches, next_after = _page(client, asked, base, resource_id, after)
    beside = _beside(client, asked, base, matches)
    tell(client, "Patient", None, {s.patient_id for s in [*matches, *beside] if s.patient_id})
    return _bundle(client, asked, base, at, (matches, beside, next_after))


def _understood(pairs: Iterable[tuple[str, str]], lenient: bool) -> Told:
    """What is asked; raises `NotUnderstood` for what has no meaning, unless one is lenient."""
    told = Told()
    for name, value in pairs:
        try:
            _take(told, name, value)
        except ValueError as fault:
            if not lenient:
                raise NotUnderstood(str(fault)) from None
            continue
        told.applied.append((name, value))
    return told


def _take(told: Told, name: str, value: str) -> None:
    if name == "_count":
        if not (value.isascii() and value.isdigit() and 0 < len(value) < 10 and int(value)):
            raise ValueError("_count is a whole number from 1.")
        told.count = min(int(value), asking.MAX_COUNT)
    elif name == "_since":
        dates.span(value)
        told.since = value
    elif name == "_type":
        names = tuple(one.strip() for one in value.split(","))
        if any(one not in (*CHARTED, *BESIDE) for one in names):
            raise ValueError("_type names what is not in a patient's chart.")
        told.types = tuple(one for one in (*CHARTED, *BESIDE) if one in names)
    elif name not in ("_format", "_pretty"):
        raise ValueError(f"The parameter {name[:80]} is not supported for $everything.")


def _alternatives(client: Actor, name: str, must: bool = False) -> Any:
    there = scopes.allowed(client.extras["scopes"], KINDS[name], READ)
    if there is None and must:
        raise NotAllowed(f"This needs the scope system/{name}.{READ}.")
    return there


def _page(
    client: Actor, asked: Told, base: str, patient_id: str, after: list[Any] | None
) -> tuple[list[Shown], list[Any] | None]:
    """The next matches, and after which of them the page after this one goes on."""
    matches: list[Shown] = []
    names = [one for one in CHARTED if one in asked.types]
    begins = None if after is None else CHARTED.index(after[0])
    for name in names:
        alternatives = _alternatives(client, name)
        if alternatives is None or (begins is not None and CHARTED.index(name) < begins):
            continue
        place: Any = tuple(after[1]) if after is not None and name == after[0] else None
        search = _search(client, asked, base, KINDS[name], alternatives, patient_id)
        for shown in search.each(place):
            if len(matches) == asked.count:
                last = matches[-1]
                return matches, [last.resource["resourceType"], list(last.place)]
            matches.append(shown)
    return matches, None


def _search(
    client: Actor, asked: Told, base: str, kind: Kind, alternatives: Any, patient_id: str
) -> Search:
    by = "_id" if kind.type == "Patient" else "patient"
    pairs = [(by, patient_id), ("_total", "none"), ("_count", str(asked.count))]
    if asked.since is not None:
        pairs.append(("_lastUpdated", f"ge{asked.since}"))
    return Search(client, kind, asking.understand(kind, pairs, False), alternatives, base, READS)


def _beside(client: Actor, asked: Told, base: str, matches: Sequence[Shown]) -> list[Shown]:
    """Whom the matches point to, and who wrote each."""
    wanted: dict[str, set[str]] = {name: set() for name in BESIDE}
    for one in matches:
        kind = KINDS[one.resource["resourceType"]]
        wanted["Provenance"].add(f"{kind.code}-{one.resource['id']}")
        for told in (value for path in PATHS for value in found(one.resource, path)):
            name, _, pointed = str(_reference(told)).partition("/")
            if name in POINTED:
                wanted[name].add(pointed)
    there: list[Shown] = []
    for name, ids in wanted.items():
        alternatives = _alternatives(client, name) if name in asked.types else None
        if alternatives and ids:
            there += read(client, KINDS[name], alternatives, base, ids)
    return there


def _reference(told: Any) -> str:
    return str(told.get("reference", "")) if isinstance(told, dict) else ""


def _bundle(client: Actor, asked: Told, base: str, at: str, page: Any) -> Response:
    matches, beside, next_after = page
    applied = asking.Asked(applied=tuple(asked.applied), count=asked.count)
    told = {"self": links.self_link(base, at, applied)}
    if next_after is not None:
        told["next"] = links.next_link(base, at, client, applied, next_after, None)
    entries = [bundle.entry(base, one.resource, bundle.MATCH) for one in matches]
    entries += [bundle.entry(base, one.resource, bundle.INCLUDE) for one in beside]
    moment = instant(clock.now()) or ""
    return answer(bundle.searchset(entries, told, None, g.request_id, moment))
