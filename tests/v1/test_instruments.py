"""Instruments over HTTP: listed, read, and without the rules of flags for patients."""

from typing import Any

from tests.v1.conftest import is_problem


def test_the_shipped_instruments_are_listed_by_key(call: Any) -> None:
    listed = call("PS").get("/instruments").json
    assert [one["key"] for one in listed["items"]] == ["gad-7", "phq-9"]
    assert [one["text_missing"] for one in listed["items"]] == [False, False]


def test_the_list_is_walked_by_its_cursor(call: Any) -> None:
    first = call("CT").get("/instruments?limit=1")
    rest = call("CT").get(f"/instruments?limit=1&cursor={first.json['next_cursor']}")
    keys = [one["key"] for page in (first, rest) for one in page.json["items"]]
    assert keys == ["gad-7", "phq-9"]
    assert rest.json["next_cursor"] is None
    since = call("CT").get("/instruments?updated_since=2026-01-01T00:00:00Z").json
    assert since["tombstones"] == [] and since["synced_to"]


def test_a_clinician_reads_the_whole_instrument(call: Any) -> None:
    read = call("CT").get("/instruments/phq-9").json
    assert len(read["items"]) == 10
    assert read["items"][8]["loinc"]["code"] == "44260-8"
    assert [option["value"] for option in read["items"][0]["options"]] == [0, 1, 2, 3]
    assert read["bands"][-1] == {"code": "severe", "min": 20, "max": 27}
    assert read["loinc"]["total"]["code"] == "44261-6"
    assert read["scoring"]["max_total"] == 27 and read["sources"] and read["licence"]["status"]
    assert [rule["link_id"] for rule in read["safety_rules"]] == ["phq9-9"] * 3


def test_a_patient_reads_the_questions_and_no_rules_of_flags(call: Any) -> None:
    read = call("PS").get("/instruments/phq-9").json
    assert read["items"][0]["text"] == "Little interest or pleasure in doing things"
    assert not {"cutoffs", "derived", "safety_rules"} & set(read)


def test_an_instrument_has_an_etag_and_an_unknown_one_is_not_found(call: Any) -> None:
    read = call("CT").get("/instruments/gad-7")
    again = call("CT").get("/instruments/gad-7", **{"If-None-Match": read.headers["ETag"]})
    assert again.status_code == 304
    assert is_problem(call("CT").get("/instruments/phq-99"), 404)
    assert is_problem(call(None).get("/instruments"), 401)
