"""Scoring: the worked vectors, what must hold for any answers, and a second scorer that agrees."""

import csv
import json
import random
from fractions import Fraction
from math import floor
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, strategies as st

from api.core.outcomes.instruments import catalogue as shelf
from api.core.outcomes.instruments.catalogue import Instrument, instrument
from api.core.outcomes.instruments.scoring import METHODS, BadAnswer, safety_signals, score
from api.errors import NotFound

HERE = Path(__file__).parent
DATA = HERE.parent / "data"
SURVEY = HERE.parents[1] / "api" / "demo" / "survey-phq9-gad7.csv"
VECTORS = json.loads((DATA / "vectors.json").read_text())["scoring"]
FIXTURE = shelf.read_instrument(DATA / "x-fixture-reverse.json")
ALL = {"phq-9": instrument("phq-9"), "gad-7": instrument("gad-7"), FIXTURE.key: FIXTURE}
Answers = dict[str, Any]
Form = tuple[Instrument, Answers]


def _full(key: str, value: int = 0) -> Answers:
    return {item.link_id: value for item in ALL[key].scored_items}


@st.composite
def filled(draw: st.DrawFn) -> Form:
    """An instrument with some items answered, some left open and some not reached."""
    one = draw(st.sampled_from(list(ALL.values())))
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
    expected = vector["expected"]
    if expected["status"] == "invalid":
        with pytest.raises(BadAnswer) as refused:
            score(ALL[key], vector["answers"])
        assert f"{refused.value.code}:{refused.value.link_id}" == expected["error"]
    else:
        assert score(ALL[key], vector["answers"]) == expected


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


@given(filled(), st.data())
def test_one_more_answer_never_widens_the_bounds(form: Form, data: st.DataObject) -> None:
    one, answers = form
    item = data.draw(st.sampled_from(one.scored_items))
    before = score(one, answers | {item.link_id: None})
    after = score(one, answers | {item.link_id: data.draw(st.sampled_from(sorted(item.values)))})
    assert before["min_possible"] <= after["min_possible"]
    assert before["max_possible"] >= after["max_possible"]


@given(filled(), st.data())
def test_a_certain_flag_stays_whatever_is_answered_next(form: Form, data: st.DataObject) -> None:
    one, answers = form
    item = data.draw(st.sampled_from(one.scored_items))
    before = score(one, answers | {item.link_id: None})["flags"]
    value = data.draw(st.sampled_from(sorted(item.values)))
    after = score(one, answers | {item.link_id: value})["flags"]
    assert set(before) - {"safety_item_unanswered"} <= set(after)


@given(filled(), st.randoms(use_true_random=False))
def test_the_order_of_the_answers_changes_nothing(form: Form, chance: random.Random) -> None:
    one, answers = form
    pairs = list(answers.items())
    chance.shuffle(pairs)
    assert score(one, dict(pairs)) == score(one, answers)


@given(filled())
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
        assert (cutoff.flag in found["flags"]) == (found["min_possible"] >= cutoff.value)
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


# The second scorer knows the three forms by heart and reads no definition.
TOPS = {"phq-9": [3] * 9, "gad-7": [3] * 7, FIXTURE.key: [4] * 5}
WORDS = {
    "phq-9": ["minimal", "mild", "moderate", "moderately_severe", "severe"],
    "gad-7": ["minimal", "mild", "moderate", "severe"],
    FIXTURE.key: ["low", "low", "high"],
}
POSITIVE = {"phq-9": "phq9_screen_positive", "gad-7": "gad7_screen_positive"}
SPOKEN: dict[int | None, list[str]] = {
    None: ["safety_item_unanswered"],
    0: [],
    1: ["suicidality_item_positive"],
}


