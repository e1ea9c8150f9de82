"""Everything that leaves is valid: by HL7's schema, US Core 6.1.0 and 7.0.0, and real clients."""

import importlib
import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pyrofile_validator import run_api_tests
from pyrofile_validator.api_testing import ApiTestOptions
from pyrofile_validator.config import ValidatorConfig
from pyrofile_validator.core.definitions import _COMMON_FIELDS
from pyrofile_validator.core.engine import Validator
from pyrofile_validator.models import Severity

from api.fhir.kinds import KINDS
from tests.fhir.charts import BASE, Client

DATA = Path(__file__).parents[1] / "data" / "fhir"
PACKAGES = ("us_core_610.tgz", "us_core_700.tgz")
Fault = tuple[str, str, str]


@cache
def schema() -> dict[str, Any]:
    """HL7's schema of R4."""
    return dict(json.loads((DATA / "fhir.schema.json").read_text()))


@cache
def schema_of(kind: str) -> dict[str, Any]:
    """The schema of one type."""
    whole = schema()
    parts = {name: whole[name] for name in ("$schema", "definitions")}
    return parts | {"$ref": f"#/definitions/{kind}"}


@cache
def schema_check(kind: str) -> Any:
    return jsonschema_rs.validator_for(schema_of(kind))


@pytest.fixture
def every(ehr: Client, seen: dict[str, Any]) -> list[dict[str, Any]]:
    """Every resource of a clinic with something of every kind."""
    there = [r for name in KINDS for r in ehr.every(f"/{name}?_count=500")]
    assert {r["resourceType"] for r in there} == set(KINDS)
    return there


def test_every_resource_and_bundle_passes_hl7s_schema(
    ehr: Client, every: list[dict[str, Any]]
) -> None:
    bundles = [ehr.get(f"/{name}?_count=3&_total=none").json for name in KINDS]
    histories = [ehr.get(f"/{r['resourceType']}/{r['id']}/_history").json for r in every[:20]]
    statement = ehr.get("/metadata").json
    assert statement["fhirVersion"] == "4.0.1"
    statement["fhirVersion"] = "4.0.0"  # the schema of 4.0.1 lists no later version than this
    for one in (*every, *bundles, *histories, statement):
        faults = [e.message for e in schema_check(one["resourceType"]).iter_errors(one)]
        assert faults == [], (one["resourceType"], one.get("id"), faults[:3])


@cache
def validator(package: str) -> Validator:
    """A validator that knows the profiles of a package."""
    return Validator(ValidatorConfig(local_package_paths=[str(DATA / package)]))


def faults(package: str, resource: dict[str, Any]) -> set[Fault]:
    """The errors of a resource: rule, place without numbers, and what is said."""
    return {
        (issue.code, _place(issue.path), _message(issue.message))
        for issue in validator(package).validate_resource(resource).issues
        if issue.severity == Severity.ERROR and not _is_its_own(issue)
    }


def _is_its_own(issue: Any) -> bool:
    """Whether an error is the validator's: it knows no `text` or `language` of a part.

    It takes the names that every resource has out of every backbone element as well.
    """
    name = (issue.path or "").rpartition(".")[2]
    return issue.code == "element.unknown" and name in _COMMON_FIELDS and "[" in issue.path


