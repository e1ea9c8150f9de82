"""A patient whose chart was merged into another: the one says what replaced it, the other what."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from api import db
from api.audit.trail import audit_event_patients, audit_events
from api.core import merges
from api.core.patients import patients
from tests import builders
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import Client
from tests.fhir.exporting import export, fetched, kick, manifest, worked
from tests.fhir.test_validity import schema_check
from tests.fhir.test_writing import SYSTEM, patient, post, put

WHY = {"reason": "Admitted twice."}


@pytest.fixture
def twice(scene: Scene, ehr: Client) -> str:
    """A second chart of the scene's patient, that was merged into the first."""
    with db.transaction():
        made = builders.make_patient(scene.clinic_id, legal_given="Alma", legal_family="Twice")
    merge(scene, made["id"], scene.patient["id"])
    return str(made["id"])


def merge(scene: Scene, gone: UUID, into: UUID) -> None:
    with db.transaction():
        merges.merge_patient(scene["CA"].actor, gone, WHY | {"into": into})


def link(patient_id: object, how: str) -> dict[str, Any]:
    return {"other": {"reference": f"Patient/{patient_id}"}, "type": how}


def test_each_of_two_that_are_one_points_to_the_other(
    ehr: Client, scene: Scene, twice: str
) -> None:
    gone = ehr.get(f"/Patient/{twice}")
    assert gone.status_code == 200 and gone.json["active"] is False
    assert gone.json["link"] == [link(scene.patient["id"], "replaced-by")]
    stays = ehr.get(f"/Patient/{scene.patient['id']}").json
    assert stays["active"] is True and stays["link"] == [link(twice, "replaces")]
    for one in (gone.json, stays):
        assert not list(schema_check("Patient").iter_errors(one))
    known = {"If-None-Match": gone.headers["ETag"]}
    assert ehr("GET", f"/Patient/{twice}", headers=known).status_code == 304


def test_a_search_finds_the_one_that_stays_alone(ehr: Client, scene: Scene, twice: str) -> None:
    every = ehr.get("/Patient?_count=100").json
    ids = [entry["resource"]["id"] for entry in every["entry"]]
    assert twice not in ids and str(scene.patient["id"]) in ids and every["total"] == len(ids)
    for query in (f"_id={twice}", "family=Twice", "active=false"):
        assert ehr.get(f"/Patient?{query}").json["total"] == 0, query
    assert ehr.get(f"/Patient/{twice}/$everything").status_code == 410
    changed = ehr.get(f"/Patient/{twice}").json | {"birthDate": "1980-01-01"}
    assert ehr("PUT", f"/Patient/{twice}", json=changed).status_code in (404, 410)


def test_versions_say_what_was_so_when_they_were_made(
    ehr: Client, scene: Scene, twice: str
) -> None:
    for one, how in ((str(scene.patient["id"]), "replaces"), (twice, "replaced-by")):
        told = ehr.get(f"/Patient/{one}/_history").json["entry"]
        assert told[0]["request"]["method"] == "PUT" and told[-1]["request"]["method"] == "POST"
        assert told[0]["resource"]["link"][0]["type"] == how and len(told) > 1
        for before in told[1:]:
            assert "link" not in before["resource"] and before["resource"]["active"] is True


def test_an_export_gives_it_as_replaced_and_not_as_taken_away(
    ehr: Client, scene: Scene, twice: str
) -> None:
    with db.transaction() as store:
        lost = builders.make_patient(scene.clinic_id, legal_given="Typed", legal_family="Amiss")
        store.remove(patients, lost)
    at = kick(ehr, "/$export?_type=Patient&_since=2026-01-01T00:00:00Z")
    worked()
    told = manifest(ehr, at)
    there = {one["id"]: one for file in told["output"] for one in fetched(ehr, file["url"])}
    assert there[twice]["active"] is False
    assert there[twice]["link"] == [link(scene.patient["id"], "replaced-by")]
    gone = [one for file in told["deleted"] for one in fetched(ehr, file["url"])]
    assert [one["entry"][0]["request"]["url"] for one in gone] == [f"Patient/{lost['id']}"]
    of_one = export(ehr, f"/Patient/$export?_type=Patient&patient={scene.patient['id']}")
    assert {one["id"] for one in of_one["Patient"]} == {twice, str(scene.patient["id"])}


