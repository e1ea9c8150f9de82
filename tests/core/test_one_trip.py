"""The one trip and the plain way: equal answers, equal refusals, equal events."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from api import clock, db
from api.access.users import sign_ins
from api.audit.trail import audit_event_patients, audit_events
from api.core import patients
from api.core.one_trip import CLINIC, RECORD, reading
from api.core.outcomes import checkins
from api.core.outcomes.checkins.table import reached
from api.core.team_reach import care_team
from tests import builders

PERSONAS = ("PS", "PO", "CT", "CN", "CA", "PR", "AY", "XT", "XA", "XP")
ITS_OWN = ("id", "at", "request_id", "xid")
"""What differs between any two events."""
CALM = {f"phq9-{i}": 1 for i in range(1, 9)} | {"phq9-9": 0}


@pytest.fixture
def both_ways(call: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`both_ways(persona, method, path, body)`: answer and event in one trip, and plainly."""

    def ask(persona: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        at_once = seen(call(persona), method, path, body, headers)
        with monkeypatch.context() as patched:
            patched.setattr(reading, "is_alone", lambda _on_sqlite: False)
            patched.setattr(db.Store, "hold_back", lambda *_, **__: None)
            return at_once, seen(call(persona), method, path, body, headers)

    return ask


def seen(caller: Any, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    """Status, body without what each request makes anew, ETag, and the event that was left."""
    request_id = uuid4().hex
    answer = caller(method, path, body, **headers, **{"x-request-id": request_id})
    text = answer.text.replace(request_id, "")
    return answer.status_code, text, answer.headers.get("ETag"), events(request_id)


def events(request_id: str) -> list[Any]:
    with db.transaction() as store:
        rows = store.rows(select(audit_events).where(audit_events.c.request_id == request_id))
        return [({**row, **dict.fromkeys(ITS_OWN)}, touched(store, row)) for row in rows]


def touched(store: Any, event: Any) -> list[Any]:
    p = audit_event_patients.c
    mine = select(p.patient_id).where(p.clinic_id == event["clinic_id"], p.event_id == event["id"])
    return sorted(row["patient_id"] for row in store.rows(mine))


@pytest.fixture
def full_chart(scene: Any) -> Any:
    """A chart with some check-ins, and namesakes of its patient in and out of reach."""
    with db.transaction():
        for _ in range(3):
            values = {"instrument": "phq-9", "answers": CALM, "recorded_by": scene["CT"].user_id}
            checkins.add_check_in(scene.clinic_id, scene.patient["id"], values)
            builders.join_team(builders.make_patient(scene.clinic_id), scene["CT"])
        builders.make_patient(scene.clinic_id)
    return scene


def paths(scene: Any) -> Iterator[str]:
    for patient in (scene.patient["id"], scene["PO"].patient_id, uuid4()):
        yield f"/patients/{patient}"
        for query in ("", "?limit=2", "?instrument=gad-7", "?state=complete&source=app"):
            yield f"/patients/{patient}/check-ins{query}"
        yield f"/patients/{patient}/check-ins?instrument=nonsense"
    for query in (
        "",
        "?q=exa",
        "?q=exa%20ad&limit=2",
        "?status=active",
        "?external_id=a|b",
        "?x=1",
    ):
        yield f"/patients{query}"
    yield "/patients?q=ex&limit=101"


@pytest.mark.parametrize("persona", PERSONAS)
def test_both_ways_give_the_same_answer_and_leave_the_same_event(
    persona: str, both_ways: Any, full_chart: Any
) -> None:
    for path in paths(full_chart):
        at_once, plainly = both_ways(persona, "GET", path)
        assert strip(at_once) == strip(plainly), path
        assert len(at_once[3]) == 1, path


def strip(found: Any) -> Any:
    """A cursor is sealed anew each time."""
    import json

    status, text, tag, left = found
    body = json.loads(text) if text else None
    if isinstance(body, dict) and body.get("next_cursor"):
        body["next_cursor"] = "some"
    return status, body, tag, left


def test_both_ways_walk_a_list_alike(call: Any, full_chart: Any, both_ways: Any) -> None:
    path = "/patients?q=exam&limit=2"
    for _ in range(2):
        cursor = call("CT").get(path).json["next_cursor"]
        assert cursor
        path = f"/patients?cursor={cursor}&limit=1"
        at_once, plainly = both_ways("CT", "GET", path)
        assert strip(at_once) == strip(plainly)


def test_both_ways_tell_what_changed_since(full_chart: Any, both_ways: Any) -> None:
    with db.transaction() as store:
        row = store.row(
            select(checkins.check_ins).where(checkins.check_ins.c.clinic_id == full_chart.clinic_id)
        )
        store.remove(checkins.check_ins, row)
    for path in ("/patients", f"/patients/{full_chart.patient['id']}/check-ins"):
        at_once, plainly = both_ways("CT", "GET", f"{path}?updated_since=2020-01-01T00:00:00Z")
        for found in (at_once, plainly):
            assert found[0] == 200
        without = [{**strip(one)[1], "synced_to": None} for one in (at_once, plainly)]
        assert without[0] == without[1] and at_once[3] == plainly[3]


def test_who_has_signed_out_is_nobody_either_way(full_chart: Any, both_ways: Any) -> None:
    with db.transaction() as store:
        mine = sign_ins.c.id == full_chart["CT"].sign_in_id
        store.execute(sign_ins.update().where(mine).values(revoked_at=clock.now()))
    for path in paths(full_chart):
        at_once, plainly = both_ways("CT", "GET", path)
        assert at_once == plainly
        assert at_once[0] == 401 and at_once[3] == []


def test_a_chart_closes_in_the_next_request_either_way(full_chart: Any, both_ways: Any) -> None:
    path = f"/patients/{full_chart.patient['id']}"
    assert [one[0] for one in both_ways("CT", "GET", path)] == [200, 200]
    with db.transaction() as store:
        theirs = care_team.c.patient_id == full_chart.patient["id"]
        store.execute(care_team.update().where(theirs).values(ended_at=clock.now()))
    assert [one[0] for one in both_ways("CT", "GET", path)] == [404, 404]


@pytest.mark.parametrize("persona", PERSONAS)
def test_a_write_is_refused_and_told_alike(persona: str, both_ways: Any, full_chart: Any) -> None:
    for body in (
        {"instrument": "phq-9", "answers": CALM, "complete": True},
        {"instrument": "phq-9", "answers": {"phq9-1": 9}},
        {"instrument": "nonsense", "answers": {}},
        {"instrument": "phq-9"},
    ):
        for patient in (full_chart.patient["id"], uuid4()):
            path = f"/patients/{patient}/check-ins"
            at_once, plainly = both_ways(persona, "POST", path, body)
            assert at_once[0] == plainly[0]
            if at_once[0] >= 400:
                assert at_once == plainly
            assert len(at_once[3]) == len(plainly[3]) == 1
            assert without_record(at_once[3]) == without_record(plainly[3])


def without_record(left: list[Any]) -> list[Any]:
    return [({**event, "record_id": None}, patients) for event, patients in left]


def test_a_write_sent_twice_is_done_once_and_a_key_is_for_one_body(
    call: Any, full_chart: Any
) -> None:
    path = f"/patients/{full_chart.patient['id']}/check-ins"
    body, key = {"instrument": "phq-9", "answers": CALM}, {"idempotency-key": uuid4().hex}
    first, again = call("CT").post(path, body, **key), call("CT").post(path, body, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data and again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Location"] == again.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    other = call("CT").post(path, body | {"complete": True}, **key)
    assert other.status_code == 422
    assert len(call("CT").get(path).json["items"]) == 4


def test_the_first_answer_comes_again_also_where_it_would_be_refused_by_now(
    call: Any, full_chart: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/patients/{full_chart.patient['id']}/check-ins"
    body, key = {"instrument": "phq-9", "answers": CALM}, {"idempotency-key": uuid4().hex}
    first = call("CT").post(path, body, **key)
    with db.transaction() as store:
        theirs = care_team.c.patient_id == full_chart.patient["id"]
        store.execute(care_team.update().where(theirs).values(ended_at=clock.now()))
    assert call("CT").post(path, body, **key).status_code == 404
    with db.transaction() as store:
        store.execute(care_team.update().where(theirs).values(ended_at=None))
    assert call("CT").post(path, body, **key).data == first.data


def test_a_reading_needs_no_step_up() -> None:
    what: Any = {"columns": ["status"], "beside": reached(CLINIC, RECORD)}
    patients.chart_for("check_in:log", **what)
    with pytest.raises(AssertionError):
        patients.chart_for("session:start_dosing", **what)
