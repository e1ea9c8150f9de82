"""Bulk exports: three kick-offs, every parameter, files that equal what searches find, and ends."""

import gzip
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.access.policies import Actor
from api.audit.trail import audit_event_patients, audit_events
from api.core import clients, consents
from api.core.ehr.exports import Order, Piece, orders, work
from api.core.ehr.exports.tables import RUNNING, bulk_chunks, bulk_exports
from api.core.integration.tables import goals
from api.fhir import bulk_making
from api.fhir.datatypes import instant
from api.fhir.kinds import KINDS
from tests import builders
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import BASE, Client
from tests.fhir.test_validity import schema_check

ASYNC = {"Prefer": "respond-async"}
Lines = dict[str, list[dict[str, Any]]]


def kick(client: Client, path: str = "/$export", method: str = "GET", **more: Any) -> str:
    """Order an export; where its status is asked."""
    headers = {**ASYNC, **more.pop("headers", {})}
    answer = client(method, path, headers=headers, **more)
    assert answer.status_code == 202, answer.text
    at: str = answer.headers["Content-Location"]
    assert at.startswith(f"{BASE}/bulk/")
    return at


def worked() -> None:
    """Everything that waits is made."""
    while bulk_making.make_next():
        pass


def manifest(client: Client, at: str) -> dict[str, Any]:
    answer = client.get(at, headers={"Accept": "application/json"})
    assert answer.status_code == 200, (answer.status_code, answer.text)
    assert answer.content_type == "application/json" and answer.headers["Expires"]
    told: dict[str, Any] = answer.json
    assert told["requiresAccessToken"] is True
    return told


def fetched(client: Client, url: str, **headers: str) -> list[dict[str, Any]]:
    answer = client.get(url, headers={"Accept": "application/fhir+ndjson", **headers})
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/fhir+ndjson"
    body = answer.data
    if headers.get("Accept-Encoding"):
        assert answer.headers["Content-Encoding"] == "gzip"
        body = gzip.decompress(body)
    return [json.loads(line) for line in body.splitlines()]


def export(client: Client, path: str = "/$export", **more: Any) -> Lines:
    """Everything of an export, by type."""
    at = kick(client, path, **more)
    worked()
    told = manifest(client, at)
    there: Lines = {}
    for one in told["output"]:
        there[one["type"]] = fetched(client, one["url"])
        assert len(there[one["type"]]) == one["count"]
    return there


def ids(lines: Lines) -> set[tuple[str, str]]:
    return {(name, one["id"]) for name, many in lines.items() for one in many}


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


def test_progress_gzip_and_deletion(ehr: Client, seen: dict[str, Any]) -> None:
    at = kick(ehr, "/$export?_type=Goal,Observation")
    waiting = ehr.get(at)
    assert waiting.status_code == 202 and waiting.headers["Retry-After"]
    assert 0 < len(waiting.headers["X-Progress"]) < 100
    assert ehr.get(f"{at}/Goal").status_code == 404
    worked()
    told = manifest(ehr, at)
    for one in told["output"]:
        packed = fetched(ehr, one["url"], **{"Accept-Encoding": "gzip"})
        assert packed == fetched(ehr, one["url"])
    assert ehr("DELETE", at).status_code == 202
    for path in (at, told["output"][0]["url"]):
        assert ehr.get(path).status_code == 404
        assert ehr.get(path).json["resourceType"] == "OperationOutcome"
    assert ehr("DELETE", at).status_code == 404
    with db.transaction() as store:
        assert store.rows(select(bulk_chunks).where(bulk_chunks.c.export_id == db_id(at))) == []


def test_nothing_readable_lies_in_the_database(ehr: Client, seen: dict[str, Any]) -> None:
    kick(ehr, "/$export?_type=Patient&_typeFilter=Patient%3Fname=Canaria")
    at = kick(ehr, "/$export?_type=Patient")
    worked()
    with db.transaction() as store:
        rows = store.rows(select(bulk_chunks)) + store.rows(select(bulk_exports))
    assert "Canaria" not in repr(rows) and manifest(ehr, at)["output"]


def test_it_runs_out(ehr: Client, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    at = kick(ehr, "/$export?_type=Goal")
    worked()
    later = clock.now() + timedelta(hours=25)
    monkeypatch.setattr(clock, "now", lambda: later)
    while True:
        with db.transaction():
            if not orders.forget_expired():
                break
    monkeypatch.undo()
    assert ehr.get(at).status_code == 404
    with db.transaction() as store:
        rows = store.rows(select(bulk_exports).where(bulk_exports.c.id == db_id(at)))
    assert rows[0]["deleted_at"] is not None


def db_id(at: str) -> UUID:
    return UUID(at[-36:])


def test_a_killed_worker_loses_nothing_and_doubles_nothing(
    ehr: Client, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_making, "CHUNK", 2)
    whole = export(ehr)
    at, pieces = kick(ehr), 0

    def dying(client: Actor, order: Order) -> Piece:
        nonlocal pieces
        pieces += 1
        if pieces % 7 == 0:
            raise KeyboardInterrupt
        return bulk_making.make(client, order)

    for _ in range(100):
        try:
            if not work(dying):
                break
        except KeyboardInterrupt:
            with db.transaction() as store:
                e = bulk_exports.c
                left = bulk_exports.update().where(e.id == db_id(at), e.state == RUNNING)
                store.execute(left.values(lease_until=clock.now() - timedelta(seconds=1)))
    told = manifest(ehr, at)
    again = {one["type"]: fetched(ehr, one["url"]) for one in told["output"]}
    assert pieces > 20 and again == whole


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
