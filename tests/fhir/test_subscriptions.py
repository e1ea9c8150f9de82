"""Subscriptions (R4 backport): rest-hook, by topic, ids alone, and only of what a client reads."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, update

from api import clock, config, db
from api.core.ehr import subscriptions
from api.core.ehr.subscriptions.tables import ehr_notifications, ehr_subscriptions
from api.core.integration import goals
from api.fhir.subscription import CONTENT, FILTER, HEARTBEAT, TOPICS
from api.worker import Worker
from tests import builders
from tests.builders import Scene
from tests.fhir import charts
from tests.fhir.charts import Client
from tests.fhir.test_validity import schema_check
from tests.outbox.receiver import Receiver, receiving, reply
from tests.working import only_for


@pytest.fixture
def receiver(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver of this machine, which the settings of the tests let be reached."""
    only_for(scene, monkeypatch)
    work()
    with receiving(monkeypatch) as one:
        yield one


def work() -> None:
    Worker().run(once=True)


def body(endpoint: str, topic: str = "urn:freshtrail:topic:goal", **more: Any) -> dict[str, Any]:
    content = {"extension": [{"url": CONTENT, "valueCode": more.pop("content", "id-only")}]}
    channel = {
        "type": "rest-hook",
        "endpoint": endpoint,
        "payload": "application/fhir+json",
        "_payload": content,
        "header": ["Authorization: Bearer of-theirs"],
    }
    told = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "To know of goals",
        "criteria": topic,
        "channel": channel | more.pop("channel", {}),
    }
    return told | more


def begun(client: Client, receiver: Receiver, **more: Any) -> dict[str, Any]:
    """A subscription that shook hands."""
    answer = client("POST", "/Subscription", json=body(receiver.url, **more))
    assert answer.status_code == 201, answer.text
    assert answer.json["status"] == "requested" and "header" not in answer.json["channel"]
    work()
    shown: dict[str, Any] = client.get(f"/Subscription/{answer.json['id']}").json
    return shown


def set_goal(scene: Scene, **more: Any) -> db.Values:
    values = {"title": "Say no kindly", "category": "boundaries"} | more
    with db.transaction():
        return goals.set_goal(scene["CT"].actor, scene.patient["id"], values)


def told(message: Any) -> dict[str, Any]:
    """The status in a notification; the whole is a valid Bundle."""
    assert not list(schema_check("Bundle").iter_errors(message.said))
    assert message.said["type"] == "history"
    first = message.said["entry"][0]["resource"]
    parts = {one["name"]: one for one in first["parameter"]}
    return {name: next(v for k, v in p.items() if k != "name") for name, p in parts.items()}


def test_it_shakes_hands_and_then_tells_of_goals_by_id_alone(
    ehr: Client, scene: Scene, receiver: Receiver
) -> None:
    one = begun(ehr, receiver)
    assert one["status"] == "active" and not list(schema_check("Subscription").iter_errors(one))
    [hands] = receiver.messages
    assert told(hands)["type"] == "handshake"
    assert hands.headers["authorization"] == "Bearer of-theirs"
    assert hands.headers["content-type"] == "application/fhir+json"
    goal = set_goal(scene)
    work()
    [_, message] = receiver.messages
    said = told(message)
    assert said["type"] == "event-notification" and said["events-since-subscription-start"] == "1"
    assert message.said["entry"][1]["fullUrl"] == f"{charts.BASE}/Goal/{goal['id']}"
    assert (
        "Say no kindly" not in message.body.decode() and "resource" not in message.said["entry"][1]
    )
    status = ehr.get(f"/Subscription/{one['id']}/$status")
    assert not list(schema_check("Bundle").iter_errors(status.json))
    [entry] = status.json["entry"]
    assert {p["name"]: p for p in entry["resource"]["parameter"]}["type"]["valueCode"] == (
        "query-status"
    )
    work()
    assert len(receiver.messages) == 2


def test_empty_content_names_nothing(ehr: Client, scene: Scene, receiver: Receiver) -> None:
    begun(ehr, receiver, content="empty")
    goal = set_goal(scene)
    work()
    message = receiver.messages[1].body.decode()
    assert str(goal["id"]) not in message and str(scene.patient["id"]) not in message


