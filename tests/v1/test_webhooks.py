"""Webhooks over v1: made by the administrator with a fresh sign-in; the secret is shown once."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from api import db
from api.outbox.events import EVENTS
from api.outbox.tables import webhooks
from api.worker import Worker
from tests import builders
from tests.builders import Scene
from tests.outbox.receiver import Receiver, receiving, reply
from tests.working import only_for

ADDRESS = "https://hooks.clinic.example/in"


@pytest.fixture
def receiver(app: Flask, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    only_for(scene, monkeypatch)
    with receiving(monkeypatch) as made:
        yield made


def made(call: Any, **more: Any) -> Any:
    """A webhook as its maker is answered."""
    body = {"url": ADDRESS, "events": ["goal.created"]} | more
    answer = call("CA").post("/webhooks", body)
    assert answer.status_code == 201, answer.text
    return answer


def work() -> None:
    Worker().run(once=True)


def test_the_secret_is_shown_once_and_lies_sealed(call: Any) -> None:
    answer = made(call)
    hook = answer.json
    assert hook["secret"].startswith("whsec_") and hook["public_key"] is None
    assert answer.headers["Location"] == f"/api/v1/webhooks/{hook['id']}"
    assert answer.headers["ETag"] == '"1"'
    read = call("CA").get(f"/webhooks/{hook['id']}")
    assert read.json == {name: value for name, value in hook.items() if name != "secret"}
    listed = call("CA").get("/webhooks").json["items"]
    assert [one["id"] for one in listed] == [hook["id"]] and "secret" not in listed[0]
    with db.transaction() as store:
        row = store.row(select(webhooks).where(webhooks.c.id == UUID(hook["id"])))
    assert row and row["secret"].startswith("v1.") and hook["secret"] not in str(row)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"url": "http://hooks.clinic.example/"}, "/url"),
        ({"url": "https://localhost/"}, "/url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "/url"),
        ({"url": "https://[::1]/"}, "/url"),
        ({"url": "https://hooks.clinic.example:8443/"}, "/url"),
        ({"url": "https://me:pw@hooks.clinic.example/"}, "/url"),
        ({"url": 5}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["goal.sneezed"]}, "/events/0"),
        ({"events": "goal.created"}, "/events"),
        ({"secret": "mine"}, "/secret"),
        ({"sign_with_ed25519": "yes"}, "/sign_with_ed25519"),
    ],
)
def test_wrong_values_are_refused(call: Any, wrong: dict[str, Any], pointer: str) -> None:
    body = {"url": ADDRESS, "events": ["goal.created"]} | wrong
    answer = call("CA").post("/webhooks", body)
    assert answer.status_code == 422, answer.text
    assert pointer in [error["pointer"] for error in answer.json["errors"]]


def test_a_change_needs_its_version_and_a_fresh_sign_in(call: Any, scene: Scene) -> None:
    path = f"/webhooks/{made(call).json['id']}"
    ca = call("CA")
    assert ca("PATCH", path, {"enabled": False}).status_code == 428
    assert ca.patch(path, {"enabled": False}, 7).status_code == 412
    changed = ca.patch(path, {"enabled": False, "events": ["step.logged"]}, 1)
    assert changed.json["enabled"] is False and changed.json["disabled_for"] == "by_hand"
    assert changed.json["events"] == ["step.logged"] and changed.headers["ETag"] == '"2"'
    again = ca.patch(path, {"enabled": True}, 2).json
    assert again["enabled"] is True and again["disabled_for"] is None
    assert ca.patch(path, {"url": "https://10.0.0.1/"}, 3).status_code == 422
    with db.transaction():
        builders.let_sign_in_age(scene["CA"])
    for refused in (ca.patch(path, {"enabled": False}, 3), ca.delete(path, 3)):
        assert refused.status_code == 401
        assert "insufficient_user_authentication" in refused.headers["WWW-Authenticate"]
    assert ca.get(path).json["version"] == 3


def test_what_is_removed_is_gone_and_hears_nothing(call: Any, receiver: Receiver) -> None:
    path = f"/webhooks/{made(call, url=receiver.url).json['id']}"
    goal(call)
    assert call("CA").delete(path, 1).status_code == 204
    assert call("CA").get(path).status_code == 404
    work()
    assert receiver.messages == []
    assert call("CA").get("/webhooks").json["items"] == []


def goal(call: Any) -> str:
    chart = call("CT").get("/patients").json["items"][0]["id"]
    body = {"title": "Rest", "category": "rest_sleep"}
    return str(call("CT").post(f"/patients/{chart}/goals", body).json["id"])


def test_from_a_request_to_the_receiver_and_back_in_the_list(call: Any, receiver: Receiver) -> None:
    hook = made(call, url=receiver.url, sign_with_ed25519=True).json
    assert hook["public_key"].startswith("whpk_")
    goal_id = goal(call)
    work()
    [message] = receiver.messages
    said = Webhook(hook["secret"]).verify(message.body, message.headers)
    assert said["type"] == "goal.created" and said["data"]["goal_id"] == goal_id
    assert " v1a," in message.headers["webhook-signature"]
    [delivery] = call("CA").get(f"/webhooks/{hook['id']}/deliveries").json["items"]
    assert delivery["event"] == "goal.created" and delivery["event_id"] == message.id
    assert (delivery["state"], delivery["last_status"]) == ("delivered", 204)


def test_an_event_is_sent_once_more_under_the_same_id(call: Any, receiver: Receiver) -> None:
    path = f"/webhooks/{made(call, url=receiver.url).json['id']}"
    goal(call)
    receiver.answer = lambda handler, _: reply(handler, 410)
    work()
    ca = call("CA")
    [failed] = ca.get(f"{path}/deliveries?state=failed").json["items"]
    again = f"{path}/deliveries/{failed['id']}/redeliver"
    assert ca.post(again).status_code == 409, "the webhook is disabled"
    hook = ca.get(path)
    assert hook.json["disabled_for"] == "gone"
    assert ca.patch(path, {"enabled": True}, hook.json["version"]).status_code == 200
    receiver.answer = lambda handler, _: reply(handler, 200)
    sent = ca.post(again)
    assert (sent.status_code, sent.json["state"], sent.json["attempts"]) == (202, "pending", 0)
    assert ca.post(again).status_code == 409, "it is on its way"
    work()
    assert len(receiver.messages) == 2 and len(receiver.ids) == 1
    [delivery] = ca.get(f"{path}/deliveries").json["items"]
    assert delivery["state"] == "delivered"
    assert ca.post(f"{path}/deliveries/{uuid4()}/redeliver").status_code == 404


def test_a_clinic_has_its_own_webhooks_alone(call: Any) -> None:
    path = f"/webhooks/{made(call).json['id']}"
    xa = call("XA")
    assert xa.get("/webhooks").json["items"] == []
    for answer in (xa.get(path), xa.get(f"{path}/deliveries"), xa.delete(path, 1)):
        assert answer.status_code == 404
    assert call("CT").get("/webhooks").status_code == 403


def test_there_is_an_end_to_how_many(call: Any) -> None:
    from api.core.webhooks import MAX_WEBHOOKS

    for _ in range(MAX_WEBHOOKS):
        made(call)
    body = {"url": ADDRESS, "events": ["goal.created"]}
    assert call("CA").post("/webhooks", body).status_code == 409


def test_the_document_lists_every_event(app: Flask) -> None:
    document = app.test_client().get("/api/v1/openapi.json").json
    assert list(document["webhooks"]) == list(EVENTS)
    for name, item in document["webhooks"].items():
        body = item["post"]["requestBody"]["content"]["application/json"]
        assert body["schema"] == {"$ref": "#/components/schemas/Event"}, name
    event = document["components"]["schemas"]["Event"]
    assert event["properties"]["type"]["enum"] == list(EVENTS)
    assert set(event["required"]) == {"type", "timestamp", "data"}


def test_changes_are_walked_and_followed(call: Any) -> None:
    ct, seen = call("CT"), []
    answer = ct.get("/changes?limit=1").json
    while answer["next_cursor"]:
        seen += answer["items"]
        answer = ct.get(f"/changes?limit=1&cursor={answer['next_cursor']}").json
    seen += answer["items"]
    assert {"patient", "care_team_membership"} == {one["kind"] for one in seen}
    goal_id = goal(call)
    told = ct.get(f"/changes?cursor={answer['cursor']}").json
    assert [(one["id"], one["kind"], one["version"]) for one in told["items"]] == [
        (goal_id, "goal", 1)
    ]
    assert told["items"][0]["deleted_at"] is None and told["next_cursor"] is None
    assert ct.get(f"/changes?cursor={told['cursor']}").json["items"] == []


def test_a_cursor_of_somebody_else_or_of_another_list_is_refused(call: Any) -> None:
    cursor = call("XT").get("/changes").json["cursor"]
    other = call("CT").get("/patients?limit=1").json["next_cursor"] or "x"
    for forged in (cursor, other, cursor[:-3] + "abc", "x"):
        assert call("CT").get(f"/changes?cursor={forged}").status_code == 400
    assert call("CT").get("/changes?updated_since=2026-01-01T00:00:00Z").status_code == 422
    assert call("CT").get("/changes?limit=101").status_code == 422
