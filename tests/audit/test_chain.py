"""The chain shows everything that can be done to a trail, and cries wolf over nothing."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.audit import checkpoints, verifying
from api.audit.chain import START, body_of, digest
from api.audit.checkpoints import Checkpoint
from api.audit.verifying import CLASSES, Head, Link
from api.db import new_id

SEEDS = int(os.environ.get("AUDIT_SEEDS", "5"))
"""Tries of each way to tamper; `AUDIT_SEEDS=50` makes all 650."""
LENGTH = 40
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Trail:
    """A clinic's chain as it lies in a database, and its checkpoints outside."""

    clinic_id: UUID
    links: list[Link]
    head: Head | None
    points: list[Checkpoint]


def event(clinic_id: UUID, number: int, chance: random.Random) -> dict[str, Any]:
    said = dict.fromkeys(
        ("actor_id", "role", "sign_in_id", "on_behalf_of", "type", "record_id", "data_category")
    )
    said |= dict.fromkeys(("reason_ref", "purpose", "client_ip", "field_names"))
    at = BEGAN + timedelta(seconds=number * 30)
    action = chance.choice(["patient:read", "note:write", "session:list"])
    return said | {
        "clinic_id": clinic_id,
        "id": new_id(),
        "at": at,
        "action": action,
        "outcome": "ok",
        "door": "v1",
        "request_id": f"r{number}",
    }


def sealed(clinic_id: UUID, bodies: list[Any], before: str = START, first: int = 1) -> list[Link]:
    links = []
    for seq, body in enumerate(bodies, first):
        made = digest(body, before)
        links.append(Link(seq, before, made, body))
        before = made
    return links


def trail(chance: random.Random) -> Trail:
    clinic_id = new_id()
    bodies = [body_of(event(clinic_id, n, chance), [new_id()]) for n in range(LENGTH)]
    links = sealed(clinic_id, bodies)
    points = [Checkpoint(n, links[n - 1].hash, "", True) for n in range(5, LENGTH + 1, 5)]
    return Trail(clinic_id, links, Head(LENGTH, links[-1].hash, LENGTH), points)


def judged(*trails: Trail) -> list[verifying.Verdict]:
    verdicts = {
        t.clinic_id: verifying.follow(iter(t.links), [p.size for p in t.points]) for t in trails
    }
    verifying.name_unfit(verdicts)
    for one in trails:
        verifying.judge_end(verdicts[one.clinic_id], one.head, one.points)
    return list(verdicts.values())


Tamper = Callable[[Trail, Trail, random.Random], int]
"""Does it to the first of two trails; gives the first place at which it can be seen."""


def edit_field(t: Trail, _: Trail, chance: random.Random) -> int:
    k = chance.randrange(LENGTH)
    field, value = chance.choice([("action", "x"), ("outcome", "y"), ("patients", [])])
    t.links[k] = replace(t.links[k], body={**(t.links[k].body or {}), field: value})
    return k + 1


def edit_hash(t: Trail, _: Trail, chance: random.Random) -> int:
    k = chance.randrange(LENGTH - 1)
    t.links[k] = replace(t.links[k], hash=chance.randbytes(32).hex())
    return k + 1


def delete_row(t: Trail, _: Trail, chance: random.Random) -> int:
    k = chance.randrange(LENGTH - 1)
    if chance.random() < 0.5:
        t.links[k] = replace(t.links[k], body=None)
    else:
        del t.links[k]
    return k + 1


def delete_tail(t: Trail, _: Trail, chance: random.Random) -> int:
    k = chance.randrange(1, LENGTH)
    del t.links[k:]
    return k + 1


def reorder(t: Trail, _: Trail, chance: random.Random) -> int:
    i, j = sorted(chance.sample(range(LENGTH), 2))
    a, b = t.links[i], t.links[j]
    t.links[i], t.links[j] = replace(a, body=b.body), replace(b, body=a.body)
    return i + 1


def insert_row(t: Trail, _: Trail, chance: random.Random) -> int:
    body = body_of(event(t.clinic_id, LENGTH, chance), [])
    t.links += sealed(t.clinic_id, [body], t.links[-1].hash, LENGTH + 1)
    return LENGTH + 1


def swap(t: Trail, other: Trail, chance: random.Random) -> int:
    i, j = chance.randrange(LENGTH), chance.randrange(LENGTH)
    a, b = t.links[i], other.links[j]
    keys_a = {name: (a.body or {})[name] for name in ("clinic_id", "id")}
    keys_b = {name: (b.body or {})[name] for name in ("clinic_id", "id")}
    t.links[i] = replace(a, body={**(b.body or {}), **keys_a})
    other.links[j] = replace(b, body={**(a.body or {}), **keys_b})
    return i + 1


def recompute(t: Trail, _: Trail, chance: random.Random) -> int:
    k = chance.randrange(LENGTH)
    bodies = [dict(link.body or {}) for link in t.links[k:]]
    bodies[0]["action"] = "something:else"
    before = t.links[k - 1].hash if k else START
    t.links[k:] = sealed(t.clinic_id, bodies, before, k + 1)
    t.head = Head(LENGTH, t.links[-1].hash, LENGTH)
    return k // 5 * 5 + 1  # what no checkpoint holds apart can't be told apart


def edit_head(t: Trail, _: Trail, chance: random.Random) -> int:
    seq = chance.choice([LENGTH, chance.randrange(LENGTH)])
    t.head = Head(seq, chance.randbytes(32).hex(), LENGTH)
    return LENGTH