def test_what_the_client_may_not_read_is_not_told(
    app: Flask, scene: Scene, seen: dict[str, Any], receiver: Receiver
) -> None:
    with db.transaction():
        charts.let_see_all(scene["XT"].clinic_id)
        foreign = charts.register(app, scene["XT"].clinic_id).sign_in()
        charts.let_see_all(scene.clinic_id, "consented")
        far = charts.register(app, scene.clinic_id).sign_in()
        near = charts.register(app, scene.clinic_id, external_system=charts.SYSTEM).sign_in()
    for client in (foreign, far, near):
        begun(client, receiver)
    set_goal(scene)
    with db.transaction():
        builders.make_goal(scene.patient, shared_with="me")
    work()
    assert len(receiver.messages) == 4
    assert told(receiver.messages[3])["type"] == "event-notification"


def test_a_filter_narrows_it(
    ehr: Client, scene: Scene, seen: dict[str, Any], receiver: Receiver
) -> None:
    other = f"Goal?patient=Patient/{scene.other_patient['id']}"
    begun(ehr, receiver, _criteria={"extension": [{"url": FILTER, "valueString": other}]})
    mine = f"Goal?patient=Patient/{scene.patient['id']}"
    begun(ehr, receiver, _criteria={"extension": [{"url": FILTER, "valueString": mine}]})
    set_goal(scene)
    work()
    assert len(receiver.messages) == 3


def waiting_is_due(subscription_id: str) -> None:
    n = ehr_notifications.c
    mine = [n.subscription_id == UUID(subscription_id), n.state == "pending"]
    with db.transaction() as store:
        store.execute(update(ehr_notifications).where(*mine).values(next_at=clock.now()))


def test_it_is_tried_again_and_410_ends_it(ehr: Client, scene: Scene, receiver: Receiver) -> None:
    one = begun(ehr, receiver)
    receiver.answer = lambda handler, _message: reply(handler, 503)
    set_goal(scene)
    work()
    waiting_is_due(one["id"])
    work()
    assert len({m.said["id"] for m in receiver.messages[1:]}) == 1 and len(receiver.messages) == 3
    receiver.answer = lambda handler, _message: reply(handler, 410)
    waiting_is_due(one["id"])
    work()
    assert ehr.get(f"/Subscription/{one['id']}").json["status"] == "off"
    set_goal(scene)
    work()
    assert len(receiver.messages) == 4


def beating(every: object = 60) -> dict[str, Any]:
    """What a channel says to be sent heartbeats."""
    return {"channel": {"extension": [{"url": HEARTBEAT, "valueUnsignedInt": every}]}}


def next_beat_in(subscription_id: str) -> float:
    """In how many seconds the next heartbeat is due."""
    n = ehr_notifications.c
    mine = [n.subscription_id == UUID(subscription_id), n.type == "heartbeat"]
    with db.transaction() as store:
        [row] = store.rows(select(n.next_at, n.state).where(*mine))
    assert row["state"] == "pending"
    return float((row["next_at"] - clock.now()).total_seconds())


def test_a_heartbeat_comes_when_nothing_else_did(
    ehr: Client, scene: Scene, receiver: Receiver
) -> None:
    one = begun(ehr, receiver, **beating(300))
    assert one["channel"]["extension"] == beating(300)["channel"]["extension"]
    assert not list(schema_check("Subscription").iter_errors(one))
    assert 290 < next_beat_in(one["id"]) <= 300
    work()
    assert len(receiver.messages) == 1, "it is not due yet"
    for _ in range(2):
        waiting_is_due(one["id"])
        work()
        assert 290 < next_beat_in(one["id"]) <= 300
    beats = receiver.messages[1:]
    assert [told(beat)["type"] for beat in beats] == ["heartbeat"] * 2
    assert told(beats[1])["events-since-subscription-start"] == "0"
    assert len({beat.said["id"] for beat in beats}) == 2 and len(beats[0].said["entry"]) == 1
    assert ehr.get(f"/Subscription/{one['id']}").json["meta"] == one["meta"]


def test_an_event_puts_the_heartbeat_off(ehr: Client, scene: Scene, receiver: Receiver) -> None:
    one = begun(ehr, receiver, **beating(600))
    n = ehr_notifications.c
    soon = update(ehr_notifications).where(n.type == "heartbeat")
    with db.transaction() as store:
        store.execute(soon.values(next_at=clock.now() + timedelta(seconds=5)))
    set_goal(scene)
    work()
    assert told(receiver.messages[-1])["type"] == "event-notification"
    assert 590 < next_beat_in(one["id"]) <= 600


