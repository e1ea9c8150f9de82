"""Bulk exports: three kick-offs, every parameter, files that equal what searches find."""

from typing import Any

import pytest

from api import clock, db
from api.core.integration.tables import goals
from api.fhir import bulk_making
from api.fhir.datatypes import instant
from api.fhir.kinds import KINDS
from tests import builders
from tests.builders import Scene
from tests.fhir.charts import Client
from tests.fhir.exporting import ASYNC, export, fetched, ids, kick, manifest, worked
from tests.fhir.test_validity import schema_check


def test_an_export_of_the_system_holds_what_searches_find(
    ehr: Client, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_making, "CHUNK", 3)
    told = export(ehr)
    assert "AuditEvent" not in told
    for name in set(KINDS) - {"AuditEvent"}:
        by_id = {one["id"]: one for one in told[name]}
        assert len(by_id) == len(told[name])
        found = {one["id"]: one for one in ehr.every(f"/{name}?_count=500")}
        assert by_id == found, (
            name,
            [(a, found[i]) for i, a in by_id.items() if a != found.get(i)][:1],
        )
        check = schema_check(name)
        assert all(check.is_valid(one) for one in told[name]), name


def test_three_kick_offs_give_the_same(ehr: Client, seen: dict[str, Any]) -> None:
    query = "_type=Goal,Patient&_outputFormat=ndjson"
    said = [{"name": "_type", "valueString": "Goal,Patient"}]
    body = {"resourceType": "Parameters", "parameter": said}
    told = [
        export(ehr, f"/$export?{query}"),
        export(ehr, f"/$export?{query}", method="POST"),
        export(ehr, "/$export", method="POST", json=body),
    ]
    assert set(told[0]) == {"Goal", "Patient"} and told[0] == told[1] == told[2]


def test_patients_and_the_group_hold_charts_and_who_wrote_them(
    ehr: Client, scene: Scene, seen: dict[str, Any]
) -> None:
    people, group = (
        export(ehr, "/Patient/$export"),
        export(ehr, f"/Group/{scene.clinic_id}/$export"),
    )
    assert people == group
    assert set(people) == {k.type for k in KINDS.values() if k.chart} | {"Provenance"}
    mine = export(ehr, f"/Patient/$export?patient=Patient/{scene.patient['id']}&_type=Goal,Patient")
    assert [one["id"] for one in mine["Patient"]] == [str(scene.patient["id"])]
    none = ehr.get(f"/Group/{db.new_id()}/$export", headers=ASYNC)
    gone = ehr.get(f"/Patient/$export?patient={db.new_id()}", headers=ASYNC)
    assert none.status_code == gone.status_code == 404


def test_filters_elements_and_since_narrow_it(
    ehr: Client, scene: Scene, seen: dict[str, Any]
) -> None:
    vital = "http://terminology.hl7.org/CodeSystem/observation-category%7Cvital-signs"
    phq = "http://loinc.org%7C44261-6"
    asked = f"Observation%3Fcategory={vital},Observation%3Fcode={phq}%252Cnone"
    told = export(ehr, f"/$export?_type=Observation,Goal&_typeFilter={asked}")
    every = ehr.every(f"/Observation?category={vital}") + ehr.every(f"/Observation?code={phq}")
    assert ids({"Observation": told["Observation"]}) == ids({"Observation": every})
    assert len(told["Goal"]) == len(ehr.every("/Goal"))
    [goal] = export(ehr, "/$export?_type=Goal&_elements=Goal.description,id,Patient.name")["Goal"]
    assert set(goal) == {"resourceType", "id", "meta", "description", "lifecycleStatus", "subject"}
    assert goal["meta"]["tag"][0]["code"] == "SUBSETTED"
    later = instant(clock.now())
    assert export(ehr, f"/$export?_type=Goal&_since={later}") == {}
    assert export(ehr, f"/$export?_type=Goal&_until={later}")["Goal"]


def test_what_was_taken_away_since_then_is_told(
    ehr: Client, scene: Scene, seen: dict[str, Any]
) -> None:
    since = instant(clock.now())
    with db.transaction():
        goal = builders.make_goal(scene.patient)
        store = db.store()
        store.remove(goals, goal)
    at = kick(ehr, f"/$export?_type=Goal,CarePlan&_since={since}")
    worked()
    told = manifest(ehr, at)
    assert told["output"] == [] and told["deleted"][0]["type"] == "Bundle"
    gone = fetched(ehr, told["deleted"][0]["url"])
    assert all(one["type"] == "transaction" for one in gone)
    said = [one["entry"][0]["request"] for one in gone]
    assert {"method": "DELETE", "url": f"Goal/{goal['id']}"} in said


@pytest.mark.parametrize(
    "query",
    [
        "_type=Device",
        "_since=noon",
        "_typeFilter=Goal",
        "_typeFilter=Goal%3Fwingspan=2",
        "_typeFilter=Goal%3F_include=Goal:patient",
        "_type=Patient&_typeFilter=Goal%3Fpatient=x",
        "_outputFormat=csv",
        "_elements=,",
        "includeAssociatedData=x",
        "wingspan=2",
        "patient=x",
    ],
)
def test_what_has_no_meaning_is_refused_or_passed_over_and_told(
    ehr: Client, seen: dict[str, Any], query: str
) -> None:
    refused = ehr.get(f"/$export?{query}", headers=ASYNC)
    assert refused.status_code == 400 and refused.json["resourceType"] == "OperationOutcome"
    lenient = {"Prefer": "respond-async, handling=lenient"}
    at = kick(ehr, f"/$export?{query}", headers=lenient)
    worked()
    [told] = manifest(ehr, at)["error"]
    assert fetched(ehr, told["url"])[0]["issue"][0]["code"] == "not-supported"


def test_without_prefer_it_is_refused_and_a_form_is_no_body(ehr: Client) -> None:
    assert ehr.get("/$export").status_code == 400
    assert ehr("POST", "/$export", data={"_type": "Goal"}, headers=ASYNC).status_code == 415
