"""Instruments over HTTP: listed, read, defined, worded, and without their flags for patients."""

import copy
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator

from api.core.outcomes.instruments.catalogue import catalogue
from api.v1.instruments import EXAMPLE
from tests.v1.conftest import is_problem

KEYS = sorted(catalogue())
ITEMS = {f"who5-{n}": f"Words {n}" for n in range(1, 6)}
WORDING = {
    "items": ITEMS,
    "licence_statement": "Bought in 2026.",
    "holder": "Press",
    "expires_on": "2099-12-31",
}


def test_the_shipped_instruments_are_listed_by_key(call: Any) -> None:
    listed = call("PS").get("/instruments").json["items"]
    assert [one["key"] for one in listed] == KEYS and len(KEYS) == 14
    missing = {one["key"] for one in listed if one["text_missing"]}
    assert missing == {key for key in KEYS if catalogue()[key].is_text_missing}
    assert not any(one["is_own"] for one in listed)


def test_the_list_is_walked_by_its_cursor_with_the_clinics_own_among_them(call: Any) -> None:
    assert call("CA").post("/instruments", EXAMPLE).status_code == 201
    page, keys = call("CT").get("/instruments?limit=4").json, []
    while True:
        keys += [one["key"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        page = call("CT").get(f"/instruments?limit=4&cursor={page['next_cursor']}").json
    assert keys == sorted([*KEYS, "own-ease"])
    since = call("CT").get("/instruments?updated_since=2026-01-01T00:00:00Z").json
    assert since["tombstones"] == [] and since["synced_to"]


def test_a_clinician_reads_the_whole_instrument(call: Any) -> None:
    read = call("CT").get("/instruments/phq-9").json
    assert len(read["items"]) == 10
    assert read["items"][8]["loinc"]["code"] == "44260-8"
    assert [option["value"] for option in read["items"][0]["options"]] == [0, 1, 2, 3]
    worst = {"code": "severe", "min": 20, "max": 27, "max_exclusive": False, "by_sex": None}
    assert read["bands"][-1] == worst
    assert read["loinc"]["total"]["code"] == "44261-6"
    assert read["scoring"]["max_total"] == 27 and read["sources"] and read["licence"]["status"]
    assert [rule["link_id"] for rule in read["safety_rules"]] == ["phq9-9"] * 3


def test_a_patient_reads_the_questions_and_no_rules_of_flags(call: Any) -> None:
    read = call("PS").get("/instruments/phq-9").json
    assert read["items"][0]["text"] == "Little interest or pleasure in doing things"
    assert not {"cutoffs", "derived", "safety_rules"} & set(read)


def test_an_instrument_has_an_etag_and_an_unknown_one_is_not_found(call: Any) -> None:
    read = call("CT").get("/instruments/gad-7")
    assert read.headers["ETag"] == '"1.0.0"' and read.json["version"] == "1.0.0"
    assert call("CT").get("/instruments/gad-7?version=1.0.0").json == read.json
    assert is_problem(call("CT").get("/instruments/gad-7?version=2.0.0"), 404)
    assert is_problem(call("CT").get("/instruments/phq-99"), 404)
    assert is_problem(call(None).get("/instruments"), 401)


@pytest.mark.parametrize("key", KEYS)
def test_every_instrument_reads_as_the_document_says(call: Any, app: Flask, key: str) -> None:
    document = app.extensions["v1"].spec.to_dict()
    for who, name in (("CT", "Instrument"), ("PS", "PatientInstrument")):
        read = call(who).get(f"/instruments/{key}")
        if who == "PS" and catalogue()[key].is_text_missing:
            assert is_problem(read, 409) and read.json["reason"] == "instrument_text_missing"
            continue
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        assert [e.message for e in Draft202012Validator(schema).iter_errors(read.json)] == []


@pytest.mark.parametrize("key", KEYS)
def test_what_is_shipped_meets_the_definition_in_the_document(app: Flask, key: str) -> None:
    components = app.extensions["v1"].spec.to_dict()["components"]
    schema = {"$ref": "#/components/schemas/InstrumentDefinition", "components": components}
    assert list(Draft202012Validator(schema).iter_errors(catalogue()[key].definition)) == []


def test_a_clinic_defines_an_instrument_and_checks_in_with_it(call: Any, chart: str) -> None:
    made = call("CA").post("/instruments", EXAMPLE, **{"Idempotency-Key": "once"})
    assert made.status_code == 201
    assert made.headers["Location"] == "/api/v1/instruments/own-ease"
    assert (made.json["is_own"], made.json["licence"]["holder"]) == (True, "Example Clinic")
    again = call("CA").post("/instruments", EXAMPLE, **{"Idempotency-Key": "once"})
    assert again.json == made.json and again.headers["Idempotent-Replayed"] == "true"
    whole = {"instrument": "own-ease", "answers": {"ease-1": 1, "ease-2": 2}, "complete": True}
    logged = call("CT").post(f"{chart}/check-ins", whole).json
    assert (logged["total"], logged["band"], logged["instrument_version"]) == (3, "easy", "1.0.0")
    assert call("CT").get(f"{chart}/check-ins?instrument=own-ease").json["items"] == [logged]
    assert is_problem(call("CA").post("/instruments", EXAMPLE), 409)


def test_a_definition_is_refused_with_every_fault(call: Any) -> None:
    wrong = copy.deepcopy(EXAMPLE)
    wrong["definition"] |= {"bands": [], "key": "phq_9", "extra": 1, "higher_is": "other"}  # type: ignore[operator]
    answer = call("CA").post("/instruments", wrong)
    assert is_problem(answer, 422)
    pointers = {error["pointer"] for error in answer.json["errors"]}
    assert pointers == {"/definition", "/definition/key", "/definition/higher_is"}
    for definition in (None, [], "x", {"title": "a\u0000b"}):
        assert is_problem(
            call("CA").post("/instruments", EXAMPLE | {"definition": definition}), 422
        )


def test_only_who_directs_or_administers_may_add(call: Any) -> None:
    for who in ("PS", "CT", "PR", "AY"):
        assert is_problem(call(who).post("/instruments", EXAMPLE), 403)
        put = call(who)("PUT", "/instruments/who-5/text", WORDING, **{"If-Match": "*"})
        assert is_problem(put, 403)


def test_a_wording_is_put_for_the_version_that_was_read(call: Any) -> None:
    path = "/instruments/who-5/text"
    tag = call("CA").get("/instruments/who-5").headers["ETag"]
    assert is_problem(call("CA")("PUT", path, WORDING), 428)
    done = call("CA")("PUT", path, WORDING, **{"If-Match": tag})
    assert (done.status_code, done.headers["ETag"]) == (200, '"1.0.0+1"')
    assert done.json["licence"]["expires_on"] == "2099-12-31"
    assert is_problem(call("CA")("PUT", path, WORDING, **{"If-Match": tag}), 412)
    assert is_problem(call("CA")("PUT", path, WORDING, **{"If-Match": "1.0.0+1"}), 412)
    as_list = [{"link_id": link_id, "text": text} for link_id, text in ITEMS.items()]
    more = WORDING | {"items": as_list, "instructions": "Over the last two weeks"}
    again = call("CA")("PUT", path, more, **{"If-Match": '"1.0.0+1"'})
    assert again.headers["ETag"] == '"1.0.0+2"'
    read = call("PS").get("/instruments/who-5").json
    assert (read["items"][0]["text"], read["text_missing"]) == ("Words 1", False)
    assert read["instructions"] == "Over the last two weeks"


@pytest.mark.parametrize(
    ("key", "items"),
    [
        ("who-5", {}),
        ("who-5", {"who5-1": "Only one"}),
        ("who-5", {**ITEMS, "who5-9": "x"}),
        ("who-5", {**ITEMS, "who5-1": ""}),
        ("who-5", {**ITEMS, "who5-1": 1}),
        ("isi", {f"isi-{n}": "Without labels" for n in range(1, 8)}),
        ("who-5", "text"),
    ],
)
def test_a_wording_with_gaps_is_refused(call: Any, key: str, items: Any) -> None:
    body = WORDING | {"items": items}
    answer = call("CA")("PUT", f"/instruments/{key}/text", body, **{"If-Match": "*"})
    assert is_problem(answer, 422), answer.text


def test_a_screen_that_ends_in_a_tier_tells_clinicians_the_tier(call: Any, chart: str) -> None:
    answers = {"cssrs-1": 0, "cssrs-2": 0, "cssrs-6": 1}
    whole = {"instrument": "c-ssrs-screener", "answers": answers, "complete": True}
    scores = call("CT").post(f"{chart}/check-ins", whole).json["scores"]
    assert (scores["tier"], scores["tier_upper"], scores["total"]) == ("moderate", "high", None)
    assert scores["flags"] == ["suicide_risk_moderate", "suicide_screen_incomplete"]
    asked = call("CT").get("/instruments/c-ssrs-screener").json["items"][2]["asked_when"]
    assert asked == {"link_id": "cssrs-2", "values": [1]}


def test_subscales_and_a_mean_are_shown_as_they_are(call: Any, chart: str) -> None:
    def scores(key: str, **answers: int) -> Any:
        body = {"instrument": key, "answers": answers, "complete": True}
        return call("CT").post(f"{chart}/check-ins", body).json["scores"]

    dass = scores("dass-21", **{item.link_id: 1 for item in catalogue()["dass-21"].items})
    assert dass["subscales"] == {"depression": 14, "anxiety": 14, "stress": 14}
    assert dass["subscale_bands"]["anxiety"] == "moderate" and dass["total"] is None
    assert scores("srbai", **{"srbai-1": 5, "srbai-2": 6})["max_possible"] == 6.25
    assert scores("who-5", **dict.fromkeys(ITEMS, 3))["raw"] == 15