def empty(t: Trail, _: Trail, chance: random.Random) -> int:
    t.links.clear()
    if chance.random() < 0.5:
        t.head = None
    return 1


def roll_back(t: Trail, _: Trail, chance: random.Random) -> int:
    k = chance.randrange(1, LENGTH)
    del t.links[k:]
    t.head = Head(k, t.links[-1].hash, k)
    return k + 1


def fork(t: Trail, _: Trail, chance: random.Random) -> int:
    k = chance.randrange(len(t.points))
    t.points.append(replace(t.points[k], hash=chance.randbytes(32).hex()))
    return t.points[k].size


def spoil_checkpoint(t: Trail, _: Trail, chance: random.Random) -> int:
    if chance.random() < 0.5:
        t.points.clear()
    else:
        k = chance.randrange(len(t.points))
        t.points[k] = replace(t.points[k], good=False)
    return LENGTH


WAYS: dict[str, Tamper] = dict(
    zip(
        CLASSES,
        (
            *(edit_field, edit_hash, delete_row, delete_tail, reorder, insert_row, swap),
            *(recompute, edit_head, empty, roll_back, fork, spoil_checkpoint),
        ),
        strict=True,
    )
)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("what", CLASSES)
def test_each_way_to_tamper_is_found_named_and_placed(what: str, seed: int) -> None:
    chance = random.Random(f"{what} {seed}")
    one, other = trail(chance), trail(chance)
    place = WAYS[what](one, other, chance)
    verdict = judged(one, other)[0]
    first = verdict.first()
    assert first is not None and (first.what, first.seq) == (what, place), verdict.tampering


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_trail_as_it_was_written_is_found_so(seed: int) -> None:
    chance = random.Random(seed)
    one = trail(chance)
    grown = body_of(event(one.clinic_id, LENGTH, chance), [])
    ahead = replace(
        one, links=one.links + sealed(one.clinic_id, [grown], one.links[-1].hash, LENGTH + 1)
    )
    ahead.head = Head(LENGTH + 1, ahead.links[-1].hash, LENGTH)
    assert not any(verdict.tampering for verdict in judged(one, trail(chance)))
    assert not judged(ahead)[0].tampering


LATE = LENGTH - 11
"""From here on; the checkpoint before it is at 25."""


def judged_since(since: int, one: Trail) -> verifying.Verdict:
    """The verdict of what stands from `since` on, as the command reads it."""
    begin = verifying.vouched(one.points, since)
    links = (link for link in one.links if link.seq >= begin)
    verdict = verifying.follow(links, [p.size for p in one.points], begin)
    verifying.name_unfit({one.clinic_id: verdict})
    verifying.judge_end(verdict, one.head, one.points)
    return verdict


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("what", CLASSES)
def test_read_from_a_checkpoint_on_what_was_done_after_it_is_found_too(
    what: str, seed: int
) -> None:
    chance = random.Random(f"{what} {seed}")
    one, other = trail(chance), trail(chance)
    place = WAYS[what](one, other, chance)
    first = judged_since(LATE, one).first()
    if place >= LATE or what == "table_emptied":
        assert first is not None, (what, place)
    assert verifying.vouched(one.points, LATE) <= LATE


@pytest.mark.parametrize("since", [1, 2, 5, 6, LATE, LENGTH, LENGTH + 100])
def test_a_trail_as_it_was_written_is_found_so_from_anywhere(since: int) -> None:
    one = trail(random.Random(7))
    assert judged_since(since, one).tampering == []
    assert verifying.vouched(one.points, since) == max(1, 5 * ((min(since, LENGTH + 1) - 1) // 5))
    assert verifying.vouched([], since) == 1


def test_a_clock_that_ran_backwards_is_remarked_upon_and_no_tampering() -> None:
    clinic_id, chance = new_id(), random.Random(1)
    events = [event(clinic_id, n, chance) for n in range(3)]
    events[2]["at"] = events[1]["at"] - timedelta(minutes=6)
    links = sealed(clinic_id, [body_of(e, []) for e in events])
    verdict = verifying.follow(iter(links), [])
    assert verdict.warnings == ["time runs backwards at 3"] and not verdict.tampering


def test_a_restore_by_intent_bridges_what_was_told_later(tmp_path: Path) -> None:
    one = trail(random.Random(2))
    place = roll_back(one, one, random.Random(3))
    assert one.head is not None
    one.points.append(Checkpoint(one.head.seq, one.head.hash, "", True, recovery=True))
    assert not judged(one)[0].tampering and place
    one.links.pop()
    assert judged(one)[0].tampering


def test_a_checkpoint_is_signed_and_a_changed_line_is_found(tmp_path: Path) -> None:
    clinic_id, now = new_id(), datetime.now(UTC)
    checkpoints.write(tmp_path, clinic_id, 3, "ab" * 32, now)
    checkpoints.write(tmp_path, clinic_id, 9, "cd" * 32, now, recovery=True)
    first, second = checkpoints.read(tmp_path, clinic_id)
    assert (first.size, first.good, first.recovery) == (3, True, False)
    assert (second.size, second.good, second.recovery) == (9, True, True)
    path = checkpoints.file_of(tmp_path, clinic_id)
    path.write_text(path.read_text().replace("\n3\n", "\n4\n"))
    assert [one.good for one in checkpoints.read(tmp_path, clinic_id)] == [False, True]
    elsewhere = new_id()
    path.rename(checkpoints.file_of(tmp_path, elsewhere))
    assert not any(one.good for one in checkpoints.read(tmp_path, elsewhere))
