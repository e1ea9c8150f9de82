"""An EHR's reads in one trip and plainly: equal answers, equal refusals, equal events."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import update

from api import clock, db
from api.core import client_reach
from api.core.clients import ehr_clients
from api.core.ehr import at_once
from api.fhir import finding
from tests import builders
from tests.builders import Scene
from tests.core.test_one_trip import events
from tests.fhir import charts
from tests.fhir.charts import Client

KINDS = ("Patient", "Goal", "Condition", "QuestionnaireResponse", "Observation", "Encounter")
KINDS += ("Consent", "Practitioner", "Organization", "CareTeam", "Provenance", "AuditEvent")
EACH_TIME = ("id", "meta", "link", "total")
"""What of a Bundle is made anew each time, or is told apart by its own test."""


@pytest.fixture
def both_ways(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`both_ways(client, path)`: answer and event in one trip, and plainly."""

    def ask(client: Client, path: str) -> Any:
        at_once_told = told(client, path)
        with monkeypatch.context() as patched:
            patched.setattr(at_once, "is_alone", lambda _on_sqlite: False)
            patched.setattr(db.Store, "hold_back", lambda *_, **__: None)
            return at_once_told, told(client, path)

    return ask


def told(client: Client, path: str) -> Any:
    """Status, body without what each request makes anew, ETag, and the event that was left."""
    request_id = uuid4().hex
    answer = client("GET", path, headers={"x-request-id": request_id})
    body = answer.json
    if body.get("resourceType") == "Bundle":
        body = {name: value for name, value in body.items() if name not in EACH_TIME}
    said = str(body).replace(request_id, "")
    return answer.status_code, said, answer.headers.get("ETag"), events(request_id)


@pytest.fixture
def clients(app: Flask, scene: Scene, seen: dict[str, Any]) -> list[Client]:
    """Who sees all, who reaches by its numbers, who reaches nobody, with few scopes, elsewhere."""
    with db.transaction():
        builders.make_patient(scene.clinic_id)
        all_, few = (
            charts.register(app, scene.clinic_id, scopes)
            for scopes in (charts.EVERYTHING, "system/Goal.rs system/Patient.s")
        )
        near = charts.register(app, scene.clinic_id, external_system=charts.SYSTEM)
        charts.let_see_all(scene["XT"].clinic_id)
        foreign = charts.register(app, scene["XT"].clinic_id)
    return [one.sign_in() for one in (all_, few, near, foreign)]


def paths(scene: Scene, seen: dict[str, Any]) -> Iterator[str]:
    for patient in (scene.patient["id"], scene["PO"].patient_id, uuid4()):
        yield f"/Patient/{patient}"
        for kind in KINDS[1:6]:
            yield f"/{kind}?patient={patient}&_count=2"
            yield f"/{kind}?patient={patient}&_count=2&_total=none"
    for kind in KINDS:
        yield f"/{kind}?_count=3&_total=none"
    yield from (f"/Goal/{seen['goal']['id']}", f"/Goal/{uuid4()}", "/Goal/x", "/Patient?wingspan=1")
    yield f"/Goal/{seen['goal']['id']}/_history"
    yield f"/Goal/{seen['goal']['id']}/_history/1"
    yield "/Patient?_lastUpdated=ge2020-01-01&_count=5"
    yield f"/Patient?_id={scene.patient['id']},{uuid4()}"
    yield "/Observation?category=survey&_count=2&_total=none"
    yield "/Observation?code=http://loinc.org|no-such"
    yield "/Patient?_page=forged"


@pytest.mark.parametrize("access", ["own_ehr", "consented"])
def test_both_ways_give_the_same_answer_and_leave_the_same_event(
    access: str, both_ways: Any, clients: list[Client], scene: Scene, seen: dict[str, Any]
) -> None:
    with db.transaction():
        charts.let_see_all(scene.clinic_id, access)
    for number, client in enumerate(clients):
        for path in paths(scene, seen):
            at_once_told, plainly = both_ways(client, path)
            assert at_once_told == plainly, (number, path)
            assert len(plainly[3]) == 1 or plainly[0] == 404, (number, path)


def test_who_was_revoked_is_nobody_either_way(
    both_ways: Any, clients: list[Client], scene: Scene, seen: dict[str, Any]
) -> None:
    client = clients[0]
    assert client.get(f"/Patient/{scene.patient['id']}").status_code == 200
    with db.transaction() as store:
        mine = ehr_clients.c.id == UUID(str(client.client_id))
        store.execute(update(ehr_clients).where(mine).values(disabled_at=clock.now()))
    for path in paths(scene, seen):
        at_once_told, plainly = both_ways(client, path)
        assert at_once_told == plainly, path
        assert plainly[0] == 401 and plainly[3] == [], path


def test_a_system_that_was_changed_holds_from_the_next_request_on(
    app: Flask, scene: Scene, seen: dict[str, Any]
) -> None:
    with db.transaction():
        charts.let_see_all(scene.clinic_id, "consented")
        client = charts.register(app, scene.clinic_id, external_system="urn:other").sign_in()
    path = f"/Patient/{scene.patient['id']}"
    for system, status in (("urn:other", 404), (charts.SYSTEM, 200), ("urn:other", 404)):
        with db.transaction() as store:
            mine = ehr_clients.c.id == UUID(str(client.client_id))
            store.execute(update(ehr_clients).where(mine).values(external_system=system))
        for _ in range(2):
            assert client.get(path).status_code == status, system
        assert client_reach._systems[UUID(str(client.client_id))] == system


def test_a_page_of_many_patients_leaves_each_of_them_in_the_trail(
    ehr: Client, scene: Scene
) -> None:
    with db.transaction():
        for _ in range(12):
            builders.make_patient(scene.clinic_id)
    answer = told(ehr, "/Patient?_count=100&_total=none")
    [(_, patients)] = answer[3]
    assert len(patients) >= 13 and scene.patient["id"] in patients


def test_a_page_that_is_read_in_several_goes_leaves_one_event(
    both_ways: Any, ehr: Client, scene: Scene, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of more than 500 rows that are asked for at once."""
    ehr.get(f"/Patient/{scene.patient['id']}")
    monkeypatch.setattr(finding, "CHUNK", 2)
    for count in ("", "&_count=3"):
        path = f"/QuestionnaireResponse?patient={scene.patient['id']}&_total=none{count}"
        at_once_told, plainly = both_ways(ehr, path)
        assert at_once_told == plainly and len(plainly[3]) == 1
