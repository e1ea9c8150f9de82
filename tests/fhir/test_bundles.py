"""Batches and transactions: all or nothing, and each by itself."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from api import db
from tests.fhir.charts import Client
from tests.fhir.test_lists_written import bodies
from tests.fhir.test_writing import SYSTEM, issues, mine, patient, post

__all__ = ["mine"]


def entry(resource: dict[str, Any], name: str = "", method: str = "POST", **more: Any) -> Any:
    told: dict[str, Any] = {
        "resource": resource,
        "request": {"method": method, "url": resource["resourceType"]} | more,
    }
    return told | ({"fullUrl": name} if name else {})


def bundle(kind: str, entries: list[Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def a_visit(break_the: int | None = None) -> list[Any]:
    """Ten entries: what points to the patient stands before the patient."""
    who = f"urn:uuid:{uuid4()}"
    told = bodies("x")
    made: list[Any] = []
    for number in range(9):
        kind = tuple(told)[number % len(told)]
        named = "patient" if kind == "AllergyIntolerance" else "subject"
        body = told[kind] | {named: {"reference": who}}
        body["identifier"] = [{"system": SYSTEM, "value": f"{number}"}]
        made.append(entry(body, ifNoneExist=f"identifier={SYSTEM}|{number}"))
    made.append(entry(patient(), who, ifNoneExist=f"identifier={SYSTEM}|5"))
    if break_the is not None:
        made[break_the]["resource"] = made[break_the]["resource"] | {"wingspan": 2}
    return made


def every_row() -> dict[str, int]:
    """How many rows each table has, but for the trail, which tells of refusals too."""
    counted = {}
    with db.transaction() as store:
        for name, table in db.metadata.tables.items():
            if not name.startswith("audit_"):
                [row] = store.rows(select(func.count().label("many")).select_from(table))
                counted[name] = row["many"]
    return counted


def totals(client: Client) -> dict[str, int]:
    kinds = ("Patient", *bodies("x"), "Provenance")
    return {kind: client.get(f"/{kind}?_count=0").json["total"] for kind in kinds}


@pytest.mark.parametrize("slash", ["", "/"])
def test_names_of_entries_become_references_in_whatever_order(mine: Client, slash: str) -> None:
    answer = mine("POST", slash, json=bundle("transaction", a_visit()))
    assert answer.status_code == 200, answer.text
    said = answer.json
    assert said["type"] == "transaction-response" and len(said["entry"]) == 10
    assert {one["response"]["status"] for one in said["entry"]} == {"201 Created"}
    made = said["entry"][9]["resource"]
    for one in said["entry"][:9]:
        resource = one["resource"]
        named = resource.get("subject") or resource["patient"]
        assert named["reference"] == f"Patient/{made['id']}"
        at = one["response"]["location"].partition("/_history")[0]
        assert mine.get(f"/{at}").json == resource
    again = mine("POST", slash, json=bundle("transaction", a_visit()))
    assert again.status_code == 200
    assert {one["response"]["status"] for one in again.json["entry"]} == {"200 OK"}
    assert [one["resource"] for one in again.json["entry"]] == [
        one["resource"] for one in said["entry"]
    ]
    assert totals(mine)["Patient"] == 1


def test_a_transaction_of_which_one_entry_is_wrong_changes_nothing(mine: Client) -> None:
    before, rows = totals(mine), every_row()
    answer = post(mine, bundle("transaction", a_visit(6)), "/")
    assert answer.status_code == 422, answer.text
    assert issues(answer) == {("structure", "Bundle.entry[6].resource")}
    assert totals(mine) == before and every_row() == rows


def test_the_batch_of_the_same_does_the_others(mine: Client) -> None:
    who = post(mine, patient()).json["id"]
    told = [
        entry(bodies(who)[kind] | {"identifier": [{"system": SYSTEM, "value": str(number)}]})
        for number, kind in enumerate((*bodies("x"), *bodies("x")))
    ]
    told[5]["resource"] = told[5]["resource"] | {"wingspan": 2}
    told.append(entry(patient(), method="DELETE", url=f"Patient/{who}"))
    told.append({"request": {"method": "GET", "url": f"Patient/{who}"}})
    told.append({"request": {"method": "GET", "url": f"Patient/{uuid4()}"}})
    answer = post(mine, bundle("batch", told), "/")
    assert answer.status_code == 200, answer.text
    statuses = [one["response"]["status"][:3] for one in answer.json["entry"]]
    assert statuses == ["201"] * 5 + ["422"] + ["201"] * 2 + ["400", "200", "404"]
    outcome = answer.json["entry"][5]["response"]["outcome"]
    assert outcome["resourceType"] == "OperationOutcome"
    there = totals(mine)
    assert {kind: there[kind] for kind in bodies("x")} == {
        "Condition": 2,
        "AllergyIntolerance": 1,
        "MedicationStatement": 2,
        "ServiceRequest": 2,
    }


def test_a_stale_entry_undoes_the_transaction(mine: Client) -> None:
    made = post(mine, patient()).json
    changed = made | {"gender": "male"}
    at = {"url": f"Patient/{made['id']}"}
    fine = entry(changed, method="PUT", ifMatch='W/"1"', **at)
    stale = entry(changed | {"gender": "unknown"}, method="PUT", ifMatch='W/"1"', **at)
    answer = post(mine, bundle("transaction", [fine, stale]), "/")
    assert answer.status_code == 412, answer.text
    assert mine.get(f"/Patient/{made['id']}").json == made
    assert post(mine, bundle("transaction", [fine]), "/").status_code == 200


def test_what_is_no_bundle_is_refused(mine: Client) -> None:
    ring = [f"urn:uuid:{uuid4()}" for _ in range(2)]
    told = bodies("x")["Condition"]
    circle = [entry(told | {"subject": {"reference": ring[1 - n]}}, ring[n]) for n in range(2)]
    same = [entry(patient(str(n)), ring[0]) for n in range(2)]
    for body in (
        bundle("history", []),
        {"resourceType": "Bundle"},
        {"resourceType": "Patient"},
        bundle("transaction", [{"request": {"method": "POST"}}]),
        bundle("transaction", ["x"]),
        bundle("transaction", [entry(patient())] * 201),
        bundle("transaction", circle),
        bundle("transaction", same),
    ):
        answer = post(mine, body, "/")
        assert answer.status_code == 422, answer.text
    assert post(mine, bundle("batch", []), "/").status_code == 200
    assert totals(mine)["Patient"] == 0