def test_a_heartbeat_that_is_not_taken_is_not_tried_again_before_the_next(
    ehr: Client, scene: Scene, receiver: Receiver
) -> None:
    one = begun(ehr, receiver, **beating(60))
    receiver.answer = lambda handler, _message: reply(handler, 503)
    for _ in range(4):
        waiting_is_due(one["id"])
        work()
        assert 50 < next_beat_in(one["id"]) <= 60
    assert ehr.get(f"/Subscription/{one['id']}").json["status"] == "active"
    receiver.answer = lambda handler, _message: reply(handler, 410)
    waiting_is_due(one["id"])
    work()
    assert ehr.get(f"/Subscription/{one['id']}").json["status"] == "off"
    waiting_is_due(one["id"])
    work()
    assert len(receiver.messages) == 6


@pytest.mark.parametrize(
    "then", [{"status": "error"}, {"ends_at": clock.now()}, {"deleted_at": clock.now()}]
)
def test_no_heartbeat_of_what_is_in_error_or_over(
    ehr: Client, scene: Scene, receiver: Receiver, then: dict[str, Any]
) -> None:
    one = begun(ehr, receiver, **beating(60))
    with db.transaction() as store:
        mine = update(ehr_subscriptions).where(ehr_subscriptions.c.id == UUID(one["id"]))
        store.execute(mine.values(**then))
    waiting_is_due(one["id"])
    work()
    assert len(receiver.messages) == 1


def test_without_being_asked_for_none_comes(ehr: Client, receiver: Receiver) -> None:
    one = begun(ehr, receiver)
    waiting_is_due(one["id"])
    work()
    assert len(receiver.messages) == 1 and "extension" not in one["channel"]


@pytest.mark.parametrize("every", [59, 86_401, -60, 0, True, "60", 60.5, None, [60]])
def test_a_heartbeat_comes_every_minute_at_the_most_and_every_day_at_the_least(
    ehr: Client, every: object
) -> None:
    answer = ehr("POST", "/Subscription", json=body("https://ehr.example/hook", **beating(every)))
    assert answer.status_code in (400, 422), answer.text
    assert answer.json["issue"][0]["expression"] == ["Subscription.channel.extension"]


def test_hands_that_are_not_taken_are_an_error(ehr: Client, receiver: Receiver) -> None:
    receiver.answer = lambda handler, _message: reply(handler, 500)
    one = begun(ehr, receiver)
    for _ in range(3):
        assert one["status"] == "requested"
        waiting_is_due(one["id"])
        work()
        one = ehr.get(f"/Subscription/{one['id']}").json
    assert one["status"] == "error" and one["error"]


def test_ended_it_is_no_more(ehr: Client, scene: Scene, receiver: Receiver) -> None:
    one = begun(ehr, receiver)
    set_goal(scene)
    assert ehr("DELETE", f"/Subscription/{one['id']}").status_code == 204
    work()
    assert len(receiver.messages) == 1
    assert ehr.get(f"/Subscription/{one['id']}").status_code == 410
    assert ehr("DELETE", f"/Subscription/{one['id']}").status_code == 404


def test_it_is_its_clients_alone(app: Flask, scene: Scene, ehr: Client) -> None:
    mine = ehr.get("/Subscription").json["entry"][0]["resource"]["id"]
    with db.transaction():
        other = charts.register(app, scene.clinic_id).sign_in()
    assert other.get("/Subscription").json["total"] == 0
    for method, path in (("GET", ""), ("GET", "/$status"), ("DELETE", "")):
        assert other(method, f"/Subscription/{mine}{path}").status_code == 404


