"""Patients over v1."""

from typing import Any
from uuid import uuid4

from api import clock, db
from api.core.gate import care_team


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
