"""Refusals of whom nobody knows: each is counted once, few rows are written, all are sealed."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from api import clock, config, db
from api.audit import checkpoints, inspecting, seal
from api.audit.trail import SYSTEM, audit_events
from api.core import audit_search, refusals, sealing
from api.core.refusals import Group, Tally
from api.paging import Page
from tests.builders import Scene
from tests.conftest import small_database
from tests.racing import at_once

NOON = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
MINUTE = "2026-11-25T12:00Z"
NEXT = timedelta(minutes=1)
ADDRESSES = st.sampled_from([None, "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"])
KNOCKS = st.lists(
    st.tuples(
        ADDRESSES,
        st.sampled_from(["v1", "fhir"]),
        st.sampled_from(["throttled", "token_refused"]),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=60,
)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def moved() -> Clock:
    return Clock()


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch, moved: Clock) -> Tally:
    """The counts of a process that has just begun."""
    made = Tally(moved)
    monkeypatch.setattr(refusals, "tally", made)
    return made


@given(KNOCKS, st.integers(1, 4))
def test_whatever_comes_when_and_however_few_are_told_apart_counts_add_up(
    knocks: list[tuple[str | None, str, str, int, bool]], most: int
) -> None:
    moved = Clock()
    tally, written = Tally(moved), Counter[Group]()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(refusals, "MOST", most)
        for address, door, kind, minutes, fails in knocks:
            moved.now += minutes * NEXT
            tally.count(address, door, kind)
            taken = tally.take()
            assert all(group.minute < refusals.minute_of(moved.now) for group in taken)
            if fails:
                tally.give_back(taken)
            else:
                written.update(taken)
        written.update(tally.take(to_the_last=True))
    assert tally.take(to_the_last=True) == {}
    asked = Counter((door, kind) for _, door, kind, *_ in knocks)
    found = Counter[tuple[str, str]]()
    for group, times in written.items():
        found[group.door, group.kind] += times
    assert found == asked
    of = Counter(address for address, *_ in knocks)
    told = Counter[str | None]()
    for group, times in written.items():
        told[group.address] += times
    assert all(told[one] <= of[one] for one in told if one is not None)


def test_a_flood_is_few_rows_and_every_one_is_counted(tally: Tally) -> None:
    for number in range(5000):
        tally.count(f"192.0.{number // 256}.{number % 256}", "v1", "wrong_credentials")
    counts = tally.take(to_the_last=True)
    assert len(counts) == refusals.MOST + 1
    assert sum(counts.values()) == 5000
    assert counts[Group(MINUTE, None, "v1", "wrong_credentials")] == 5000 - refusals.MOST


def test_nothing_is_taken_before_its_minute_is_over(tally: Tally, moved: Clock) -> None:
    tally.count("192.0.2.1", "v1", "throttled")
    assert tally.take() == {}
    moved.now += timedelta(seconds=30)
    tally.count("192.0.2.1", "v1", "throttled")
    assert tally.take() == {Group(MINUTE, "192.0.2.1", "v1", "throttled"): 1}
    assert tally.take() == {}


def test_threads_lose_no_count(app: Flask, tally: Tally) -> None:
    def knock() -> None:
        for _ in range(500):
            tally.count("192.0.2.1", "v1", "throttled")

    at_once(app, [knock] * 8)
    assert [*tally.take(to_the_last=True).values()] == [4000]


@pytest.fixture
def address() -> str:
    """An address that nobody else is refused from: the chain of no clinic is shared by all."""
    return f"2001:db8::{db.new_id().hex[-4:]}:{db.new_id().hex[-3:]}"


def rows(address: str) -> list[Any]:
    mine = select(audit_events).where(
        audit_events.c.clinic_id == SYSTEM, audit_events.c.client_ip == address
    )
    with db.within(SYSTEM), db.transaction() as store:
        return store.rows(mine.order_by(audit_events.c.request_id))


def test_a_count_is_one_event_of_no_clinic(app: Flask, tally: Tally, address: str) -> None:
    for _ in range(3):
        tally.count(address, "v1", "wrong_credentials")
    refusals.write(tally.take(to_the_last=True))
    [row] = rows(address)
    said = {name: value for name, value in row.items() if value is not None}
    assert {name: said[name] for name in said.keys() - {"id", "at", "xid"}} == {
        "clinic_id": SYSTEM,
        "action": "anybody:refuse",
        "outcome": "refused",
        "reason_ref": "wrong_credentials",
        "door": "v1",
        "request_id": MINUTE,
        "client_ip": address,
        "field_names": "times=3",
    }


def test_what_can_not_be_written_is_written_later_and_once(
    app: Flask, tally: Tally, moved: Clock, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally.count(address, "v1", "throttled")
    moved.now += NEXT
    with monkeypatch.context() as patched:
        patched.setattr(db.Store, "append", broken)
        refusals.write(tally.take())
    assert rows(address) == []
    assert tally.take() == {}, "it is not tried again and again"
    moved.now += NEXT
    refusals.write(tally.take())
    assert [row["field_names"] for row in rows(address)] == ["times=1"]


def broken(*_: object) -> None:
    raise DBAPIError("", None, Exception())


def test_whoever_comes_next_has_it_written(
    app: Flask, tally: Tally, moved: Clock, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "Thread", AtOnce)
    tally.count(address, "fhir", "client_refused")
    app.test_client().get("/livez")
    assert rows(address) == []
    moved.now += NEXT
    app.test_client().get("/livez")
    assert [row["reason_ref"] for row in rows(address)] == ["client_refused"]


class AtOnce:
    """A thread that is none."""

    def __init__(self, target: Callable[..., None], args: Any, name: str) -> None:
        self.run = lambda: target(*args)

    def start(self) -> None:
        self.run()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: Flask) -> Iterator[Path]:
    """A database and a folder of checkpoints of its own."""
    with small_database(tmp_path):
        monkeypatch.setenv("CHECKPOINT_DIR", str(tmp_path / "points"))
        config.settings.cache_clear()
        yield tmp_path / "points"
        monkeypatch.delenv("CHECKPOINT_DIR")
    config.settings.cache_clear()


def seal_all() -> None:
    """What a worker does, which is told where to look."""
    for step in (sealing.seal_due, sealing.tell_due):
        with db.within(finding=True), db.transaction():
            where = sealing.WHERE[step]()
            found = [row[0] for row in db.store().execute(where)]
        for clinic_id in found:
            with db.within(clinic_id), db.transaction():
                step()


def test_the_chain_of_no_clinic_is_sealed_told_of_and_verified_as_every_other(
    folder: Path, tally: Tally
) -> None:
    for kind in ("throttled", "token_refused"):
        tally.count("192.0.2.1", "v1", kind)
    refusals.write(tally.take(to_the_last=True))
    seal_all()
    assert checkpoints.file_of(folder, SYSTEM).exists()
    with inspecting.one_moment(config.settings().url) as connection:
        [report] = inspecting.inspect(connection, folder)
    assert (report.clinic_id, report.verdict.sealed, report.checkpoints) == (SYSTEM, 2, 1)
    assert (report.unsealed, report.verdict.tampering) == (0, [])
    with db.within(finding=True), db.transaction() as store:
        assert store.rows(seal.clinics_waiting(store)) == []
    with db.transaction() as store:
        spoil(store)
        [report] = inspecting.inspect(store.connection, folder)
        assert report.verdict.first() is not None
        db.leave_store()


def spoil(store: db.Store) -> None:
    """Let fewer have been refused: what only an owner of the tables can do."""
    if store.on_postgres:
        store.execute(text("ALTER TABLE audit_events DISABLE TRIGGER ALL"))
    else:
        store.execute(text("DROP TRIGGER audit_events_no_update"))
    store.execute(audit_events.update().values(field_names="times=0"))


def test_of_it_no_privacy_officer_sees_anything(scene: Scene, tally: Tally, address: str) -> None:
    tally.count(address, "v1", "throttled")
    refusals.write(tally.take(to_the_last=True))
    with db.transaction():
        found = audit_search.search_audit_events(scene["PR"].actor, Page(100))
    assert all(row["clinic_id"] == scene.clinic_id for row in found.items)
    with db.within(scene.clinic_id), db.transaction() as store:
        mine = select(func.count()).where(
            audit_events.c.clinic_id == scene.clinic_id, audit_events.c.client_ip == address
        )
        assert store.execute(mine).scalar_one() == 0


def test_they_are_told_by_address_door_and_kind_since_a_minute(
    app: Flask, tally: Tally, moved: Clock, address: str
) -> None:
    for minutes, kind in ((0, "throttled"), (0, "token_refused"), (1, "throttled")):
        moved.now = NOON + minutes * NEXT
        tally.count(address, "v1", kind)
        refusals.write(tally.take(to_the_last=True))
    found = {key: one for key, one in refusals.told(NOON).items() if key[0] == address}
    assert {key[2]: (one.times, one.first, one.last) for key, one in found.items()} == {
        "throttled": (2, MINUTE, "2026-11-25T12:01Z"),
        "token_refused": (1, MINUTE, MINUTE),
    }
    later = refusals.told(NOON + NEXT)
    assert [one.times for key, one in later.items() if key[0] == address] == [1]
    assert not [key for key in refusals.told(clock.now() + NEXT) if key[0] == address]


def test_the_operator_reads_them_from_the_shell(app: Flask, tally: Tally, address: str) -> None:
    for _ in range(7):
        tally.count(address, "v1", "wrong_credentials")
    refusals.write(tally.take(to_the_last=True))
    run = app.test_cli_runner().invoke
    told = run(args=["audit", "refusals", "--since", "2026-11-25"])
    [line] = [line for line in told.output.splitlines() if address in line]
    assert line.split() == ["7", "wrong_credentials", "v1", address, MINUTE, "to", MINUTE]
    assert run(args=["audit", "refusals", "--since", "yesterday"]).exit_code == 2
    assert run(args=["audit", "refusals"]).exit_code == 0
