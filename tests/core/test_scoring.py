"""Scoring: the worked vectors, and what must hold for any answers."""

import csv
import json
import random
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, strategies as st

from api.core.outcomes.instruments import catalogue as shelf
from api.core.outcomes.instruments.catalogue import instrument
from api.core.outcomes.instruments.definition import SEXES, Instrument, sex_of
from api.core.outcomes.instruments.methods import TIER
from api.core.outcomes.instruments.scoring import BadAnswer, safety_signals, score
from api.errors import NotFound

HERE = Path(__file__).parent
DATA = HERE.parent / "data"
SURVEY = HERE.parents[1] / "api" / "demo" / "survey-phq9-gad7.csv"
VECTORS = json.loads((DATA / "vectors.json").read_text())["scoring"]
FIXTURE = shelf.read_instrument(DATA / "x-fixture-reverse.json")
ALL = {**shelf.catalogue(), FIXTURE.key: FIXTURE}
TOTALLED = [one for one in ALL.values() if one.scoring.lowest is not None]
STEADY = [one for one in TOTALLED if not any(item.asked_when for item in one.items)]
"""Where an answer replaces nothing that was taken for granted of a question that was not put."""
Answers = dict[str, Any]
Form = tuple[Instrument, Answers]


def _full(key: str, value: int = 0) -> Answers:
    return {item.link_id: value for item in ALL[key].scored_items}


@st.composite
def filled(draw: st.DrawFn, among: list[Instrument] = TOTALLED) -> Form:
    """An instrument with some items answered, some left open and some not reached."""
    one = draw(st.sampled_from(among))
    answers: Answers = {}
    for item in one.items:
        said = draw(st.sampled_from([*sorted(item.values), *sorted(item.values), None, "absent"]))
        if said != "absent":
            answers[item.link_id] = said
    return one, answers


@pytest.mark.parametrize(
    ("key", "vector"),
    [pytest.param(key, v, id=v["id"]) for key, many in VECTORS.items() for v in many],
)
def test_the_worked_vectors_come_out_whole(key: str, vector: dict[str, Any]) -> None:
    expected, sex = vector["expected"], vector.get("context", {}).get("sex", "unknown")
    if expected["status"] == "invalid":
        with pytest.raises(BadAnswer) as refused:
            score(ALL[key], vector["answers"])
        assert f"{refused.value.code}:{refused.value.link_id}" == expected["error"]
    else:
        found = score(ALL[key], vector["answers"], sex)
        assert {name: found[name] for name in expected} == expected
        beside = {name for name in set(found) - set(expected) if found[name] is not None}
        assert beside <= ({"answered", "missing"} if ALL[key].scoring.method == TIER else set())


@given(filled())
def test_a_total_lies_within_the_bounds_and_the_range(form: Form) -> None:
    one, answers = form
    found = score(one, answers)
    low, high = found["min_possible"], found["max_possible"]
    assert one.scoring.lowest <= low <= high <= one.scoring.highest
    assert found["answered"] + found["missing"] == len(one.scored_items)
    assert (found["total"] is None) == (found["missing"] > 0) == (found["band"] is None)
    if found["total"] is not None:
        assert found["total"] == low == high


@given(filled(STEADY), st.data())
def test_one_more_answer_never_widens_the_bounds(form: Form, data: st.DataObject) -> None:
    one, answers = form
    item = data.draw(st.sampled_from(one.scored_items))
    before = score(one, answers | {item.link_id: None})
    after = score(one, answers | {item.link_id: data.draw(st.sampled_from(sorted(item.values)))})
    assert before["min_possible"] <= after["min_possible"]
    assert before["max_possible"] >= after["max_possible"]


@given(filled(STEADY), st.data())
def test_a_certain_flag_stays_whatever_is_answered_next(form: Form, data: st.DataObject) -> None:
    one, answers = form
    item = data.draw(st.sampled_from(one.scored_items))
    before = score(one, answers | {item.link_id: None})["flags"]
    value = data.draw(st.sampled_from(sorted(item.values)))
    after = score(one, answers | {item.link_id: value})["flags"]
    assert set(before) - {"safety_item_unanswered"} <= set(after)


@given(filled(list(ALL.values())), st.randoms(use_true_random=False))
def test_the_order_of_the_answers_changes_nothing(form: Form, chance: random.Random) -> None:
    one, answers = form
    pairs = list(answers.items())
    chance.shuffle(pairs)
    assert score(one, dict(pairs)) == score(one, answers)


