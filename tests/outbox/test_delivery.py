"""Deliveries: signed, tried again for three days, ended by 410, each under one id."""

import random
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, text, update
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from api import clock, db
from api.access.users import users
from api.core import webhooks as core_webhooks
from api.outbox import deliver, sharing
from api.outbox.tables import webhook_deliveries, webhooks
from api.worker import Worker
from tests.builders import Scene
from tests.outbox.conftest import deliveries, happen, make_webhook
from tests.outbox.receiver import Message, Receiver, reply


def work() -> None:
    """A worker does what is due now."""
    Worker().run(once=True)


def is_due_now(delivery: db.Values) -> None:
    """Time passes until the delivery's next attempt."""
    mine = webhook_deliveries.c.id == delivery["id"]
    with db.transaction() as store:
        store.execute(update(webhook_deliveries).where(mine).values(next_at=clock.now()))


def test_an_event_reaches_who_asked_signed_and_with_ids_alone(
    scene: Scene, receiver: Receiver
) -> None:
    with db.transaction():
        hook = make_webhook(scene, receiver, "goal.created")
        [event] = happen(scene, "goal.created")
        happen(scene, "step.logged")
    work()
    [message] = receiver.messages
    assert Webhook(hook["secret"]).verify(message.body, message.headers)
    assert message.id == event and message.headers["content-type"] == "application/json"
    assert message.said["type"] == "goal.created"
    assert message.said["data"] == {"patient_id": str(scene.patient["id"])}
    assert set(message.said) == {"type", "timestamp", "data"}
    [delivery] = deliveries(hook["id"])
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == (
        "delivered",
        1,
        204,
    )
    work()
    assert len(receiver.messages) == 1


def test_another_clinics_events_are_not_told(scene: Scene, receiver: Receiver) -> None:
    with db.transaction():
        make_webhook(scene, receiver, "goal.created")
        elsewhere = Scene(scene["XT"].clinic_id, scene.patient, scene.other_patient, {})
        happen(elsewhere, "goal.created")
    work()
    assert receiver.messages == []


def test_what_happened_before_is_not_told(scene: Scene, receiver: Receiver) -> None:
    with db.transaction():
        happen(scene, "goal.created")
    with db.transaction():
        make_webhook(scene, receiver, "goal.created")
    work()
    assert receiver.messages == []


def test_what_is_not_taken_comes_again_under_the_same_id(scene: Scene, receiver: Receiver) -> None:
    with db.transaction():
        hook = make_webhook(scene, receiver, "goal.created")
        happen(scene, "goal.created")
    receiver.answer = lambda handler, _: reply(handler, 503)
    work()
    [delivery] = deliveries(hook["id"])
    assert (delivery["state"], delivery["last_failure"]) == ("pending", "status")
    assert timedelta(seconds=4) < delivery["next_at"] - delivery["last_attempt_at"]
    receiver.answer = lambda handler, _: reply(handler, 200)
    is_due_now(delivery)
    work()
    [delivery] = deliveries(hook["id"])
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 2)
    assert len(receiver.messages) == 2 and len(receiver.ids) == 1


def test_after_ten_attempts_in_three_days_it_has_failed(scene: Scene, receiver: Receiver) -> None:
    with db.transaction():
        hook = make_webhook(scene, receiver, "goal.created")
        happen(scene, "goal.created")
    receiver.answer = lambda handler, _: reply(handler, 301, Location="/elsewhere")
    began = last = datetime.now(UTC)
    with time_machine.travel(began, tick=True) as traveller:
        for _ in range(20):
            work()
            [delivery] = deliveries(hook["id"])
            if delivery["next_at"] is None:
                break
            last = delivery["next_at"]
            traveller.move_to(last + timedelta(seconds=1))
    assert (delivery["state"], delivery["attempts"]) == ("failed", 10)
    assert len(receiver.messages) == 10 and len(receiver.ids) == 1
    assert timedelta(days=2.7) < last - began < timedelta(days=3.6)


def test_a_receiver_that_is_gone_is_left_alone(scene: Scene, receiver: Receiver) -> None:
    with db.transaction():
        hook = make_webhook(scene, receiver, "goal.created")
        happen(scene, "goal.created", 5)
    receiver.answer = lambda handler, _: reply(handler, 410)
    work()
    with db.transaction() as store:
        row = store.row(select(webhooks).where(webhooks.c.id == hook["id"]))
        happen(scene, "goal.created")
    assert row and row["disabled_for"] == "gone" and row["version"] == 2
    count = len(receiver.messages)
    assert count <= deliver.AT_ONCE
    work()
    assert len(receiver.messages) == count
    states = {one["state"] for one in deliveries(hook["id"])}
    assert states <= {"failed", "cancelled"}


def test_a_slow_receiver_does_not_hold_up_another(scene: Scene, receiver: Receiver) -> None:
    with db.transaction():
        make_webhook(scene, receiver, "goal.created", url=receiver.url + "/slow")
        fast = make_webhook(scene, receiver, "step.logged", url=receiver.url + "/fast")
        happen(scene, "goal.created", 6)
        happen(scene, "step.logged", 6)

    fast_ones = 0
    all_fast = Event()

    def answer(handler: Any, message: Message) -> None:
        nonlocal fast_ones
        if message.path.endswith("slow"):
            all_fast.wait(10)
        else:
            fast_ones += 1
            if fast_ones == 6:
                all_fast.set()
        reply(handler, 204)

    receiver.answer = answer
    work()
    assert {one["state"] for one in deliveries(fast["id"])} == {"delivered"}
    assert len(receiver.messages) == 12


