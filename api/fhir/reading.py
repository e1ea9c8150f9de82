"""Reading one resource: as it stands, one version of it, and all of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from email.utils import format_datetime
from functools import wraps
from itertools import islice
from typing import Any, Final
from uuid import UUID

from flask import Response, g, request

from api.access.policies import Actor
from api.core.ehr import Versions, enter, list_versions, set_out, tell
from api.errors import NotAllowed, NotFound
from api.fhir import asking, bundle, dates, links, scopes
from api.fhir.address import address
from api.fhir.by_id import READS, read_one
from api.fhir.kind import Kind, Part, Shown, made_of, split_id
from api.fhir.kinds import KINDS
from api.fhir.negotiation import answer, nothing
from api.fhir.outcome import Gone, NotUnderstood
from api.fhir.parameters import BadParam
from api.fhir.scopes import READ, is_within
from api.fhir.subset import part_of

View = Callable[..., Response]
NOT_OF_HISTORY: Final = ("_at", "_list", "_sort")
"""What would narrow or order a history if it were read."""


def entered(action: str) -> Callable[[View], View]:
    """A view whose client is let in with the first thing that it reads: that costs one trip less.

    Whoever reads nothing, or is refused before, is let in at the end: the trail tells of them too,
    and a client that was revoked hears that and nothing else.
    """

    def within(view: View) -> View:
        @wraps(view)
        def entering(*given: Any, **named: Any) -> Response:
            set_out(g.actor, action)
            try:
                return view(*given, **named)
            finally:
                enter(g.actor, action)

        return entering

    return within


@entered(READS)
def read_resource(kind: str, resource_id: str) -> Response:
    """One resource."""
    client: Actor = g.actor
    of = KINDS[kind]
    within = alternatives(of, READ)
    shown = read_one(client, of, within, address(), resource_id, or_replaced=True, alone=True)
    tell_of(of, [shown])
    asked = asking.understand(of, _subset(), True)
    if _is_known(_etag(shown), shown):
        return _stamped(nothing(304), shown)
    return _stamped(answer(part_of(of, shown.resource, asked)), shown)


def _subset() -> list[tuple[str, str]]:
    named = ("_summary", "_elements")
    return [(n, v) for n, v in request.args.items(multi=True) if n in named]


@entered(READS)
def read_version(kind: str, resource_id: str, version: str) -> Response:
    """One version of a resource, as it stands or as it was."""
    of = KINDS[kind]
    within = alternatives(of, READ)
    number = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None
    found = [
        shown
        for shown in _versions(of, within, resource_id, Versions(1, number))
        if shown.resource["meta"]["versionId"] == version
    ]
    if not found:
        raise NotFound("There is no such version.")
    tell_of(of, found[:1])
    if found[0].is_gone:
        raise Gone("This version says that the resource was deleted.")
    return _stamped(answer(found[0].resource), found[0])


@entered(READS)
def read_history(kind: str, resource_id: str) -> Response:
    """The versions of a resource that are kept, page by page, the newest first."""
    client: Actor = g.actor
    of, base, before = KINDS[kind], address(), None
    within = alternatives(of, READ)
    at, pairs = f"{kind}/{resource_id}/_history", list(request.args.items(multi=True))
    linked = next((value for name, value in pairs if name == links.NAME), None)
    if linked is not None:
        pairs, [before], _ = links.opened(linked, at, client)
    applied, size, since = _asked_of(pairs)
    asked = Versions(size + 1, before=before, since=since)
    shown = list(islice(_versions(of, within, resource_id, asked), size + 1))
    if not shown and before is None and since is None:
        raise NotFound("There is no such resource.")
    tell_of(of, shown[:size])
    told = {"self": links.self_of(base, at, applied)}
    if len(shown) > size:
        last = int(shown[size - 1].resource["meta"]["versionId"])
        told["next"] = links.next_of(base, at, client, applied, last)
    return answer(bundle.history(base, shown[:size], told, g.request_id))


def _asked_of(pairs: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], int, Any]:
    """What is asked of a history: what applies, how many versions at once, made since when."""
    applied, size, since = [], asking.DEFAULT_COUNT, None
    for name, value in pairs:
        try:
            if name == "_count":
                size = asking.count_of(value) or asking.DEFAULT_COUNT
                applied.append((name, str(size)))
            elif name == "_since":
                since = dates.span(value)[0]
                applied.append((name, value))
            elif name in NOT_OF_HISTORY or not name.startswith("_"):
                raise BadParam(f"The parameter {name[:80]} is not supported for a history.")
        except ValueError as fault:
            raise NotUnderstood(str(fault) or f"{name} has no such value.") from None
    if not any(name == "_count" for name, _ in applied):
        applied.append(("_count", str(size)))
    return applied, size, since


def _versions(kind: Kind, within: Any, resource_id: str, asked: Versions) -> Iterator[Shown]:
    """The versions of a resource that the scopes leave, the newest first."""
    for number, part in enumerate(kind.parts):
        split = split_id(part, resource_id)
        if split is None:
            continue
        for row in _rows(part, split[0], asked):
            for shown in made_of(g.actor, kind, number, [row]):
                is_it = shown.resource["id"] == resource_id
                if is_it and is_within(within, shown.resource, address()):
                    yield shown._replace(is_gone=_is_gone(row))


def _is_gone(row: dict[str, Any]) -> bool:
    """Whether a version is a tombstone; what another replaced is there, and says so."""
    return row.get("deleted_at") is not None and row.get("merged_into") is None


def _rows(part: Part, row_id: UUID | str, asked: Versions) -> Iterator[dict[str, Any]]:
    """The versions of a row, asked for again and again until there are no more."""
    client: Actor = g.actor
    if not part.keeps_versions:
        asked = replace(asked, number=None)
    while True:
        only = not part.keeps_versions
        rows, before = list_versions(client, READS, part.source, row_id, asked, only)
        yield from rows
        if before is None:
            return
        asked = replace(asked, before=before)


def alternatives(kind: Kind, letter: str) -> Any:
    """What the scopes leave of a type; `NotAllowed` when they leave nothing."""
    there = scopes.allowed(g.actor.extras["scopes"], kind, letter)
    if there is None:
        raise NotAllowed(f"This needs the scope system/{kind.type}.{letter}.")
    return there


def tell_of(kind: Kind, shown: Iterable[Shown], about: bool = True) -> None:
    """Let the trail know whose data leaves."""
    there = list(shown)
    row_id: Any = there[0].row_id if about and there else None
    named = row_id if not isinstance(row_id, str) else None
    tell(g.actor, kind.type, named, (s.patient_id for s in there if s.patient_id is not None))


def _etag(shown: Shown) -> str:
    return f'W/"{shown.resource["meta"]["versionId"]}"'


def _is_known(etag: str, shown: Shown) -> bool:
    """Whether the client has this version already."""
    told = request.headers.get("If-None-Match")
    if told is not None:
        given = {one.strip().removeprefix("W/") for one in told.split(",")}
        return "*" in given or etag.removeprefix("W/") in given
    since = request.if_modified_since
    return since is not None and _changed(shown) <= since


def _changed(shown: Shown) -> Any:
    return dates.span(shown.resource["meta"]["lastUpdated"])[0].replace(microsecond=0)


def _stamped(response: Response, shown: Shown) -> Response:
    response.headers["ETag"] = _etag(shown)
    response.headers["Last-Modified"] = format_datetime(_changed(shown), usegmt=True)
    return response