def _second_scorer(key: str, given_values: list[int | None]) -> Answers:
    """The same figures in fractions, from a plain list of answers."""
    turned = key == FIXTURE.key
    marks: list[Any] = list(given_values)
    marks[1:4:2] = [4 - v if turned and v is not None else v for v in marks[1:4:2]]
    known = [mark for mark in marks if mark is not None]
    low, gaps = sum(known), marks.count(None)
    total, mean = (None if gaps else low), None
    if gaps == 1 or (gaps == 2 and key == "phq-9"):
        mean = floor(Fraction(low * len(marks), len(known)) + Fraction(1, 2))
    flags = [POSITIVE.get(key, "xrev_high")] if low >= 10 else []
    figures: Answers = {"status": "incomplete" if gaps else "complete", "total": total}
    figures |= {"answered": len(known), "missing": gaps, "band": _word(key, total)}
    figures |= {"min_possible": low, "max_possible": low + gaps * TOPS[key][0]}
    figures |= {"prorated_total": mean, "prorated_band": _word(key, mean)}
    if key == "phq-9":
        figures |= _syndromes(marks)
        flags += SPOKEN.get(marks[8], ["suicidality_item_high", "suicidality_item_positive"])
    if turned:
        halves = {"one": marks[:2], "two": marks[2:]}
        figures["subscales"] = {h: None if None in m else sum(m) for h, m in halves.items()}
    return figures | {"flags": sorted(flags)}


def _word(key: str, total: int | None) -> str | None:
    return None if total is None else WORDS[key][min(total // 5, len(WORDS[key]) - 1)]


def _syndromes(marks: list[Any]) -> Answers:
    if None in marks:
        return {"provisional_mds": None, "provisional_ods": None}
    symptoms = [str(mark) in "23" for mark in marks[:8]] + [marks[8] != 0]
    core, count = any(symptoms[:2]), sum(symptoms)
    return {"provisional_mds": core and count > 4, "provisional_ods": core and 1 < count < 5}


@pytest.mark.parametrize("key", sorted(ALL))
def test_a_second_scorer_agrees_on_ten_thousand_forms(key: str) -> None:
    one, chance = ALL[key], random.Random(f"second scorer {key}")
    for _ in range(10_000):
        gaps = chance.choice([0.0, 0.0, 0.1, 0.3])
        said = [None if chance.random() < gaps else chance.randint(0, top) for top in TOPS[key]]
        ids = [item.link_id for item in one.scored_items]
        assert score(one, dict(zip(ids, said, strict=True))) == _second_scorer(key, said)


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


@pytest.mark.parametrize("one", ALL.values(), ids=lambda one: one.key)
def test_a_definition_fits_together(one: Instrument) -> None:
    ids = {item.link_id for item in one.items}
    scored = {item.link_id for item in one.scored_items}
    assert len(ids) == len(one.items)
    assert one.scoring.method in METHODS
    assert one.scoring.lowest == sum(item.lowest for item in one.scored_items)
    assert one.scoring.highest == sum(item.highest for item in one.scored_items)
    named = [n for band in one.bands for n in range(band.lowest, band.highest + 1)]
    assert named == list(range(one.scoring.lowest, one.scoring.highest + 1))
    assert {rule.link_id for rule in one.safety_rules} <= ids
    assert {i for part in one.subscales for i in part.link_ids} <= scored
    assert {i for d in one.derived for count in d.all_of for i in count.at_least} <= scored
    assert {cutoff.op for cutoff in one.cutoffs} <= {">=", "<="}


@pytest.mark.parametrize("one", shelf.catalogue().values(), ids=lambda one: one.key)
def test_a_shipped_definition_carries_its_texts_codes_and_rights(one: Instrument) -> None:
    on_file = one.definition
    assert on_file["licence"]["ship_text"] and on_file["licence"]["notice"]
    assert "LOINC is copyright Regenstrief Institute" in on_file["loinc"]["notice"]
    assert all(item.text and item.loinc for item in one.items)
    assert all(option.label and option.loinc for item in one.items for option in item.options)
    assert on_file["instructions"] and on_file["sources"]


def test_the_catalogue_is_read_once_and_knows_what_it_lacks() -> None:
    assert shelf.catalogue() is shelf.catalogue()
    assert {"phq-9", "gad-7"} <= set(shelf.catalogue())
    with pytest.raises(NotFound):
        instrument("phq-10")