def collection(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Resources as a scan lays them together, so that each finds what it points to."""
    entries = [
        {"fullUrl": f"{BASE}/{r['resourceType']}/{r['id']}", "resource": r} for r in resources
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _place(path: str | None) -> str:
    return "".join(c for c in path or "" if not c.isdigit())


def _message(text: str) -> str:
    return "".join(c for c in text if not c.isdigit())


EXTENDED = ("Subscription.channel._payload",)
"""An extension of a primitive, as the R4 backport has it and HL7's schema takes it; neither the
validator nor fhirclient knows it."""


@cache
def of_hl7s_own(package: str) -> frozenset[Fault]:
    """The errors that the validator finds in the examples that US Core itself publishes.

    They are the validator's, not the examples': a slice by two discriminators is not matched.
    """
    found: set[Fault] = set()
    with tarfile.open(DATA / "us_core_610.tgz") as examples:
        for member in examples.getmembers():
            if "/example/" in member.name and member.name.endswith(".json"):
                file = examples.extractfile(member)
                one = json.load(file) if file else {}
                if one.get("resourceType") in KINDS:
                    found |= faults(package, one)
    return frozenset(found)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_resource_has_an_error_that_us_cores_own_examples_have_not(
    every: list[dict[str, Any]], package: str
) -> None:
    claimed = {p for r in every for p in r["meta"].get("profile", [])}
    assert len(claimed) > 18
    found = faults(package, collection(every)) - of_hl7s_own(package)
    assert {fault for fault in found if fault[1] not in EXTENDED} == set()


def test_a_planted_error_is_found(every: list[dict[str, Any]]) -> None:
    patient = next(r for r in every if r["resourceType"] == "Patient")
    known = of_hl7s_own(PACKAGES[0])
    for wrong in (
        patient | {"gender": "robot"},
        patient | {"birthDate": "yesterday"},
        patient | {"wingspan": 3},
        {name: value for name, value in patient.items() if name != "identifier"},
        {name: value for name, value in patient.items() if name != "name"},
    ):
        assert faults(PACKAGES[0], wrong) - known != set()


def test_what_is_left_out_of_the_checks_is_the_tools_own() -> None:
    """Both tools fail on what HL7's schema takes, in resources that are none of ours."""
    more = {"extension": [{"url": "urn:example:x", "valueCode": "y"}]}
    contact = {"resourceType": "Patient", "contact": [{"gender": "male", "_gender": more}]}
    item = {"linkId": "1", "type": "string", "text": "How are you?"}
    form = {"resourceType": "Questionnaire", "status": "active", "item": [item]}
    for one, place in ((contact, "Patient.contact[]._gender"), (form, "Questionnaire.item[].text")):
        assert not list(schema_check(one["resourceType"]).iter_errors(one))
        raw = validator(PACKAGES[0]).validate_resource(one).issues
        assert ("element.unknown", place) in {(i.code, _place(i.path)) for i in raw}
    patient = importlib.import_module("fhirclient.models.patient").Patient
    born = {"resourceType": "Patient", "birthDate": "1984-07-02", "_birthDate": more}
    assert "_birthDate" not in patient(born, strict=True).as_json()


def test_fhirclient_reads_every_resource_strictly(every: list[dict[str, Any]]) -> None:
    for one in every:
        kind = one["resourceType"]
        if kind == "Subscription":
            one["channel"].pop("_payload")
        module = importlib.import_module(f"fhirclient.models.{kind.lower()}")
        read = getattr(module, kind)(one, strict=True)
        assert read.as_json() == one, one["id"]


def test_pyrofiles_scenarios_of_base_r4_pass_all_of_them(
    ehr: Client, address: str, seen: dict[str, Any]
) -> None:
    goal = str(seen["goal"]["id"])
    version = ehr.get(f"/Goal/{goal}").json["meta"]["versionId"]
    inputs = {"resourceType": "Goal", "resourceId": goal, "versionId": version}
    headers = {"Authorization": f"Bearer {ehr.token}"}
    report = run_api_tests(
        address,
        "base-r4",
        config=ValidatorConfig(local_package_paths=[str(DATA / PACKAGES[1])]),
        options=ApiTestOptions(headers=headers, inputs=inputs, record_bodies=True),
    )
    told = {one.id: one.status.value for one in report.scenarios}
    assert told == dict.fromkeys(told, "PASS") and len(told) == 8, [
        a for one in report.scenarios for a in one.assertions if a.status.value != "PASS"
    ]


def test_fhirpy_fetches_every_observation_page_by_page(ehr: Client, address: str) -> None:
    from fhirpy import SyncFHIRClient

    client = SyncFHIRClient(address, authorization=f"Bearer {ehr.token}")
    found = client.resources("Observation").limit(7).fetch_all()
    there = [o["id"] for o in ehr.every("/Observation?_count=1000")]
    assert [o["id"] for o in found] == there
    assert client.resources("Observation").count() == len(there)
    patient = client.resources("Patient").search(gender="female").first()
    assert patient["resourceType"] == "Patient"
