"""An EHR is registered, signs in, brings a patient, refers them, and sends what it measured."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from flask import Flask

from api import clock, db
from tests import builders
from tests.builders import Scene
from tests.fhir.charts import Client, public_jwk, rsa_key
from tests.fhir.test_lists_written import bodies
from tests.fhir.test_sent import answered, quantity, visit, vital
from tests.fhir.test_writing import patient

SYSTEM = "https://valley.example/mrn"


def registered(app: Flask, scene: Scene) -> Client:
    """The client that an administrator registers over v1, signed in with a key of its own."""
    builders.let_sign_in_age(scene["CA"], 0)
    body = {
        "name": "Valley EHR",
        "jwks": {"keys": [public_jwk(rsa_key())]},
        "scopes": ["system/*.cruds"],
        "external_system": SYSTEM,
    }
    headers = {"Authorization": f"Bearer {scene['CA'].token}"}
    made = app.test_client().post("/api/v1/clients", json=body, headers=headers)
    assert made.status_code == 201, made.text
    client_id = UUID(made.json["client_id"])
    return Client(app, client_id, rsa_key(), scope="system/*.cruds").sign_in()


def test_an_ehr_refers_a_patient_and_the_clinic_treats_them(app: Flask, scene: Scene) -> None:
    with db.transaction():
        client = registered(app, scene)
    therapist = scene["CT"]
    brought = patient(None) | {"identifier": [{"system": SYSTEM, "value": "MRN-41"}]}
    unless = {"If-None-Exist": f"identifier={SYSTEM}|MRN-41"}
    first = client("POST", "/Patient", json=brought, headers=unless)
    second = client("POST", "/Patient", json=brought, headers=unless)
    assert (first.status_code, second.status_code) == (201, 200), (first.text, second.text)
    who = first.json["id"]
    assert second.json["id"] == who
    assert client.get("/Patient").json["total"] == 1, "the clinic's others are not its to see"

    _refers(client, who, therapist.user_id)
    session = _treated(app, scene, UUID(who))

    pulse = vital(scene, session, "8867-4", valueQuantity=quantity(72, "/min"))
    pulse["subject"] = {"reference": f"Patient/{who}"}
    sent = client("POST", "/Observation", json=pulse)
    assert sent.status_code == 201, sent.text
    said = answered(who, {**dict.fromkeys(range(1, 9), 1), 9: 1})
    assert client("POST", "/QuestionnaireResponse", json=said).status_code == 201
    _is_seen_by_the_therapist(app, scene, who)


def _refers(client: Client, who: str, clinician_id: UUID) -> None:
    """Referral, lists and a first visit in one transaction, the referral named by the others."""
    told = bodies(who)
    entries = [
        {"resource": body, "request": {"method": "POST", "url": kind}}
        for kind, body in told.items()
    ]
    booked = visit(who, clinician_id, 7 * 24 * 60)
    entries.append(
        {
            "fullUrl": f"urn:uuid:{uuid4()}",
            "resource": booked,
            "request": {"method": "POST", "url": "Encounter"},
        }
    )
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = client("POST", "", json=body)
    assert answer.status_code == 200, answer.text
    assert len(answer.json["entry"]) == len(told) + 1
    record = client.get(f"/Condition?patient={who}").json["entry"][0]["resource"]
    assert record["code"]["coding"][0]["code"] == "F33.2"


def _treated(app: Flask, scene: Scene, patient_id: UUID) -> dict[str, Any]:
    """The clinic takes the patient in, and a dosing session is under way."""
    with db.transaction() as store:
        person = {"id": patient_id, "clinic_id": scene.clinic_id}
        builders.join_team(person, scene["CT"], "lead")
        now = clock.now()
        held = {"kind": "dosing", "state": "in_progress", "mode": "in_person"}
        held |= {"starts_at": now - timedelta(minutes=30), "ends_at": now + timedelta(hours=2)}
        held |= {"started_at": now - timedelta(minutes=20), "arrived_at": now - timedelta(hours=1)}
        assert store is not None
        return dict(builders.make_session(person, scene["CT"], **held))


def _is_seen_by_the_therapist(app: Flask, scene: Scene, who: str) -> None:
    """What the EHR wrote stands in the chart, and the answer to item 9 is an alert."""
    headers = {"Authorization": f"Bearer {scene['CT'].token}"}

    def read(path: str) -> Any:
        answer = app.test_client().get(f"/api/v1{path}", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json

    medications = read(f"/patients/{who}/medications")
    assert medications["items"][0]["name"] == "Sertraline" and medications["confirmed_on"]
    assert read(f"/patients/{who}/check-ins")["items"][0]["source"] == "ehr"
    assert any(one["patient"]["id"] == who for one in read("/alerts?state=open")["items"])
    told = read(f"/patients/{who}")
    assert told["external_ids"] == [{"system": SYSTEM, "value": "MRN-41"}]