@given(filled(list(ALL.values())))
def test_left_open_and_not_reached_are_both_missing(form: Form) -> None:
    one, answers = form
    said = {link_id: value for link_id, value in answers.items() if value is not None}
    left_open = {item.link_id: said.get(item.link_id) for item in one.items}
    assert score(one, said) == score(one, left_open) == score(one, answers)


@given(st.lists(st.integers(0, 4), min_size=5, max_size=5))
def test_turning_every_answer_round_turns_the_total_round(given_values: list[int]) -> None:
    ids = [item.link_id for item in FIXTURE.items]
    there = score(FIXTURE, dict(zip(ids, given_values, strict=True)))
    back = score(FIXTURE, dict(zip(ids, [4 - v for v in given_values], strict=True)))
    assert there["total"] + back["total"] == 20


@given(filled())
def test_a_total_is_prorated_only_within_the_limit(form: Form) -> None:
    one, answers = form
    found = score(one, answers)
    allowed = 0 < found["missing"] <= one.scoring.prorate_max_missing
    assert (found["prorated_total"] is not None) == allowed
    assert (found["prorated_band"] is not None) == allowed
    if allowed:
        assert found["min_possible"] <= found["prorated_total"] <= found["max_possible"]


@given(filled())
def test_flags_say_what_is_certain(form: Form) -> None:
    one, answers = form
    found = score(one, answers)
    assert found["flags"] == sorted(set(found["flags"]))
    for cutoff in one.cutoffs:
        low, high = found["min_possible"], found["max_possible"]
        certain = low >= cutoff.value if cutoff.op == ">=" else high <= cutoff.value
        assert (cutoff.flag in found["flags"]) == certain
    for rule in safety_signals(one, answers):
        assert rule.flag in found["flags"]


@given(st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=9, max_size=9))
def test_item_9_speaks_whatever_the_total(given_values: list[int | None]) -> None:
    answers = {f"phq9-{n}": value for n, value in enumerate(given_values, 1)}
    flags = set(score(ALL["phq-9"], answers)["flags"])
    item_9 = given_values[8]
    assert ("suicidality_item_positive" in flags) == (item_9 is not None and item_9 >= 1)
    assert ("suicidality_item_high" in flags) == (item_9 is not None and item_9 >= 2)
    assert ("safety_item_unanswered" in flags) == (item_9 is None)


def test_the_student_survey_gives_its_published_figures() -> None:
    with SURVEY.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    phq, gad = ([_survey_score(row, ALL[key]) for row in rows] for key in ("phq-9", "gad-7"))
    assert len(rows) == 223
    assert round(fmean(found["total"] for found in phq), 6) == 8.825112
    assert round(fmean("phq9_screen_positive" in found["flags"] for found in phq), 6) == 0.358744
    assert round(fmean(found["total"] for found in gad), 6) == 5.748879
    assert sum("suicidality_item_positive" in found["flags"] for found in phq) == 65


def _survey_score(row: dict[str, str], one: Instrument) -> dict[str, Any]:
    return score(one, {i.link_id: int(row[i.link_id.replace("-", "_")]) for i in one.scored_items})


@pytest.mark.parametrize("value", [True, False, 1.0, "1", [1], {}, float("nan"), -1, 4, 99])
def test_only_a_listed_whole_number_is_an_answer(value: object) -> None:
    with pytest.raises(BadAnswer) as refused:
        score(ALL["gad-7"], _full("gad-7") | {"gad7-3": value})
    code = "value-not-in-list" if type(value) is int else "value-not-an-integer"
    assert (refused.value.link_id, refused.value.code) == ("gad7-3", code)


def test_an_item_of_another_form_is_refused_even_unanswered() -> None:
    with pytest.raises(BadAnswer, match="unknown-item:phq9-1"):
        score(ALL["gad-7"], _full("gad-7") | {"phq9-1": None})


def test_a_refused_form_names_every_reason_and_still_speaks_of_danger() -> None:
    answers = _full("phq-9") | {"phq9-9": 3, "phq9-2": 7, "phq9-1": "0", "other": 1}
    with pytest.raises(BadAnswer) as refused:
        score(ALL["phq-9"], answers)
    assert refused.value.problems == (
        ("phq9-1", "value-not-an-integer"),
        ("phq9-2", "value-not-in-list"),
        ("other", "unknown-item"),
    )
    assert [signal.priority for signal in refused.value.signals] == ["same_day", "immediate"]


def test_an_unreadable_safety_answer_counts_as_unanswered() -> None:
    with pytest.raises(BadAnswer) as refused:
        score(ALL["phq-9"], _full("phq-9") | {"phq9-9": "3"})
    assert [signal.flag for signal in refused.value.signals] == ["safety_item_unanswered"]


