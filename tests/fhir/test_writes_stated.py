"""Each write that the statement tells of is done, what is read can be put back, nothing breaks."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from api.fhir.writing.writers import WRITERS
from tests.builders import Scene
from tests.core import dosing
from tests.fhir.charts import Client
from tests.fhir.test_lists_written import bodies
from tests.fhir.test_sent import answered, quantity, sharing, visit, vital
from tests.fhir.test_statement import stated
from tests.fhir.test_writing import issues, patient, post, put

PATCH = "application/json-patch+json"


def one_of_each(scene: Scene, session: Any) -> dict[str, dict[str, Any]]:
    """A resource of each type that may be written, as an EHR sends it."""
    me = str(scene.patient["id"])
    return {
        "Patient": patient("new"),
        **bodies(me),
        "Encounter": visit(me, scene["CT"].user_id, 3000),
        "Observation": vital(scene, session, "8867-4", valueQuantity=quantity(70, "/min")),
        "QuestionnaireResponse": answered(me, dict.fromkeys(range(1, 10), 1)),
        "Consent": sharing(me),
    }


@pytest.fixture
def written(ehr: Client, scene: Scene, seen: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What was created, by its type."""
    made = {}
    for kind, body in one_of_each(scene, seen["session"]).items():
        answer = post(ehr, body)
        assert answer.status_code == 201, (kind, answer.text)
        made[kind] = answer.json
    return made


def test_each_stated_write_is_done_and_each_unstated_one_refused(
    ehr: Client, written: dict[str, dict[str, Any]]
) -> None:
    for one in stated(ehr):
        kind, told = one["type"], {code["code"] for code in one["interaction"]}
        if kind == "Subscription":  # test_subscriptions.py
            continue
        assert ("create" in told) == (kind in written)
        assert one.get("conditionalCreate", False) == (kind in written)
        there = written.get(kind) or ehr.get(f"/{kind}?_count=1").json["entry"][0]["resource"]
        at, steps = f"/{kind}/{there['id']}", [{"op": "test", "path": "/id", "value": there["id"]}]
        stands = "update" in told
        assert stands == ("patch" in told) == one.get("conditionalUpdate", False)
        assert put(ehr, there).status_code == (200 if stands else 405), kind
        patched = ehr("PATCH", at, data=json.dumps(steps), content_type=PATCH)
        assert patched.status_code == (200 if stands else 405), (kind, patched.text)
        where = put(ehr, there, f"/{kind}?_id={there['id']}")
        assert where.status_code == (200 if stands else 405), (kind, where.text)
        if "create" not in told:
            assert post(ehr, there).status_code == 405, kind
        assert ehr("DELETE", at).status_code == 405


def test_what_is_read_can_be_put_back_and_says_the_same(
    ehr: Client, written: dict[str, dict[str, Any]]
) -> None:
    tried = 0
    for kind, writer in WRITERS.items():
        for there in ehr.every(f"/{kind}?_count=100") if writer.update is not None else []:
            if kind == "Consent" and there["scope"]["coding"][0]["code"] != "patient-privacy":
                assert put(ehr, there).status_code == 422
                continue
            back = put(ehr, there)
            assert back.status_code == 200, (kind, back.text)
            assert {**back.json, "meta": None} == {**there, "meta": None}, kind
            version = int(there["meta"]["versionId"])
            assert int(back.json["meta"]["versionId"]) > version
            tried += 1
    assert tried > 10


def test_each_write_has_its_provenance(ehr: Client, written: dict[str, dict[str, Any]]) -> None:
    for kind, made in written.items():
        told = ehr.get(f"/Provenance?target={kind}/{made['id']}").json
        assert told["total"] == 1, kind
        agent = told["entry"][0]["resource"]["agent"][0]["who"]["reference"]
        assert agent.startswith("Patient/" if kind == "QuestionnaireResponse" else "Organization/")


