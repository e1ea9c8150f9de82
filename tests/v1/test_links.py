"""Check-in links over v1: without a sign-in, in the trail, and never told twice."""

from typing import Any

import pytest
from sqlalchemy import select

from api import config, db
from api.audit.trail import audit_event_patients, audit_events
from tests.builders import Scene

ANSWERS = {"answers": {"gad7-1": 1}}


@pytest.fixture
def link(call: Any, scene: Scene) -> str:
    body = {"instrument": "gad-7"}
    made = call("CT").post(f"/patients/{scene.patient['id']}/check-in-links", body)
    assert made.status_code == 201 and "Location" not in made.headers
    return str(made.json["address"]).removeprefix("/api/v1")


def test_the_form_is_opened_and_answered_without_a_sign_in(call: Any, link: str) -> None:
    form = call(None).get(link)
    assert form.status_code == 200 and form.json["instrument"]["key"] == "gad-7"
    assert list(form.json)[0] == "crisis" and "ETag" not in form.headers
    answer = call(None).post(link, ANSWERS)
    assert answer.status_code == 201 and answer.json["state"] == "complete"
    assert "scores" not in answer.json and "total" not in answer.json
    for again in (call(None).get(link), call(None).post(link, ANSWERS)):
        assert again.status_code == 404


def test_an_answer_that_was_lost_is_sent_again_under_the_same_key(call: Any, link: str) -> None:
    key = {"Idempotency-Key": "k1"}
    first = call(None).post(link, ANSWERS, **key)
    again = call(None).post(link, ANSWERS, **key)
    assert again.json["id"] == first.json["id"]
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_token_that_is_none_is_not_found_before_the_body_is_read(call: Any, app: Any) -> None:
    for token in ("x", "x" * 3000):
        path = f"/api/v1/check-in-links/{token}"
        answer = app.test_client().post(path, data=b"{broken", content_type="text/x")
        assert answer.status_code == 404 and answer.content_type == "application/problem+json"


def test_a_wrong_form_leaves_the_link_good_and_brings_help_where_an_answer_calls_for_it(
    call: Any, scene: Scene
) -> None:
    body = {"instrument": "phq-9"}
    made = call("CT").post(f"/patients/{scene.patient['id']}/check-in-links", body)
    link = made.json["address"].removeprefix("/api/v1")
    for bad in ({"answers": {"phq9-9": 2}, "extra": 1}, {"answers": {"phq9-9": 2, "phq9-1": 7}}):
        answer = call(None).post(link, bad)
        assert answer.status_code == 422 and answer.json["crisis"]["emergency"] == "911"
    assert call(None).post(link, {"answers": {"phq9-9": 0}}).status_code == 201


def test_what_is_done_behind_a_link_is_in_the_trail(call: Any, scene: Scene, link: str) -> None:
    call(None).get(link)
    call(None).post(link, ANSWERS)
    e, who = audit_events.c, audit_event_patients.c
    statement = (
        select(e.action, e.outcome, e.role, e.actor_id)
        .join(audit_event_patients, who.event_id == e.id)
        .where(e.clinic_id == scene.clinic_id, e.door == "link")
        .where(who.patient_id == scene.patient["id"])
        .order_by(e.at)
    )
    events = db.store().rows(statement)
    assert [(one["action"], one["outcome"]) for one in events] == [
        ("check_in_link:open", "ok"),
        ("check_in:log", "ok"),
    ]
    assert events[0]["actor_id"] == events[1]["actor_id"] != scene["PS"].user_id


def test_a_link_opens_nothing_else(call: Any, app: Any, scene: Scene, link: str) -> None:
    token = link.rsplit("/", 1)[1]
    headers = {"Authorization": f"Bearer {token}"}
    for path in ("/me", f"/patients/{scene.patient['id']}", "/patients"):
        assert app.test_client().get(f"/api/v1{path}", headers=headers).status_code == 401


def test_tries_are_counted(call: Any, link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = link[:-4] + "AAAA"
    monkeypatch.setenv("RATE_SIGN_IN", "3")
    config.settings.cache_clear()
    try:
        seen = [call(None).get(wrong).status_code for _ in range(5)]
        good = [call(None).get(link).status_code for _ in range(5)]
    finally:
        monkeypatch.undo()
        config.settings.cache_clear()
    assert seen == [404, 404, 404, 429, 429]
    assert good == [200] * 5
