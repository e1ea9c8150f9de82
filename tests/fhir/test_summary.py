"""The integration summary: one document for whoever referred, and what it does not tell."""

from typing import Any

from flask import Flask

from api import db
from api.core.outcomes import checkins
from tests import builders
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import Client
from tests.fhir.test_validity import schema_check


def summary(client: Client, scene: Scene) -> dict[str, Any]:
    answer = client.get(f"/Patient/{scene.patient['id']}/$integration-summary")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json
    assert not list(schema_check("Bundle").iter_errors(told))
    return told


def sections(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["title"]: one for one in told["entry"][0]["resource"]["section"]}


def measured(scene: Scene, key: str, value: int) -> None:
    """A check-in after the one of the chart, with one answer throughout."""
    ct = scene["CT"]
    said = {
        "instrument": key,
        "answers": {f"phq9-{i}": value for i in range(1, 10)},
        "complete": True,
        "answered_by": "clinician_asked",
    }
    checkins.log_checkin(ct.actor, scene.patient["id"], said)


def test_it_is_one_document_in_which_every_entry_is_there(
    ehr: Client, scene: Scene, seen: dict[str, Any]
) -> None:
    with db.transaction():
        measured(scene, "phq-9", 0)
    told = summary(ehr, scene)
    assert told["type"] == "document" and told["identifier"] and told["timestamp"]
    urls = {one["fullUrl"] for one in told["entry"]}
    kinds = [one["resource"]["resourceType"] for one in told["entry"]]
    assert kinds[0] == "Composition" and len(urls) == len(kinds)
    assert set(sections(told)) == {"Doses", "Safety", "Measures and change", "Goals and trails"}
    for one in sections(told).values():
        for entry in one["entry"]:
            pointed = entry["reference"]
            assert pointed in urls or any(url.endswith(f"/{pointed}") for url in urls), pointed
    wanted = {"Encounter", "MedicationAdministration", "AdverseEvent", "AllergyIntolerance"}
    assert wanted | {"Goal", "CarePlan", "Observation", "Patient", "Organization"} <= set(kinds)
    for one in told["entry"]:
        kind = one["resource"]["resourceType"]
        assert not list(schema_check(kind).iter_errors(one["resource"])), kind


def test_a_change_comes_with_its_verdicts_and_the_totals_it_is_of(
    ehr: Client, scene: Scene, seen: dict[str, Any]
) -> None:
    with db.transaction():
        measured(scene, "phq-9", 0)
    told = summary(ehr, scene)
    change = next(
        one["resource"]
        for one in told["entry"]
        if one["resource"].get("code", {}).get("text") == "PHQ-9 change since baseline"
    )
    assert change["valueQuantity"]["value"] == -9
    said = {one["code"]["coding"][0]["code"]: one for one in change["component"]}
    assert said["minimal-important"]["valueBoolean"] is True
    assert said["reliable"]["valueCodeableConcept"]["coding"][0]["code"] == "improved"
    assert said["remission"]["valueBoolean"] is True
    assert said["deterioration"]["valueBoolean"] is False
    values = {
        one["resource"]["id"]: one["resource"]["valueQuantity"]["value"]
        for one in told["entry"]
        if one["resource"]["id"].endswith("-total")
    }
    of = [values[one["reference"].removeprefix("Observation/")] for one in change["derivedFrom"]]
    assert sorted(of) == [0, 9]
    words = sections(told)["Measures and change"]["text"]["div"]
    assert "PHQ-9: 9 on" in words and "reliable change: improved" in words


def test_corrected_doses_and_what_is_for_me_alone_are_not_in_it(
    ehr: Client, scene: Scene, seen: dict[str, Any]
) -> None:
    with db.transaction():
        mine = builders.make_goal(scene.patient, title="canary", shared_with="me")
        builders.make_practice(seen["goal"], new_trail="canary", shared_with="me")
    told = summary(ehr, scene)
    doses = [
        one["resource"]
        for one in told["entry"]
        if one["resource"]["resourceType"] == "MedicationAdministration"
    ]
    assert [one["status"] for one in doses] == ["completed"]
    assert "canary" not in repr(told) and str(mine["id"]) not in repr(told)


def test_what_the_scopes_leave_out_is_withheld_and_says_so(
    app: Flask, scene: Scene, seen: dict[str, Any]
) -> None:
    with db.transaction():
        few = "system/Patient.r system/Organization.r system/Goal.r"
        client = charts.register(app, scene.clinic_id, few).sign_in()
        less = charts.register(app, scene.clinic_id, "system/Patient.r").sign_in()
    told = summary(client, scene)
    kinds = {one["resource"]["resourceType"] for one in told["entry"]}
    assert kinds == {"Composition", "Patient", "Organization", "Goal"}
    empty = sections(told)["Measures and change"]
    assert empty["emptyReason"]["coding"][0]["code"] == "withheld"
    assert less.get(f"/Patient/{scene.patient['id']}/$integration-summary").status_code == 403


def test_a_chart_out_of_reach_looks_like_one_that_is_not_there(
    app: Flask, scene: Scene, seen: dict[str, Any]
) -> None:
    with db.transaction():
        charts.let_see_all(scene["XT"].clinic_id)
        foreign = charts.register(app, scene["XT"].clinic_id).sign_in()
    same = {"X-Request-ID": "same"}
    answers = [
        foreign.get(f"/Patient/{one}/$integration-summary", headers=same)
        for one in (scene.patient["id"], db.new_id(), "x")
    ]
    assert {a.status_code for a in answers} == {404} and len({a.data for a in answers}) == 1


def test_a_chart_with_nothing_in_it_has_a_summary_too(
    ehr: Client, scene: Scene, seen: dict[str, Any]
) -> None:
    at = f"/Patient/{scene.other_patient['id']}/$integration-summary"
    told = ehr.get(at).json
    assert not list(schema_check("Bundle").iter_errors(told))
    assert all("entry" not in one for one in sections(told).values())
