"""Every no of this door is an OperationOutcome, whatever was sent; never HTML, never a stack."""

from typing import Any

import jsonschema_rs
import pytest
from flask import Flask

from tests.builders import Scene
from tests.fhir.charts import Client
from tests.fhir.test_validity import schema_of

SENT: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/Spaceship", {}),
    ("GET", "/patient", {}),
    ("GET", "/Patient/", {}),
    ("GET", "/Patient/a/b/c/d", {}),
    ("GET", "/Patient/" + "x" * 65, {}),
    ("GET", "/Patient/%00", {}),
    ("GET", "/Patient/..%2f..", {}),
    ("GET", "//Patient", {}),
    ("GET", "", {}),
    ("GET", "/", {}),
    ("POST", "", {"data": b"{broken", "content_type": "application/fhir+json"}),
    ("TRACE", "/Patient", {}),
    ("POST", "/metadata", {}),
    ("GET", "/auth/token", {}),
    ("PUT", "/Patient/x", {"json": {}}),
    ("DELETE", "/Patient", {}),
    ("PATCH", "/Patient/x", {"json": [[[[[[[[[]]]]]]]]]}),
    ("GET", "/Patient?name=%00", {}),
    ("GET", "/Patient?name=%ff%fe", {}),
    ("GET", "/Patient?name=%F0%9F%8F%94", {}),
    ("GET", "/Patient?_id=" + "x" * 5000, {}),
    ("GET", "/Patient?birthdate=0000-00-00", {}),
    ("GET", "/Patient?birthdate=%D9%A2%D9%A0%D9%A2%D9%A6", {}),
    ("GET", "/Patient?_count=99999999999999999999", {}),
    ("GET", "/Patient?_count=1.5", {}),
    ("GET", "/Patient?_page=", {}),
    ("GET", "/Patient?_page=" + "A" * 9000, {}),
    ("GET", "/Patient?_page=%E2%82%AC", {}),
    ("GET", "/Patient?_elements=", {}),
    ("GET", "/Patient?name%5B%5D=x", {}),
    ("GET", "/Patient?=x", {}),
    ("GET", "/Patient?identifier=|", {}),
    ("GET", "/Patient?identifier=a|b|c", {}),
    ("GET", "/Patient?identifier=%5C|", {}),
    ("GET", "/Observation?patient=Patient/1/2", {}),
    ("GET", "/Observation?patient=http://evil.example/Patient/1", {}),
    ("GET", "/Observation?date=ap0001", {}),
    ("GET", "/Observation?date=ap9999-12-31", {}),
    ("GET", "/Observation?_lastUpdated=ge0001-01-01T00:00:00%2B14:00", {}),
    ("GET", "/Observation?_lastUpdated=ge9999-12-31T23:59:59-12:00", {}),
    ("GET", "/Provenance?target=Goal/", {}),
    ("GET", "/Provenance?target=//", {}),
    ("POST", "/Patient/_search", {"json": {"name": "x"}}),
    ("POST", "/Patient/_search", {"data": b"x" * 400_000, "content_type": "text/plain"}),
    ("GET", "/Patient?_format=xml", {}),
    ("GET", "/Patient", {"headers": {"Accept": "application/fhir+xml"}}),
    ("GET", "/Patient", {"headers": {"Accept": "text/html"}}),
    ("GET", "/Patient", {"headers": {"Accept": "application/fhir+json; fhirVersion=5.0"}}),
    ("GET", "/Patient", {"headers": {"Accept": "application/fhir+json;q=0"}}),
]


@pytest.mark.parametrize(("method", "path", "more"), SENT, ids=lambda v: str(v)[:30])
def test_whatever_is_sent_the_answer_is_fhir(
    ehr: Client, method: str, path: str, more: dict[str, Any]
) -> None:
    answer = ehr(method, path, **more)
    assert answer.status_code < 500, answer.text
    assert answer.content_type == "application/fhir+json"
    validator = jsonschema_rs.validator_for(schema_of(answer.json["resourceType"]))
    assert [error.message for error in validator.iter_errors(answer.json)] == []
    if answer.status_code >= 400:
        assert answer.json["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "accept", ["application/fhir+json", "application/json", "*/*", "", "text/html, */*;q=0.1"]
)
def test_json_by_any_of_its_names_is_taken(ehr: Client, accept: str) -> None:
    for path in ("/Patient", "/Patient?_format=json", "/Patient?_format=application/fhir%2Bjson"):
        answer = ehr.get(path, headers={"Accept": accept})
        assert answer.status_code == 200 and answer.content_type == "application/fhir+json"
    answer = ehr.get("/Patient?_format=json", headers={"Accept": "application/xml"})
    assert answer.status_code == 200


def test_a_fault_of_ours_is_an_outcome_too(
    ehr: Client, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any) -> None:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr("api.fhir.door.answer", fail)
    answer = ehr.get("/Patient")
    assert answer.status_code == 500 and answer.content_type == "application/fhir+json"
    assert answer.json["issue"][0]["code"] == "exception" and "secret" not in answer.text


def test_who_asks_too_often_is_told_when_to_come_again(
    ehr: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.errors import TooMany

    def spent(_actor: Any) -> None:
        raise TooMany("Slow down.", retry_after=7)

    monkeypatch.setattr("api.app.quota.spend", spent)
    answer = ehr.get("/Patient")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json["issue"][0]["code"] == "throttled"


@pytest.mark.parametrize(
    "asked",
    [
        "/Patient?birthdate=1990-13-45Firn",
        "/Patient?_sort=Firn",
        "/Patient?_count=Firn",
        "/Patient?_lastUpdated=Firn",
        "/Goal?_include=Goal:Firn",
        "/Goal?_revinclude=Firn",
        "/Patient/{me}/_history?_since=Firn",
        "/Patient/{me}/$everything?_type=Firn",
        "/Patient/{me}/$everything?_since=Firn",
        "/$export?_type=Firn",
        "/$export?_typeFilter=Firn%3Fpatient=1",
        "/$export?_typeFilter=Goal%3FFirn=1",
        "/$export?_typeFilter=Goal%3F_lastUpdated=Firn",
    ],
)
def test_what_was_sent_is_not_said_again(
    ehr: Client, seen: dict[str, Any], scene: Scene, asked: str
) -> None:
    path = asked.replace("{me}", str(scene.patient["id"]))
    answer = ehr.get(path, headers={"Prefer": "respond-async"})
    assert answer.status_code == 400 and answer.json["resourceType"] == "OperationOutcome"
    assert "Firn" not in answer.text
