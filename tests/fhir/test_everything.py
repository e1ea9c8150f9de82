"""`$everything`: the whole chart in pages, as far as the scopes and the reach of the client go."""

from typing import Any

import pytest
from flask import Flask

from api import clock, db
from api.fhir.datatypes import instant
from api.fhir.everything import BESIDE, CHARTED
from api.fhir.kinds import KINDS
from tests import builders
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import Client
from tests.fhir.test_validity import schema_check


def pages(client: Client, path: str) -> list[dict[str, Any]]:
    """Every entry, page by page; each page is a valid Bundle."""
    there: list[dict[str, Any]] = []
    while path:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        assert not list(schema_check("Bundle").iter_errors(answer.json))
        there += answer.json.get("entry", [])
        path = next((k["url"] for k in answer.json["link"] if k["relation"] == "next"), "")
    return there


def ids(entries: list[dict[str, Any]], mode: str = "match") -> list[tuple[str, str]]:
    found = [e["resource"] for e in entries if e["search"]["mode"] == mode]
    return [(one["resourceType"], one["id"]) for one in found]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_it_is_what_searches_find_in_pages_of_any_size(
    ehr: Client, scene: Scene, seen: dict[str, Any], size: int
) -> None:
    me = scene.patient["id"]
    told = pages(ehr, f"/Patient/{me}/$everything?_count={size}")
    expected = [("Patient", str(me))]
    for name in CHARTED[1:]:
        found = ehr.every(f"/{name}?patient={me}&_count=1000")
        expected += [(name, one["id"]) for one in found]
    assert ids(told) == expected and len(expected) > 60
    beside = set(ids(told, "include"))
    written = {("Provenance", f"{KINDS[kind].code}-{one}") for kind, one in expected}
    assert written <= beside and {name for name, _ in beside} == set(BESIDE)


def test_types_and_since_narrow_it(ehr: Client, scene: Scene, seen: dict[str, Any]) -> None:
    me = scene.patient["id"]
    told = pages(ehr, f"/Patient/{me}/$everything?_type=Goal,Patient")
    assert {name for name, _ in ids(told)} == {"Goal", "Patient"} and not ids(told, "include")
    later = instant(clock.now())
    at = f"/Patient/{me}/$everything?_type=Goal&_since={later}"
    assert ids(pages(ehr, at)) == []
    with db.transaction():
        goal = builders.make_goal(scene.patient)
    assert ids(pages(ehr, at)) == [("Goal", str(goal["id"]))]


def test_a_parameters_body_asks_the_same(ehr: Client, scene: Scene, seen: dict[str, Any]) -> None:
    at = f"/Patient/{scene.patient['id']}/$everything"
    body = {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueString": "Goal"}]}
    asked = ehr("POST", at, json=body)
    assert asked.status_code == 200, asked.text
    assert ids(asked.json["entry"]) == ids(ehr.get(f"{at}?_type=Goal").json["entry"])
    for bad in ({"resourceType": "Patient"}, [], {"resourceType": "Parameters", "parameter": [1]}):
        assert ehr("POST", at, json=bad).status_code == 400
    assert ehr("POST", at, data=b"x", content_type="text/plain").status_code == 415


@pytest.mark.parametrize(
    "query", ["_type=Device", "_since=noon", "_count=0", "wingspan=2", "_page=x"]
)
def test_what_has_no_meaning_is_refused(
    ehr: Client, scene: Scene, seen: dict[str, Any], query: str
) -> None:
    answer = ehr.get(f"/Patient/{scene.patient['id']}/$everything?{query}")
    assert answer.status_code == 400 and answer.json["resourceType"] == "OperationOutcome"


def test_scopes_and_reach_hold(app: Flask, scene: Scene, ehr: Client, seen: dict[str, Any]) -> None:
    survey = "http://terminology.hl7.org/CodeSystem/observation-category|survey"
    with db.transaction():
        narrow = f"system/Patient.r system/Observation.rs?category={survey}"
        client = charts.register(app, scene.clinic_id, narrow).sign_in()
        without = charts.register(app, scene.clinic_id, "system/Goal.rs").sign_in()
        charts.let_see_all(scene["XT"].clinic_id)
        foreign = charts.register(app, scene["XT"].clinic_id).sign_in()
    at = f"/Patient/{scene.patient['id']}/$everything"
    told = [e["resource"] for e in pages(client, at)]
    assert {one["resourceType"] for one in told} == {"Patient", "Observation"}
    kinds = [one for one in told if one["resourceType"] == "Observation"]
    assert {one["category"][0]["coding"][0]["code"] for one in kinds} == {"survey"}
    assert without.get(at).status_code == 403
    same = {"X-Request-ID": "same"}
    nothing = foreign.get(f"/Patient/{db.new_id()}/$everything", headers=same)
    theirs = foreign.get(at, headers=same)
    assert theirs.status_code == 404 and theirs.data == nothing.data
    link = next(k["url"] for k in ehr.get(f"{at}?_count=1").json["link"] if k["relation"] == "next")
    assert client.get(link).status_code == 400
