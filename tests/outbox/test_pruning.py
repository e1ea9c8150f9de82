"""Pruning: what is old and told goes, and nobody who follows misses anything for it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import select, update

from api import clock, db
from api.core import changes, clocks, pruning
from api.core.integration import goals, insights
from api.core.replay import idempotency_keys
from api.db import feed
from api.outbox.events import outbox_events
from api.outbox.tables import webhook_deliveries
from api.v1.cursors import write
from tests.builders import Scene
from tests.core.walking import goal, insight
from tests.outbox.conftest import happen, make_webhook
from tests.outbox.receiver import Receiver

LONG_AGO = timedelta(days=91)


def told(scene: Scene, who: str = "CT") -> dict[UUID, tuple[int, bool]]:
    """What somebody who begins anew is told: version, and whether it is gone."""
    rows = changes.list_changes(scene[who].actor, None, 100)["items"]
    return {row["id"]: (row["version"], row["deleted_at"] is not None) for row in rows}


def age(scene: Scene) -> None:
    """All that was written lies long ago; of the feed also before this test, for it is in order."""
    e = outbox_events.c
    db.store().execute(update(feed.changes).values(at=clock.now() - LONG_AGO))
    old = {"at": clock.now() - LONG_AGO, "shared_out_at": clock.now() - LONG_AGO}
    db.store().execute(update(outbox_events).where(e.clinic_id == scene.clinic_id).values(**old))


def prune() -> None:
    """Two passes: a tombstone goes in the second, after what came before it."""
    for _pass in range(2):
        while pruning.prune_changes():
            pass


def rows_of(record: db.Values) -> list[int]:
    c = feed.changes.c
    found = db.store().rows(select(c.version).where(c.record_id == record["id"]).order_by(c.seq))
    return [row["version"] for row in found]


def test_who_begins_anew_is_told_of_every_record_that_is_there(scene: Scene) -> None:
    ps = scene["PS"].actor
    plain, changed, kept, removed = goal(scene), goal(scene), goal(scene), insight(scene)
    goals.change_goal(ps, changed["id"], None, {"title": "Another"})
    goals.change_goal(ps, kept["id"], None, {"shared_with": "me"})
    goals.change_goal(ps, kept["id"], None, {"title": "Mine"})
    insights.remove_insight(ps, removed["id"], None)
    db.store().commit()
    before, own = told(scene), told(scene, "PS")
    age(scene)
    prune()
    db.store().commit()
    assert rows_of(plain) == [1] and rows_of(changed) == [2]
    assert rows_of(kept) == [3], "the patient's own, and to others nothing"
    assert rows_of(removed) == []
    after = {i: told_of for i, told_of in before.items() if not told_of[1]}
    assert told(scene) == after and kept["id"] not in after
    assert told(scene, "PS") == {i: of for i, of in own.items() if i != removed["id"]}


def test_what_is_younger_than_the_setting_stays(scene: Scene) -> None:
    made = goal(scene)
    goals.change_goal(scene["PS"].actor, made["id"], None, {"title": "Another"})
    prune()
    assert rows_of(made) == [1, 2]


@pytest.mark.parametrize("at_once", [1, 2, 200])
def test_a_tombstone_goes_last_of_its_record(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    removed = insight(scene)
    insights.change_insight(scene["PS"].actor, removed["id"], None, {"text": "Other"})
    insights.remove_insight(scene["PS"].actor, removed["id"], None)
    age(scene)
    monkeypatch.setattr(pruning, "AT_ONCE", at_once)
    seen = []
    for _pass in range(2):
        while pruning.prune_changes():
            seen.append(rows_of(removed))
        seen.append(rows_of(removed))
    assert seen[-1] == [] and all(rows in ([1, 2, 3], [2, 3], [3], []) for rows in seen)


def test_a_cursor_older_than_what_is_kept_is_refused_and_told_to_begin_anew(
    call: Any, scene: Scene
) -> None:
    now, ct = clock.now(), call("CT")
    cursors = {}
    for age_days in (89, 91):
        with time_machine.travel(now - timedelta(days=age_days)):
            made_at = {"made_at": int(clock.now().timestamp())}
        cursors[age_days] = write(scene["CT"].actor, "/api/v1/changes", made_at, (0, 0))
    assert ct.get(f"/changes?cursor={cursors[89]}").status_code == 200
    answer = ct.get(f"/changes?cursor={cursors[91]}")
    assert answer.status_code == 410 and "without a cursor" in answer.json["detail"]
    assert answer.json["type"] == "urn:freshtrail:problem:cursor_too_old"


def test_old_events_go_with_their_deliveries_unless_one_waits(
    scene: Scene, receiver: Receiver
) -> None:
    hook = make_webhook(scene, receiver, "goal.created")
    done, waits = happen(scene, "goal.created", 2)
    for event, state in ((done, "delivered"), (waits, "pending")):
        keys = {"clinic_id": scene.clinic_id, "webhook_id": hook["id"], "event_id": UUID(event)}
        db.store().add(webhook_deliveries, keys | {"state": state, "attempts": 1})
    age(scene)
    while pruning.prune_events():
        pass
    d = webhook_deliveries.c
    left = db.store().rows(select(d.event_id).where(d.webhook_id == hook["id"]))
    assert [str(row["event_id"]) for row in left] == [waits]
    e = outbox_events.c
    mine = select(e.id).where(e.clinic_id == scene.clinic_id)
    assert [str(row["id"]) for row in db.store().rows(mine)] == [waits]


def test_the_worker_looks_once_a_day(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning._Pass, "begins_at", {})
    made = goal(scene)
    for title in ("Another", "A third"):
        goals.change_goal(scene["PS"].actor, made["id"], None, {"title": title})
    age(scene)
    while pruning.prune_due():
        pass
    assert rows_of(made) == [3]
    goals.change_goal(scene["PS"].actor, made["id"], None, {"title": "A fourth"})
    age(scene)
    assert pruning.prune_due() is False and rows_of(made) == [3, 4]


def test_an_answer_is_kept_for_its_hours_and_no_longer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning._Pass, "keys_at", float("-inf"))
    k = idempotency_keys.c
    keys = {"clinic_id": scene.clinic_id, "user_id": scene["PS"].user_id, "request_hash": "-"}
    now = clock.now()
    for name, hours in (("old", 25), ("young", 23)):
        made = {"key_hash": name, "created_at": now - timedelta(hours=hours)}
        db.store().append(idempotency_keys, [keys | made])
    work = pruning.prune_keys
    assert work in clocks.DUE and scene.clinic_id in clocks.clinics_with(work)
    while pruning.prune_keys():
        pass
    left = select(k.key_hash).where(k.clinic_id == scene.clinic_id)
    assert [row["key_hash"] for row in db.store().rows(left)] == ["young"]
    assert clocks.clinics_with(work) == []
