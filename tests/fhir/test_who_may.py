"""Who may: every route is locked, scopes and reach hold on every way, and each leaves its row."""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import db
from api.audit.trail import audit_event_patients, audit_events
from api.core import consents, patients
from api.core.treatment import notes
from api.fhir.door import OPEN
from api.fhir.kinds import KINDS
from tests import builders
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import SYSTEM, Client

CANARY = "the-canary-sings-of-nothing-else"


def an_id() -> tuple[str, str]:
    """The place of a resource's id in a rule, and an id of nothing."""
    return "<fhir_id:resource_id>", str(db.new_id())


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """Every `(method, path, endpoint)` of this door, with an id of nothing."""
    return [
        (
            method,
            re.sub("<fhir_id:[a-z]+>", "1", rule.rule.replace(*an_id())),
            rule.endpoint,
        )
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/fhir/")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def test_without_a_clients_token_nothing_opens_and_a_persons_opens_nothing(
    app: Flask, scene: Scene
) -> None:
    assert len(routes(app)) > 100
    for method, path, endpoint in routes(app):
        if endpoint in OPEN:
            continue
        for token in (None, *(scene[name].token for name in ("PS", "CT", "CA", "PR", "AY"))):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = app.test_client().open(path, method=method, headers=headers, data=b"{")
            assert answer.status_code == 401, (method, path)
            assert answer.json["resourceType"] == "OperationOutcome"


def test_a_scope_that_lacks_is_403_for_what_is_there_and_what_is_not(
    app: Flask, scene: Scene, seen: dict[str, Any]
) -> None:
    with db.transaction():
        client = charts.register(app, scene.clinic_id, "system/Organization.r").sign_in()
    goal = seen["goal"]["id"]
    for path in (f"/Goal/{goal}", f"/Goal/{db.new_id()}", "/Goal", f"/Goal/{goal}/_history"):
        assert client.get(path).status_code == 403, path
    assert client.get("/Organization").status_code == 403
    assert client.get(f"/Organization/{scene.clinic_id}").status_code == 200
    with db.transaction() as store:
        mine = audit_events.c.actor_id == client.client_id
        rows = store.rows(select(audit_events).where(mine, audit_events.c.outcome == "refused"))
    assert len(rows) == 5 and {row["reason_ref"] for row in rows} == {"not_allowed"}


def test_a_wildcard_leaves_the_trail_out(app: Flask, scene: Scene, seen: dict[str, Any]) -> None:
    with db.transaction():
        client = charts.register(app, scene.clinic_id, "system/*.rs").sign_in()
    assert client.get("/AuditEvent").status_code == 403
    assert client.get("/Goal").status_code == 200


def everywhere(client: Client) -> list[dict[str, Any]]:
    """Every resource that a client meets by search, with what comes along."""
    there = []
    for kind in KINDS.values():
        includes = [f"{kind.type}:{n}" for n, p in kind.params.items() if p.kind == "reference"]
        query = {"_count": "1000", "_include": includes}
        if kind.chart:
            query["_revinclude"] = "Provenance:target"
        answer = client.get(f"/{kind.type}", query_string=query)
        if answer.status_code == 200:
            there += [entry["resource"] for entry in answer.json.get("entry", [])]
    return there


def test_a_scope_of_one_category_holds_on_every_way(
    app: Flask, scene: Scene, seen: dict[str, Any]
) -> None:
    survey = "http://terminology.hl7.org/CodeSystem/observation-category|survey"
    narrow = f"system/Observation.rs?category={survey}"
    with db.transaction():
        wide = charts.register(app, scene.clinic_id).sign_in()
        scopes = f"{narrow} system/Goal.rs system/Provenance.rs"
        client = charts.register(app, scene.clinic_id, scopes).sign_in()
    others = [
        o["id"]
        for o in wide.every("/Observation?_count=1000")
        if o["category"][0]["coding"][0]["code"] != "survey"
    ]
    assert len(others) > 5
    for one in others:
        for path in (f"/Observation/{one}", f"/Observation/{one}/_history"):
            assert client.get(path).status_code == 404
        assert client.get(f"/Observation?_id={one}").json["total"] == 0
    met = {r["id"] for r in everywhere(client) if r["resourceType"] == "Observation"}
    assert met and not met & set(others)
    assert client.get("/Observation?category=vital-signs").json["total"] == 0


