"""The trail formula: its worked vectors, its thirteen properties, its stages and detours."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from api.core.integration import trail
from api.core.integration.trail import Detours, Params, Pause, Walk

DAY_ONE = date(2025, 3, 1)
DAY = timedelta(days=1)
SLACK = 1e-12  # rounding of doubles
VECTORS = json.loads((Path(__file__).parents[1] / "data" / "vectors.json").read_text())


def day(number: int) -> date:
    """The calendar day `number` days after the first."""
    return DAY_ONE + timedelta(days=number)


def walked(first: int, last: int, weight: float = 1.0) -> list[Walk]:
    """One step on each day from `first` to `last`."""
    return [Walk(day(n), weight) for n in range(first, last + 1)]


@dataclass(frozen=True)
class Log:
    """One practice's steps and rests, read on one day."""

    walks: list[Walk]
    pauses: list[Pause]
    on: date
    params: Params

    def strength(self, *more: Walk) -> float:
        """The strength with these steps, and some more."""
        return trail.strength([*self.walks, *more], self.pauses, self.on, self.params)

    def practised_on(self) -> list[date]:
        """The days up to the reading on which a step with a weight was logged."""
        return sorted({w.on for w in self.walks if w.weight and w.on <= self.on})


@st.composite
def rests(draw: st.DrawFn, open_ended: bool = True) -> list[Pause]:
    """Pauses that may overlap, be empty, or still be going on."""
    lengths = st.none() | st.integers(0, 60) if open_ended else st.integers(0, 60)
    spans = draw(st.lists(st.tuples(st.integers(-20, 200), lengths), max_size=4))
    return [Pause(day(s), None if n is None else day(s + n)) for s, n in spans]


days = st.integers(0, 150).map(day)
steps = st.builds(Walk, days, st.sampled_from([0.5, 1.0]))
walks = st.lists(st.builds(Walk, days, st.sampled_from([0.0, 0.5, 1.0])), max_size=60)
n95s, intervals = st.integers(18, 254), st.integers(1, 30)
params = st.builds(Params, n95=n95s, interval_days=st.none() | intervals)
readings = st.integers(0, 400).map(day)
logs = st.builds(Log, walks, rests(), readings, params)


def _is_paused(one: date, pauses: list[Pause]) -> bool:
    return any(p.from_on <= one and (p.to_on is None or one < p.to_on) for p in pauses)


def _active_days_later(start: date, count: int, pauses: list[Pause]) -> date:
    """The first day by which `count` unpaused days have passed; needs pauses that end."""
    while count:
        start += DAY
        count -= not _is_paused(start, pauses)
    return start


def _day_by_day(log: Log) -> float:
    """The published formula written differently: one calendar day after the other."""
    interval = 14 if log.params.interval_days is None else log.params.interval_days
    grace = 2 * interval + 1
    share = 1 - 0.05 ** (1 / log.params.n95)
    held, idle, current = 0.0, 0, DAY_ONE
    while current <= log.on:
        idle += not _is_paused(current, log.pauses)
        dose = min(1.0, sum(w.weight for w in log.walks if w.on == current))
        if dose:
            held = held * 0.5 ** (max(0, idle - grace) / (10 * grace))
            held, idle = 1 - (1 - held) * (1 - share) ** dose, 0
        current += DAY
    return held * float(0.5 ** (max(0, idle - grace) / (10 * grace)))


def _vector_walks(told: Any) -> list[Walk]:
    if isinstance(told, Mapping):
        return walked(told["daily_from"], told["daily_to"], told["weight"])
    return [Walk(day(one["day"]), one["weight"]) for one in told]


@pytest.mark.parametrize("vector", VECTORS["trail_strength"], ids=lambda v: v["description"])
def test_the_worked_vectors_come_out_to_six_places(vector: dict[str, Any]) -> None:
    p = Params(*(vector["params"][name] for name in ("n95", "interval", "cap")))
    found = trail.strength(_vector_walks(vector["logs"]), [], day(vector["as_of"]), p)
    assert round(found, 6) == vector["strength"]


@given(logs)
def test_1_strength_lies_from_0_to_below_1(log: Log) -> None:
    assert 0.0 <= log.strength() < 1.0
    assert replace(log, walks=[]).strength() == 0.0


def test_1_years_of_daily_practice_stay_below_1() -> None:
    assert trail.strength(walked(0, 2000), [], day(2000), Params(n95=18)) < 1.0


