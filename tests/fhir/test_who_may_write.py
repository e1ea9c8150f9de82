"""Who may write: scopes and reach hold before a body is read, and each write leaves its row."""

from typing import Any

from flask import Flask
from sqlalchemy import select

from api import db
from api.audit.trail import audit_event_patients, audit_events
from api.fhir.writing.writers import WRITERS
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import Client
from tests.fhir.test_lists_written import bodies


def test_a_client_that_may_only_read_writes_nothing_and_its_body_is_not_looked_at(
    app: Flask, scene: Scene, seen: dict[str, Any]
) -> None:
    with db.transaction():
        client = charts.register(app, scene.clinic_id, "system/*.rs").sign_in()
    for kind, writer in WRITERS.items():
        ways = [("POST", f"/{kind}")]
        if writer.update is not None:
            one = f"/{kind}/{db.new_id()}"
            ways += [("PUT", one), ("PATCH", one), ("PUT", f"/{kind}?_id=x")]
        for method, path in ways:
            assert client(method, path, data=b"{").status_code == 403, (method, path)
    body = {"resourceType": "Bundle", "type": "batch"}
    entry = {"resource": {"resourceType": "Patient"}, "request": {"method": "POST"}}
    entry["request"] |= {"url": "Patient"}
    told = client("POST", "", json=body | {"entry": [entry]}).json["entry"]
    assert told[0]["response"]["status"] == "403"


def test_a_scope_that_only_creates_changes_nothing_and_answers_no_condition(
    app: Flask, scene: Scene, seen: dict[str, Any]
) -> None:
    with db.transaction():
        client = charts.register(app, scene.clinic_id, "system/Patient.c").sign_in()
    body = {"resourceType": "Patient", "name": [{"family": "New", "given": ["One"]}]}
    made = client("POST", "/Patient", json=body)
    assert made.status_code == 201
    at = f"/Patient/{made.json['id']}"
    assert client("PUT", at, json=made.json).status_code == 403
    asks = {"If-None-Exist": "family=Example"}
    assert client("POST", "/Patient", json=body, headers=asks).status_code == 403


def test_a_scope_of_one_category_holds_for_writes(
    app: Flask, scene: Scene, seen: dict[str, Any]
) -> None:
    narrow = "system/ServiceRequest.cruds?status=draft"
    with db.transaction():
        client = charts.register(app, scene.clinic_id, narrow).sign_in()
    body = bodies(str(scene.patient["id"]))["ServiceRequest"]
    assert client("POST", "/ServiceRequest", json=body).status_code == 403
    draft = client("POST", "/ServiceRequest", json=body | {"status": "draft"})
    assert draft.status_code == 201, draft.text
    there = draft.json | {"status": "active"}
    moved = client("PUT", f"/ServiceRequest/{there['id']}", json=there)
    assert moved.status_code in (403, 404), moved.text
    again = client.get(f"/ServiceRequest/{there['id']}").json
    assert again["status"] == "draft" and again["meta"]["versionId"] == "1"


def test_nobody_writes_in_another_clinic_and_foreign_answers_like_nothing(
    app: Flask, scene: Scene, seen: dict[str, Any], ehr: Client
) -> None:
    elsewhere = scene["XT"].clinic_id
    with db.transaction():
        charts.let_see_all(elsewhere)
        foreign = charts.register(app, elsewhere).sign_in()
    for kind, writer in WRITERS.items():
        if writer.update is None:
            continue
        [there, *_] = [e["resource"] for e in ehr.get(f"/{kind}").json["entry"]]
        nothing = there | {"id": str(db.new_id())}
        for headers in ({}, {"If-Match": 'W/"1"'}):
            same = headers | {"X-Request-ID": "same"}
            one = foreign("PUT", f"/{kind}/{there['id']}", json=there, headers=same)
            other = foreign("PUT", f"/{kind}/{nothing['id']}", json=nothing, headers=same)
            assert one.status_code == other.status_code == 404, (kind, one.text)
            assert one.data == other.data
        steps = '[{"op": "remove", "path": "/status"}]'
        media = {"content_type": "application/json-patch+json"}
        for record_id in (there["id"], nothing["id"]):
            answer = foreign("PATCH", f"/{kind}/{record_id}", data=steps, **media)
            assert answer.status_code == 404
    for kind, body in bodies(str(scene.patient["id"])).items():
        same = {"X-Request-ID": "same"}
        random = bodies(str(db.new_id()))[kind]
        one = foreign("POST", f"/{kind}", json=body, headers=same)
        other = foreign("POST", f"/{kind}", json=random, headers=same)
        assert one.status_code == 422 and one.data == other.data, kind


def test_each_write_leaves_one_row_with_client_and_patient(
    app: Flask, scene: Scene, seen: dict[str, Any], ehr: Client
) -> None:
    body = bodies(str(scene.patient["id"]))["Condition"]
    made = ehr("POST", "/Condition", json=body, headers={"X-Request-ID": "a-write"})
    assert made.status_code == 201
    with db.transaction() as store:
        [row] = store.rows(select(audit_events).where(audit_events.c.request_id == "a-write"))
        of = audit_event_patients.c.event_id == row["id"]
        people = [one["patient_id"] for one in store.rows(select(audit_event_patients).where(of))]
    assert (row["actor_id"], row["door"], row["outcome"]) == (ehr.client_id, "fhir", "ok")
    assert (row["action"], str(row["record_id"])) == ("fhir:create", made.json["id"])
    assert people == [scene.patient["id"]] and "title" in row["field_names"]