def test_who_left_the_clinic_has_no_webhooks_any_more(scene: Scene, receiver: Receiver) -> None:
    with db.transaction() as store:
        make_webhook(scene, receiver, "goal.created")
        happen(scene, "goal.created")
        gone = users.c.id == scene["CA"].user_id
        store.execute(update(users).where(gone).values(disabled_at=clock.now()))
    work()
    assert receiver.messages == []


def test_two_workers_at_once_send_each_event_once(
    app: Flask, scene: Scene, receiver: Receiver
) -> None:
    from threading import Thread

    with db.transaction():
        hook = make_webhook(scene, receiver, "goal.created")
        sent = happen(scene, "goal.created", 30)
    workers = [Thread(target=work) for _ in range(3)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    work()
    assert sorted(m.id for m in receiver.messages) == sorted(sent)
    assert {one["state"] for one in deliveries(hook["id"])} == {"delivered"}


def test_a_lease_that_ran_out_belongs_to_the_next(scene: Scene, receiver: Receiver) -> None:
    with db.transaction():
        hook = make_webhook(scene, receiver, "goal.created")
        happen(scene, "goal.created")
    with db.transaction() as store:
        sharing.share_out(store)
    with db.transaction() as store:
        first = deliver.take(store)
    assert first is not None
    with db.transaction() as store:
        assert deliver.take(store) is None, "somebody is at it"
    with time_machine.travel(clock.now() + deliver.LEASE + timedelta(seconds=1)):
        with db.transaction() as store:
            second = deliver.take(store)
        assert second is not None and second.delivery_id == first.delivery_id
        with db.transaction() as store:
            deliver.settle(store, first, deliver.Outcome(500, "status"))
        [delivery] = deliveries(hook["id"])
        assert delivery["leased_until"] == second.leased_until, "the first came too late"
        with db.transaction() as store:
            deliver.settle(store, second, deliver.Outcome(200))
    [delivery] = deliveries(hook["id"])
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 2)


def test_no_statement_of_the_worker_stands_open_while_it_sends(
    scene: Scene, receiver: Receiver
) -> None:
    with db.transaction():
        make_webhook(scene, receiver, "goal.created")
        happen(scene, "goal.created")

    def write(handler: Any, _message: Message) -> None:
        with db.transaction():
            happen(scene, "step.logged")
        reply(handler, 204)

    receiver.answer = write
    work()
    assert len(receiver.messages) == 1


def test_the_waits_add_up_to_about_three_days() -> None:
    assert timedelta(days=3) < sum(deliver.RETRIES, timedelta()) < timedelta(days=3.5)
    assert random.Random and len(deliver.RETRIES) == 9


@pytest.mark.parametrize(("status", "is_taken"), [(200, True), (204, True), (299, True)])
def test_only_2xx_is_taken(status: int, is_taken: bool) -> None:
    assert deliver.Outcome(status).is_taken == is_taken
    assert not any(deliver.Outcome(bad).is_taken for bad in (None, 100, 301, 302, 400, 410, 500))


def test_after_a_change_of_secret_both_sign_for_a_day_and_then_the_new_one(
    scene: Scene, receiver: Receiver
) -> None:
    with db.transaction():
        hook = make_webhook(scene, receiver, "goal.created")
    with db.transaction():
        turned = core_webhooks.rotate_webhook_secret(scene["CA"].actor, hook["id"])
        assert turned["secret"] != hook["secret"] and "former_secret" not in turned
        until = turned["former_until"] - clock.now()
        assert timedelta(hours=23) < until <= timedelta(hours=24)
        happen(scene, "goal.created")
    work()
    [message] = receiver.messages
    for secret in (hook["secret"], turned["secret"]):
        assert Webhook(secret).verify(message.body, message.headers)
    with db.transaction() as store:
        past = update(webhooks).where(webhooks.c.id == hook["id"])
        store.execute(past.values(former_until=clock.now()))
        happen(scene, "goal.created")
    work()
    later = receiver.messages[-1]
    assert Webhook(turned["secret"]).verify(later.body, later.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(hook["secret"]).verify(later.body, later.headers)
    with db.transaction():
        assert core_webhooks.read_webhook(scene["CA"].actor, hook["id"])["former_until"] is None


def test_what_is_due_is_found_without_counting_a_long_queue(
    scene: Scene, receiver: Receiver, database: str
) -> None:
    """Each that waits asks how many are on their way: by an index, or it costs the square."""
    with db.transaction() as store:
        hook = make_webhook(scene, receiver, "goal.created")
        happen(scene, "goal.created", 200)
        while sharing.share_out(store):
            pass
        busy = update(webhook_deliveries).where(webhook_deliveries.c.webhook_id == hook["id"])
        store.execute(busy.values(leased_until=clock.now() - timedelta(hours=1)))
        store.execute(text("ANALYZE"))
        due = deliver.next_due(clock.now())
        said = due.compile(store.connection, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN" if database == "postgres" else "EXPLAIN QUERY PLAN"
        plan = "\n".join(str(row) for row in store.execute(text(f"{explain} {said}")))
    assert "ix_webhook_deliveries_running" in plan, plan
