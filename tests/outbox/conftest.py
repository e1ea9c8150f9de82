"""What the tests of the outbox share: a receiver, and a clinic that has a webhook."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from api import clock, db
from api.outbox import events, signing
from api.outbox.tables import webhook_deliveries, webhooks
from tests.builders import Scene
from tests.outbox.receiver import Receiver, receiving
from tests.working import only_for


@pytest.fixture
def receiver(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver; nothing of earlier tests is waiting, nor is a worker's in their clinics."""
    only_for(scene, monkeypatch)
    with db.transaction() as store:
        left = update(events.outbox_events).where(events.WAITING)
        store.execute(left.values(shared_out_at=clock.now()))
        store.execute(update(webhook_deliveries).values(state="cancelled", leased_until=None))
    with receiving(monkeypatch) as made:
        yield made


def make_webhook(scene: Scene, receiver: Receiver, *names: str, **more: Any) -> db.Values:
    """A webhook of the clinic to the receiver."""
    values = {
        "clinic_id": scene.clinic_id,
        "created_by": scene["CA"].user_id,
        "url": receiver.url,
        "events": list(names),
        "secret": signing.new_secret(),
        "ed25519_key": None,
    }
    return db.store().add(webhooks, values | more)


def happen(scene: Scene, name: str, times: int = 1) -> list[str]:
    """So many events of that name; their ids."""
    before = set(_ids(scene))
    for _ in range(times):
        subject = {"patient_id": scene.patient["id"]}
        events.append(db.store(), scene.clinic_id, name, subject)
    return [each for each in _ids(scene) if each not in before]


def _ids(scene: Scene) -> list[str]:
    e = events.outbox_events.c
    mine = select(e.id).where(e.clinic_id == scene.clinic_id).order_by(e.id)
    return [str(row["id"]) for row in db.store().rows(mine)]


def deliveries(webhook_id: UUID) -> list[db.Values]:
    """The deliveries of a webhook, in the order in which they were made."""
    d = webhook_deliveries.c
    with db.transaction() as store:
        return store.rows(
            select(webhook_deliveries).where(d.webhook_id == webhook_id).order_by(d.id)
        )
