"""Where sealing looks for what is to be sealed: far enough, in order, and never twice."""

from typing import Any
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import select, update

from api import clock, db
from api.audit import seal
from api.audit.chain import START, body_of, digest
from api.audit.seal import NOWHERE, audit_heads, audit_seals
from api.audit.trail import audit_event_patients, audit_events
from tests import builders
from tests.builders import Scene

LATER = 2**62
"""A transaction that this server is far from."""


def write(clinic_id: UUID, count: int = 1, **more: Any) -> list[UUID]:
    """So many events of a clinic, a second apart; gives their ids in that order."""
    now = clock.now().replace(microsecond=0)
    rows = [
        {"clinic_id": clinic_id, "id": db.new_id(), "action": "x:y", "outcome": "ok"}
        | {"at": now.replace(second=number), "door": "v1", "request_id": "r"}
        | more
        for number in range(count)
    ]
    with db.transaction() as store:
        store.execute(audit_events.insert().values(rows))
    return [row["id"] for row in rows]


def step(clinic_id: UUID) -> bool:
    """What the worker does once for a clinic."""
    with db.within(clinic_id), db.transaction() as store:
        return seal.seal_due(store)


def sealed(clinic_id: UUID) -> list[UUID]:
    """The events of a chain in its order; it is whole as far as its own rows tell."""
    mine = select(audit_seals).where(audit_seals.c.clinic_id == clinic_id)
    with db.transaction() as store:
        rows = store.rows(mine.order_by(audit_seals.c.seq))
        last = head(clinic_id, store) if rows else {"seq": 0, "hash": START}
    assert [row["seq"] for row in rows] == [*range(1, last["seq"] + 1)]
    assert [START, *(row["hash"] for row in rows)] == [*(row["prev_hash"] for row in rows)] + [
        last["hash"]
    ]
    return [row["event_id"] for row in rows]


def head(clinic_id: UUID, store: db.Store) -> db.Values:
    row = store.row(select(audit_heads).where(audit_heads.c.clinic_id == clinic_id))
    assert row is not None
    return row


def waiting() -> set[UUID]:
    """The clinics in which there is something to seal."""
    with db.within(finding=True), db.transaction() as store:
        return {row["id"] for row in store.rows(seal.clinics_waiting(store))}


def place(clinic_id: UUID, upto: int) -> None:
    """Let the next look begin at this place."""
    with db.transaction() as store:
        mine = audit_heads.update().where(audit_heads.c.clinic_id == clinic_id)
        store.execute(mine.values(upto=upto))


def test_a_clinic_waits_while_it_has_something_to_seal_and_not_before_or_after(
    scene: Scene,
) -> None:
    here, there = scene.clinic_id, scene["XT"].clinic_id
    assert not {here, there} & waiting() and step(here) is False
    with db.transaction():
        builders.make_clinic()  # one that never did anything keeps nobody waiting
    mine, theirs = write(here, 2), write(there)
    for clinic_id, ids in ((here, mine), (there, theirs)):
        assert clinic_id in waiting()
        assert step(clinic_id) is True and step(clinic_id) is False
        assert clinic_id not in waiting() and sealed(clinic_id) == ids
    more = write(here)
    assert here in waiting() and there not in waiting()
    assert step(there) is False and step(here) is True
    assert sealed(here) == mine + more and here not in waiting()


def test_within_a_clinic_it_alone_is_sealed(scene: Scene) -> None:
    here, there = scene.clinic_id, scene["XT"].clinic_id
    write(here)
    write(there)
    for clinic_id in (there, here):
        with db.within(clinic_id), db.transaction() as store:
            found = store.rows(seal.clinics_waiting(store))
        assert [row["id"] for row in found] == [clinic_id]
        assert step(clinic_id) is True and len(sealed(clinic_id)) == 1


@pytest.mark.parametrize("is_begun", [False, True])
@pytest.mark.parametrize("count", [2, 5, 6])
def test_many_are_sealed_some_at_a_time_and_none_is_passed_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, count: int, is_begun: bool
) -> None:
    here = scene.clinic_id
    first = write(here) if is_begun else []
    assert step(here) is is_begun
    ids = [one for _ in range(count) for one in write(here)]
    monkeypatch.setattr(seal, "AT_ONCE", 2)
    after = []
    while step(here):
        after.append(len(sealed(here)) - len(first))
    assert after == [*range(2, count, 2), count]
    assert sealed(here) == first + ids and here not in waiting()


def test_those_of_one_moment_are_sealed_by_their_time_and_then_by_their_name(scene: Scene) -> None:
    here, now = scene.clinic_id, clock.now()
    row = {"clinic_id": here, "action": "x:y", "outcome": "ok", "door": "v1", "request_id": "r"}
    one, two, three = sorted(db.new_id() for _ in range(3))
    with db.transaction() as store:
        late = now.replace(microsecond=9)
        early = now.replace(microsecond=8)
        store.append(audit_events, [row | {"id": three, "at": early}])
        store.append(audit_events, [row | {"id": one, "at": late}])
        store.append(audit_events, [row | {"id": two, "at": early}])
        on_postgres = store.on_postgres
    step(here)
    # A transaction is one place on PostgreSQL; on SQLite every row is a place of its own.
    assert sealed(here) == ([two, three, one] if on_postgres else [three, one, two])


