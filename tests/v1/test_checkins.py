"""Check-ins over HTTP: the answer to each reader, refusals, and two who write at once."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator

from tests.builders import Scene
from tests.core.test_booking_race import post, race
from tests.v1.conftest import is_problem

CALM = {f"phq9-{n}": 1 for n in range(1, 9)} | {"phq9-9": 0}
LOUD = CALM | {"phq9-9": 3}
RACERS = 8


def new(**more: Any) -> dict[str, Any]:
    return {"instrument": "phq-9", "answers": CALM, **more}


@pytest.fixture
def validator(application: Flask) -> Any:
    document = application.extensions["v1"].spec.to_dict()

    def at(method: str, path: str, status: str) -> Draft202012Validator:
        answer = document["paths"][f"/api/v1{path}"][method]["responses"][status]
        schema = answer["content"]["application/json"]["schema"]
        return Draft202012Validator({**schema, "components": document["components"]})

    return at


def test_a_clinician_logs_a_whole_check_in(call: Any, chart: str) -> None:
    answer = call("CT").post(f"{chart}/check-ins", new(complete=True))
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/check-ins/{answer.json['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert (answer.json["state"], answer.json["total"]) == ("complete", 8)
    scores = answer.json["scores"]
    assert (scores["status"], scores["band"], scores["flags"]) == ("complete", "mild", [])
    assert scores["provisional_mds"] is False
    read = call("CT").get(f"/check-ins/{answer.json['id']}")
    assert read.json == answer.json


def test_a_patient_goes_the_whole_way_without_a_number(call: Any, chart: str) -> None:
    begun = call("PS").post(f"{chart}/check-ins", new(answers={"phq9-1": 1}))
    one = f"/check-ins/{begun.json['id']}"
    more = call("PS").patch(one, {"answers": LOUD | {"phq9-2": None}}, 1)
    done = call("PS").post(f"{one}/complete")
    assert (begun.status_code, more.status_code, done.status_code) == (201, 200, 200)
    assert set(begun.json) == {"id", "version", "state", "words", "reading"}
    assert list(more.json) == ["crisis", "id", "version", "state", "words", "reading"]
    assert more.json["crisis"]["emergency"] == "911"
    assert done.headers["ETag"] == '"3"'
    read = call("PS").get(one).json
    assert next(iter(read)) == "crisis" and read["crisis"]["emergency"] == "911"
    assert (read["total"], read["answers"]["phq9-2"]) == (None, None)
    assert not {"scores", "flags"} & set(read)


def test_each_reader_gets_what_the_document_says_and_not_both(
    call: Any, chart: str, validator: Any
) -> None:
    one = "/check-ins/{check_in_id}"
    for who in ("PS", "CT"):
        made = call(who).post(f"{chart}/check-ins", new(answers=LOUD)).json
        validator("post", "/patients/{patient_id}/check-ins", "201").validate(made)
        read = call(who).get(f"/check-ins/{made['id']}").json
        validator("get", one, "200").validate(read)
        done = call(who).post(f"/check-ins/{made['id']}/complete").json
        validator("post", f"{one}/complete", "200").validate(done)
        listed = call(who).get(f"{chart}/check-ins").json
        validator("get", "/patients/{patient_id}/check-ins", "200").validate(listed)
        told = call(who).get("/instruments/phq-9").json
        validator("get", "/instruments/{key}", "200").validate(told)


def test_a_check_in_without_if_match_is_not_changed(call: Any, chart: str) -> None:
    made = call("PS").post(f"{chart}/check-ins", new()).json
    one = f"/check-ins/{made['id']}"
    assert is_problem(call("PS")("PATCH", one, {"answers": {}}), 428)
    assert is_problem(call("PS").patch(one, {"answers": {}}, 7), 412)


def test_what_is_complete_says_what_is_allowed(call: Any, chart: str) -> None:
    made = call("CT").post(f"{chart}/check-ins", new(complete=True)).json
    one = f"/check-ins/{made['id']}"
    for answer in (
        call("CT").patch(one, {"answers": {"phq9-1": 0}}, 1),
        call("CT").post(f"{one}/complete"),
    ):
        assert is_problem(answer, 409)
        assert (answer.json["state"], answer.json["allowed"]) == ("complete", ["corrections"])
    body = {"answers": {"phq9-1": 3}, "reason": "Misread."}
    corrected = call("CT").post(f"{one}/corrections", body)
    assert (corrected.status_code, corrected.json["version"]) == (200, 2)
    assert corrected.json["total"] == 10


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"answers": {}}, "/instrument"),
        ({"instrument": "phq-9"}, "/answers"),
        (new(instrument="phq-99"), "/instrument"),
        (new(answers={"phq9-1": "1"}), "/answers/phq9-1"),
        (new(answers={"phq9-1": 1.0}), "/answers/phq9-1"),
        (new(answers={"phq9-1": {"value": 1}}), "/answers/phq9-1"),
        (new(answers={"a/b~c": 1}), "/answers/a~1b~0c"),
        (new(answers={"a\x00b": 1}), "/answers"),
        (new(answers={"\ud800": 1}), "/answers"),
        (new(answers={"x" * 101: 1}), "/answers"),
        (new(answers=[1]), "/answers"),
        (new(answers=None), "/answers"),
        (new(total=3), "/total"),
        (new(scores={}), "/scores"),
        (new(source="import"), "/source"),
        (new(complete="yes"), "/complete"),
        (new(answered_at="2999-01-01T00:00:00Z"), "/answered_at"),
        (new(answered_at="2199-01-01T00:00:00Z"), "/answered_at"),
        (new(answered_by="nobody"), "/answered_by"),
    ],
)
def test_a_wrong_form_is_pointed_at(call: Any, chart: str, body: Any, pointer: str) -> None:
    answer = call("CT").post(f"{chart}/check-ins", body)
    assert is_problem(answer, 422)
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_the_same_key_logs_one_check_in(call: Any, chart: str) -> None:
    keyed = {"Idempotency-Key": "again"}
    first = call("PS").post(f"{chart}/check-ins", new(), **keyed)
    again = call("PS").post(f"{chart}/check-ins", new(), **keyed)
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(call("CT").get(f"{chart}/check-ins").json["items"]) == 1


def test_the_list_takes_its_filters_and_refuses_others(call: Any, chart: str) -> None:
    call("CT").post(f"{chart}/check-ins", new())
    for query, count in (
        ("instrument=phq-9&state=draft&source=app", 1),
        ("instrument=gad-7", 0),
        ("state=complete", 0),
        ("updated_since=2026-01-01T00:00:00Z", 1),
    ):
        assert len(call("PS").get(f"{chart}/check-ins?{query}").json["items"]) == count, query
    for query in ("instrument=x", "state=done", "source=paper", "flags=any"):
        assert is_problem(call("CT").get(f"{chart}/check-ins?{query}"), 422)


def test_outcomes_are_told_without_an_etag(call: Any, chart: str) -> None:
    made = call("CT").post(f"{chart}/check-ins", new(complete=True)).json
    answer = call("PS").get(f"{chart}/outcomes?instrument=phq-9")
    assert answer.json["instrument"] == "phq-9"
    [point] = answer.json["series"]
    assert (point["checkin_id"], point["total"], point["band"]) == (made["id"], 8, "mild")
    assert "ETag" not in answer.headers and "instruments" not in answer.json
    [entry] = call("CT").get(f"{chart}/outcomes").json["instruments"]
    assert (entry["count"], entry["last"]) == (1, point)
    assert is_problem(call("CT").get(f"{chart}/outcomes?instrument=x"), 422)


def drafts(scene: Scene, call: Any, chart: str) -> Iterator[tuple[str, str]]:
    for _ in range(2):
        made = call("CT").post(f"{chart}/check-ins", new()).json
        yield scene["CT"].token, f"/check-ins/{made['id']}"


def changing(token: str, one: str, value: int) -> Any:
    """One PATCH of the first version."""
    headers = {"Authorization": f"Bearer {token}", "If-Match": '"1"'}
    body = {"answers": {"phq9-1": value}}
    return lambda client: client.patch(f"/api/v1{one}", json=body, headers=headers)


def test_a_draft_is_completed_by_one_of_many_at_once(
    app: Flask, scene: Scene, call: Any, chart: str
) -> None:
    for token, one in drafts(scene, call, chart):
        runs = [post(token, f"{one}/complete", {}) for _ in range(RACERS)]
        got = Counter(answer.status_code for answer in race(app, runs))
        assert got == {200: 1, 409: RACERS - 1}
        assert call("CT").get(one).json["version"] == 2


def test_of_many_changes_of_one_version_one_stands(
    app: Flask, scene: Scene, call: Any, chart: str
) -> None:
    for token, one in drafts(scene, call, chart):
        runs = [changing(token, one, place % 4) for place in range(RACERS)]
        got = Counter(answer.status_code for answer in race(app, runs))
        assert got == {200: 1, 412: RACERS - 1}
        assert call("CT").get(one).json["version"] == 2
