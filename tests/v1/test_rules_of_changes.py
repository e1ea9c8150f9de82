"""The rules of every change: made from the version it was meant for, and made once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from api import db
from api.core.patients import patients
from api.errors import Unavailable
from tests.conftest import Caller
from tests.v1.conftest import NEW, is_problem


def test_a_change_without_if_match_is_428_and_a_stale_one_412(call: Any, chart: str) -> None:
    ct, body = call("CT"), {"pronouns": "she"}
    assert is_problem(ct("PATCH", chart, body), 428)
    for stale in ("2", "0", "99999999999999999999", "x", "1\u0661"):
        headers = {"If-Match": f'"{stale}"'.encode().decode("latin-1")}
        assert is_problem(ct("PATCH", chart, body, **headers), 412), stale
    for weak in ('W/"1"', "1", '""'):
        assert is_problem(ct("PATCH", chart, body, **{"If-Match": weak}), 412), weak
    assert ct.patch(chart, body, 1).headers["ETag"] == '"2"'


def test_nothing_is_changed_twice_from_one_version(app: Flask, call: Any, chart: str) -> None:
    callers = [call("CT") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        sent = [
            pool.submit(one.patch, chart, {"pronouns": f"p{i}"}, 1) for i, one in enumerate(callers)
        ]
        statuses = sorted(answer.result().status_code for answer in sent)
    assert statuses == [200] + [412] * 5
    assert call("CT").get(chart).json["version"] == 2


def test_an_unchanged_record_is_answered_304_with_its_etag(call: Any, chart: str) -> None:
    for tags in ('"1"', 'W/"1"', '"7", "1"', "*"):
        answer = call("CT").get(chart, **{"If-None-Match": tags})
        assert (answer.status_code, answer.data) == (304, b""), tags
        assert answer.headers["ETag"] == '"1"'
        assert "Content-Type" not in answer.headers or not answer.data
    for tags in ('"2"', "1", ""):
        assert call("CT").get(chart, **{"If-None-Match": tags}).status_code == 200, tags
    assert call("CN").get(chart, **{"If-None-Match": "*"}).status_code == 404


def count(scene: Any) -> int:
    """How many patients the clinic has."""
    with db.transaction() as store:
        statement = select(func.count()).where(patients.c.clinic_id == scene.clinic_id)
        return int(store.execute(statement).scalar())


def test_the_same_key_and_body_is_answered_again_without_a_second_effect(
    call: Any, scene: Any
) -> None:
    before, key = count(scene), {"idempotency-key": "once"}
    first, again = (call("CT").post("/patients", NEW, **key) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.data == again.data
    for name in ("ETag", "Location", "Content-Type"):
        assert first.headers[name] == again.headers[name]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert count(scene) == before + 1


def test_the_same_key_with_another_body_or_route_is_refused(
    call: Any, scene: Any, chart: str
) -> None:
    key = {"idempotency-key": "once"}
    call("CT").post("/patients", NEW, **key)
    assert is_problem(call("CT").post("/patients", NEW | {"pronouns": "x"}, **key), 422)
    consent = {"kind": "touch", "text_version": "1"}
    assert is_problem(call("CT").post(f"{chart}/consents", consent, **key), 422)


def test_a_key_belongs_to_its_caller(call: Any, scene: Any) -> None:
    before, key = count(scene), {"idempotency-key": "mine"}
    for persona in ("CT", "CN", "CA", "XT"):
        answer = call(persona).post("/patients", NEW, **key)
        assert answer.status_code == 201 and "Idempotent-Replayed" not in answer.headers
    assert count(scene) == before + 3


def test_a_refused_write_does_not_use_up_its_key(call: Any, scene: Any) -> None:
    key = {"idempotency-key": "again"}
    assert call("CT").post("/patients", NEW | {"status": "gone"}, **key).status_code == 422
    assert call("CT").post("/patients", NEW, **key).status_code == 201


def test_after_a_failure_the_same_key_does_the_work(
    call: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, key = count(scene), {"idempotency-key": "failed"}
    for failure, status in ((RuntimeError("broken"), 500), (Unavailable("away"), 503)):
        with monkeypatch.context() as patched:
            patched.setattr("api.v1.resource.replay.keep", _raising(failure))
            answer = call("CT").post("/patients", NEW, **key)
            assert is_problem(answer, status) and "broken" not in answer.text
        assert count(scene) == before
    assert call("CT").post("/patients", NEW, **key).status_code == 201
    assert count(scene) == before + 1


def _raising(failure: Exception) -> Any:
    def fail(*_args: Any, **_more: Any) -> None:
        raise failure

    return fail


def test_an_answer_is_not_given_again_to_whoever_lost_the_chart(
    call: Any, scene: Any, chart: str
) -> None:
    key, body = {"idempotency-key": "lost"}, {"kind": "touch", "text_version": "1"}
    ct = call("CT")
    assert ct.post(f"{chart}/consents", body, **key).status_code == 201
    [member] = ct.get(f"{chart}/care-team").json["items"]
    assert call("CA").post(f"{chart}/care-team/{member['id']}/end").status_code == 200
    assert is_problem(ct.post(f"{chart}/consents", body, **key), 404)


def test_an_answer_of_an_entry_that_its_patient_keeps_now_is_not_given_again(
    call: Any, chart: str
) -> None:
    ct, ps = call("CT"), call("PS")
    goal = ps.post(f"{chart}/goals", {"title": "Rest", "category": "other"}).json
    walked = f"/goals/{goal['id']}/practices"
    practice = ps.post(walked, {"new_trail": "Lie down"}).json
    under = f"/practices/{practice['id']}/steps"
    step = ps.post(under, {"kind": "done"}).json
    asked = {
        walked: {"new_trail": "Sit down"},
        under: {"kind": "done"},
        f"/steps/{step['id']}/replies": {"text": "Glad."},
        f"/goals/{goal['id']}/ratings": {"level": 1},
        f"{chart}/moments": {"text": "x", "practice_id": practice["id"]},
        f"{chart}/check-ins": {
            "instrument": "srbai",
            "answers": {},
            "practice_id": practice["id"],
        },
    }
    first = {
        path: ct.post(path, body, **{"idempotency-key": f"k{n}"})
        for n, (path, body) in enumerate(asked.items())
    }
    own = ps.post(under, {"kind": "partly"}, **{"idempotency-key": "own"})
    assert {answer.status_code for answer in first.values()} == {201}, first
    mine = f"/goals/{goal['id']}"
    version = ps.get(mine).json["version"]
    assert ps.patch(mine, {"shared_with": "me"}, version).status_code == 200
    for n, (path, body) in enumerate(asked.items()):
        again = ct.post(path, body, **{"idempotency-key": f"k{n}"})
        assert is_problem(again, 404), path
    again = ps.post(under, {"kind": "partly"}, **{"idempotency-key": "own"})
    assert again.data == own.data, "the patient is answered as before"
    version = ps.get(mine).json["version"]
    assert ps.patch(mine, {"shared_with": "care_team"}, version).status_code == 200
    for n, (path, body) in enumerate(asked.items()):
        again = ct.post(path, body, **{"idempotency-key": f"k{n}"})
        assert again.data == first[path].data, path


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "caf\xe9"])
def test_a_key_is_printable_ascii_of_limited_length(call: Any, key: str) -> None:
    assert is_problem(call("CT").post("/patients", NEW, **{"idempotency-key": key}), 422)


def test_a_twin_at_the_same_time_has_one_effect(app: Flask, call: Any, scene: Any) -> None:
    before, callers, start = count(scene), [call("CT") for _ in range(4)], Barrier(4)

    def twin(caller: Caller) -> Any:
        start.wait()
        return caller.post("/patients", NEW, **{"idempotency-key": "twin"})

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(twin, callers))
    done = [a for a in answers if a.status_code == 201]
    assert {a.status_code for a in answers} <= {201, 409}
    assert all("Retry-After" in a.headers for a in answers if a.status_code == 409)
    assert len({a.json["id"] for a in done}) == 1
    assert sum("Idempotent-Replayed" not in a.headers for a in done) == 1
    assert count(scene) == before + 1


@pytest.mark.parametrize("tag", ['"01"', '"001"', '"+1"', '"1.0"', '"\u0661"'])
def test_a_version_is_written_in_one_way(call: Any, chart: str, tag: str) -> None:
    answer = call("CT")("PATCH", chart, {"pronouns": "she"}, **{"if-match": tag[1:-1]})
    assert is_problem(answer, 412)


def test_nothing_asked_for_changes_nothing(call: Any, scene: Any, chart: str) -> None:
    ps, ct, ca = call("PS"), call("CT"), call("CA")
    goal = ps.post(f"{chart}/goals", {"title": "Rest", "category": "other"}).json
    made = {
        f"/goals/{goal['id']}": ps,
        chart: ct,
        "/me/preferences": ps,
        "/clinic": ca,
    }
    for path, answer in (
        ("/insights", ps.post(f"{chart}/insights", {"text": "x"})),
        ("/moments", ps.post(f"{chart}/moments", {"text": "x"})),
        ("/journal", ps.post(f"{chart}/journal", {"text": "x"})),
        ("/practices", ps.post(f"/goals/{goal['id']}/practices", {"new_trail": "x"})),
        ("/check-ins", ps.post(f"{chart}/check-ins", {"instrument": "gad-7", "answers": {}})),
    ):
        made[f"{path}/{answer.json['id']}"] = ps
    for path, who in made.items():
        assert who.patch(path, {}, 1).status_code == 200, path
        assert who.get(path).json["version"] == 1, path
