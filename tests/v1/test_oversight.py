"""Oversight over HTTP: the trail as it may be searched, and the patient's access log."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from api import clock, db
from api.access.policies import TABLE, Role
from api.audit.trail import audit_event_patients, audit_events
from api.core import access_log
from api.core.words import words_for
from tests import builders
from tests.house.matrix import World

NOTE = {"kind": "psychotherapy", "text": "What they said of their father."}


def events(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json["items"]
    return items


# --- the trail


def test_the_officer_finds_who_did_what(call: Any, scene: Any, chart: str) -> None:
    assert call("CT").get(chart).status_code == 200
    assert call("CN").get(chart).status_code == 404
    seen = events(call("PR").get("/audit-events?action=patient:read"))
    told = [(row["actor"]["id"], row["outcome"], row["reason_ref"]) for row in seen]
    assert told == [
        (str(scene["CN"].user_id), "refused", "not_found"),
        (str(scene["CT"].user_id), "ok", None),
    ]
    assert [row["patient_ids"] for row in seen] == [[], [str(scene.patient["id"])]]
    assert "Ada" not in str(seen), "ids, and no words of patients"


def test_every_filter_narrows(call: Any, scene: Any, chart: str) -> None:
    ct = call("CT")
    ct.get(chart, **{"X-Request-ID": "the-one"})
    ct.get(f"{chart}/consents")
    officer, before = call("PR"), (clock.now() - timedelta(hours=1)).isoformat()
    before = before.replace("+00:00", "Z")
    patient, actor = scene.patient["id"], scene["CT"].user_id
    for query, least in {
        f"patient_id={patient}&actor_id={actor}": 2,
        "request_id=the-one": 1,
        f"action=consent:read&from={before}": 1,
        f"to={before}": 0,
        f"record_id={patient}&outcome=ok&role=clinician&door=v1": 2,
        "type=patient&role=clinician": 2,
        f"patient_id={scene.other_patient['id']}": 0,
    }.items():
        assert len(events(officer.get(f"/audit-events?{query}"))) == least, query
    for query in ("outcome=perhaps", "actor_id=1", "who=me", "from=yesterday"):
        assert officer.get(f"/audit-events?{query}").status_code == 422, query


def test_to_search_leaves_an_event_that_names_whom_it_showed(
    call: Any, scene: Any, chart: str
) -> None:
    call("CT").get(chart)
    call("PR").get("/audit-events?action=patient:read")
    [search] = events(call("PR").get("/audit-events?action=audit_event:read"))
    assert search["actor"]["id"] == str(scene["PR"].user_id)
    assert search["patient_ids"] == [str(scene.patient["id"])]


def test_it_is_walked_by_cursor_without_a_gap(call: Any, scene: Any, chart: str) -> None:
    for _ in range(7):
        call("CT").get(chart)
    officer, ids, address = call("PR"), [], "/audit-events?action=patient:read&limit=3"
    while address:
        answer = officer.get(address)
        ids += [row["id"] for row in events(answer)]
        call("CT").get(chart)
        cursor = answer.json["next_cursor"]
        address = f"/audit-events?cursor={cursor}&limit=3" if cursor else ""
    assert len(ids) == len(set(ids)) == 7 and ids == sorted(ids, reverse=True)


def test_the_administrator_reads_security_events_without_patients(
    call: Any, scene: Any, chart: str
) -> None:
    ct, admin = call("CT"), call("CA")
    ct.get(chart)
    call("PS").get("/me/sign-ins")
    admin.patch("/clinic", {"name": "Renamed"}, 1)
    admin.post(f"/users/{scene['PS'].user_id}/disable", {})
    admin.post(f"/users/{scene['CN'].user_id}/disable", {})
    seen = events(admin.get("/audit-events?limit=100"))
    assert {row["action"] for row in seen} == {"clinic:update", "user:disable"}
    disabled = [row["record_id"] for row in seen if row["action"] == "user:disable"]
    assert disabled == [str(scene["CN"].user_id)]
    assert all(row["patient_ids"] == [] and row["role"] != "patient" for row in seen)
    assert events(admin.get(f"/audit-events?patient_id={scene.patient['id']}")) == []


def test_another_clinic_has_a_trail_of_its_own(call: Any, scene: Any, chart: str) -> None:
    call("CT").get(chart)
    with db.transaction():
        theirs = builders.make_person(scene["XT"].clinic_id, Role.PRIVACY_OFFICER)
    scene.people["XO"] = theirs
    assert events(call("XO").get("/audit-events")) == []
    assert call("XO").get(f"{chart}/access-log").status_code == 404


def test_the_trail_does_not_tell_a_psychotherapy_note(call: Any, scene: Any, chart: str) -> None:
    made = call("CT").post(f"{chart}/notes", NOTE)
    assert made.status_code == 201, made.text
    call("CT").get(f"/notes/{made.json['id']}")
    for address in ("/audit-events?limit=100", f"{chart}/access-log?limit=100"):
        told = call("PR").get(address)
        assert "psychotherapy" not in told.text and made.json["id"] not in told.text
        assert "father" not in told.text


def test_what_patients_do_with_their_own_entries_is_theirs_to_know(
    call: Any, scene: Any, chart: str
) -> None:
    patient = call("PS")
    made = patient.post(f"{chart}/journal", {"text": "For me."})
    assert made.status_code == 201, made.text
    for address in ("/audit-events?limit=100", f"{chart}/access-log?limit=100"):
        told = call("PR").get(address)
        assert "journal" not in told.text and made.json["id"] not in told.text
    log = events(patient.get(f"{chart}/access-log"))
    assert any(row["about"] == "journal" and row["why"] == "own" for row in log)


# --- the access log


def reasons(call: Any, chart: str) -> dict[str, str | None]:
    """Why each person was in the chart, as the patient reads it."""
    return {row["who"]["id"]: row["why"] for row in events(call("PS").get(f"{chart}/access-log"))}


def test_the_patient_reads_who_looked_when_in_what_role_and_why(
    call: Any, scene: Any, chart: str
) -> None:
    with db.transaction():
        builders.make_session(scene.patient, scene["CN"], starts_at=clock.now())
    for name in ("CT", "CN", "CA", "PS"):
        assert call(name).get(chart).status_code == 200, name
    assert call("PR").get(f"{chart}/access-log").status_code == 200
    ids = {name: str(scene[name].user_id) for name in ("CT", "CN", "CA", "PS", "PR")}
    assert reasons(call, chart) == {
        ids["CT"]: "care_team",
        ids["CN"]: "session",
        ids["CA"]: "clinic_work",
        ids["PS"]: "own",
        ids["PR"]: "oversight",
    }
    [row] = [
        row
        for row in events(call("PS").get(f"{chart}/access-log"))
        if row["who"]["id"] == ids["CT"]
    ]
    assert row["words"] == "Clinician Test, a clinician, looked at your details."
    assert row["why_words"] == words_for("en-US")["access_log"]["why"]["care_team"]
    assert row["kind"] == "looked" and row["role"] == "clinician"


def test_whoever_left_the_care_team_was_on_it_then(call: Any, scene: Any, chart: str) -> None:
    call("CT").get(chart)
    [member] = call("CA").get(f"{chart}/care-team").json["items"]
    ended = call("CA").post(f"{chart}/care-team/{member['id']}/end", {})
    assert ended.status_code == 200, ended.text
    assert reasons(call, chart)[str(scene["CT"].user_id)] == "care_team"


def test_a_refusal_is_no_look(call: Any, scene: Any, chart: str) -> None:
    assert call("CN").get(chart).status_code == 404
    assert reasons(call, chart) == {}


def test_a_reason_that_is_not_known_is_not_made_up(call: Any, scene: Any, chart: str) -> None:
    with db.transaction() as store:
        event = {
            **{"clinic_id": scene.clinic_id, "id": db.new_id(), "at": clock.now()},
            **{"actor_id": scene["CN"].user_id, "role": "clinician", "outcome": "ok"},
            **{"action": "patient:read", "door": "v1", "request_id": "r"},
        }
        store.append(audit_events, [event])
        keys = {"clinic_id": scene.clinic_id, "event_id": event["id"]}
        store.append(audit_event_patients, [keys | {"patient_id": scene.patient["id"]}])
    [row] = events(call("PS").get(f"{chart}/access-log"))
    assert row["why"] is None and row["why_words"] is None


def test_every_kind_of_record_that_the_log_may_name_has_words() -> None:
    said = words_for("en-US")["access_log"]
    elsewhere = {
        *("me", "sign_in", "second_factor", "words", "instrument", "protocol", "clinic", "room"),
        *("protocol_version", "client", "webhook", "on_call", "plan_template", "fhir"),
        *("research_project", "research_release", "research_cube", "research_key"),
        "research_limited",
        *("psychotherapy_note", "clinic_outcome"),
    }
    resources = {action.split(":")[0] for action in TABLE} - elsewhere
    assert resources - set(said["what"]) == set()
    assert set(access_log.WHYS) == set(said["why"])
    assert set(access_log.KINDS) == set(said["own"]) == set(said["others"])


@pytest.mark.parametrize("persona", ["PS", "PR"])
def test_the_words_are_plain_for_everything_that_a_day_leaves(app: Flask, persona: str) -> None:
    world = World(app)
    for name in ("check_in_id", "goal_id", "journal_id", "consent_id", "session_id", "alert_id"):
        world.id(name)
    chart = f"/patients/{world.ids['patient_id']}"
    rows = events(world.caller(persona).get(f"{chart}/access-log?limit=100"))
    assert rows and all(row["words"].endswith(".") and "{" not in row["words"] for row in rows)
    assert not any("_" in row["words"] for row in rows)


def test_one_event_more_for_each_reading_of_the_log(call: Any, scene: Any, chart: str) -> None:
    for count in range(1, 4):
        call("PS").get(f"{chart}/access-log")
        with db.transaction() as store:
            read = audit_events.c.action == "access_log:read"
            mine = select(audit_events).where(audit_events.c.clinic_id == scene.clinic_id, read)
            assert len(store.rows(mine)) == count
