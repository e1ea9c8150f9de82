"""The chain shows everything that can be done to a trail, and cries wolf over nothing."""

import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
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
    way, k = chance.choice(["all", "last", "one", "cut"]), chance.randrange(len(t.points))
    if way == "all":
        t.points.clear()
    elif way == "last":
        del t.points[max(k, 1) :]
    else:
        t.points[k] = Checkpoint(0, "", "", good=False, torn=way == "cut")
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


def test_an_event_is_sealed_in_the_published_form() -> None:
    clinic_id, patients = UUID(int=7), [UUID(int=9), UUID(int=8)]
    at = datetime(2026, 1, 1, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
    said = event(clinic_id, 0, random.Random(1)) | {"id": UUID(int=1), "action": "nöte:write"}
    body = body_of(said | {"at": at, "actor_id": UUID(int=2)}, patients)
    assert body == {
        **dict.fromkeys(("role", "sign_in_id", "on_behalf_of", "type", "record_id")),
        **dict.fromkeys(("data_category", "reason_ref", "purpose", "client_ip", "field_names")),
        "clinic_id": "00000000-0000-0000-0000-000000000007",
        "id": "00000000-0000-0000-0000-000000000001",
        "at": "2026-01-02T01:30:00.000000Z",
        "actor_id": "00000000-0000-0000-0000-000000000002",
        "action": "nöte:write",
        "outcome": "ok",
        "door": "v1",
        "request_id": "r0",
        "patients": [str(UUID(int=8)), str(UUID(int=9))],
    }
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    made = sha256(b"freshtrail-audit-v1\0" + canonical.encode() + bytes.fromhex("ab" * 32))
    assert digest(body, "ab" * 32) == made.hexdigest()


def test_a_time_without_a_zone_is_utc_wherever_the_server_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = event(UUID(int=7), 0, random.Random(1)) | {"at": datetime(2026, 1, 1, 12)}
    for zone in ("Asia/Tokyo", "UTC"):
        with monkeypatch.context() as meanwhile:
            meanwhile.setenv("TZ", zone)
            time.tzset()
            told = body_of(said, [])["at"]
        time.tzset()
        assert told == "2026-01-01T12:00:00.000000Z"


# --- one thing done, told once and in its place


def told_of(one: Trail) -> list[tuple[int, str]]:
    return [(each.seq, each.what) for each in judged(one)[0].tampering]


def bare(length: int = 20) -> Trail:
    """A trail of which nothing lies outside the database."""
    one = trail(random.Random(11))
    links = one.links[:length]
    return Trail(one.clinic_id, links, Head(length, links[-1].hash, 0), [])


def begun_anew(one: Trail, place: int) -> None:
    """From `place` on the trail is whole in itself, and does not follow what came before."""
    bodies = [link.body for link in one.links[place - 1 :]]
    one.links[place - 1 :] = sealed(one.clinic_id, bodies, "cd" * 32, place)
    one.head = Head(len(one.links), one.links[-1].hash, 0)


@pytest.mark.parametrize("place", [1, 2, 12, 20])
def test_a_chain_that_does_not_follow_what_came_before_is_found_there(place: int) -> None:
    one = bare()
    begun_anew(one, place)
    assert told_of(one) == [(place, "edited_hash")]


def test_what_does_not_follow_is_found_in_a_later_part_read_alone_too() -> None:
    one = bare()
    begun_anew(one, 12)
    later = verifying.follow(one.links[4:], [], 5)
    assert [(each.seq, each.what) for each in later.tampering] == [(12, "edited_hash")]
    for begin in (2, 5, 12):
        assert verifying.follow(one.links[begin - 1 : 11], [], begin).tampering == []


def test_a_changed_digest_is_told_once() -> None:
    one = bare()
    one.links[7] = replace(one.links[7], hash="ef" * 32)
    assert told_of(one) == [(8, "edited_hash")]


def test_two_events_that_were_edited_were_not_reordered() -> None:
    one = bare()
    for place in (3, 9):
        body = {**(one.links[place].body or {}), "action": f"x:{place}"}
        one.links[place] = replace(one.links[place], body=body)
    assert told_of(one) == [(4, "edited_field"), (10, "edited_field")]


def test_of_those_that_do_not_fit_only_the_first_are_asked_more_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verifying, "MOST_KEPT", 3)
    one = bare()
    for place in range(2, 8):
        body = {**(one.links[place].body or {}), "action": "x:y"}
        one.links[place] = replace(one.links[place], body=body)
    assert told_of(one) == [(3, "edited_field"), (4, "edited_field"), (5, "edited_field")]