def test_another_clinics_client_finds_nothing_and_404_like_for_nothing(
    app: Flask, scene: Scene, seen: dict[str, Any], ehr: Client
) -> None:
    elsewhere = scene["XT"].clinic_id
    with db.transaction():
        charts.let_see_all(elsewhere)
        foreign = charts.register(app, elsewhere).sign_in()
    ours = {(r["resourceType"], r["id"]) for r in everywhere(ehr)}
    shared = {"Questionnaire"}
    for kind, one in ours:
        if kind not in shared:
            same = {"X-Request-ID": "same"}
            theirs = foreign.get(f"/{kind}/{one}", headers=same)
            nothing = foreign.get(f"/{kind}/{db.new_id()}", headers=same)
            assert theirs.status_code == 404 and theirs.data == nothing.data, (kind, one)
    met = {(r["resourceType"], r["id"]) for r in everywhere(foreign)}
    assert not {pair for pair in met & ours if pair[0] not in shared}


def test_a_client_reaches_its_own_patients_and_those_who_agreed(
    app: Flask, scene: Scene, seen: dict[str, Any]
) -> None:
    with db.transaction():
        charts.let_see_all(scene.clinic_id, "consented")
        own = charts.register(app, scene.clinic_id, external_system=SYSTEM).sign_in()
        other = charts.register(app, scene.clinic_id).sign_in()
    me, goal = scene.patient["id"], seen["goal"]["id"]
    assert own.get(f"/Patient/{me}").status_code == own.get(f"/Goal/{goal}").status_code == 200
    assert own.get(f"/Patient/{scene.other_patient['id']}").status_code == 404
    for path in (f"/Patient/{me}", f"/Goal/{goal}", f"/Flag?patient={me}", "/Provenance"):
        answer = other.get(path)
        assert answer.status_code == 404 or answer.json["total"] == 0, path
    assert other.get("/Group").json["entry"][0]["resource"]["quantity"] == 0
    actor = scene["CT"].actor
    said = {"kind": "ehr_sharing", "text_version": "1"}
    with db.transaction():
        given = consents.record_consent(actor, me, said)
    assert other.get(f"/Goal/{goal}").status_code == 200
    with db.transaction():
        consents.withdraw_consent(scene["CT"].actor, given["id"])
    assert other.get(f"/Goal/{goal}").status_code == 404
    with db.transaction():
        patients.change_patient(scene["CT"].actor, me, None, {"external_ids": []})
    assert own.get(f"/Goal/{goal}").status_code == 404


def test_what_is_for_me_alone_and_a_psychotherapy_note_are_nowhere(
    app: Flask, scene: Scene, seen: dict[str, Any], ehr: Client
) -> None:
    with db.transaction():
        goal = builders.make_goal(scene.patient, title=CANARY, shared_with="me")
        practice = builders.make_practice(goal, new_trail=CANARY)
        open_goal = seen["goal"]
        builders.make_practice(open_goal, new_trail=CANARY, shared_with="me")
        text = {"kind": "psychotherapy", "text": CANARY}
        notes.write_patient_note(scene["CT"].actor, scene.patient["id"], text)
    for path in (
        f"/Goal/{goal['id']}",
        f"/CarePlan/{goal['id']}",
        f"/Observation/{practice['id']}-trail",
        f"/Provenance/goa-{goal['id']}",
    ):
        assert ehr.get(path).status_code == 404, path
    told = repr(everywhere(ehr))
    assert len(told) > 100_000 and CANARY not in told
    for gone in (goal, practice):
        assert str(gone["id"]) not in told


@pytest.mark.parametrize("path", ["/Goal/{goal}", "/Goal?patient={me}", "/Goal/{none}"])
def test_each_request_leaves_one_row_with_client_patients_and_outcome(
    app: Flask, scene: Scene, seen: dict[str, Any], ehr: Client, path: str
) -> None:
    names = {"goal": seen["goal"]["id"], "me": scene.patient["id"], "none": db.new_id()}
    answer = ehr.get(path.format(**names), headers={"X-Request-ID": "this-one"})
    found = answer.status_code == 200
    with db.transaction() as store:
        rows = store.rows(
            select(audit_events).where(
                audit_events.c.request_id == "this-one", audit_events.c.clinic_id == scene.clinic_id
            )
        )
        of = audit_event_patients.c.event_id == rows[0]["id"]
        people = [row["patient_id"] for row in store.rows(select(audit_event_patients).where(of))]
    [row] = rows
    assert (row["actor_id"], row["door"]) == (ehr.client_id, "fhir")
    assert row["action"] == ("fhir:search" if "?" in path else "fhir:read")
    assert row["outcome"] == ("ok" if found else "refused")
    assert people == ([scene.patient["id"]] if found else [])
    events = ehr.every(f"/AuditEvent?patient={scene.patient['id']}&_count=500")
    assert any(e["id"] == str(row["id"]) for e in events) == found
