"""A worker that is killed in the middle of its work: nothing is lost and nothing is doubled."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from api import clock, db, schema
from api.core import beats
from api.outbox import deliver, events
from api.outbox.tables import webhook_deliveries
from api.worker import HANDS
from tests.builders import Scene
from tests.conftest import empty_database
from tests.outbox.conftest import deliveries, happen, make_webhook
from tests.outbox.receiver import Message, Receiver, reply
from tests.working import PATIENCE_S, started_worker, until

EVENTS = 60


@pytest.fixture(autouse=True)
def _alone(database: str, tmp_path: Path) -> Iterator[None]:
    """A database of its own, in which nothing of other tests is due."""
    with empty_database(tmp_path):
        schema.upgrade()
        yield


def test_what_a_killed_worker_left_is_done_by_the_next(scene: Scene, receiver: Receiver) -> None:
    def answer(handler: Any, _message: Message) -> None:
        time.sleep(0.02)
        reply(handler, 204)

    receiver.answer = answer
    with db.transaction():
        hooks = [make_webhook(scene, receiver, "goal.created") for _ in range(2)]
        sent = happen(scene, "goal.created", EVENTS)
    with started_worker():
        until(lambda: len(receiver.messages) >= EVENTS // 2)
        with db.transaction():
            assert not beats.is_silent()
            sent += happen(scene, "goal.created", EVENTS)
        until(lambda: len(receiver.messages) >= EVENTS)
    before = len(receiver.messages)
    assert before < 2 * len(sent), "it was killed in the middle"
    later = (clock.now() + deliver.LEASE + timedelta(seconds=30)).isoformat()
    with started_worker("--once", FRESHTRAIL_CLOCK=later) as worker:
        assert worker.wait(PATIENCE_S) == 0
    counted = Counter(message.id for message in receiver.messages)
    assert set(counted) == set(sent), "nothing is lost"
    assert sum(counted.values()) <= 2 * len(sent) + HANDS, "sent again: what was on its way"
    for hook in hooks:
        made = deliveries(hook["id"])
        assert sorted(str(one["event_id"]) for one in made) == sorted(sent), "nothing is doubled"
        assert {one["state"] for one in made} == {"delivered"}
    with db.transaction() as store:
        assert store.row(select(events.outbox_events.c.id).where(events.WAITING)) is None


def test_a_worker_that_is_asked_to_stop_leaves_no_lease(scene: Scene, receiver: Receiver) -> None:
    def answer(handler: Any, _message: Message) -> None:
        time.sleep(0.3)
        reply(handler, 204)

    receiver.answer = answer
    with db.transaction():
        hook = make_webhook(scene, receiver, "goal.created")
        happen(scene, "goal.created", 20)
    with started_worker() as worker:
        until(lambda: receiver.messages)
        worker.terminate()
        assert worker.wait(PATIENCE_S) == 0
    d = webhook_deliveries.c
    leased = select(func.count()).where(d.webhook_id == hook["id"], d.leased_until.is_not(None))
    with db.transaction() as store:
        assert store.execute(leased.where(d.state == "pending")).scalar() == 0
    taken = [one for one in deliveries(hook["id"]) if one["state"] == "delivered"]
    assert len(taken) == len(receiver.messages) < 20
