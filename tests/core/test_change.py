"""Change: worked vectors, and what must hold for whatever two totals there are."""

import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from api.core.outcomes import change
from api.core.outcomes.change import Point, Rules, baseline_of, jacobson_truax, rules_of
from api.core.outcomes.instruments.catalogue import catalogue, instrument

DATA = json.loads((Path(__file__).parents[1] / "data" / "change.json").read_text())
KEYS = sorted(catalogue())
TOTALS = st.integers(0, 100)
RULED = [key for key in KEYS if rules_of(instrument(key).definition).reliable is not None]


def rules(key: str) -> Rules:
    return rules_of(instrument(key).definition)


def judged(key: str, baseline: float | None, current: float | None) -> dict[str, Any]:
    return change.change(rules(key), baseline, current)


def verdict(told: dict[str, Any], name: str) -> Any:
    return told[name]["verdict"]


@pytest.mark.parametrize("one", DATA["outcomes"], ids=lambda v: f"{v['instrument']}-{v['current']}")
def test_the_worked_outcomes_come_out(one: dict[str, Any]) -> None:
    told, expected = judged(one["instrument"], one["baseline"], one["current"]), one["expected"]
    assert told["difference"] == expected["change"]
    assert told["improvement"] == expected["improvement"]
    assert verdict(told, "minimal_important") == expected["mcid_met"]
    for name in ("reliable", "response", "remission"):
        assert verdict(told, name) == expected[name], name


@pytest.mark.parametrize("one", DATA["reliable_change_index"])
def test_the_worked_indices_come_out(one: dict[str, Any]) -> None:
    s_diff, critical = jacobson_truax(one["sd"], one["r"])
    index = (one["post"] - one["pre"]) / s_diff
    if one["instrument"] == "phq-9":
        told = judged("phq-9", one["pre"], one["post"])["reliable"]["parameters"]
        assert told["index"] == one["rci"]
    assert (round(s_diff, 4), round(critical, 4)) == (one["s_diff"], one["critical"])
    assert round(index, 4) == one["rci"]
    assert (abs(index) > change.RCI_LIMIT) == one["reliable"]


def test_nine_to_four_is_a_response_and_a_remission_and_not_reliable() -> None:
    told = judged("phq-9", 9, 4)
    assert verdict(told, "response") is verdict(told, "remission") is True
    assert verdict(told, "minimal_important") is True
    assert verdict(told, "reliable") == "no_reliable_change"
    assert verdict(told, "deterioration") is False


def test_each_verdict_comes_with_what_it_was_judged_by_and_its_source() -> None:
    told = judged("phq-9", 18, 3)
    reliable = told["reliable"]["parameters"]
    assert {name: reliable[name] for name in ("points", "method", "sd", "reliability")} == {
        "points": 6,
        "method": "jacobson_truax",
        "sd": 5.5,
        "reliability": 0.89,
    }
    assert (reliable["reliability_kind"], reliable["critical"]) == ("alpha", 5.0563)
    assert reliable["index"] == -5.8146
    assert "Talking Therapies" in reliable["sd_source"]
    assert told["response"]["parameters"]["share_at_least"] == 0.5
    assert told["response"]["parameters"]["share"] == 0.8333
    assert told["remission"]["parameters"]["op"] == "<"
    assert told["remission"]["parameters"]["value"] == 5
    assert all(told[name]["parameters"]["source"] for name in change.VERDICTS)


@pytest.mark.parametrize("key", KEYS)
def test_the_rules_of_every_instrument_can_be_read(key: str) -> None:
    told = judged(key, 20, 10)
    for name in change.VERDICTS:
        known = told[name]["parameters"] != {}
        assert told[name]["reason"] == (None if known else "no_published_rule")


