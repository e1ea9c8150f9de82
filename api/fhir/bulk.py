"""Bulk exports: kicked off, asked after, fetched file by file, and thrown away.

Bulk Data Access 3.0.0: https://hl7.org/fhir/uv/bulkdata/export.html.
"""

from email.utils import format_datetime
from typing import Any, Final
from uuid import UUID

from flask import Response, g, request

from api.access.policies import Actor
from api.core.ehr import enter, exports
from api.errors import NotAllowed, NotFound
from api.fhir import asking, operation, scopes
from api.fhir.address import PREFIX, address
from api.fhir.bulk_asking import GROUP, PATIENT, SYSTEM, Kickoff, types_of
from api.fhir.bulk_making import ERRORS
from api.fhir.by_id import read_one
from api.fhir.datatypes import Json, instant
from api.fhir.kinds import KINDS
from api.fhir.negotiation import answer, nothing, plain
from api.fhir.outcome import NotSupported, problem
from api.fhir.scopes import READ

NDJSON: Final = "application/fhir+ndjson"
RETRY_S: Final = 2
"""Seconds after which a client may ask again how far its export is."""


def export_system() -> Response:
    """Order an export of all that the scopes open."""
    return _kick_off(SYSTEM)


def export_patients() -> Response:
    """Order an export of every chart in reach."""
    return _kick_off(PATIENT)


def export_group(resource_id: str) -> Response:
    """Order an export of the charts of a group: the one group that there is."""
    return _kick_off(GROUP, resource_id)


def _kick_off(level: str, group_id: str | None = None) -> Response:
    client: Actor = g.actor
    enter(client, exports.EXPORTS)
    told = request.headers.getlist("Prefer")
    if not any("respond-async" in one for one in told):
        raise NotSupported("Send Prefer: respond-async.")
    held = client.extras["scopes"]
    lenient = asking.is_lenient(told)
    kickoff = Kickoff(level, lenient).read(operation.asked())
    types = types_of(kickoff, held)
    if group_id is not None:
        read_one(client, KINDS["Group"], [()], address(), group_id)
    for one in kickoff.patients:
        read_one(client, KINDS["Patient"], [()], address(), one)
    order = {
        "url": f"{address()}{request.path.removeprefix(PREFIX)}",
        "base": address(),
        "types": types,
        "filters": kickoff.filters,
        "elements": kickoff.elements,
        "patients": kickoff.patients,
        "since": kickoff.since,
        "until": kickoff.until,
        "ignored": kickoff.ignored,
    }
    row = exports.order_export(client, order, " ".join(map(str, held)))
    response = nothing(202)
    response.headers["Content-Location"] = f"{address()}/bulk/{row['id']}"
    return response


def export_status(resource_id: str) -> Response:
    """How far an export is; its manifest once it is ready."""
    export = exports.read_export(g.actor, _id(resource_id))
    if export["state"] == exports.FAILED:
        return problem("unexpected", "The export could not be made; order it anew.")
    if export["state"] == exports.READY:
        return _manifest(export)
    response = nothing(202)
    doing = f", {export['doing']}" if export["doing"] else ""
    response.headers["X-Progress"] = f"{export['percent']}%{doing}"
    response.headers["Retry-After"] = str(RETRY_S)
    return response


def _manifest(export: dict[str, Any]) -> Response:
    base = f"{address()}/bulk/{export['id']}"
    files = {one["name"]: one["lines"] for one in export["files"]}
    told = {name: _file(base, name, lines) for name, lines in files.items()}
    body = {
        "transactionTime": instant(export["transaction_at"]),
        "request": export["request"]["url"],
        "requiresAccessToken": True,
        "output": [told[name] for name in KINDS if name in told],
        "deleted": [told[exports.DELETED]] if exports.DELETED in told else [],
        "error": [told[ERRORS]] if ERRORS in told else [],
    }
    response = plain(body)
    response.headers["Expires"] = format_datetime(export["expires_at"], usegmt=True)
    return response


TYPES: Final = {exports.DELETED: "Bundle", ERRORS: "OperationOutcome"}


def _file(base: str, name: str, lines: int | None) -> Json:
    told: Json = {"type": TYPES.get(name, name), "url": f"{base}/{name}"}
    return told if lines is None else told | {"count": lines}


def remove_export(resource_id: str) -> Response:
    """Throw an export away, made or not."""
    exports.remove_export(g.actor, _id(resource_id))
    return problem_free()


def problem_free() -> Response:
    """That a deletion was taken on."""
    said = {"severity": "information", "code": "informational", "diagnostics": "Deleted."}
    return answer({"resourceType": "OperationOutcome", "issue": [said]}, 202)


def export_file(resource_id: str, name: str) -> Response:
    """One file of an export, as NDJSON, by gzip where the client takes that."""
    client: Actor = g.actor
    enter(client, exports.EXPORTS)
    if name in KINDS and not scopes.allowed(client.extras["scopes"], KINDS[name], READ):
        raise NotAllowed(f"This needs the scope system/{name}.{READ}.")
    export = exports.open_file(client, _id(resource_id), name)
    _check_scopes(client, export, name)
    packed = request.accept_encodings["gzip"] > 0
    body = exports.pieces(client, export["id"], name, packed)
    response = Response(body, content_type=NDJSON)
    response.headers["Vary"] = "Accept-Encoding"
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    return response


def _check_scopes(client: Actor, export: dict[str, Any], name: str) -> None:
    """Raise `NotAllowed` unless the token opens all that the export was made with, for the file."""
    held = client.extras["scopes"]
    every = export["request"]["types"] if name == exports.DELETED else []
    names = [name] if name in KINDS else every
    for one in names:
        needed = _queries(scopes.read_all(export["scopes"]), one)
        has = _queries(held, one)
        if "" not in has and not (needed and needed <= has):
            raise NotAllowed(f"This needs the scope system/{one}.{READ}.")


def _queries(held: Any, name: str) -> set[str]:
    """What narrows the scopes that open a type."""
    kind = KINDS[name]
    return {one.query for one in held if scopes.allowed([one], kind, READ)}


def _id(text: str) -> UUID:
    """The id of an export; anything else is that of none."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("There is no such record.") from None