def hostile() -> Iterator[bytes]:
    """Bodies that no server should break over."""
    yield b""
    yield b"null"
    yield b"[]"
    yield b'"x"'
    yield b"{"
    yield b"\xff\xfe"
    yield b'{"a":1,"a":2}'
    yield b'{"resourceType":"Patient","x":NaN}'
    yield b'{"resourceType":"Patient","x":1e999}'
    yield b'{"a":' * 5000 + b"1" + b"}" * 5000
    yield b"[" * 100_000


WILD: tuple[Any, ...] = (
    None,
    True,
    5,
    -1,
    1e300,
    10**15,
    "",
    " ",
    "\x00",
    "\ud800",
    "x" * 5000,
    "9999-12-31T23:59:60Z",
    "0001-01-01",
    "2026-02-30",
    "urn:uuid:x",
    [],
    [[]],
    [None],
    [{}],
    {},
    {"a": {"b": {}}},
    {"coding": [{"code": "x" * 300, "system": "\u202e"}]},
    {"coding": 5},
    {"reference": "Patient/../../x"},
    {"reference": 7},
    {"value": 1e308, "code": "/min"},
    {"value": True},
    {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01"},
)


def test_no_body_breaks_a_write(
    ehr: Client, scene: Scene, seen: dict[str, Any], written: dict[str, dict[str, Any]]
) -> None:
    for kind, writer in WRITERS.items():
        at = f"/{kind}/{written[kind]['id']}"
        methods = [("POST", f"/{kind}", "application/fhir+json")]
        if writer.update is not None:
            methods += [("PUT", at, "application/fhir+json"), ("PATCH", at, PATCH)]
        for method, path, media in methods:
            for raw in hostile():
                if (method, raw) == ("PATCH", b"[]"):
                    continue  # no operation, and no harm
                answer = ehr(method, path, data=raw, content_type=media)
                assert 400 <= answer.status_code < 500, (method, path, raw[:40])
                assert answer.json["resourceType"] == "OperationOutcome"
    for raw in hostile():
        answer = ehr("POST", "", data=raw, content_type="application/fhir+json")
        assert 400 <= answer.status_code < 500, raw[:40]


def test_no_value_of_an_element_breaks_a_write(
    ehr: Client, scene: Scene, seen: dict[str, Any]
) -> None:
    for kind, body in one_of_each(scene, seen["session"]).items():
        bare = {key: value for key, value in body.items() if key != "identifier"}
        for name in body:
            for value in WILD:
                wild = json.dumps(bare | {name: value})
                answer = ehr("POST", f"/{kind}", data=wild, content_type="application/json")
                assert answer.status_code < 500, (kind, name, value, answer.text)
                assert answer.status_code == 201 or issues(answer), (kind, name, value)


def test_no_condition_or_version_breaks_a_write(ehr: Client, seen: dict[str, Any]) -> None:
    for value in ("%00", "\x7f", "&&=", "?" * 50, "x" * 3000, "identifier=|", "name=%00", "_id=%"):
        answer = post(ehr, patient("c"), If_None_Exist=value)
        assert answer.status_code < 500, (value, answer.text)
    there = post(ehr, patient("v")).json
    for value in ("", "x", 'W/"-1"', 'W/"99999999999999999999"', '"1", "2"', "W/"):
        assert put(ehr, there, If_Match=value).status_code == 412, value


def test_a_vital_of_no_dosing_session_is_refused_in_words(
    app: Flask, ehr: Client, scene: Scene, seen: dict[str, Any]
) -> None:
    booked = ehr.get("/Encounter?status=planned").json["entry"][0]["resource"]
    session = {"id": booked["id"], "started_at": dosing.clock.now() - timedelta(minutes=6)}
    answer = post(ehr, vital(scene, session, "8867-4", valueQuantity=quantity(70, "/min")))
    assert answer.status_code == 409 and issues(answer) == {("conflict", "")}