def test_two_clinics_whose_events_bear_one_id_seal_their_own(scene: Scene) -> None:
    here, there, same = scene.clinic_id, scene["XT"].clinic_id, db.new_id()
    for clinic_id in (here, there):
        ids = write(clinic_id) + write(clinic_id, id=same)
        assert clinic_id in waiting() and step(clinic_id) is True
        assert sealed(clinic_id) == ids and clinic_id not in waiting()


@pytest.mark.parametrize("upto", [NOWHERE, 0])
def test_what_is_looked_at_again_is_not_sealed_again(scene: Scene, upto: int) -> None:
    here, there = scene.clinic_id, scene["XT"].clinic_id
    ids = write(here, 3)
    write(there)
    assert step(here) and step(there)
    place(here, upto)
    assert here not in waiting() and step(here) is False
    ids += write(here, 2)
    assert here in waiting() and step(here) is True and step(here) is False
    assert sealed(here) == ids


def test_everything_is_looked_at_again_from_the_beginning(scene: Scene) -> None:
    here, there = scene.clinic_id, scene["XT"].clinic_id
    for clinic_id in (here, there):
        write(clinic_id, 2)
        step(clinic_id)
    with db.within(here), db.transaction() as store:
        assert head(here, store)["upto"] > 0
        before = head(here, store)
        seal.begin_again(store)
        assert head(here, store) == before | {"upto": NOWHERE}
    write(here)
    assert step(here) is True
    with db.within(here), db.transaction() as store:
        assert head(here, store)["upto"] > 0


@pytest.mark.parametrize("at_once", [500, 2])
def test_what_came_from_another_server_is_sealed_when_everything_is_looked_at_again(
    on_postgres_alone: None, scene: Scene, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    here = scene.clinic_id
    ids = write(here)
    assert step(here) is True
    before, restored = write(here, 3, xid=None), write(here, 3, xid=LATER)
    assert here not in waiting() and step(here) is False
    with db.within(here), db.transaction() as store:
        seal.begin_again(store)
    monkeypatch.setattr(seal, "AT_ONCE", at_once)
    own = write(here)
    assert here in waiting()
    while step(here):
        pass
    assert sealed(here) == ids + before + own + restored, "what was sealed keeps its place"
    assert here not in waiting()


def test_an_event_is_sealed_with_whom_it_touched_and_the_head_says_when(scene: Scene) -> None:
    here, there = scene.clinic_id, scene["XT"].clinic_id
    ids = write(here, 3)
    people = {ids[0]: [db.new_id(), db.new_id()], ids[2]: [db.new_id()]}
    rows = [
        {"clinic_id": here, "event_id": event_id, "patient_id": patient}
        for event_id, touched in people.items()
        for patient in touched
    ]
    elsewhere = {"clinic_id": there, "event_id": ids[1], "patient_id": db.new_id()}
    with db.transaction() as store:
        store.append(audit_event_patients, [*rows, elsewhere])
        found = seal.patients_of(store, here, ids[1:])
        assert found == {ids[2]: people[ids[2]]}
    with time_machine.travel(clock.now(), tick=False):
        step(here)
        now = clock.now()
    with db.transaction() as store:
        assert (head(here, store)["sealed_at"], head(here, store)["told_seq"]) == (now, 0)
        events = {row["id"]: row for row in store.rows(select(audit_events))}
        seals = store.rows(select(audit_seals).where(audit_seals.c.clinic_id == here))
    assert sealed(here) == ids
    for row in seals:
        body = body_of(events[row["event_id"]], people.get(row["event_id"], []))
        assert row["hash"] == digest(body, row["prev_hash"])


def test_a_head_that_another_worker_holds_is_passed_by(
    on_postgres_alone: None, scene: Scene
) -> None:
    here = scene.clinic_id
    write(here, 2)
    assert step(here) is True
    ids = sealed(here)
    ids += write(here)
    with db.engine().connect() as other:
        other.exec_driver_sql(f"SELECT set_config('app.clinic_id', '{here}', true)")
        told = update(audit_heads).where(audit_heads.c.clinic_id == here).values(told_seq=0)
        assert other.execute(told).rowcount == 1
        assert step(here) is False
        other.rollback()
    assert step(here) is True and sealed(here) == ids


def test_what_was_still_being_written_at_the_last_look_is_not_passed_over(
    on_postgres_alone: None, scene: Scene
) -> None:
    here = scene.clinic_id
    ids = write(here)
    row = {"clinic_id": here, "id": db.new_id(), "at": clock.now(), "action": "x:y"}
    with db.engine().connect() as slow:
        slow.exec_driver_sql(f"SELECT set_config('app.clinic_id', '{here}', true)")
        more = {"outcome": "ok", "door": "v1", "request_id": "slow"}
        slow.execute(audit_events.insert().values(row | more))
        assert step(here) is True and step(here) is False
        assert sealed(here) == ids
        slow.commit()
    assert here in waiting() and step(here) is True
    assert sealed(here) == [*ids, row["id"]]