def test_a_clock_that_went_back_five_minutes_is_not_remarked_upon() -> None:
    clinic_id, chance = new_id(), random.Random(1)
    events = [event(clinic_id, n, chance) for n in range(2)]
    events[1]["at"] = events[0]["at"] - timedelta(minutes=5)
    links = sealed(clinic_id, [body_of(e, []) for e in events])
    assert verifying.follow(links, []).warnings == []


def test_a_clinic_of_which_nothing_was_ever_sealed_is_whole() -> None:
    assert told_of(Trail(new_id(), [], None, [])) == []
    assert told_of(Trail(new_id(), [], Head(0, START, 0), [])) == []


@pytest.mark.parametrize("said", [1, 2, 20])
def test_an_emptied_table_is_told_by_the_head_alone(said: int) -> None:
    assert told_of(Trail(new_id(), [], Head(said, "ab" * 32, 0), [])) == [(1, "table_emptied")]


def test_a_head_that_is_gone_is_told_without_any_checkpoint() -> None:
    one = bare()
    one.head = None
    assert told_of(one) == [(20, "head_edited")]


def test_an_end_that_was_cut_off_is_told_by_the_head_alone() -> None:
    one = bare()
    del one.links[13:]
    assert told_of(one) == [(14, "deleted_tail")]


def test_of_several_rows_that_were_put_in_the_first_is_told() -> None:
    one = bare()
    bodies = [body_of(event(one.clinic_id, n, random.Random(n)), []) for n in range(3)]
    one.links += sealed(one.clinic_id, bodies, one.links[-1].hash, 21)
    assert told_of(one) == [(21, "inserted_row")]


def test_a_checkpoint_that_is_no_longer_ours_is_told_of_an_empty_chain_too() -> None:
    bad = Checkpoint(0, "", "", good=False)
    assert told_of(Trail(new_id(), [], None, [bad])) == [(1, "checkpoint_edited_or_missing")]


TORN = Checkpoint(0, "", "", good=False, torn=True)


@pytest.mark.parametrize("bad", [TORN, replace(TORN, torn=False)])
def test_a_restore_by_intent_bridges_what_cannot_be_read_before_it(bad: Checkpoint) -> None:
    one = trail(random.Random(2))
    one.points.insert(3, bad)
    assert told_of(one) == [(LENGTH, "checkpoint_edited_or_missing")]
    assert one.head is not None
    one.points.append(Checkpoint(LENGTH, one.head.hash, "", True, recovery=True))
    assert told_of(one) == []
    one.points.append(replace(bad, torn=False))
    assert told_of(one) == [(LENGTH, "checkpoint_edited_or_missing")]


def test_what_was_cut_short_and_never_told_is_no_tampering() -> None:
    one = trail(random.Random(2))
    one.points.append(TORN)
    assert told_of(one) == []
    assert one.head is not None
    one.points += [TORN, Checkpoint(LENGTH, one.head.hash, "", True, after_torn=True)]
    assert told_of(one) == []
    one.points[-1] = replace(one.points[-1], after_torn=False)
    assert told_of(one) == [(LENGTH, "checkpoint_edited_or_missing")]


@pytest.mark.parametrize("left", [1, 4, 7])
def test_an_end_that_was_told_and_is_cut_short_or_gone_is_tampering(left: int) -> None:
    one = trail(random.Random(2))
    del one.points[left:]
    assert told_of(one) == [(LENGTH, "checkpoint_edited_or_missing")]
    one.points.append(TORN)
    assert told_of(one) == [(LENGTH, "checkpoint_edited_or_missing")]


@pytest.mark.parametrize("good", [True, False])
def test_only_a_signed_restore_by_intent_bridges_what_was_told_later(good: bool) -> None:
    one = trail(random.Random(2))
    del one.links[12:]
    one.head = Head(12, one.links[-1].hash, 12)
    one.points.append(Checkpoint(12, one.head.hash, "", good, recovery=not good))
    assert (13, "rolled_back") in told_of(one)


def test_a_restore_by_intent_does_not_hide_a_fork_at_its_own_place() -> None:
    one = bare()
    one.points = [Checkpoint(20, "ab" * 32, "", True)]
    one.points.append(Checkpoint(20, one.links[-1].hash, "", True, recovery=True))
    assert (20, "forked") in told_of(one)
