"""Whose data a bulk export holds: scopes and reach hold at each step, and the trail tells."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.access.policies import Actor
from api.audit.trail import audit_event_patients, audit_events
from api.core import clients, consents
from api.core.ehr.exports import Order, Piece, orders, work
from api.core.ehr.exports.tables import bulk_chunks, bulk_exports
from api.fhir import bulk_making
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import Client
from tests.fhir.exporting import ASYNC, db_id, export, fetched, kick, manifest, worked


def test_somebody_who_withdraws_is_in_no_file_whenever_it_is_fetched(
    app: Flask, scene: Scene, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_making, "CHUNK", 2)
    me, actor = scene.patient["id"], scene["CT"].actor
    said = {"kind": "ehr_sharing", "text_version": "1"}
    with db.transaction():
        charts.let_see_all(scene.clinic_id, "consented")
        client = charts.register(app, scene.clinic_id).sign_in()
        given = consents.record_consent(actor, me, said)
    at = kick(client, "/Patient/$export?_type=Patient,Goal,Observation")
    worked()
    told = manifest(client, at)
    before = {one["type"]: fetched(client, one["url"]) for one in told["output"]}
    assert [one["id"] for one in before["Patient"]] == [str(me)]
    with db.transaction():
        consents.withdraw_consent(scene["CT"].actor, given["id"])
    told = manifest(client, at)
    assert told["output"] and all("count" not in one for one in told["output"])
    for one in told["output"]:
        assert fetched(client, one["url"]) == []
        assert fetched(client, one["url"], **{"Accept-Encoding": "gzip"}) == []
    again = export(client, "/Patient/$export?_type=Patient,Goal,Observation")
    assert again == {}


def test_somebody_who_withdraws_while_it_is_made_is_in_no_file(
    app: Flask, scene: Scene, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_making, "CHUNK", 1)
    said = {"kind": "ehr_sharing", "text_version": "1"}
    with db.transaction():
        charts.let_see_all(scene.clinic_id, "consented")
        client = charts.register(app, scene.clinic_id).sign_in()
        given = consents.record_consent(scene["CT"].actor, scene.patient["id"], said)
    at, made = kick(client, "/Patient/$export?_type=Observation,Patient"), 0

    def halting(reader: Actor, order: Order) -> Piece:
        nonlocal made
        made += 1
        if made == 6:
            raise KeyboardInterrupt
        return bulk_making.make(reader, order)

    with pytest.raises(KeyboardInterrupt):
        work(halting)
    with db.transaction() as store:
        chunks = store.rows(select(bulk_chunks).where(bulk_chunks.c.export_id == db_id(at)))
        consents.withdraw_consent(scene["CT"].actor, given["id"])
        mine = bulk_exports.update().where(bulk_exports.c.id == db_id(at))
        store.execute(mine.values(lease_until=clock.now() - timedelta(seconds=1)))
    assert chunks
    worked()
    assert [fetched(client, one["url"]) for one in manifest(client, at)["output"]] == [[]] * len(
        {one["file"] for one in chunks}
    )


def test_scopes_hold_at_the_kick_off_during_the_run_and_at_the_download(
    app: Flask, scene: Scene, seen: dict[str, Any]
) -> None:
    survey = "http://terminology.hl7.org/CodeSystem/observation-category|survey"
    narrow = f"system/Observation.rs?category={survey}"
    with db.transaction():
        client = charts.register(app, scene.clinic_id, f"{narrow} system/Goal.rs").sign_in()
    assert client.get("/$export?_type=Patient", headers=ASYNC).status_code == 403
    told = export(client)
    assert set(told) == {"Goal", "Observation"}
    assert {one["category"][0]["coding"][0]["code"] for one in told["Observation"]} == {"survey"}
    at = kick(client, "/$export")
    worked()
    client.scope = "system/Goal.rs"
    client.sign_in()
    assert fetched(client, f"{at}/Goal")
    assert client.get(f"{at}/Observation").status_code == 403
    client.scope = f"{narrow} system/Goal.rs"
    client.sign_in()
    at = kick(client, "/$export")
    with db.transaction() as store:
        mine = clients.ehr_clients.c.id == client.client_id
        store.execute(clients.ehr_clients.update().where(mine).values(scopes="system/Goal.rs"))
    worked()
    assert client.get(at).status_code == 500
    assert client.get(at).json["resourceType"] == "OperationOutcome"


def test_an_export_is_its_clients_alone(
    app: Flask, scene: Scene, ehr: Client, seen: dict[str, Any]
) -> None:
    at = kick(ehr, "/$export?_type=Goal")
    worked()
    with db.transaction():
        other = charts.register(app, scene.clinic_id).sign_in()
        charts.let_see_all(scene["XT"].clinic_id)
        foreign = charts.register(app, scene["XT"].clinic_id).sign_in()
    same = {"X-Request-ID": "same"}
    for client in (other, foreign):
        nothing = client.get(f"/bulk/{db.new_id()}", headers=same)
        for method, path in (("GET", at), ("GET", f"{at}/Goal"), ("DELETE", at)):
            answer = client(method, path, headers=same)
            assert answer.status_code == 404 and answer.data == nothing.data
    assert export(foreign, "/Patient/$export?_type=Goal").get("Goal", []) == []
    assert manifest(ehr, at)["output"]


def test_a_client_has_so_many_at_once_and_no_more(ehr: Client) -> None:
    there = [kick(ehr, "/$export?_type=Goal") for _ in range(orders.MOST_AT_ONCE)]
    refused = ehr.get("/$export", headers=ASYNC)
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0
    assert ehr("DELETE", there[0]).status_code == 202
    kick(ehr, "/$export?_type=Goal")


def test_the_trail_names_everybody_whose_data_left(
    ehr: Client, scene: Scene, seen: dict[str, Any]
) -> None:
    at = kick(ehr, "/Patient/$export?_type=Goal,Patient")
    worked()
    with db.transaction() as store:
        a, p = audit_events.c, audit_event_patients.c
        [event] = store.rows(select(audit_events).where(a.request_id == db_id(at).hex))
        named = store.rows(select(p.patient_id).where(p.event_id == event["id"]))
    assert (event["action"], event["outcome"]) == ("fhir:export", "ok")
    assert event["actor_id"] == ehr.client_id
    people = {one["id"] for one in ehr.every("/Patient?_count=500")}
    assert {str(row["patient_id"]) for row in named} == people and len(people) > 1
