"""Door 2: FHIR R4 for EHR systems; its routes and its statement are made from one table."""

from collections.abc import Iterable
from typing import Any, Final

from flask import Blueprint, Flask, Response, g, request
from werkzeug.routing import BaseConverter

from api import clock
from api.access.policies import Actor
from api.errors import NothingShown
from api.fhir import asking, bundle, capability, links, operations, reading, scopes, smart
from api.fhir.address import PREFIX, address
from api.fhir.by_id import read
from api.fhir.datatypes import instant
from api.fhir.finding import SEARCHES, Search
from api.fhir.kind import Kind, Shown
from api.fhir.kinds import KINDS
from api.fhir.negotiation import answer, check_accepted, check_form
from api.fhir.parameters import found
from api.fhir.scopes import READ, SEARCH
from api.fhir.subset import part_of
from api.fhir.writing import door as writing
from api.fhir.writing.heard import hear
from api.fhir.writing.incoming import read_body as read_body

NAME: Final = "fhir"
OPEN: Final = ("fhir.metadata", "fhir.configuration", "fhir.token")
"""What needs no token: what there is, how one signs in, and signing in."""
HEARD: Final = ("fhir.QuestionnaireResponse-create", "fhir.bundle-0", "fhir.bundle-1")
METADATA, WELL_KNOWN = "/metadata", "/.well-known/smart-configuration"


class FhirId(BaseConverter):
    """An id of FHIR in a path; anything else is no such path."""

    regex = r"[A-Za-z0-9.\-]{1,64}"


def open_door(app: Flask) -> None:
    """Register what this door offers."""
    app.url_map.converters["fhir_id"] = FhirId
    door = Blueprint(NAME, __name__, url_prefix=PREFIX)
    door.before_request(_lock)
    door.add_url_rule(METADATA, "metadata", metadata)
    door.add_url_rule(WELL_KNOWN, "configuration", smart.configuration)
    door.add_url_rule(smart.TOKEN_PATH, "token", smart.token, methods=["POST"])
    for kind in KINDS.values():
        _offer(door, kind)
    for number, rule in enumerate(("", "/")):
        door.add_url_rule(rule, f"bundle-{number}", writing.take_bundle, methods=["POST"])
    operations.offer(door)
    app.register_blueprint(door)


def _offer(door: Blueprint, kind: Kind) -> None:
    """The routes of one type."""
    at, one = f"/{kind.type}", f"/{kind.type}/<fhir_id:resource_id>"
    routes: tuple[tuple[str, str, Any, str], ...] = (
        (at, "search", search, "GET"),
        (f"{at}/_search", "search_by_form", search_by_form, "POST"),
        (one, "read", reading.read_resource, "GET"),
        (f"{one}/_history", "history", reading.read_history, "GET"),
        (f"{one}/_history/<fhir_id:version>", "vread", reading.read_version, "GET"),
    )
    for rule, name, view, method in (*routes, *writing.routes(kind)):
        endpoint = f"{kind.type}-{name}"
        door.add_url_rule(rule, endpoint, view, methods=[method], defaults={"kind": kind.type})


def is_ours(path: str) -> bool:
    """Whether a path is this door's, also where it leads nowhere."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def heard(endpoint: str | None) -> Any:
    """What hears a refused body of an endpoint, for the sake of somebody's safety; or None."""
    return hear if endpoint in HEARD else None


def is_locked(endpoint: str | None) -> bool:
    """Whether an endpoint is one of this door's that needs a client's token."""
    return bool(endpoint) and str(endpoint).startswith(f"{NAME}.") and endpoint not in OPEN


def _lock() -> None:
    """The client's token before anything else; then the form of the answer."""
    if is_locked(request.endpoint) and getattr(g, "actor", None) is None:
        raise NothingShown("Sign in first.", error="")
    if request.endpoint not in ("fhir.configuration", "fhir.token", *operations.OF_ANY_FORM):
        check_accepted()


def metadata() -> Response:
    """What this door does; it needs no token."""
    return answer(capability.statement(address()))


@reading.entered(SEARCHES)
def search_by_form(kind: str) -> Response:
    """A search whose parameters stand in the body, so that they are in no log."""
    check_form()
    pairs = [*request.args.items(multi=True), *request.form.items(multi=True)]
    return _searched(KINDS[kind], pairs)


@reading.entered(SEARCHES)
def search(kind: str) -> Response:
    """A search whose parameters stand in the address."""
    return _searched(KINDS[kind], list(request.args.items(multi=True)))


def _searched(kind: Kind, pairs: list[tuple[str, str]]) -> Response:
    client: Actor = g.actor
    alternatives, base = reading.alternatives(kind, SEARCH), address()
    after, total = None, None
    linked = next((value for name, value in pairs if name == links.NAME), None)
    if linked is not None:
        pairs, after, total = links.opened(linked, kind.type, client)
    lenient = linked is not None or asking.is_lenient(request.headers.getlist("Prefer"))
    asked = asking.understand(kind, pairs, lenient)
    page = Search(client, kind, asked, alternatives, base, alone=True).page(after, total)
    shown = page.matches
    told = {"self": links.self_link(base, kind.type, asked)}
    if page.next_after is not None:
        counted = total if page.total is None else page.total
        told["next"] = links.next_link(base, kind.type, client, asked, page.next_after, counted)
    entries = [
        bundle.entry(base, part_of(kind, one.resource, asked), bundle.MATCH) for one in shown
    ]
    beside = [*_included(kind, asked, shown), *_provenance(kind, asked, shown)]
    entries += [bundle.entry(base, one.resource, bundle.INCLUDE) for one in beside]
    reading.tell_of(kind, [*shown, *beside], about=False)
    counted = page.total if page.total is not None else total
    at = instant(clock.now()) or ""
    return answer(bundle.searchset(entries, told, counted, g.request_id, at))


def _included(kind: Kind, asked: asking.Asked, shown: list[Shown]) -> list[Shown]:
    """What the matches point to and was asked for; only what the scopes let be read."""
    wanted: dict[str, set[str]] = {}
    for include in asked.includes:
        for one in shown:
            for value in found(one.resource, kind.params[include.param].paths[0]):
                name, _, record_id = str(_pointed(value)).partition("/")
                if record_id and include.target in (None, name):
                    wanted.setdefault(name, set()).add(record_id)
    there = {(kind.type, one.resource["id"]) for one in shown}
    return [
        one
        for name, ids in wanted.items()
        for one in _readable(name, ids)
        if (name, one.resource["id"]) not in there
    ]


def _pointed(value: Any) -> str:
    """Where a reference leads, or the instrument that a canonical names."""
    if isinstance(value, dict):
        return str(value.get("reference", ""))
    return f"Questionnaire/{str(value).split('|')[0].rpartition(':')[2]}"


def _readable(name: str, ids: Iterable[str]) -> list[Shown]:
    kind = KINDS.get(name)
    alternatives = kind and scopes.allowed(g.actor.extras["scopes"], kind, READ)
    if kind is None or not alternatives:
        return []
    return read(g.actor, kind, alternatives, address(), ids, SEARCHES)


def _provenance(kind: Kind, asked: asking.Asked, shown: list[Shown]) -> list[Shown]:
    """Who wrote the matches, where that was asked for."""
    if not asked.with_provenance:
        return []
    return _readable("Provenance", [f"{kind.code}-{one.resource['id']}" for one in shown])
