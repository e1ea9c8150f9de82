"""Monitoring: each reading counts for one point, and each point is due, done, late or missed."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from api import clock, db
from api.core.treatment import dosing
from api.core.treatment.dosing.monitoring import DONE, MISSED, STATES, monitoring_told, slots
from api.core.treatment.protocols import shipped
from tests.builders import Scene
from tests.core.dosing import (
    PROTOCOL,
    WHOLE,
    agreed,
    dose as give,
    entry,
    planned,
    under_way,
    vitals as measure,
)

AT = datetime(2026, 11, 25, 16, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SPRAY = shipped()["esketamine_intranasal"]
SESSION = {"id": "s", "completed_at": None, "closed_at": None}


def at(minute: float) -> datetime:
    """So many minutes after the dose."""
    return AT + minute * MINUTE


def a_dose(minute: float = 0, sequence: int = 1) -> db.Values:
    content = {"dose_mg": 60, "medicine": "ketamine", "route": "intramuscular"}
    return entry(sequence, "dose", at(minute), **content)


def read(minute: float, sequence: int = 2, **more: Any) -> db.Values:
    """A whole reading, or the one that is given."""
    return entry(sequence, "vitals", at(minute), **(more or WHOLE))


def told(
    *entries: db.Values, now: float, protocol: Any = PROTOCOL, ended: float | None = None
) -> db.Values:
    """The monitoring of a session so many minutes after its dose."""
    session = SESSION | {"completed_at": None if ended is None else at(ended)}
    return monitoring_told(session, entries, protocol, at(now))


def states(monitoring: db.Values) -> list[tuple[str, int | None, str]]:
    """Code, minute and state of each point."""
    return [(p["code"], p["minute"], p["state"]) for p in monitoring["points"]]


def test_before_any_dose_the_baseline_is_due_and_nothing_else_is_known() -> None:
    assert states(told(now=-30)) == [("baseline", None, "due")]
    assert states(told(read(-40), now=-30)) == [("baseline", None, "done")]
    assert states(told(read(-91), now=-30)) == [("baseline", None, "due")]
    empty = told(now=-30)
    assert empty["first_dose_at"] is None and empty["minutes_since_dose"] is None
    assert empty["observation"] == {"minutes": 60, "until_at": None, "met": False}


def test_the_schedule_runs_every_fifteen_minutes_then_every_thirty_until_discharge() -> None:
    found = told(a_dose(), now=200, ended=200)
    after = [p["minute"] for p in found["points"] if p["when"] == "after_dose"]
    assert after == [15, 30, 45, 60, 90, 120, 150, 180]
    open_ended = told(a_dose(), now=100)
    minutes = [p["minute"] for p in open_ended["points"] if p["when"] == "after_dose"]
    assert minutes == [15, 30, 45, 60, 90, 120]


def test_a_point_opens_is_due_is_late_and_is_missed_when_the_next_one_is_nearer() -> None:
    seen = [
        next(state for code, minute, state in states(told(a_dose(), now=now)) if minute == 30)
        for now in (22, 23, 30, 35, 36, 37.4, 37.5)
    ]
    assert seen == ["upcoming", "due", "due", "due", "late", "late", "missed"]


def test_a_reading_after_the_grace_is_done_and_says_how_late_it_was() -> None:
    for minute, late_by in ((8, None), (20, None), (21, 6)):
        found = told(a_dose(), read(minute), now=60)
        (point,) = (p for p in found["points"] if p["minute"] == 15)
        assert (point["state"], point["late_by_min"]) == ("done", late_by)
        assert point["done_at"] == at(minute) and point["sequences"] == [2]


def test_a_point_is_done_once_everything_it_needs_was_measured() -> None:
    pressure = {"systolic_mmhg": 120, "diastolic_mmhg": 80}
    part = read(14, 2, **pressure)
    rest = read(16, 3, heart_rate_bpm=70, spo2_percent=98)
    (half,) = (p for p in told(a_dose(), part, now=15)["points"] if p["minute"] == 15)
    assert half["state"] == "due" and half["missing"] == ["heart_rate_bpm", "spo2_percent"]
    (whole,) = (p for p in told(a_dose(), part, rest, now=17)["points"] if p["minute"] == 15)
    assert (whole["state"], whole["done_at"], whole["sequences"]) == ("done", at(16), [2, 3])


def test_each_dose_begins_the_schedule_anew_and_ends_the_one_before() -> None:
    found = told(a_dose(), a_dose(20, 2), now=40)
    due = [p["due_at"] for p in found["points"] if p["when"] == "after_dose"]
    assert due == [at(minute) for minute in (15, 35, 50, 65, 80, 110)]
    assert found["observation"]["until_at"] == at(80)
    assert found["doses"] == {"count": 2, "total_mg": 120}


def test_esketamine_is_read_after_forty_minutes_and_before_leaving_after_two_hours() -> None:
    after = (read(41, 2), read(121, 3))
    found = told(a_dose(), read(-5, 4), *after, now=130, protocol=SPRAY)
    assert states(found) == [
        ("baseline", None, "done"),
        ("minute_40", 40, "done"),
        ("discharge", 120, "done"),
    ]
    assert found["observation"]["met"] and found["next_due"] is None
    early = told(a_dose(), read(41), now=119, protocol=SPRAY)
    assert states(early)[-1] == ("discharge", 120, "upcoming")
    assert not early["observation"]["met"]


def test_what_was_not_measured_before_the_dose_or_before_leaving_was_missed() -> None:
    found = told(a_dose(), now=200, ended=90, protocol=SPRAY)
    assert [state for _, _, state in states(found)] == [MISSED, MISSED, MISSED]
    assert not found["observation"]["met"]


def test_a_reading_that_was_corrected_counts_for_nothing() -> None:
    slip = read(15) | {"superseded_by": "x"}
    (point,) = (p for p in told(a_dose(), slip, now=60)["points"] if p["minute"] == 15)
    assert point["state"] == MISSED


def test_every_judgement_is_told_with_its_entry_even_of_what_no_longer_stands() -> None:
    judged = [{"rule": "systolic_alert", "code": "threshold"}]
    slip = read(15) | {"superseded_by": "x", "judgements": judged}
    (one,) = told(a_dose(), slip, now=60)["judgements"]
    assert (one["sequence"], one["superseded"], one["rule"]) == (2, True, "systolic_alert")


@given(
    st.lists(st.integers(0, 240), min_size=1, max_size=3, unique=True),
    st.lists(st.floats(-70, 300), max_size=20),
    st.integers(0, 300),
    st.one_of(st.none(), st.integers(241, 320)),
    st.sampled_from(sorted(set(shipped()) - {"ketamine"})),
)
def test_no_reading_counts_twice_after_a_dose_and_every_point_is_in_one_state(
    doses: list[int], readings: list[float], now: int, ended: int | None, key: str
) -> None:
    protocol = shipped()[key]
    given_doses = [a_dose(minute, n) for n, minute in enumerate(sorted(doses), start=1)]
    taken = [read(minute, n) for n, minute in enumerate(readings, start=10)]
    found = told(*given_doses, *taken, now=now, ended=ended, protocol=protocol)
    after = [p for p in found["points"] if p["when"] == "after_dose"]
    used = Counter(n for p in after for n in p["sequences"])
    assert all(times == 1 for times in used.values())
    assert all(p["state"] in STATES for p in found["points"])
    assert sum(found["counts"].values()) == len(found["points"])
    assert all((p["state"] == DONE) == (p["missing"] == []) for p in found["points"])
    due = [p["due_at"] for p in after]
    assert due == sorted(due)
    if ended is not None and now >= ended:
        assert {p["state"] for p in found["points"]} <= {DONE, MISSED}


@given(st.lists(st.integers(0, 400), min_size=1, max_size=3, unique=True), st.integers(0, 500))
def test_the_points_after_a_dose_share_out_the_time_without_overlap(
    doses: list[int], now: int
) -> None:
    times = [at(minute) for minute in sorted(doses)]
    shared = [
        slot for slot in slots(PROTOCOL, times, at(now), None) if slot.point.when == "after_dose"
    ]
    for one, following in zip(shared, shared[1:], strict=False):
        assert one.ends_at is not None and following.opens_at is not None
        assert one.ends_at <= following.opens_at
    assert all(s.opens_at <= s.due_at for s in shared)  # type: ignore[operator]


@given(st.lists(st.floats(-60, 100), max_size=8), st.integers(0, 100), st.floats(-60, 100))
def test_one_more_reading_never_undoes_what_was_done(
    readings: list[float], now: int, more: float
) -> None:
    there = [a_dose(), *(read(minute, n) for n, minute in enumerate(readings, start=2))]
    before, after = told(*there, now=now), told(*there, read(more, 99), now=now)
    was, then = (
        {(p["code"], p["minute"]) for p in each["points"] if p["state"] == DONE}
        for each in (before, after)
    )
    assert was <= then


def test_a_session_is_watched_by_the_protocol_of_its_route(scene: Scene) -> None:
    session = under_way(scene)
    actor = scene["CT"].actor
    agreed(scene)
    planned(scene, session, route="sublingual", dose_mg=100.0)
    measure(scene, session, 5)
    give(scene, session, 10, route="sublingual", dose_mg=100.0)
    measure(scene, session, 42)
    found = dosing.read_monitoring(actor, session["id"])
    assert found["protocol"]["key"] == "ketamine_sublingual"
    assert [(p["minute"], p["state"]) for p in found["points"]] == [
        (None, "done"),
        (30, "done"),
        (60, "missed"),
        (90, "late"),
        (90, "due"),
    ]
    assert found["minutes_since_dose"] in (169, 170)
    assert found["judgements"] == [] and found["last_dose_at"] < clock.now()


@pytest.mark.parametrize("key", sorted(shipped()))
def test_a_shipped_protocol_names_where_its_numbers_come_from(key: str) -> None:
    one = shipped()[key]
    assert one.citation and one.owner and one.basis and one.effective_from and one.review_on
