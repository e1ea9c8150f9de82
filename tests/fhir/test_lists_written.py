"""The lists that an EHR owns, and referrals: written, found again by number, confirmed."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.access.users import users
from api.core.clinical_lists.table import LISTS, confirmations
from tests.builders import Scene
from tests.fhir.charts import Client
from tests.fhir.test_writing import SYSTEM, issues, mine, patient, post, put

__all__ = ["mine"]
HL7 = "http://terminology.hl7.org/CodeSystem/"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def coded(system: str, code: str, text: str = "") -> dict[str, Any]:
    told: dict[str, Any] = {"coding": [{"system": system, "code": code}]}
    return told | ({"text": text} if text else {})


def bodies(patient_id: str) -> dict[str, dict[str, Any]]:
    """One resource of each type of the lists, as an EHR sends it."""
    who = {"reference": f"Patient/{patient_id}"}
    told: dict[str, dict[str, Any]] = {
        "Condition": {
            "clinicalStatus": coded(f"{HL7}condition-clinical", "active"),
            "verificationStatus": coded(f"{HL7}condition-ver-status", "confirmed"),
            "category": [coded(f"{HL7}condition-category", "problem-list-item")],
            "code": coded(ICD, "F33.2", "Recurrent depression, severe"),
            "subject": who,
            "onsetDateTime": "2025-03-01",
            "note": [{"text": "Since spring."}],
        },
        "AllergyIntolerance": {
            "clinicalStatus": coded(f"{HL7}allergyintolerance-clinical", "active"),
            "code": coded(RXNORM, "7980", "Penicillin"),
            "patient": who,
            "reaction": [{"manifestation": [{"text": "Hives"}], "severity": "moderate"}],
        },
        "MedicationStatement": {
            "status": "active",
            "medicationCodeableConcept": coded(RXNORM, "36437", "Sertraline"),
            "subject": who,
            "effectivePeriod": {"start": "2026-01-02"},
            "dosage": [{"text": "50 mg each morning"}],
        },
        "ServiceRequest": {
            "status": "active",
            "intent": "order",
            "priority": "urgent",
            "category": [{"text": "Psychotherapy"}],
            "code": {"text": "Ketamine-assisted psychotherapy"},
            "subject": who,
            "authoredOn": "2026-11-20T10:00:00Z",
            "requester": {"display": "Dr. Vale"},
            "reasonCode": [{"text": "Depression that two medicines did not help"}],
        },
    }
    for kind, body in told.items():
        body |= {"resourceType": kind, "identifier": [{"system": SYSTEM, "value": f"{kind}-1"}]}
    return told


KINDS = tuple(bodies(""))


@pytest.fixture
def theirs(mine: Client) -> str:
    """A patient that the client made."""
    return str(post(mine, patient()).json["id"])


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_is_written_read_and_found_again_by_its_number(
    mine: Client, theirs: str, kind: str
) -> None:
    body = bodies(theirs)[kind]
    made = post(mine, body)
    assert made.status_code == 201, made.text
    assert {"system": SYSTEM, "value": f"{kind}-1"} in made.json["identifier"]
    compared = set(body) - {"identifier", "resourceType", "recordedDate"}
    for name in compared:
        assert _holds(made.json[name], body[name]), (name, made.json[name])
    found = mine.get(f"/{kind}?identifier={SYSTEM}|{kind}-1").json
    assert [one["resource"]["id"] for one in found["entry"]] == [made.json["id"]]
    told = post(mine, body, If_None_Exist=f"identifier={SYSTEM}|{kind}-1")
    assert told.status_code == 200 and told.json["id"] == made.json["id"]
    assert post(mine, body).status_code == 409, "no two records carry one number"
    changed = put(mine, {k: v for k, v in made.json.items() if k != "identifier"}, If_Match='W/"1"')
    assert changed.status_code == 200 and changed.headers["ETag"] == 'W/"2"', changed.text
    assert mine.get(f"/{kind}?identifier={SYSTEM}|{kind}-1").json["total"] == 0
    assert put(mine, made.json, If_Match='W/"1"').status_code == 412


def _holds(there: Any, told: Any) -> bool:
    """Whether what is shown says all that was told."""
    if isinstance(told, dict):
        return isinstance(there, dict) and all(_holds(there.get(k), v) for k, v in told.items())
    if isinstance(told, list):
        return all(any(_holds(one, each) for one in there) for each in told)
    return bool(there == told or str(there).replace(".000Z", "Z") == told)


def test_a_list_that_the_ehr_wrote_was_gone_through_today(
    mine: Client, theirs: str, scene: Scene
) -> None:
    for kind in KINDS[:3]:
        assert post(mine, bodies(theirs)[kind]).status_code == 201
    with db.transaction() as store:
        mine_ = confirmations.c.patient_id == theirs
        rows = store.rows(select(confirmations).where(confirmations.c.clinic_id == scene.clinic_id))
        writer = store.row(select(users).where(users.c.id == mine.client_id))
    assert mine_ is not None and {row["list"] for row in rows} == set(LISTS)
    today = clock.today("America/Denver")
    assert {(r["confirmed_on"], r["confirmed_by"]) for r in rows} == {(today, mine.client_id)}
    assert writer is not None and writer["role"] == "system"


@pytest.mark.parametrize(
    ("kind", "change", "expected"),
    [
        ("Condition", {"code": {"text": "Sad"}}, ("code-invalid", "Condition.code")),
        (
            "Condition",
            {"verificationStatus": coded(f"{HL7}condition-ver-status", "provisional")},
            ("not-supported", "Condition.verificationStatus"),
        ),
        (
            "Condition",
            {"abatementDateTime": "2025-01-01"},
            ("business-rule", "Condition.abatementDateTime"),
        ),
        ("Condition", {"subject": {"display": "x"}}, ("value", "Condition.subject.reference")),
        (
            "Condition",
            {"subject": {"reference": "Patient/01a2149d-0000-7000-8000-000000000000"}},
            ("not-found", "Condition.subject"),
        ),
        (
            "AllergyIntolerance",
            {"code": coded("http://snomed.info/sct", "716186003", "None known")},
            ("business-rule", "AllergyIntolerance.code"),
        ),
        (
            "MedicationStatement",
            {"status": "not-taken"},
            ("not-supported", "MedicationStatement.status"),
        ),
        ("ServiceRequest", {"intent": "wish"}, ("not-supported", "ServiceRequest.intent")),
    ],
)
def test_what_the_clinic_does_not_keep_is_refused_where_it_lies(
    mine: Client, theirs: str, kind: str, change: dict[str, Any], expected: tuple[str, str]
) -> None:
    answer = post(mine, bodies(theirs)[kind] | change)
    assert answer.status_code == 422 and expected in issues(answer), answer.text


def test_a_record_does_not_move_to_another_chart(mine: Client, theirs: str) -> None:
    other = post(mine, patient("6")).json["id"]
    made = post(mine, bodies(theirs)["Condition"]).json
    moved = put(mine, made | {"subject": {"reference": f"Patient/{other}"}})
    assert moved.status_code == 422
    assert issues(moved) == {("business-rule", "Condition.subject.reference")}


def test_the_client_is_no_person_of_the_clinic(
    app: Flask, mine: Client, theirs: str, scene: Scene
) -> None:
    assert theirs
    headers = {"Authorization": f"Bearer {scene['CA'].token}"}
    people = app.test_client().get("/api/v1/users?limit=100", headers=headers).json["items"]
    assert str(mine.client_id) not in {one["id"] for one in people}
    one = app.test_client().get(f"/api/v1/users/{mine.client_id}", headers=headers)
    assert one.status_code == 404


def test_a_patch_changes_what_it_names_and_leaves_the_rest(mine: Client, theirs: str) -> None:
    made = post(mine, bodies(theirs)["MedicationStatement"]).json
    at, media = f"/MedicationStatement/{made['id']}", "application/json-patch+json"
    steps = [
        {"op": "test", "path": "/status", "value": "active"},
        {"op": "replace", "path": "/status", "value": "on-hold"},
    ]
    done = mine("PATCH", at, json=steps, content_type=media, headers={"If-Match": 'W/"1"'})
    assert done.status_code == 200 and done.json["status"] == "on-hold", done.text
    same = ("medicationCodeableConcept", "dosage", "identifier", "effectivePeriod", "subject")
    assert {name: done.json[name] for name in same} == {name: made[name] for name in same}
    assert mine("PATCH", at, json=steps, content_type=media).status_code == 422, "the test fails"
    stale = mine("PATCH", at, json=steps[1:], content_type=media, headers={"If-Match": 'W/"1"'})
    assert stale.status_code == 412
    for bad in ([{"op": "fly"}], ["x"], [{"op": "remove", "path": "/nowhere"}], [{}]):
        answer = mine("PATCH", at, json=bad, content_type=media)
        assert answer.status_code == 400, (bad, answer.text)
    assert mine("PATCH", at, json=steps).status_code == 415
    gone = mine("PATCH", at, json=[{"op": "remove", "path": "/status"}], content_type=media)
    assert gone.status_code == 422 and issues(gone) == {("required", "MedicationStatement.status")}
