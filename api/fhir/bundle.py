"""Bundles: searchsets with their links and what comes along, and histories."""

from collections.abc import Iterable, Sequence
from typing import Any

from api.fhir.datatypes import Json
from api.fhir.kind import Shown

MATCH, INCLUDE = "match", "include"
SEARCHSET, HISTORY = "searchset", "history"


def entry(base: str, resource: Json, mode: str) -> Json:
    """A resource of a searchset, and why it is there."""
    return {
        "fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}",
        "resource": resource,
        "search": {"mode": mode},
    }


def searchset(
    entries: Iterable[Json], links: dict[str, str], total: int | None, bundle_id: str, at: str
) -> Json:
    """A searchset; without entries it has none, for FHIR knows no empty list."""
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "id": bundle_id,
        "meta": {"lastUpdated": at},
        "type": SEARCHSET,
    }
    if total is not None:
        bundle["total"] = total
    bundle["link"] = [{"relation": name, "url": url} for name, url in links.items()]
    there = list(entries)
    return bundle | ({"entry": there} if there else {})


def response(kind: str, entries: list[Json]) -> Json:
    """The answers to a batch or a transaction."""
    said: Json = {"resourceType": "Bundle", "type": kind}
    return said | ({"entry": entries} if entries else {})


def history(base: str, shown: Sequence[Shown], links: dict[str, str], bundle_id: str) -> Json:
    """Versions of a resource, the newest first; page by page."""
    entries = [_version(base, one) for one in shown]
    told: Json = {"resourceType": "Bundle", "id": bundle_id}
    if shown:
        told["meta"] = {"lastUpdated": shown[0].resource["meta"]["lastUpdated"]}
    told["type"] = HISTORY
    told["link"] = [{"relation": name, "url": url} for name, url in links.items()]
    return told | ({"entry": entries} if entries else {})


def _version(base: str, shown: Shown) -> Json:
    """One version: what was done to the resource, and what it said from then on."""
    resource, meta = shown.resource, shown.resource["meta"]
    at, is_first = f"{resource['resourceType']}/{resource['id']}", meta["versionId"] == "1"
    method, status = ("POST", "201") if is_first else ("PUT", "200")
    if shown.is_gone:
        method, status = "DELETE", "204"
    url = resource["resourceType"] if method == "POST" else at
    told: Json = {"fullUrl": f"{base}/{at}"}
    if not shown.is_gone:
        told["resource"] = resource
    return told | {
        "request": {"method": method, "url": url},
        "response": {
            "status": status,
            "etag": f'W/"{meta["versionId"]}"',
            "lastModified": meta["lastUpdated"],
        },
    }