def test_the_difficulty_question_is_asked_but_not_scored() -> None:
    answers = _full("phq-9", 1)
    assert score(ALL["phq-9"], answers | {"phq9-difficulty": 3}) == score(ALL["phq-9"], answers)


def test_an_empty_form_says_nothing_but_that_it_is_empty() -> None:
    found = score(ALL["phq-9"], {})
    assert (found["answered"], found["missing"], found["prorated_total"]) == (0, 9, None)
    assert found["flags"] == ["safety_item_unanswered"]


def test_the_catalogue_is_read_once_and_knows_what_it_lacks() -> None:
    assert shelf.catalogue() is shelf.catalogue()
    assert {"phq-9", "gad-7"} <= set(shelf.catalogue())
    with pytest.raises(NotFound):
        instrument("phq-10")


def test_a_threshold_may_depend_on_the_sex_and_the_unknown_get_the_lower() -> None:
    three = {"auditc-1": 1, "auditc-2": 1, "auditc-3": 1}
    bands = {sex: score(ALL["audit-c"], three, sex)["band"] for sex in SEXES}
    assert bands == {"female": "positive", "male": "negative", "unknown": "positive"}
    assert [sex_of(said) for said in ("female", "intersex", None)] == ["female"] + ["unknown"] * 2


def test_a_question_that_was_rightly_not_put_counts_what_it_must() -> None:
    never = score(ALL["audit-c"], {"auditc-1": 0, "auditc-2": None})
    assert (never["status"], never["answered"], never["total"]) == ("complete", 3, 0)
    unknown = score(ALL["audit-c"], {"auditc-2": 1})
    assert (unknown["missing"], unknown["min_possible"], unknown["max_possible"]) == (2, 1, 9)


def test_a_screen_that_ends_in_a_tier_is_never_a_sum() -> None:
    every_yes = {item.link_id: 1 for item in ALL["c-ssrs-screener"].items}
    found = score(ALL["c-ssrs-screener"], every_yes)
    assert (found["tier"], found["total"], found["max_possible"]) == ("high", None, None)


@pytest.mark.parametrize(
    ("yes", "no", "tier", "upper", "missing"),
    [
        ("", "", "none", "high", 3),
        ("1", "26", "low", "low", 0),
        ("2", "16", "low", "high", 3),
        ("2", "13456", "low", "low", 0),
        ("123", "456", "moderate", "moderate", 0),
        ("5", "126", "high", "high", 0),
        ("6", "12", "moderate", "high", 1),
        ("67", "12", "high", "high", 0),
        ("", "1267", "none", "none", 0),
        ("", "127", "none", "moderate", 1),
        ("", "13456", "none", "low", 1),
    ],
)
def test_the_tier_is_of_what_was_answered_and_its_upper_of_the_worst(
    yes: str, no: str, tier: str, upper: str, missing: int
) -> None:
    ids = {str(item.number): item.link_id for item in ALL["c-ssrs-screener"].items}
    answers = {ids[n]: 1 for n in yes} | {ids[n]: 0 for n in no}
    found = score(ALL["c-ssrs-screener"], answers)
    assert (found["tier"], found["tier_upper"], found["missing"]) == (tier, upper, missing)


def test_a_conclusion_is_open_only_where_the_missing_answers_could_change_it() -> None:
    answers = _full("pcl-5", 2)
    clear = score(ALL["pcl-5"], answers | {"pcl5-1": None, "pcl5-20": None})
    assert clear["provisional_ptsd"] is True
    none = score(ALL["pcl-5"], answers | {"pcl5-6": 0, "pcl5-7": 0, "pcl5-20": None})
    assert none["provisional_ptsd"] is False
    least = {link_id: 0 for link_id in answers} | {"pcl5-1": 2, "pcl5-6": 2, "pcl5-8": 2}
    open_still = score(ALL["pcl-5"], least | {"pcl5-9": 2, "pcl5-15": 2, "pcl5-16": None})
    assert open_still["provisional_ptsd"] is None


def test_one_item_missing_of_a_doubled_subscale_is_prorated_apart() -> None:
    found = score(ALL["dass-21"], _full("dass-21", 1) | {"dass21-3": None, "dass21-2": 2})
    assert found["subscales"] == {"depression": None, "anxiety": 16, "stress": 14}
    assert found["prorated_subscales"] == {"depression": 14, "anxiety": None, "stress": None}
    assert found["subscale_bands"] == {"depression": None, "anxiety": "severe", "stress": "normal"}
