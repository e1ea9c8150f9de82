"""The CapabilityStatement is what there is: what it states answers, what it does not is refused."""

import json
from typing import Any

from flask import Flask

from api.fhir import operations
from api.fhir.asking import FILTERS_OF_ALL
from api.fhir.kinds import KINDS
from api.fhir.writing.writers import WRITERS
from tests.fhir.charts import BASE, Client

OF = {"_include": "searchInclude", "_revinclude": "searchRevInclude"}
SAMPLES = {
    "token": "x",
    "string": "x",
    "date": "ge2020-01-01",
    "reference": "01a2149d-0000-7000-8000-000000000000",
    "uri": "urn:x",
}


def test_the_committed_statement_is_the_one_that_is_served(app: Flask) -> None:
    from api.cli import CAPABILITY, COMMITTED_AT, capability_text

    assert CAPABILITY.read_text() == capability_text(), "flask --app wsgi document write"
    answer = app.test_client().get("/fhir/R4/metadata")
    assert answer.status_code == 200 and answer.content_type == "application/fhir+json"
    assert answer.text.replace(BASE, COMMITTED_AT) == json.dumps(
        json.loads(CAPABILITY.read_text()), separators=(",", ":"), ensure_ascii=False
    )


def stated(client: Client) -> list[dict[str, Any]]:
    statement = client.get("/metadata").json
    assert statement["fhirVersion"] == "4.0.1" and statement["kind"] == "instance"
    resources: list[dict[str, Any]] = statement["rest"][0]["resource"]
    assert {one["type"] for one in resources} == set(KINDS)
    return resources


def test_each_stated_interaction_answers(ehr: Client) -> None:
    for one in stated(ehr):
        found = ehr.get(f"/{one['type']}?_count=1")
        assert found.status_code == 200, one["type"]
        resource = found.json["entry"][0]["resource"]
        at = f"/{one['type']}/{resource['id']}"
        version = resource["meta"]["versionId"]
        told = {code["code"] for code in one["interaction"]}
        assert told >= {"read", "vread", "history-instance", "search-type"}
        assert ("create" in told) == (
            one["type"] in WRITERS or "create" in operations.WRITTEN.get(one["type"], ())
        )
        for path in (at, f"{at}/_history", f"{at}/_history/{version}"):
            assert ehr.get(path).status_code == 200, path
        assert ehr("POST", f"/{one['type']}/_search").status_code == 415
        posted = ehr("POST", f"/{one['type']}/_search", data={"_count": "1"})
        assert posted.status_code == 200


def test_each_stated_parameter_answers_and_each_include(ehr: Client) -> None:
    for one in stated(ehr):
        for param in one["searchParam"]:
            query = {param["name"]: SAMPLES[param["type"]]}
            answer = ehr.get(f"/{one['type']}", query_string=query)
            assert answer.status_code == 200, (one["type"], query, answer.text)
        for name in ("_include", "_revinclude"):
            for value in one.get(OF[name], []):
                answer = ehr.get(f"/{one['type']}", query_string={name: value})
                assert answer.status_code == 200, (one["type"], name, value)


def test_what_is_not_stated_is_refused(ehr: Client) -> None:
    for one in stated(ehr):
        kind, names = one["type"], {param["name"] for param in one["searchParam"]}
        assert "conditionalDelete" not in one
        for name in {"name", "code", "wingspan", "subject.name", *FILTERS_OF_ALL} - names:
            answer = ehr.get(f"/{kind}", query_string={name: "x"})
            assert answer.status_code == 400 and name in answer.text, (kind, name)
        for method, path in (
            ("PUT", f"/{kind}/x"),
            ("PATCH", f"/{kind}/x"),
            ("DELETE", f"/{kind}/x"),
            ("POST", f"/{kind}"),
            ("DELETE", f"/{kind}"),
            ("DELETE", f"/{kind}?_id=x"),
            ("PATCH", f"/{kind}?_id=x"),
            ("POST", f"/{kind}/$match"),
            ("GET", f"/{kind}/x/$match"),
            ("GET", f"/{kind}/_history"),
            ("GET", f"/{kind}/x/$everything"),
        ):
            answer = ehr(method, path, json={})
            assert 400 <= answer.status_code < 500, (method, path)
            assert answer.json["resourceType"] == "OperationOutcome"


def test_each_stated_operation_answers(ehr: Client) -> None:
    rest = ehr.get("/metadata").json["rest"][0]
    told = [("", one["name"]) for one in rest["operation"]]
    told += [(r["type"], one["name"]) for r in stated(ehr) for one in r.get("operation", [])]
    assert len(told) == sum(map(len, operations.STATED.values())) == 6
    kept = 0
    for kind, name in told:
        here = f"/{kind}" if kind else ""
        if name != "export" or kind == "Group":
            here += f"/{ehr.get(f'/{kind}').json['entry'][0]['resource']['id']}"
        answer = ehr.get(f"{here}/${name}", headers={"Prefer": "respond-async"})
        assert answer.status_code == (202 if name == "export" else 200), (kind, name, answer.text)
        if name == "export":
            kept += 1
            assert ehr("DELETE", answer.headers["Content-Location"]).status_code == 202
    assert kept == 3


def test_the_configuration_tells_how_to_sign_in_whatever_is_asked_for(app: Flask) -> None:
    at = "/fhir/R4/.well-known/smart-configuration"
    for accept in ("text/html", "application/xml", "*/*"):
        answer = app.test_client().get(at, headers={"Accept": accept})
        assert answer.status_code == 200 and answer.content_type == "application/json"
        assert answer.json["token_endpoint"] == f"{BASE}/auth/token"
        assert set(answer.json["capabilities"]) == {
            "client-confidential-asymmetric",
            "permission-v2",
            "permission-v1",
        }
