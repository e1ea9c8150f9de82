"""The documents tell the truth: the committed OpenAPI document is the application's, and whole."""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from api.access.policies import TABLE, Role
from api.cli import DOCUMENTS, DOORS, document_text
from api.config import Settings
from api.research import door as research
from api.v1 import door as v1, problem
from api.v1.door import NO_OPERATION
from api.v1.offers import refusals

HOUSE = Path(__file__).parents[2]
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def document(application: Flask, door: str) -> dict[str, Any]:
    return dict(application.extensions[door].spec.to_dict())


def offers_of(application: Flask, door: str) -> dict[str, Any]:
    """The offers of a door by operation."""
    resources = {"v1": v1.RESOURCES, "research": research.RESOURCES}[door]
    return {name: offer for blueprint in resources for name, offer in blueprint.offers.items()}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation with its method and path."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def references(part: Any) -> Iterator[str]:
    """Every `$ref` anywhere."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_the_committed_document_is_the_one_the_application_serves(app: Flask, door: str) -> None:
    committed = (DOCUMENTS / f"{door}.json").read_text()
    assert committed == document_text(door), "flask --app wsgi document write"
    address = {"v1": "/api/v1", "research": "/research/v1"}[door]
    assert app.test_client().get(f"{address}/openapi.json").json == json.loads(committed)


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in set(references(document)):
        assert reference.startswith("#/"), reference
        part: Any = document
        for step in reference[2:].split("/"):
            part = part[step.replace("~1", "/").replace("~0", "~")]
        assert part, reference


def test_every_operation_has_a_name_of_its_own_and_a_summary(document: dict[str, Any]) -> None:
    names = []
    for where, operation in operations(document):
        names.append(operation["operationId"])
        summary = operation["summary"]
        assert summary[0].isupper() and summary.endswith(".") and len(summary) < 80, where
    assert sorted(names) == sorted(set(names))


def test_every_operation_says_who_may(
    document: dict[str, Any], application: Flask, door: str
) -> None:
    offers = offers_of(application, door)
    seen = set()
    for where, operation in operations(document):
        offer = offers[operation["operationId"]]
        seen.add(operation["operationId"])
        if offer.action is None:
            assert operation["security"] == [], where
        else:
            roles = [role.value for role in Role if role in TABLE[offer.action]]
            assert operation["x-roles"] == roles != [], where
    assert seen == set(offers)


def test_every_operation_names_every_way_it_refuses(
    document: dict[str, Any], application: Flask, door: str
) -> None:
    offers = offers_of(application, door)
    for where, operation in operations(document):
        offer, listed = offers[operation["operationId"]], operation["responses"]
        for status in refusals(offer, ()):
            assert listed[str(status)] == {"$ref": f"#/components/responses/Problem{status}"}, where
        assert str(offer.status) in listed, where
        assert all(status[0] in "245" or status == "304" for status in listed), where


def test_every_kind_of_refusal_has_a_response_with_an_example(document: dict[str, Any]) -> None:
    for status in {status for status, _title in problem.STATUS.values()} - {NO_OPERATION}:
        [content] = document["components"]["responses"][f"Problem{status}"]["content"].items()
        assert content[0] == "application/problem+json"
        assert content[1]["example"]["status"] == status


def test_every_address_of_a_record_takes_its_id_as_a_uuid(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for parameter in item.get("parameters", []):
            if parameter["in"] == "path" and parameter["name"].endswith("_id"):
                assert parameter["schema"] == {"type": "string", "format": "uuid"}, path


def test_every_body_has_an_example_that_its_schema_takes(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert "example" in content, where
            schema = {**content["schema"], "components": document["components"]}
            checker = Draft202012Validator(schema)
            assert [e.message for e in checker.iter_errors(content["example"])] == [], where


def test_every_field_is_described_by_a_type_or_a_reference(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            known = {"type", "$ref", "allOf", "anyOf", "oneOf", "enum", "const"} & set(described)
            assert known or described.get("x-any"), f"{name}.{field}"


def test_the_readme_names_every_setting_and_every_kind_of_refusal() -> None:
    readme = (HOUSE / "README.md").read_text()
    missing = [f.metadata["env"] for f in fields(Settings) if f.metadata["env"] not in readme]
    assert missing == []
    assert [kind for kind in problem.STATUS if kind not in readme] == []
