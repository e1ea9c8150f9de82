"""The routes of writes, and how each is answered: headers, and as much as the client prefers."""

from email.utils import format_datetime
from typing import Any, Final

from flask import Response, g, request

from api.core.ehr import tell
from api.fhir import dates
from api.fhir.address import address
from api.fhir.kind import Kind
from api.fhir.negotiation import answer, nothing
from api.fhir.outcome import NotUnderstood, issue, outcome_of
from api.fhir.writing import transaction
from api.fhir.writing.incoming import read_body, read_patch
from api.fhir.writing.storing import Hand, Stored, hand, version_of
from api.fhir.writing.writers import WRITERS

MINIMAL, OUTCOME = "minimal", "operationoutcome"
RETURNS: Final = (MINIMAL, "representation", OUTCOME)
Route = tuple[str, str, Any, str]


def routes(kind: Kind) -> list[Route]:
    """The routes of writes of one type, `(rule, name, view, method)`."""
    writer = WRITERS.get(kind.type)
    at, one = f"/{kind.type}", f"/{kind.type}/<fhir_id:resource_id>"
    if writer is None:
        return []
    made: list[Route] = [(at, "create", create, "POST")]
    if writer.update is None:
        return made
    return [
        *made,
        (at, "update-where", update_where, "PUT"),
        (one, "update", update, "PUT"),
        (one, "patch", patch, "PATCH"),
    ]


def _hand(kind: str) -> Hand:
    return hand(g.actor, kind, address())


def create(kind: str) -> Response:
    """A new resource, or with If-None-Exist (or a query) the one that is there."""
    told = request.headers.get("If-None-Exist")
    query = _query()
    if told is not None and query:
        raise NotUnderstood("A condition stands in If-None-Exist or in the address, not in both.")
    condition = told if told is not None else query or None
    one = _hand(kind)
    one.may_create()
    return _answered(kind, one.create(read_body(), condition))


def update(kind: str, resource_id: str) -> Response:
    """A resource in place of what was there."""
    one = _hand(kind)
    one.may_update()
    version = version_of(request.headers.get("If-Match"))
    return _answered(kind, one.update(resource_id, read_body(), version))


def update_where(kind: str) -> Response:
    """The same for the one that answers to the query."""
    one = _hand(kind)
    one.may_update()
    version = version_of(request.headers.get("If-Match"))
    return _answered(kind, one.update_where(_query(), read_body(), version))


def patch(kind: str, resource_id: str) -> Response:
    """A resource after a JSON Patch."""
    one = _hand(kind)
    one.may_update()
    version = version_of(request.headers.get("If-Match"))
    return _answered(kind, one.patch(resource_id, read_patch(), version))


def take_bundle() -> Response:
    """A batch or a transaction."""
    transaction.enter_bundle(g.actor)
    said = transaction.taken(g.actor, read_body(), address())
    return answer({**said, "id": g.request_id})


def _query() -> str:
    """The query of the address, without what speaks of the form of the answer."""
    text = request.query_string.decode("utf-8", "replace")
    parts = [one for one in text.split("&") if one.partition("=")[0] not in ("_format", "_pretty")]
    return "&".join(one for one in parts if one)


def _answered(kind: str, stored: Stored) -> Response:
    """The answer to a write, as much of it as the client prefers."""
    shown = stored.shown
    row_id: Any = shown.row_id
    tell(g.actor, kind, row_id, [shown.patient_id] if shown.patient_id is not None else [])
    wanted = preferred(request.headers.getlist("Prefer"))
    if stored.is_left:
        said = issue("informational", "Done; it is out of your reach now.", "", "information")
        return answer(outcome_of([said]), stored.status)
    if wanted == MINIMAL:
        response = nothing(stored.status)
        del response.headers["Content-Type"]
    elif wanted == OUTCOME:
        response = answer(outcome_of(told_of(stored)), stored.status)
    else:
        response = answer(shown.resource, stored.status)
    response.headers["ETag"] = stored.etag
    changed = dates.span(shown.resource["meta"]["lastUpdated"])[0].replace(microsecond=0)
    response.headers["Last-Modified"] = format_datetime(changed, usegmt=True)
    response.headers["Location"] = f"{address()}/{stored.place}"
    return response


def told_of(stored: Stored) -> list[dict[str, Any]]:
    """What there is to say of a write that was done: what was not kept, else that all is well."""
    notes = [issue("not-supported", said, at, "information") for at, said in stored.notes]
    return notes or [issue("informational", "All that was sent is kept.", "", "information")]


def preferred(headers: list[str]) -> str:
    """What `Prefer: return=` asks for; a representation without it."""
    for header in headers:
        for one in header.lower().replace(";", ",").split(","):
            name, _, value = one.strip().partition("=")
            if name == "return" and value in RETURNS:
                return value
    return RETURNS[1]