@pytest.mark.parametrize(
    ("change_rules", "what"),
    [
        ({"remission": {"rule": "less than five"}}, "remission"),
        ({"response": {"rule": "much better"}}, "response"),
    ],
)
def test_a_rule_that_can_not_be_read_is_told_at_once(change_rules: Any, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        rules_of({"higher_is": "worse", "change": change_rules})


def test_without_a_rule_a_baseline_or_a_later_check_in_there_is_a_reason_and_no_verdict() -> None:
    assert judged("gad-2", 4, 1)["reliable"] == {
        "verdict": None,
        "parameters": {},
        "reason": "no_published_rule",
    }
    assert {judged("phq-9", None, 4)[n]["reason"] for n in change.VERDICTS} == {"no_baseline"}
    alone = judged("phq-9", 12, None)
    assert {alone[n]["reason"] for n in change.VERDICTS} == {"no_later_check_in"}
    assert alone["difference"] is alone["improvement"] is None
    zero = judged("phq-9", 0, 3)["response"]
    assert (zero["verdict"], zero["reason"]) == (None, "baseline_is_zero")


def test_a_response_may_be_told_in_points() -> None:
    assert verdict(judged("isi", 20, 12), "response") is True
    assert verdict(judged("isi", 20, 13), "response") is False


@given(st.sampled_from(KEYS), TOTALS, TOTALS)
def test_a_verdict_and_a_reason_exclude_each_other(key: str, before: int, after: int) -> None:
    told = judged(key, before, after)
    for name in change.VERDICTS:
        assert (told[name]["verdict"] is None) == (told[name]["reason"] is not None)
        assert told[name]["reason"] is None or told[name]["reason"] in change.REASONS


@given(st.sampled_from(KEYS), TOTALS, TOTALS)
def test_there_and_back_again_is_no_change(key: str, before: int, after: int) -> None:
    there, back = judged(key, before, after), judged(key, after, before)
    assert there["difference"] == -back["difference"]
    assert there["improvement"] == -back["improvement"]
    turned = {"improved": "deteriorated", "deteriorated": "improved"}
    said = verdict(there, "reliable")
    assert verdict(back, "reliable") == turned.get(said, said)


@given(st.sampled_from(RULED), TOTALS, TOTALS)
def test_deterioration_is_a_reliable_change_for_the_worse(key: str, a: int, b: int) -> None:
    told = judged(key, a, b)
    assert verdict(told, "deterioration") == (verdict(told, "reliable") == "deteriorated")
    assert not (verdict(told, "deterioration") and told["improvement"] > 0)


@given(st.sampled_from(["phq-9", "gad-7"]), st.integers(0, 27), st.integers(0, 27))
def test_the_threshold_in_points_is_the_index_beyond_its_limit(key: str, a: int, b: int) -> None:
    told = judged(key, a, b)["reliable"]
    beyond = abs(told["parameters"]["index"]) > change.RCI_LIMIT
    assert beyond == (told["verdict"] != "no_reliable_change")


@given(st.sampled_from(KEYS), TOTALS, TOTALS, st.integers(1, 20))
def test_to_be_better_still_never_takes_a_good_verdict_away(
    key: str, before: int, after: int, more: int
) -> None:
    better = after + more if rules(key).higher_is == "better" else after - more
    now, then = judged(key, before, after), judged(key, before, better)
    for name in ("minimal_important", "response", "remission"):
        assert not verdict(now, name) or verdict(then, name)
    if verdict(now, "reliable") == "improved":
        assert verdict(then, "reliable") == "improved"


def point(number: int, day: date, total: int = 10, at: time = time(18)) -> Point:
    return Point(number, datetime.combine(day, at, UTC), day, total)


DOSE_ON = date(2026, 11, 5)
DOSE_AT = datetime(2026, 11, 5, 16, tzinfo=UTC)


def before(days: int) -> date:
    return DOSE_ON - timedelta(days=days)


def test_the_baseline_is_the_last_before_the_first_dose_if_it_is_at_most_14_days_old() -> None:
    points = [point(1, before(40)), point(2, before(14)), point(3, before(1)), point(4, DOSE_ON)]
    assert baseline_of(points, DOSE_AT, DOSE_ON) == (points[2], "before_first_dose")
    assert baseline_of(points[:2], DOSE_AT, DOSE_ON) == (points[1], "before_first_dose")


def test_else_the_baseline_is_the_intake() -> None:
    old = [point(1, before(40)), point(2, before(15)), point(3, before(-3))]
    assert baseline_of(old, DOSE_AT, DOSE_ON) == (old[0], "intake")
    assert baseline_of(old, None, None) == (old[0], "intake")
    assert baseline_of([], DOSE_AT, DOSE_ON) is None


def test_what_was_answered_on_the_day_counts_if_it_was_before_the_dose() -> None:
    morning = point(1, DOSE_ON, at=time(15, 59))
    assert baseline_of([morning], DOSE_AT, DOSE_ON) == (morning, "before_first_dose")
    evening = point(1, DOSE_ON, at=time(16))
    assert baseline_of([evening], DOSE_AT, DOSE_ON) == (evening, "intake")


@given(st.lists(st.integers(-60, 60), unique=True), st.booleans())
def test_a_baseline_is_one_of_the_points_and_the_rule_says_which(
    days: list[int], dosed: bool
) -> None:
    points = [point(day, DOSE_ON + timedelta(days=day)) for day in sorted(days)]
    dose = (DOSE_AT, DOSE_ON) if dosed else (None, None)
    chosen = baseline_of(points, *dose)
    if chosen is None:
        assert points == []
    elif chosen[1] == "before_first_dose":
        later = [p for p in points if chosen[0].answered_at < p.answered_at < DOSE_AT]
        assert -14 <= chosen[0].id <= 0 and later == []
    else:
        assert chosen[0] == points[0]
        assert not dosed or not any(-14 <= p.id < 0 for p in points)
