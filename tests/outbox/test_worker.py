"""The worker: everything has its turn, and one kind of work that fails holds up no other."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import OperationalError

from api import db, worker
from api.core import beats, clocks
from api.outbox import events
from tests.builders import Scene
from tests.outbox.conftest import happen, make_webhook
from tests.outbox.receiver import Receiver


@pytest.fixture
def due(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Only this falls due."""
    steps: list[Any] = []
    monkeypatch.setattr(clocks, "DUE", steps)
    yield steps


def work() -> None:
    worker.Worker().run(once=True)


def test_due_work_is_done_a_piece_at_a_time_each_in_its_own_transaction(
    due: list[Any], scene: Scene, receiver: Receiver
) -> None:
    pieces, stores = list(range(120)), set()

    def step() -> bool:
        stores.add(id(db.store()))
        return bool(pieces) and pieces.pop() is not None

    due.append(step)
    work()
    assert pieces == []


def test_work_that_fails_is_undone_and_the_rest_goes_on(
    due: list[Any], scene: Scene, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> bool:
        happen(scene, "goal.created")
        raise ValueError("broken")

    due.append(fails)
    with db.transaction():
        make_webhook(scene, receiver, "step.logged")
        happen(scene, "step.logged")
    work()
    assert len(receiver.messages) == 1
    e = events.outbox_events.c
    with db.transaction() as store:
        mine = select(func.count()).where(e.clinic_id == scene.clinic_id)
        assert store.execute(mine).scalar() == 1
    assert "a piece of work failed" in caplog.text


def test_a_database_that_does_not_answer_is_waited_for(
    due: list[Any], scene: Scene, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "RECOVER_S", 0.01)
    answers = [OperationalError("x", None, Exception()), None]

    def step() -> bool:
        answer = answers.pop(0) if answers else None
        if answer is not None:
            raise answer
        return False

    due.append(step)
    with db.transaction():
        make_webhook(scene, receiver, "goal.created")
        happen(scene, "goal.created")
    work()
    work()
    assert len(receiver.messages) == 1


def test_a_worker_says_that_it_runs(due: list[Any], scene: Scene, receiver: Receiver) -> None:
    with db.transaction() as store:
        store.execute(delete(beats.worker_beats))
    with db.transaction():
        assert beats.is_silent()
    work()
    with db.transaction():
        assert not beats.is_silent()
