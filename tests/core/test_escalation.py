"""The clocks and states of alerts, as pure functions of time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings, strategies as st

from api.core.alerts import clocks
from api.core.alerts.rules import PRIORITIES, STEPS, is_worse, rules, signal

ZONES = ("America/Denver", "Europe/Berlin", "Asia/Kolkata", "Pacific/Chatham", "UTC")
zones = st.sampled_from(ZONES)
priorities = st.sampled_from(PRIORITIES)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2034, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)
spans = st.timedeltas(timedelta(0), timedelta(days=6))
who_is_missing = st.sets(st.sampled_from(STEPS))
at_any_time = settings(deadline=None, max_examples=300)


def clock(priority: str) -> clocks.Clock:
    """The clock of a priority, as the rules have it."""
    return rules().clocks[priority]


def test_the_rules_name_every_priority_and_only_known_steps() -> None:
    assert tuple(rules().clocks) == PRIORITIES
    for plan in rules().clocks.values():
        assert tuple(step.to for step in plan.steps) == STEPS
        assert all(one.after < two.after for one, two in pairwise(plan.steps))
        assert plan.acknowledge_within <= plan.contact_within
    assert {said.priority for said in rules().signals.values()} == set(PRIORITIES)


def test_the_rules_are_those_of_the_clinic() -> None:
    said = {flag: one.priority for flag, one in rules().signals.items()}
    assert said["suicidality_item_high"] == said["suicide_risk_high"] == "immediate"
    assert said["suicidality_item_positive"] == said["suicide_risk_moderate"] == "same_day"
    assert said["safety_item_unanswered"] == said["suicide_screen_incomplete"] == "same_day"
    assert said["suicide_risk_low"] == said["reliable_deterioration"] == "next_working_day"
    assert said["review_risk_taking_item"] == "next_working_day"
    assert [code for code, one in rules().clocks.items() if one.holds_dosing] == [
        "immediate",
        "same_day",
    ]
    at = [step.after for step in clock("immediate").steps]
    assert at == [timedelta(minutes=minutes) for minutes in (0, 15, 30)]
    assert clock("immediate").contact_within == timedelta(hours=1)
    assert clock("same_day").contact_within == timedelta(hours=24)


def test_a_flag_of_a_clinics_own_instrument_is_a_rule_of_its_own() -> None:
    said = signal("own_flag", "same_day", positive=False)
    assert (said.rule, said.priority, said.words) == ("own_flag", "same_day", "left_open")
    assert signal("own_flag", "immediate", positive=True).words == "safety"


def test_of_two_priorities_one_is_worse() -> None:
    assert [is_worse(one, "same_day") for one in PRIORITIES] == [True, False, False]
    assert all(is_worse(one, None) for one in PRIORITIES)


@at_any_time
@given(priorities, moments, zones)
def test_a_clock_never_begins_before_its_alert_and_its_times_are_in_order(
    priority: str, moment: datetime, zone: str
) -> None:
    times = clocks.begin(clock(priority), moment, zone)
    assert moment <= times.begins_at <= times.acknowledge_due_at <= times.contact_due_at
    assert times.begins_at.utcoffset() == timedelta(0)
    if priority != "next_working_day":
        assert times.begins_at == moment


@at_any_time
@given(moments, zones)
def test_the_next_working_day_is_a_later_day_that_is_one_whatever_the_clocks_do(
    moment: datetime, zone: str
) -> None:
    times = clocks.begin(clock("next_working_day"), moment, zone)
    here, begins = (one.astimezone(ZoneInfo(zone)) for one in (moment, times.begins_at))
    assert begins.weekday() < 5 and (begins.hour, begins.minute) == (9, 0)
    days = (begins.date() - here.date()).days
    assert 1 <= days <= 3
    between = [here.date() + timedelta(days=day) for day in range(1, days)]
    assert all(day.weekday() >= 5 for day in between)


@at_any_time
@given(priorities, moments, zones, spans, spans, who_is_missing)
def test_what_was_due_once_stays_due_as_time_goes_on(
    priority: str, moment: datetime, zone: str, one: timedelta, two: timedelta, empty: set[str]
) -> None:
    plan = clock(priority)
    begins_at = clocks.begin(plan, moment, zone).begins_at
    early, late = (moment + span for span in sorted((one, two)))
    first = clocks.steps_due(plan, begins_at, empty, early)
    then = clocks.steps_due(plan, begins_at, empty, late)
    assert then[: len(first)] == first == list(plan.steps[: len(first)])


@at_any_time
@given(priorities, moments, zones, spans, who_is_missing)
def test_nobody_is_told_early_unless_the_one_before_is_not_there(
    priority: str, moment: datetime, zone: str, span: timedelta, empty: set[str]
) -> None:
    plan, now = clock(priority), moment + span
    begins_at = clocks.begin(plan, moment, zone).begins_at
    due = clocks.steps_due(plan, begins_at, empty, now)
    for before, step in pairwise([None, *due]):
        early = begins_at + step.after > now
        assert not early or (before is not None and before.to in empty)
    left = plan.steps[len(due) :]
    assert all(begins_at + step.after > now for step in left)
    assert not (due and left and due[-1].to in empty)


@at_any_time
@given(priorities, moments, zones, spans)
def test_the_worker_looks_again_in_time_and_never_at_once(
    priority: str, moment: datetime, zone: str, span: timedelta
) -> None:
    plan, now = clock(priority), moment + span
    begins_at = clocks.begin(plan, moment, zone).begins_at
    again = clocks.look_again_at(plan, begins_at, now, rules().look_again_after)
    assert again > now
    ahead = [begins_at + step.after for step in plan.steps if begins_at + step.after > now]
    assert all(again <= at for at in ahead)
    if clocks.steps_due(plan, begins_at, (), now):
        assert again <= now + rules().look_again_after


@at_any_time
@given(priorities, moments, zones, spans, st.booleans())
def test_overdue_is_read_off_the_clock_and_ends_by_what_people_do_alone(
    priority: str, moment: datetime, zone: str, span: timedelta, contacted: bool
) -> None:
    times, now = clocks.begin(clock(priority), moment, zone), moment + span
    due = (times.acknowledge_due_at, times.contact_due_at, moment if contacted else None)
    seen = {state: clocks.is_overdue(clocks.due_at(state, *due), now) for state in clocks.STATES}
    assert seen["open"] == (now > times.acknowledge_due_at)
    assert seen["acknowledged"] == (not contacted and now > times.contact_due_at)
    assert not seen["resolved"]
    assert clocks.due_at("open", None, None, None) is None, "a historical alert has no clock"


def test_an_alert_goes_from_state_to_state_by_people_and_ends_once() -> None:
    moves = {"acknowledge": "acknowledged", "resolve": "resolved"}
    state, seen = "open", []
    while clocks.ALLOWED[state]:
        [move] = clocks.ALLOWED[state]
        state = moves[move]
        seen.append(state)
    assert seen == ["acknowledged", "resolved"]
