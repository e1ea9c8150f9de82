"""Patients over v1."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from sqlalchemy import select

from api import clock, db
from api.access.users import users
from api.core.team_reach import care_team
from api.v1.checkin_shapes import CheckInSchema, PatientCheckInSchema
from api.v1.forms import show_instant
from api.v1.patients import PatientSchema
from tests.builders import Person, join_team, make_session, make_sign_in
from tests.conftest import Caller


def test_a_clinician_admits_a_patient_and_finds_them_by_the_prefix_of_any_word(call: Any) -> None:
    ct = call("CT")
    name = {"given": "Zoë", "family": "van der Öst"}
    made = ct.post("/patients", {"legal_name": name, "birth_on": "1980-02-29"})
    assert made.status_code == 201, made.json
    assert made.headers["ETag"] == '"1"' and made.headers["Location"].endswith(made.json["id"])
    for q in ("zoe", "ZO", "ost", "der"):
        found = ct.get(f"/patients?q={q}").json["items"]
        assert [p["id"] for p in found] == [made.json["id"]], q
    assert ct.get("/patients?q=ze").json["items"] == []


def test_a_chart_out_of_reach_looks_like_one_that_is_not_there(call: Any, scene: Any) -> None:
    foreign = scene.patient["id"]
    for persona in ("CN", "PO", "XT", "XA", "XP"):
        texts = {
            call(persona).get(f"/patients/{i}", **{"x-request-id": "same"}).text
            for i in (foreign, uuid4())
        }
        assert len(texts) == 1 and '"status":404' in texts.pop()
    for persona in ("AY", "PR"):
        assert call(persona).get(f"/patients/{foreign}").status_code == 403
    assert call(None).get(f"/patients/{foreign}").status_code == 401


def test_a_change_names_its_version_and_an_old_one_is_stale(call: Any, scene: Any) -> None:
    ct, path = call("CT"), f"/patients/{scene.patient['id']}"
    assert ct("PATCH", path, {"pronouns": "she"}).status_code == 428
    assert ct.patch(path, {"pronouns": "she"}, 1).status_code == 200
    assert ct.patch(path, {"pronouns": "they"}, 1).status_code == 412
    assert ct.get(path, **{"if-none-match": '"2"'}).status_code == 304
    assert ct.patch(path, {"pronouns": None}, 2).json["pronouns"] is None


def test_a_write_sent_twice_under_one_key_is_done_once(call: Any) -> None:
    ct, body = (
        call("CT"),
        {"legal_name": {"given": "A", "family": "Twice"}, "birth_on": "1999-01-01"},
    )
    first = ct.post("/patients", body, **{"idempotency-key": "k1"})
    again = ct.post("/patients", body, **{"idempotency-key": "k1"})
    other = ct.post("/patients", body | {"pronouns": "x"}, **{"idempotency-key": "k1"})
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert first.data == again.data and again.headers["Idempotent-Replayed"] == "true"
    assert len(ct.get("/patients?q=twice").json["items"]) == 1


def test_a_list_is_walked_without_skip_or_repeat(call: Any) -> None:
    ca = call("CA")
    for i in range(7):
        ca.post(
            "/patients",
            {"legal_name": {"given": "W", "family": f"Walk{i}"}, "birth_on": "1990-01-01"},
        )
    seen, path = [], "/patients?q=walk&limit=3"
    while path:
        page = ca.get(path)
        assert page.status_code == 200, page.json
        seen += [p["id"] for p in page.json["items"]]
        path = page.json["next_cursor"] and f"/patients?cursor={page.json['next_cursor']}&limit=3"
    assert len(seen) == len(set(seen)) == 7
    assert ca.get("/patients?cursor=abc").status_code == 400


def test_a_chart_that_closed_for_a_clinician_is_a_tombstone_of_their_next_sync(
    call: Any, scene: Any
) -> None:
    before = call("CT").get("/patients?updated_since=2020-01-01T00:00:00Z").json
    assert [p["id"] for p in before["items"]] == [str(scene.patient["id"])]
    assert before["tombstones"] == [] and before["synced_to"]
    with db.transaction() as store:
        theirs = care_team.c.patient_id == scene.patient["id"]
        store.execute(care_team.update().where(theirs).values(ended_at=clock.now()))
    after = call("CT").get(f"/patients?updated_since={before['synced_to']}").json
    assert after["items"] == []
    assert [t["id"] for t in after["tombstones"]] == [str(scene.patient["id"])]


def test_clinical_fields_are_a_clinicians_to_write(call: Any, scene: Any) -> None:
    path = f"/patients/{scene.patient['id']}"
    assert call("PS").patch(path, {"status": "paused"}, 1).status_code == 422
    assert call("CA").patch(path, {"status": "paused"}, 1).status_code == 403
    assert call("CT").patch(path, {"status": "paused"}, 1).json["status"] == "paused"
    assert call("PS").patch(path, {"contact": {"phone": "+1 303 555 0101"}}, 2).status_code == 200


def test_a_closed_chart_is_a_tombstone_though_another_chart_is_open(call: Any, scene: Any) -> None:
    with db.transaction() as store:
        join_team(scene.other_patient, scene["CT"])
        theirs = care_team.c.patient_id == scene.patient["id"]
        store.execute(care_team.update().where(theirs).values(ended_at=clock.now()))
    after = call("CT").get("/patients?updated_since=2020-01-01T00:00:00Z").json
    assert [p["id"] for p in after["items"]] == [str(scene.other_patient["id"])]
    assert [t["id"] for t in after["tombstones"]] == [str(scene.patient["id"])]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("legal_name", {"given": "Other", "family": "Person"}),
        ("birth_on", "1991-01-31"),
        ("external_ids", [{"system": "urn:ehr", "value": "1"}]),
    ],
)
def test_who_they_are_on_paper_is_not_the_patients_to_rewrite(
    call: Any, scene: Any, name: str, value: Any
) -> None:
    path = f"/patients/{scene.patient['id']}"
    refused = call("PS").patch(path, {name: value}, 1)
    assert refused.status_code == 422, refused.json
    said = {"pointer": f"/{name}", "detail": "A clinician or the front desk writes this."}
    assert refused.json["errors"] == [said]
    assert call("CA").patch(path, {name: value}, 1).status_code == 200


def test_how_they_are_called_and_reached_is_the_patients_to_write(call: Any, scene: Any) -> None:
    path = f"/patients/{scene.patient['id']}"
    theirs = {
        "preferred_name": "Addie",
        "pronouns": "she",
        "contact": {"phone": "+1 303 555 0101"},
        "emergency_contact": {"name": "Bo", "phone": "+1 303 555 0102"},
        "locale": "es-US",
        "time_zone": "America/Chicago",
    }
    assert call("PS").patch(path, theirs, 1).status_code == 200


CONTACT = {"email": "ada@mail.example", "phone": "+1 303 555 0101"}
ADDRESS = {"lines": ["1 Elm St"], "city": "Boulder", "region": "CO", "postal_code": "80301"}
TO_CALL = {"name": "Bo", "phone": "+1 303 555 0102", "relation": "brother"}


@pytest.mark.parametrize(
    ("name", "whole", "part"),
    [
        ("contact", CONTACT, {"phone": None}),
        ("contact", CONTACT, {"email": "new@mail.example"}),
        ("address", ADDRESS | {"country": "US"}, {"city": "Denver", "lines": None}),
        ("emergency_contact", TO_CALL, {"phone": "+1 303 555 0103"}),
        ("emergency_contact", TO_CALL, {"relation": None}),
        ("legal_name", {"given": "Ada", "family": "Example"}, {"family": "Sample"}),
    ],
)
def test_a_part_of_an_object_is_merged_into_what_is_there(
    call: Any, scene: Any, name: str, whole: Any, part: Any
) -> None:
    ct, path = call("CT"), f"/patients/{scene.patient['id']}"
    assert ct.patch(path, {name: whole}, 1).json[name] == whole
    assert ct.patch(path, {name: part}, 2).json[name] == {**whole, **part}
    assert ct.get(path).json[name] == {**whole, **part}


def test_an_object_shows_every_key_and_is_null_when_nothing_is_left(call: Any, scene: Any) -> None:
    ct, path = call("CT"), f"/patients/{scene.patient['id']}"
    set_ = ct.patch(path, {"contact": {"phone": "+1"}, "address": {"city": "Boulder"}}, 1).json
    assert set_["contact"] == {"email": None, "phone": "+1"}
    nothing = dict.fromkeys(("lines", "region", "postal_code", "country"))
    assert set_["address"] == {"city": "Boulder", **nothing}
    assert ct.patch(path, {"contact": {"phone": None}}, 2).json["contact"] is None
    assert ct.patch(path, {"address": None}, 3).json["address"] is None


def test_an_emergency_contact_keeps_a_name_and_a_phone(call: Any, scene: Any) -> None:
    ct, path = call("CT"), f"/patients/{scene.patient['id']}"
    bare = ct.patch(path, {"emergency_contact": {"relation": "brother"}}, 1)
    needed = ["/emergency_contact/name", "/emergency_contact/phone"]
    assert bare.status_code == 422 and [e["pointer"] for e in bare.json["errors"]] == needed
    assert ct.patch(path, {"emergency_contact": TO_CALL}, 1).status_code == 200
    assert ct.patch(path, {"emergency_contact": {"phone": None}}, 2).status_code == 422
    assert ct.patch(path, {"legal_name": {"given": None}}, 2).status_code == 422


@pytest.mark.parametrize("born", ["1874-12-31", "2199-01-01"])
def test_nobody_was_born_ahead_of_today_or_long_before_anybody(
    call: Any, scene: Any, born: str
) -> None:
    ct, name = call("CT"), {"given": "Zoe", "family": "Early"}
    made = ct.post("/patients", {"legal_name": name, "birth_on": born})
    changed = ct.patch(f"/patients/{scene.patient['id']}", {"birth_on": born}, 1)
    for refused in (made, changed):
        assert refused.status_code == 422
        assert [e["pointer"] for e in refused.json["errors"]] == ["/birth_on"]


def test_a_country_is_one_of_iso_3166(call: Any, scene: Any) -> None:
    ct, path = call("CT"), f"/patients/{scene.patient['id']}"
    for wrong in ("XX", "us", "UK", "ZZ", "U", "USA"):
        assert ct.patch(path, {"address": {"country": wrong}}, 1).status_code == 422, wrong
    assert ct.patch(path, {"address": {"country": "GB"}}, 1).json["address"]["country"] == "GB"


def test_a_chart_that_came_into_reach_is_part_of_the_next_sync_with_its_sessions(
    call: Any, scene: Any
) -> None:
    with db.transaction():
        booked = make_session(scene.patient)
    with time_machine.travel(clock.now() + timedelta(hours=1), tick=True):
        since = show_instant(clock.now() - timedelta(minutes=1))
        assert call("CN").get(f"/patients?updated_since={since}").json["items"] == []
        with db.transaction():
            join_team(scene.patient, scene["CN"])
        came = call("CN").get(f"/patients?updated_since={since}").json["items"]
        assert [one["id"] for one in came] == [str(scene.patient["id"])]
        assert call("CN").get(f"/patients?updated_since={since}&q=nobody").json["items"] == []
        rows = call("CN").get(f"/sessions?updated_since={since}").json["items"]
        assert [row["id"] for row in rows] == [str(booked["id"])]
        assert call("CT").get(f"/patients?updated_since={since}").json["items"] == []


def sign_in_again(person: Person) -> Person:
    """The same person with a sign-in of now."""
    row = db.found(db.store().row(select(users).where(users.c.id == person.user_id)))
    return replace(person, sign_in_id=make_sign_in(row))


def test_a_chart_whose_duty_ended_is_a_tombstone_with_its_sessions(call: Any, scene: Any) -> None:
    with db.transaction():
        booked = make_session(scene.patient, scene["CN"])
    for hours, there, gone in ((2, 1, 0), (100, 0, 1)):
        with time_machine.travel(clock.now() + timedelta(hours=hours), tick=True):
            with db.transaction():
                cn = sign_in_again(scene["CN"])
            since = show_instant(clock.now() - timedelta(hours=48))
            caller = Caller(call("CN").client, cn.token)
            synced = caller.get(f"/patients?updated_since={since}").json
            assert (len(synced["items"]), len(synced["tombstones"])) == (there, gone)
            calendar = caller.get(f"/sessions?updated_since={since}").json
            ids = [each["id"] for each in calendar["tombstones"]]
            assert ids == [str(booked["id"])] * gone


def test_a_patient_and_their_check_ins_have_what_the_document_says_and_no_more(
    call: Any, scene: Any
) -> None:
    """These answers go out as the core makes them; others pass through their schema."""
    path = f"/patients/{scene.patient['id']}"
    body = {"instrument": "gad-7", "answers": {f"gad7-{i}": 0 for i in range(1, 8)}}
    assert call("CT").post(f"{path}/check-ins", body | {"complete": True}).status_code == 201
    for who, shape in (("CT", CheckInSchema), ("PS", PatientCheckInSchema)):
        as_listed = call(who).get(f"{path}/check-ins").json["items"]
        needed = {name for name, field in shape().dump_fields.items() if field.required}
        assert needed <= set(as_listed[0]) <= set(shape().dump_fields)
        assert type(as_listed[0]["total"]) is int
        one, [listed] = call(who).get(path).json, call(who).get("/patients").json["items"]
        assert list(one) == list(listed) == list(PatientSchema().dump_fields)
