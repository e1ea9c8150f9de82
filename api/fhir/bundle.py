"""Bundles: searchsets with their links and what comes along, and histories."""

from collections.abc import Iterable
from typing import Any, Final

from api.fhir.datatypes import Json

MATCH, INCLUDE = "match", "include"
SEARCHSET: Final = "searchset"


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


def history(base: str, resource: Json, bundle_id: str) -> Json:
    """The versions of a resource that are kept: the one that stands."""
    at = f"{resource['resourceType']}/{resource['id']}"
    return {
        "resourceType": "Bundle",
        "id": bundle_id,
        "meta": {"lastUpdated": resource["meta"]["lastUpdated"]},
        "type": "history",
        "total": 1,
        "link": [{"relation": "self", "url": f"{base}/{at}/_history"}],
        "entry": [
            {
                "fullUrl": f"{base}/{at}",
                "resource": resource,
                "request": {"method": "PUT", "url": at},
                "response": {
                    "status": "200",
                    "etag": f'W/"{resource["meta"]["versionId"]}"',
                    "lastModified": resource["meta"]["lastUpdated"],
                },
            }
        ],
    }
