"""The trail: one event for each request, with the change or not at all, and never touched again."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from api import clock, db
from api.audit import trail
from api.audit.trail import audit_event_patients, audit_events
from tests.builders import Scene
from tests.house.matrix import trail_of


@pytest.fixture
def chart(scene: Any) -> str:
    return f"/patients/{scene.patient['id']}"


@pytest.fixture
def ask(call: Any) -> Any:
    """Make one request as a persona and give its answer and its one event."""

    def asked(persona: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        request_id = uuid4().hex
        caller = call(persona)
        answer = caller(method, path, body, **{"X-Request-ID": request_id}, **headers)
        [event] = trail_of(request_id)
        return answer, event

    return asked


def patients_of(event: db.Values) -> set[UUID]:
    """The patients that an event names."""
    statement = select(audit_event_patients.c.patient_id).where(
        audit_event_patients.c.event_id == event["id"]
    )
    with db.transaction() as store:
        return {row["patient_id"] for row in store.rows(statement)}


def test_a_read_leaves_who_role_action_patient_record_door_request_and_outcome(
    ask: Any, scene: Any, chart: str
) -> None:
    answer, event = ask("CT", "GET", chart)
    assert answer.status_code == 200
    ct = scene["CT"]
    assert event["clinic_id"] == scene.clinic_id
    assert (event["actor_id"], event["sign_in_id"]) == (ct.user_id, ct.sign_in_id)
    assert (event["role"], event["action"]) == ("clinician", "patient:read")
    assert (event["type"], event["record_id"]) == ("patient", scene.patient["id"])
    assert (event["door"], event["purpose"]) == ("v1", "treatment")
    assert event["request_id"] == answer.headers["X-Request-ID"]
    assert (event["outcome"], event["reason_ref"]) == ("ok", None)
    assert event["client_ip"] == "127.0.0.1"
    assert patients_of(event) == {scene.patient["id"]}


def test_a_write_names_the_fields_and_never_their_values(ask: Any, scene: Any, chart: str) -> None:
    body = {"pronouns": "ze", "contact": {"phone": "555-0100"}}
    answer, event = ask("CT", "PATCH", chart, body, **{"if-match": "1"})
    assert answer.status_code == 200
    assert event["field_names"] == "contact pronouns"
    assert "555-0100" not in str(event) and patients_of(event) == {scene.patient["id"]}


def test_what_is_made_is_named_by_its_new_id(ask: Any, scene: Any, chart: str) -> None:
    new = {"legal_name": {"given": "Eve", "family": "New"}, "birth_on": "1991-01-01"}
    for path, body, kind in (
        ("/patients", new, "patient"),
        (f"{chart}/consents", {"kind": "touch", "text_version": "1"}, "consents"),
        (
            f"{chart}/care-team",
            {"clinician_id": str(scene["CN"].user_id), "role": "nurse"},
            "care_team",
        ),
    ):
        answer, event = ask("CT", "POST", path, body)
        assert answer.status_code == 201, answer.text
        assert (event["type"], str(event["record_id"])) == (kind, answer.json["id"])
        patient = UUID(answer.json["id"]) if path == "/patients" else scene.patient["id"]
        assert patients_of(event) == {patient}


def test_a_list_names_every_patient_it_shows_and_no_other(ask: Any, scene: Any) -> None:
    answer, event = ask("CA", "GET", "/patients?limit=2")
    assert patients_of(event) == {UUID(p["id"]) for p in answer.json["items"]}
    assert patients_of(event) == {scene.patient["id"], scene.other_patient["id"]}
    _answer, event = ask("CN", "GET", "/patients")
    assert event["outcome"] == "ok" and patients_of(event) == set()


def test_an_answer_of_304_and_one_given_again_are_reads_too(
    ask: Any, scene: Any, chart: str
) -> None:
    answer, event = ask("CT", "GET", chart, **{"if-none-match": '"1"'})
    assert answer.status_code == 304
    assert event["outcome"] == "ok" and patients_of(event) == {scene.patient["id"]}
    key, body = {"idempotency-key": "k"}, {"kind": "touch", "text_version": "1"}
    for _ in range(2):
        answer, event = ask("CT", "POST", f"{chart}/consents", body, **key)
        assert answer.status_code == 201
        assert event["outcome"] == "ok" and patients_of(event) == {scene.patient["id"]}


@pytest.mark.parametrize(
    ("persona", "method", "body", "headers", "status", "reason"),
    [
        ("AY", "GET", None, {}, 403, "not_allowed"),
        ("CN", "GET", None, {}, 404, "not_found"),
        ("CT", "PATCH", {}, {}, 428, "version_needed"),
        ("CT", "PATCH", {}, {"if-match": "9"}, 412, "stale"),
        ("CT", "PATCH", {"x": 1}, {"if-match": "1"}, 422, "invalid"),
    ],
)
def test_a_refusal_leaves_one_event_with_its_reason(
    ask: Any, chart: str, persona: str, method: str, body: Any, headers: Any,
    status: int, reason: str,
) -> None:  # fmt: skip
    answer, event = ask(persona, method, chart, body, **headers)
    assert answer.status_code == status
    assert (event["outcome"], event["reason_ref"]) == ("refused", reason)
    assert event["action"] in ("patient:read", "patient:update")
    assert patients_of(event) == set()


def test_a_conflict_and_an_unreadable_body_are_refusals_too(
    ask: Any, call: Any, chart: str
) -> None:
    body = {"kind": "touch", "text_version": "1"}
    assert call("CT").post(f"{chart}/consents", body).status_code == 201
    answer, event = ask("CT", "POST", f"{chart}/consents", body)
    assert (answer.status_code, event["reason_ref"]) == (409, "conflict")
    answer, event = ask("CT", "POST", f"{chart}/consents", [])
    assert (answer.status_code, event["reason_ref"]) == (400, "unreadable")


def test_whoever_is_not_signed_in_leaves_no_event_of_a_patient(call: Any, chart: str) -> None:
    request_id = uuid4().hex
    assert call(None).get(chart, **{"X-Request-ID": request_id}).status_code == 401
    assert trail_of(request_id) == []


def test_what_can_not_be_written_down_is_not_shown(
    call: Any, scene: Any, chart: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_more: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    monkeypatch.setattr(trail, "write", broken)
    for method, path, body in (
        ("GET", f"{chart}/consents", None),
        ("GET", "/patients", None),
        ("POST", f"{chart}/consents", {"kind": "touch", "text_version": "1"}),
    ):
        answer = call("CT")(method, path, body)
        assert answer.status_code == 503 and "Retry-After" in answer.headers
        assert answer.content_type == "application/problem+json"
        assert str(scene.patient["id"]) not in answer.text and "disk" not in answer.text
    monkeypatch.undo()
    assert call("CT").get(f"{chart}/consents").json["items"] == []


@pytest.mark.parametrize("table", [audit_events.name, audit_event_patients.name])
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
def test_the_trail_can_not_be_changed_or_deleted(
    call: Any, scene: Any, chart: str, table: str, verb: str
) -> None:
    call("CT").get(chart)
    tries = {
        "UPDATE": f"UPDATE {table} SET clinic_id = clinic_id",
        "DELETE": f"DELETE FROM {table}",
    }
    with pytest.raises(DBAPIError), db.transaction() as store:
        try:
            store.execute(text(tries[verb]))
        finally:
            store.rollback()
    with db.transaction() as store:
        assert store.row(
            select(audit_events.c.id).where(audit_events.c.clinic_id == scene.clinic_id)
        )


# --- the deed of a request, before it is written


@pytest.fixture
def deed(app: Flask) -> Iterator[trail.Deed]:
    """A deed that is begun, and none afterwards."""
    trail.forget()
    yield trail.begin("goal:create")
    trail.forget()


def written(scene: Scene, outcome: str = "ok", reason: str | None = None) -> list[db.Values]:
    """The events that writing leaves."""
    who = {
        "clinic_id": scene.clinic_id,
        "actor_id": scene["CT"].user_id,
        "door": "v1",
        "request_id": uuid4().hex,
    }
    with db.transaction() as store:
        trail.write(store, who, outcome, reason)
    events = trail_of(who["request_id"])
    assert all(event[name] == who[name] for event in events for name in who)
    return events


def test_a_deed_that_is_begun_goes_on_until_a_new_request(deed: trail.Deed) -> None:
    assert trail.begin("goal:read") is trail.current() is deed and deed.action == "goal:create"
    trail.forget()
    assert trail.current() is None
    assert trail.begin("goal:read") is not deed


def test_without_a_deed_nothing_is_named_and_nothing_written(app: Flask, scene: Scene) -> None:
    trail.forget()
    one = db.new_id()
    trail.about("goals", one)
    trail.names("goals", [one])
    trail.touches([one])
    trail.wrote(["title"])
    trail.done_by(one, "clinician")
    assert trail.current() is None and trail._who() == (None, None)
    assert written(scene) == []


def test_what_a_deed_is_told_adds_up(deed: trail.Deed) -> None:
    one, two, three, four = (db.new_id() for _ in range(4))
    assert (deed.type, deed.record_id, deed.purpose) == (None, None, "treatment")
    trail.about("goals", one)
    trail.about("practices", two)
    trail.names("steps", [three, four])
    assert (deed.type, deed.record_id) == ("practices", two)
    assert deed.entries == {
        ("goals", one), ("practices", two), ("steps", three), ("steps", four)
    }  # fmt: skip
    trail.touches([one])
    trail.touches([two, one])
    trail.wrote(["title"])
    trail.wrote({"cue": "at dusk"})
    assert (deed.patients, deed.fields) == ({one, two}, {"title", "cue"})
    assert trail._who() == (None, None)
    trail.done_by(three, "clinician")
    assert trail._who() == (three, "clinician")


def test_a_deed_is_written_once_and_whole(deed: trail.Deed, scene: Scene) -> None:
    goal, people = db.new_id(), {db.new_id() for _ in range(2)}
    trail.about("goals", goal)
    trail.touches(people)
    trail.wrote(["title", "category"])
    deed.purpose = "operations"
    [event] = written(scene)
    assert (event["action"], event["type"], event["record_id"]) == ("goal:create", "goals", goal)
    assert (event["purpose"], event["field_names"]) == ("operations", "category title")
    assert (event["outcome"], event["reason_ref"]) == ("ok", None)
    assert abs((clock.now() - event["at"]).total_seconds()) < 60
    assert patients_of(event) == people
    with db.transaction() as store:
        mine = audit_event_patients.c.event_id == event["id"]
        rows = store.rows(select(audit_event_patients.c.clinic_id).where(mine))
    assert [row["clinic_id"] for row in rows] == [scene.clinic_id] * 2
    assert deed.written and written(scene) == []


def test_a_refused_deed_names_no_patient_and_no_field_that_was_not_written(
    deed: trail.Deed, scene: Scene
) -> None:
    trail.touches([scene.patient["id"]])
    [event] = written(scene, "refused", "not_found")
    assert (event["outcome"], event["reason_ref"]) == ("refused", "not_found")
    assert (event["type"], event["record_id"], event["field_names"]) == (None, None, None)
    assert patients_of(event) == set()


def test_the_versions_that_a_request_replaces_bear_who_did_it(
    call: Any, scene: Scene, chart: str
) -> None:
    assert call("CT").patch(chart, {"pronouns": "ze"}, 1).status_code == 200
    table = db.metadata.tables["record_versions"]
    with db.transaction() as store:
        [row] = store.rows(select(table).where(table.c.record_id == scene.patient["id"]))
    assert (row["replaced_by"], row["replaced_role"]) == (scene["CT"].user_id, "clinician")
