"""Judging: a value breaks a rule or it does not, and every judgement names rule and version."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from api import db
from api.core import alerts
from api.core.treatment.dosing import judging, vocabulary
from api.core.treatment.dosing.judging import Consent, judge, tells, total_mg
from api.core.treatment.protocols import shipped
from api.core.treatment.protocols.definition import ACTIONS, MEASURED, Protocol, Threshold
from tests.core.dosing import PROTOCOL, against, entry

AT = datetime(2026, 11, 25, 16, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOTED = {"waste_not_witnessed", "witness_not_here", judging.EARLY_WARNING}
"""What tells nobody by its own name: notes, and what the alert names by the reading."""
GIVEN = {"medicine": "ketamine", "route": "intramuscular", "weight_kg": 75.0}


def a_dose(mg: float = 60, after: int = 0, sequence: int = 1, **more: Any) -> db.Values:
    """A dose so many minutes after the beginning of these tests."""
    return entry(sequence, "dose", AT + after * MINUTE, **GIVEN | {"dose_mg": mg} | more)


def rules(given: db.Values, by: judging.Against) -> list[str]:
    """The rules that an entry broke, by name."""
    return sorted(one["rule"] for one in judge(given, by))


def readings() -> st.SearchStrategy[dict[str, int]]:
    """Any reading that is believed."""
    limits = vocabulary.READINGS.items()
    fields = {name: st.integers(least, most) for name, (least, most) in limits}
    return st.fixed_dictionaries({}, optional=fields).filter(bool)


@given(readings(), st.booleans(), st.sampled_from(sorted(shipped())))
def test_a_threshold_judges_exactly_what_lies_within_its_bounds(
    measured: dict[str, int], dosed: bool, key: str
) -> None:
    protocol = shipped()[key]
    by = against(protocol=protocol, doses=[a_dose()] if dosed else [])
    found = judge(entry(2, "vitals", AT + MINUTE, **measured), by)
    expected = {
        rule.rule
        for rule in protocol.thresholds
        if rule.field in measured
        and rule.when in ("always", "after_dose" if dosed else "before_dose")
        and (rule.at_least is None or measured[rule.field] >= rule.at_least)
        and (rule.above is None or measured[rule.field] > rule.above)
        and (rule.at_most is None or measured[rule.field] <= rule.at_most)
        and (rule.below is None or measured[rule.field] < rule.below)
    }
    broken = [rule for rule in protocol.thresholds if rule.rule in expected]
    said = {rule.field for rule in broken if rule.action in judging.TELLING}
    lines = judging.GRAVE_AT
    grave = {name for name in lines if name in measured and measured[name] <= lines[name]}
    if grave - said:
        expected.add(judging.EARLY_WARNING)
    assert {one["rule"] for one in found} == expected
    for one in found:
        assert one["protocol"] == {"key": key, "version": 1}
        assert one["value"] == measured[one["field"]] and one["action"] in ACTIONS


@given(readings(), readings())
def test_what_one_reading_says_does_not_depend_on_the_others(
    one: dict[str, int], other: dict[str, int]
) -> None:
    other = {name: value for name, value in other.items() if name not in one}
    apart = rules(entry(1, "vitals", AT, **one), against()) + (
        rules(entry(1, "vitals", AT, **other), against()) if other else []
    )
    assert rules(entry(1, "vitals", AT, **one, **other), against()) == sorted(apart)


def test_a_light_sedation_is_no_warning() -> None:
    """A scale below zero has no line of the early warning score."""
    assert rules(entry(1, "vitals", AT, sedation_rass=-1), against()) == []


@pytest.mark.parametrize(
    ("measured", "dosed", "expected"),
    [
        ({"systolic_mmhg": 139}, False, []),
        ({"systolic_mmhg": 140}, False, ["systolic_repeat"]),
        ({"systolic_mmhg": 159}, False, ["systolic_repeat"]),
        ({"systolic_mmhg": 160}, False, ["systolic_hold"]),
        ({"systolic_mmhg": 160}, True, []),
        ({"systolic_mmhg": 180}, True, ["systolic_alert"]),
        ({"systolic_mmhg": 200}, True, ["systolic_alert", "systolic_stop"]),
        ({"diastolic_mmhg": 100}, False, ["diastolic_hold"]),
        ({"diastolic_mmhg": 110}, True, ["diastolic_alert"]),
        ({"spo2_percent": 94}, False, []),
        ({"spo2_percent": 93}, False, ["spo2_hold"]),
        ({"spo2_percent": 92}, True, []),
        ({"spo2_percent": 91}, True, ["spo2_alert"]),
        ({"heart_rate_bpm": 49}, False, ["heart_rate_low_hold"]),
        ({"heart_rate_bpm": 111}, False, ["heart_rate_high_hold"]),
        ({"respirations_per_min": 9}, True, ["respirations_alert"]),
        ({"sedation_moaas": 3}, True, ["sedation_alert"]),
        ({"sedation_moaas": 4}, True, []),
    ],
)
def test_the_shipped_lines_are_where_the_protocol_says(
    measured: dict[str, int], dosed: bool, expected: list[str]
) -> None:
    by = against(doses=[a_dose()] if dosed else [])
    assert rules(entry(2, "vitals", AT, **measured), by) == expected


def test_a_reading_before_the_dose_is_one_taken_before_it_whenever_it_came() -> None:
    by = against(doses=[a_dose(after=10)])
    early, late = (entry(9, "vitals", AT + n * MINUTE, systolic_mmhg=165) for n in (9, 10))
    assert (rules(early, by), rules(late, by)) == (["systolic_hold"], [])


def test_a_rating_of_dissociation_is_judged_like_a_reading_of_it() -> None:
    high = Threshold("dissociation_high", "dissociation", "alert", "always", at_least=9)
    by = against(protocol=replace(PROTOCOL, thresholds=(high,)))
    rated = entry(1, "rating", AT, scale="dissociation", value=9)
    assert rules(rated, by) == ["dissociation_high"]
    assert rules(entry(1, "rating", AT, scale="pain", value=9), by) == []


@given(
    st.lists(
        st.tuples(st.integers(1, 500), st.booleans(), st.integers(0, 120)), min_size=1, max_size=6
    ),
    st.integers(1, 500),
    st.one_of(st.none(), st.integers(1, 900)),
)
def test_doses_are_held_against_the_plan_in_whatever_order_they_come(
    given_doses: list[tuple[int, bool, int]], planned: int, most: int | None
) -> None:
    plan = {**against().plan, "dose_mg": planned, "max_total_mg": most}  # type: ignore[dict-item]
    doses = [
        a_dose(mg, after, n, booster=booster)
        for n, (mg, booster, after) in enumerate(given_doses, start=1)
    ]
    *there, last = doses
    found = rules(last, against(plan=plan, doses=there))
    whole = sum(mg for mg, _, _ in given_doses)
    first = sum(mg for mg, booster, _ in given_doses if not booster)
    assert ("over_max_total" in found) == (whole > (most or planned))
    assert ("over_plan" in found) == (first > planned and not given_doses[-1][1])
    assert total_mg(doses) == whole


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, []),
        ({"plan": None}, ["not_planned"]),
        ({"started_at": None}, ["session_not_started"]),
        ({"started_at": AT + MINUTE}, ["session_not_started"]),
        ({"ended_at": AT - MINUTE}, ["session_ended"]),
        ({"ended_at": AT + 59 * MINUTE}, ["left_unobserved"]),
        ({"ended_at": AT + 60 * MINUTE}, []),
        ({"consents": []}, ["consent_missing"]),
        ({"doses": [a_dose(40)]}, ["over_max_total", "over_plan"]),
    ],
)
def test_a_dose_is_judged_for_all_that_should_have_been_there(
    more: dict[str, Any], expected: list[str]
) -> None:
    assert rules(a_dose(sequence=2), against(**more)) == expected


def test_a_dose_of_another_medicine_or_route_is_not_planned() -> None:
    for other in ({"route": "intravenous"}, {"medicine": "esketamine"}):
        assert rules(a_dose(**other), against()) == ["not_planned"]


@given(st.integers(-100, 100), st.one_of(st.none(), st.integers(-100, 100)))
def test_a_consent_counts_from_its_minute_to_its_withdrawal(
    granted: int, withdrawn: int | None
) -> None:
    ends = None if withdrawn is None else AT + withdrawn * MINUTE
    one = Consent("treatment", AT + granted * MINUTE, ends)
    by = against(protocol=replace(PROTOCOL, required_consents=("treatment",)), consents=[one])
    stood = granted <= 0 and (withdrawn is None or withdrawn > 0)
    gone = withdrawn is not None and withdrawn <= 0
    expected = [] if stood else ["consent_withdrawn" if gone else "consent_missing"]
    assert rules(a_dose(), by) == expected


def test_a_time_noted_to_the_minute_holds_for_all_of_it() -> None:
    moment = AT + timedelta(seconds=40)
    kinds = PROTOCOL.required_consents
    begun = [Consent(kind, moment, None) for kind in kinds]
    assert rules(a_dose(), against(started_at=moment, consents=begun)) == []
    ended = [Consent(kind, AT - MINUTE, moment) for kind in kinds]
    assert rules(a_dose(), against(consents=ended)) == ["consent_withdrawn"]


def test_a_consent_given_anew_heals_one_that_was_withdrawn() -> None:
    spans = [(-90, -60), (-30, None)]
    old = [
        Consent(kind, AT + a * MINUTE, None if z is None else AT + z * MINUTE)
        for kind in PROTOCOL.required_consents
        for a, z in spans
    ]
    assert rules(a_dose(), against(consents=old)) == []


def test_waste_without_a_witness_is_noted_and_tells_nobody() -> None:
    found = judge(a_dose(wasted_mg=5.0), against())
    assert [(one["rule"], one["action"]) for one in found] == [("waste_not_witnessed", "note")]
    assert tells(found) == []
    assert judge(a_dose(wasted_mg=5.0, witnessed_by="somebody"), against()) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"code": "nausea", "grade": 2}, []),
        ({"code": "nausea", "grade": 3}, ["adverse_event_severe"]),
        ({"code": "nausea", "grade": 2, "serious": True}, ["adverse_event_serious"]),
        ({"code": "fall", "grade": 1, "serious_for": ["disability"]}, ["adverse_event_serious"]),
        ({"code": "psychosis", "grade": 1}, ["adverse_event_watched"]),
    ],
)
def test_a_grave_adverse_event_tells_somebody(content: Any, expected: list[str]) -> None:
    assert rules(entry(1, "event", AT, **content), against()) == expected


def test_phases_and_voids_are_judged_by_nobody() -> None:
    assert judge(entry(1, "phase", AT, phase="peak"), against()) == []
    assert judge(entry(1, "void", AT), against()) == []


def test_every_judgement_that_tells_somebody_has_a_rule_of_the_alerts() -> None:
    known = alerts.rules.rules().signals
    flags = {*judging.FLAGS.values(), *judging.DETAILS} - NOTED
    assert flags <= set(known) and set(judging.FLAGS) == set(MEASURED)
    assert all(known[flag].words is None for flag in flags)


def test_a_protocol_that_contradicts_itself_is_none() -> None:
    for broken in (
        {"field": "mood"},
        {"action": "worry"},
        {"when": "sometimes"},
        {"at_least": None},
    ):
        fine = {"rule": "r", "field": "spo2_percent", "action": "alert", "when": "always"}
        with pytest.raises(ValueError, match="r:"):
            Threshold(**({"at_least": 1.0} | fine | broken))  # type: ignore[arg-type]
    one = PROTOCOL.thresholds[0]
    with pytest.raises(ValueError, match="stand once"):
        replace(PROTOCOL, thresholds=(one, one))
    assert isinstance(PROTOCOL, Protocol)