@given(logs, st.randoms(use_true_random=False))
def test_2_the_order_of_the_log_changes_nothing(log: Log, chance: Any) -> None:
    other = replace(log, walks=list(log.walks), pauses=list(log.pauses))
    chance.shuffle(other.walks)
    chance.shuffle(other.pauses)
    assert other.strength() == log.strength()


@given(logs, steps)
def test_3_one_more_step_never_lowers_a_later_day(log: Log, extra: Walk) -> None:
    assert log.strength(extra) >= log.strength() - SLACK


@given(logs, st.integers(0, 400))
def test_4_without_practice_it_never_rises(log: Log, wait: int) -> None:
    quiet = replace(log, walks=[w for w in log.walks if w.on <= log.on])
    assert replace(quiet, on=log.on + timedelta(days=wait)).strength() <= quiet.strength()


@given(logs, st.integers(0, 29), steps)
def test_4_it_is_flat_inside_the_grace(log: Log, rest: int, last: Walk) -> None:
    earlier = replace(log, walks=[w for w in log.walks if w.on < last.on], on=last.on)
    later = last.on + timedelta(days=min(rest, log.params.grace_days))
    assert replace(earlier, on=later).strength(last) == earlier.strength(last)


@given(logs, rests(open_ended=False), st.integers(0, 100))
def test_5_past_the_grace_it_halves_in_a_half_life(log: Log, pauses: list[Pause], n: int) -> None:
    last = max((w.on for w in log.walks if w.weight), default=DAY_ONE)
    start = _active_days_later(last, log.params.grace_days + n, pauses)
    end = _active_days_later(start, log.params.half_life_days, pauses)
    half = replace(log, pauses=pauses, on=start).strength() / 2
    assert replace(log, pauses=pauses, on=end).strength() == pytest.approx(half, abs=SLACK)


@given(params, rests(open_ended=False))
def test_6_n95_full_days_in_a_row_give_095(p: Params, pauses: list[Pause]) -> None:
    row = [_active_days_later(DAY_ONE, 1, pauses)]
    while len(row) < p.n95:
        row.append(_active_days_later(row[-1], 1, pauses))
    found = trail.strength([Walk(one, 1.0) for one in row], pauses, row[-1], p)
    assert found == pytest.approx(0.95, abs=1e-9)


@given(logs, steps)
def test_7_beyond_the_daily_cap_nothing_changes(log: Log, extra: Walk) -> None:
    full, half = Walk(extra.on, 1.0), Walk(extra.on, 0.5)
    assert log.strength(full, extra) == log.strength(full) == log.strength(half, half)


@given(logs, st.integers(1, 300), days)
def test_8_what_lies_ahead_or_weighs_nothing_is_ignored(log: Log, ahead: int, one: date) -> None:
    more = [*log.walks, Walk(log.on + timedelta(days=ahead), 1.0), Walk(one, 0.0)]
    for read in (trail.strength, trail.curve, trail.furthest_stage):
        known = read(log.walks, log.pauses, log.on, log.params)
        assert read(more, log.pauses, log.on, log.params) == known


@given(logs, n95s)
def test_9_fewer_repetitions_to_95_never_give_less(log: Log, other: int) -> None:
    quick, slow = sorted([log.params.n95, other])
    slower = replace(log, params=replace(log.params, n95=slow)).strength()
    assert replace(log, params=replace(log.params, n95=quick)).strength() >= slower - SLACK


@given(n95s, st.integers(1, 200), st.integers(1, 200))
def test_10_the_gain_of_a_step_is_at_most_a_and_shrinks(n95: int, one: int, other: int) -> None:
    def gain(count: int) -> float:
        before = trail.strength(walked(0, count - 1), [], day(count - 1), Params(n95))
        return trail.strength(walked(0, count), [], day(count), Params(n95)) - before

    fewer, more = gain(min(one, other)), gain(max(one, other))
    assert more - SLACK <= fewer <= 1 - 0.05 ** (1 / n95) + SLACK


@given(logs)
def test_11_a_fold_over_the_calendar_gives_the_same(log: Log) -> None:
    assert log.strength() == pytest.approx(_day_by_day(log), abs=1e-9)


@given(logs)
def test_11_every_point_of_the_curve_is_the_strength_of_that_day(log: Log) -> None:
    points = trail.curve(log.walks, log.pauses, log.on, log.params)
    assert [point.on for point in points] == sorted({*log.practised_on(), log.on})
    assert all(replace(log, on=point.on).strength() == point.strength for point in points)


@given(logs, steps)
def test_11_a_deleted_step_was_never_there(log: Log, extra: Walk) -> None:
    corrected = replace(log, walks=[*log.walks, extra])
    corrected.strength()
    corrected.walks.remove(extra)
    assert corrected.strength() == log.strength()


