"""What an EHR writes: taken whole, found again, and never written over in silence."""

import threading
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from api import db
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import BASE, Client

SYSTEM = "https://ehr.example/mrn"


def patient(number: str | None = "5", **more: Any) -> dict[str, Any]:
    """A patient as an EHR sends it."""
    told: dict[str, Any] = {
        "resourceType": "Patient",
        "name": [{"use": "official", "family": "Okafor", "given": ["Ngozi", "Ann"]}],
        "gender": "female",
        "birthDate": "1984-07-02",
    }
    if number is not None:
        told["identifier"] = [{"system": SYSTEM, "value": number}]
    return told | more


@pytest.fixture
def mine(app: Flask, scene: Scene) -> Client:
    """A client whose own system is the one of these patients, in a clinic that asks for consent."""
    with db.transaction():
        charts.let_see_all(scene.clinic_id, "consented")
        client = charts.register(app, scene.clinic_id, external_system=SYSTEM)
    return client.sign_in()


def post(client: Client, body: dict[str, Any], path: str = "", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    at = path or f"/{body['resourceType']}"
    return client("POST", at, json=body, headers=named)


def put(client: Client, body: dict[str, Any], path: str = "", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    at = path or f"/{body['resourceType']}/{body['id']}"
    return client("PUT", at, json=body, headers=named)


def issues(answer: Any) -> set[tuple[str, str]]:
    assert answer.json["resourceType"] == "OperationOutcome", answer.text
    told = answer.json["issue"]
    return {(one["code"], one.get("expression", [""])[0]) for one in told}


def test_a_patient_is_created_read_and_found_by_the_number_of_its_system(mine: Client) -> None:
    made = post(mine, patient(), Prefer="return=representation")
    assert made.status_code == 201, made.text
    at = made.headers["Location"]
    assert at == f"{BASE}/Patient/{made.json['id']}/_history/1"
    assert made.headers["ETag"] == 'W/"1"'
    again = mine.get(f"/Patient/{made.json['id']}")
    assert again.json == made.json and mine.get(at).json == made.json
    found = mine.get(f"/Patient?identifier={SYSTEM}|5").json
    assert [e["resource"]["id"] for e in found["entry"]] == [made.json["id"]]
    [name] = made.json["name"]
    assert (name["family"], name["given"]) == ("Okafor", ["Ngozi", "Ann"])
    assert (made.json["gender"], made.json["birthDate"]) == ("female", "1984-07-02")


def test_the_answer_is_as_much_as_is_preferred(mine: Client) -> None:
    short = post(mine, patient("6"), Prefer="return=minimal")
    assert short.status_code == 201 and short.data == b"" and short.headers["Location"]
    more = patient("7", photo=[{"title": "x"}], maritalStatus={"text": "Married"})
    told = post(mine, more, Prefer="return=OperationOutcome")
    assert told.status_code == 201
    lost = {("not-supported", "Patient.photo"), ("not-supported", "Patient.maritalStatus")}
    assert issues(told) == lost
    assert {one["severity"] for one in told.json["issue"]} == {"information"}


SHAPES = {
    "query": lambda client, body: post(client, body, If_None_Exist=f"identifier={SYSTEM}|5"),
    "bare value": lambda client, body: post(client, body, If_None_Exist="identifier=5"),
    "with the type": lambda client, body: post(
        client, body, If_None_Exist=f"Patient?identifier={SYSTEM}|5"
    ),
    "whole address": lambda client, body: post(
        client, body, If_None_Exist=f"{BASE}/Patient?identifier={SYSTEM}%7C5"
    ),
    "in the address": lambda client, body: post(client, body, f"/Patient?identifier={SYSTEM}|5"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_conditional_create_sent_twice_leaves_one_patient(mine: Client, shape: str) -> None:
    first, second = SHAPES[shape](mine, patient()), SHAPES[shape](mine, patient())
    assert (first.status_code, second.status_code) == (201, 200), (first.text, second.text)
    assert first.json == second.json and second.headers["ETag"] == 'W/"1"'
    assert mine.get("/Patient?_count=0").json["total"] == 1


def test_twenty_at_once_leave_one_patient(mine: Client) -> None:
    answers: list[int] = []

    def send() -> None:
        answers.append(SHAPES["with the type"](mine, patient()).status_code)

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] * 19 + [201]
    assert mine.get("/Patient?_count=0").json["total"] == 1


def test_a_condition_that_says_nothing_or_something_else_is_refused(mine: Client) -> None:
    for told in ("", "Patient", "Patient?", "_count=1", "wingspan=2", "Goal?identifier=5"):
        answer = post(mine, patient(), If_None_Exist=told)
        assert answer.status_code == 400, (told, answer.text)
    other = post(mine, patient("9"), If_None_Exist=f"identifier={SYSTEM}|5")
    assert other.status_code == 400, "what is created answers to its condition"
    assert mine.get("/Patient?_count=0").json["total"] == 0
    for number in ("1", "2"):
        assert post(mine, patient(number)).status_code == 201
    many = post(mine, patient("3"), If_None_Exist="family=Okafor")
    assert many.status_code == 412 and issues(many) == {("multiple-matches", "")}


def test_of_two_updates_of_one_version_one_is_refused(mine: Client) -> None:
    made = post(mine, patient()).json
    body = made | {"telecom": [{"system": "phone", "value": "+1 303 555 0102"}]}
    first = put(mine, body, If_Match='W/"1"')
    assert first.status_code == 200 and first.headers["ETag"] == 'W/"2"', first.text
    assert first.json["telecom"] == body["telecom"]
    second = put(mine, body, If_Match='W/"1"')
    assert second.status_code == 412 and issues(second) == {("conflict", "")}
    third = put(mine, made)
    assert third.status_code == 200 and "telecom" not in third.json, "absent is cleared"


def test_an_update_makes_nothing_and_no_id_is_chosen_by_a_client(mine: Client) -> None:
    chosen = str(uuid4())
    assert put(mine, patient(id=chosen)).status_code == 404
    made = post(mine, patient(id=chosen))
    assert made.status_code == 201 and made.json["id"] != chosen
    other = put(mine, made.json | {"id": chosen}, f"/Patient/{made.json['id']}")
    assert other.status_code == 422 and issues(other) == {("value", "Patient.id")}


def test_a_conditional_update_changes_the_one_that_matches_or_makes_it(mine: Client) -> None:
    at = f"/Patient?identifier={SYSTEM}|5"
    first, second = put(mine, patient(), at), put(mine, patient(gender="male"), at)
    assert (first.status_code, second.status_code) == (201, 200), (first.text, second.text)
    assert first.json["id"] == second.json["id"] and second.json["gender"] == "male"
    assert put(mine, patient(), "/Patient").status_code == 400
    assert put(mine, patient("6", id=str(uuid4())), f"{at}6").status_code == 400


FAULTS: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "no such date": ({"birthDate": "1984-02-31"}, ("value", "Patient.birthDate")),
    "half a date": ({"birthDate": "1984"}, ("value", "Patient.birthDate")),
    "ahead": ({"birthDate": "2199-01-01"}, ("business-rule", "Patient.birthDate")),
    "a wrong code": ({"gender": "w"}, ("code-invalid", "Patient.gender")),
    "an unknown element": ({"wingspan": 2}, ("structure", "Patient")),
    "a wrong type": ({"name": [{"family": 5}]}, ("value", "Patient.name[0].family")),
    "nothing where something is": ({"name": []}, ("structure", "Patient.name")),
    "no family": ({"name": [{"given": ["A"]}]}, ("required", "Patient.name[0].family")),
    "NUL": ({"name": [{"family": "a\x00", "given": ["b"]}]}, ("value", "Patient.name[0].family")),
    "a surrogate": ({"language": "\ud800"}, ("value", "Patient.language")),
    "blank": (
        {"name": [{"family": "\u200b", "given": ["b"]}]},
        ("value", "Patient.name[0].family"),
    ),
    "what changes the sense": (
        {"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]},
        ("extension", "Patient.modifierExtension"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_where_it_lies(mine: Client, fault: str) -> None:
    change, expected = FAULTS[fault]
    answer = post(mine, patient() | change)
    assert answer.status_code == 422 and expected in issues(answer), answer.text
    assert mine.get("/Patient?_count=0").json["total"] == 0