@pytest.mark.parametrize(
    "bad",
    [
        {"criteria": "Goal?status=active"},
        {"channel": {"type": "websocket"}},
        {"channel": {"payload": "application/json"}},
        {"content": "full-resource"},
        {"channel": {"endpoint": "https://127.0.0.1/hook"}},
        {"channel": {"endpoint": "https://169.254.169.254/latest"}},
        {"channel": {"endpoint": "http://ehr.example/hook"}},
        {"channel": {"header": ["Host: inside"]}},
        {"channel": {"header": ["X-A: b\r\nX-C: d"]}},
        {"channel": "rest-hook"},
        {"end": "2020-01-01T00:00:00Z"},
        {"reason": ""},
        {"status": "off"},
        {"_criteria": {"extension": [{"url": FILTER, "valueString": "Patient?name=x"}]}},
        {"_criteria": {"extension": [{"url": FILTER, "valueString": "Goal?wingspan=x"}]}},
    ],
)
def test_what_can_not_be_had_is_refused(ehr: Client, bad: dict[str, Any]) -> None:
    whole = bad.get("channel") == "rest-hook"
    told = body("https://ehr.example/hook", **({} if whole else bad))
    answer = ehr("POST", "/Subscription", json=told | (bad if whole else {}))
    assert answer.status_code in (400, 422) and answer.json["resourceType"] == "OperationOutcome"


def test_the_scope_of_the_topic_is_needed(app: Flask, scene: Scene) -> None:
    with db.transaction():
        client = charts.register(app, scene.clinic_id, "system/Subscription.crds").sign_in()
        reader = charts.register(app, scene.clinic_id, "system/*.rs").sign_in()
    for one in (client, reader):
        answer = one("POST", "/Subscription", json=body("https://ehr.example/hook"))
        assert answer.status_code == 403
    assert len(TOPICS) == 7


def test_nothing_readable_lies_in_the_database(ehr: Client, receiver: Receiver) -> None:
    begun(ehr, receiver)
    with db.transaction() as store:
        rows = store.rows(select(ehr_subscriptions))
    assert "of-theirs" not in repr(rows) and receiver.url not in repr(rows)


def test_old_notifications_go_and_what_waits_or_is_young_stays(
    ehr: Client, scene: Scene, receiver: Receiver
) -> None:
    one, ended = begun(ehr, receiver), begun(ehr, receiver)
    assert ehr("DELETE", f"/Subscription/{ended['id']}").status_code == 204
    receiver.answer = lambda handler, _message: reply(handler, 503)
    set_goal(scene)
    work()
    long_ago = clock.now() - timedelta(days=config.settings().keep_events_days + 1)
    n, s = ehr_notifications.c, ehr_subscriptions.c
    with db.within(scene.clinic_id), db.transaction() as store:
        there = store.rows(select(n.state).where(n.clinic_id == scene.clinic_id))
        assert not subscriptions.prune_notifications(), "nothing of it is old"
        store.execute(update(ehr_notifications).values(updated_at=long_ago))
        store.execute(update(ehr_subscriptions).values(updated_at=long_ago))
        gone = update(ehr_subscriptions).where(s.id == UUID(ended["id"]))
        store.execute(gone.values(deleted_at=long_ago))
        while subscriptions.prune_notifications():
            pass
        left = store.rows(select(n.state, n.subscription_id).where(n.clinic_id == scene.clinic_id))
        kept = [row["id"] for row in store.rows(select(s.id).where(s.client_id == ehr.client_id))]
    assert sorted(row["state"] for row in there) == ["delivered"] * 2 + ["pending"] * 2
    assert [row["state"] for row in left] == ["pending"] * 2  # the fixture's own waits too
    assert UUID(one["id"]) in kept and UUID(ended["id"]) not in kept
    status = ehr.get(f"/Subscription/{one['id']}/$status").json["entry"][0]["resource"]
    told = {p["name"]: p for p in status["parameter"]}
    assert told["events-since-subscription-start"]["valueString"] == "1"


@pytest.mark.parametrize("levels", [40, 600, 900, 5000])
def test_a_body_nested_too_deep_is_refused(ehr: Client, scene: Scene, levels: int) -> None:
    deep = '{"extension":' * levels + "1" + "}" * levels
    asks = json.dumps(body("https://ehr.example/hook", channel={"extension": ["deep"]}))
    parameters = '{"resourceType": "Parameters", "parameter": ["deep"]}'
    for path, told in (
        ("/Subscription", asks),
        (f"/Patient/{scene.patient['id']}/$everything", parameters),
    ):
        nested = told.replace('"deep"', deep)
        answer = ehr("POST", path, data=nested, content_type="application/fhir+json")
        assert answer.status_code == 400, answer.text
        assert answer.json["resourceType"] == "OperationOutcome"