zones = st.sampled_from(["Pacific/Kiritimati", "America/Los_Angeles", "Europe/Berlin", "UTC"])
moments = st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@given(moments, zones)
def test_12_the_day_is_the_patients_own(at: datetime, zone: str) -> None:
    own = trail.local_day(at, zone)
    assert own == trail.local_day(at.astimezone(ZoneInfo("Asia/Tokyo")), zone)
    ends = [datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(zone)) for d in (own, own + DAY)]
    assert ends[0] <= at < ends[1]


def test_12_two_evening_steps_across_utc_midnight_share_a_day() -> None:
    evening = [datetime(2025, 7, d, h, 30, tzinfo=UTC) for d, h in ((2, 23), (3, 1))]
    assert {trail.local_day(at, "America/Denver") for at in evening} == {date(2025, 7, 2)}


@given(logs, intervals, intervals)
def test_13_a_longer_interval_never_gives_less(log: Log, one: int, other: int) -> None:
    often, rarely = (replace(log.params, interval_days=n) for n in sorted([one, other]))
    assert replace(log, params=rarely).strength() >= replace(log, params=often).strength() - SLACK


@given(logs, rests())
def test_a_pause_never_lowers_the_trail(log: Log, more: list[Pause]) -> None:
    assert replace(log, pauses=[*log.pauses, *more]).strength() >= log.strength() - SLACK


def test_the_trail_stands_still_while_the_practice_rests() -> None:
    log, rest = walked(0, 65), Pause(day(66), day(500))
    assert round(trail.strength(log, [Pause(day(66))], day(9999)), 6) == 0.95
    found = [round(trail.strength(log, [rest], day(n)), 6) for n in (499, 502, 532)]
    assert found == [0.95, 0.95, 0.475]


@given(logs)
def test_waiting_for_a_cue_is_reckoned_as_a_fortnight(log: Log) -> None:
    cued, fortnight = Params(interval_days=None), Params(interval_days=14)
    assert replace(log, params=cued).strength() == replace(log, params=fortnight).strength()


def test_the_curve_stays_bounded_and_keeps_its_ends() -> None:
    points = trail.curve(walked(0, 1499), [], day(1600))
    assert len({point.on for point in points}) == len(points) == trail.CURVE_POINTS
    assert (points[0].on, points[-1].on) == (day(0), day(1600))
    assert points[-1].strength == trail.strength(walked(0, 1499), [], day(1600))


def test_each_stage_starts_where_the_one_before_ends() -> None:
    strengths = [0.0, 0.1499, 0.15, 0.4999, 0.5, 0.7999, 0.8, 0.99]
    names = [name for name in ("footprints", "track", "path", "familiar_trail") for _ in (0, 1)]
    assert [trail.stage(one, any_steps=True) for one in strengths] == names


def test_no_stage_is_named_before_a_step_with_a_weight_is_logged() -> None:
    log = [Walk(day(0), 0.0), Walk(day(9), 1.0)]
    assert [trail.steps_logged(log, day(n)) for n in (5, 9)] == [False, True]
    assert [trail.furthest_stage(log, [], day(n)) for n in (5, 9)] == [None, "footprints"]
    assert trail.stage(0.0, any_steps=False) is None


def test_the_furthest_stage_outlasts_the_decay() -> None:
    log = walked(0, 65)
    assert trail.stage(trail.strength(log, [], day(400)), any_steps=True) == "footprints"
    assert [trail.furthest_stage(log, [], day(n)) for n in (20, 400)] == ["path", "familiar_trail"]


def test_a_detour_is_counted_with_the_days_until_the_return() -> None:
    log = [Walk(day(1), 1.0), Walk(day(6), 0.5), Walk(day(4), 0.0), Walk(day(30), 1.0)]
    taken = [day(8), day(1), day(3), day(40)]
    assert trail.detours(taken, log, day(9)) == Detours(3, day(8), 4.0)
    assert trail.detours(taken, log, day(31)) == Detours(3, day(8), 5.0)
    assert trail.detours([day(8)], log, day(9)) == Detours(1, day(8), None)
    assert trail.detours([], log, day(9)) == Detours(0, None, None)


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="weighs"):
        Walk(DAY_ONE, 0.01)
    with pytest.raises(ValueError, match="offset"):
        trail.local_day(datetime(2025, 7, 2), "UTC")
    for wrong in ((17, 1, 1.0), (255, 1, 1.0), (66, 0, 1.0), (66, 1, 0.0)):
        with pytest.raises(ValueError):
            Params(*wrong)