def test_an_export_gives_it_to_a_client_that_reached_it_because_it_made_it(
    app: Flask, scene: Scene
) -> None:
    with db.transaction():
        charts.let_see_all(scene.clinic_id, "consented")
        mine = charts.register(app, scene.clinic_id, external_system=SYSTEM).sign_in()
    first = post(mine, patient(None)).json["id"]
    merge(scene, UUID(first), scene.patient["id"])
    told = export(mine, "/$export?_type=Patient&_since=2026-01-01T00:00:00Z")
    there = {one["id"]: one for one in told["Patient"]}
    assert set(there) == {first, str(scene.patient["id"])}
    assert there[first]["link"] == [link(scene.patient["id"], "replaced-by")]


def test_divided_again_each_stands_alone(ehr: Client, scene: Scene, twice: str) -> None:
    with db.transaction():
        merges.unmerge_patient(scene["CA"].actor, UUID(twice), WHY)
    for one in (scene.patient["id"], twice):
        shown = ehr.get(f"/Patient/{one}").json
        assert shown["active"] is True and "link" not in shown
    told = ehr.get(f"/Patient/{twice}/_history").json["entry"]
    assert [entry["resource"]["active"] for entry in told][0] is True


def test_only_who_reaches_the_chart_that_stays_is_told_where_the_other_went(
    app: Flask, scene: Scene
) -> None:
    with db.transaction():
        charts.let_see_all(scene.clinic_id, "consented")
        mine = charts.register(app, scene.clinic_id, external_system=SYSTEM).sign_in()
        other = charts.register(app, scene.clinic_id).sign_in()
        charts.let_see_all(scene["XT"].clinic_id)
        foreign = charts.register(app, scene["XT"].clinic_id).sign_in()
    made = post(mine, patient("77")).json["id"]
    merge(scene, UUID(made), scene.patient["id"])
    shown = mine.get(f"/Patient/{made}")
    assert shown.json["link"] == [link(scene.patient["id"], "replaced-by")]
    found = mine.get(f"/Patient?identifier={SYSTEM}|77").json["entry"][0]["resource"]
    assert found["id"] == str(scene.patient["id"]) and found["link"] == [link(made, "replaces")]
    for one in (other, foreign):
        assert one.get(f"/Patient/{made}").status_code == 404
        assert one.get(f"/Patient/{made}/_history").status_code == 404


def test_who_is_read_so_is_told_in_the_trail_of_the_chart_that_stays(
    ehr: Client, scene: Scene, twice: str
) -> None:
    ehr.get(f"/Patient/{twice}")
    with db.transaction() as store:
        e, p = audit_events.c, audit_event_patients.c
        mine = [e.clinic_id == scene.clinic_id, e.record_id == UUID(twice), e.action == "fhir:read"]
        [event] = store.rows(select(e.id, e.outcome).where(*mine))
        people = store.rows(select(p.patient_id).where(p.event_id == event["id"]))
    assert event["outcome"] == "ok"
    assert [row["patient_id"] for row in people] == [scene.patient["id"]]


def test_what_was_read_of_the_one_that_stays_can_be_put_back(app: Flask, scene: Scene) -> None:
    with db.transaction():
        charts.let_see_all(scene.clinic_id, "consented")
        mine = charts.register(app, scene.clinic_id, external_system=SYSTEM).sign_in()
    first, second = (post(mine, patient(number)).json["id"] for number in ("81", "82"))
    merge(scene, UUID(first), UUID(second))
    shown = mine.get(f"/Patient/{second}").json
    answer = put(mine, shown | {"birthDate": "1984-07-03"})
    assert answer.status_code == 200, answer.text
    assert answer.json["link"] == [link(first, "replaces")]
    assert answer.json["birthDate"] == "1984-07-03"
