"""When plans ask, as a pure function: in what order, for how long, and across clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st

from api.core.outcomes.plans import schedule
from api.core.outcomes.plans.schedule import Occurrence, Rule, Visit, occurrences

TODAY = date(2026, 11, 5)
ZONES = ["America/Denver", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Tokyo", "Africa/Cairo"]
"""Clocks that change by an hour, by half an hour, on other days, or never."""
DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))
RULES = st.one_of(
    st.builds(Rule, st.just("once"), st.integers(0, 60), st.integers(0, 10), DAYS),
    st.integers(1, 40).flatmap(
        lambda n: st.builds(Rule, st.just("every_n_days"), st.just(n), st.integers(0, n - 1), DAYS)
    ),
    st.builds(Rule, st.just("before_visit"), st.integers(0, 10), st.integers(0, 10), DAYS),
    st.builds(Rule, st.just("after_dose"), st.integers(-5, 30), st.integers(0, 10), DAYS),
)
VISITS = st.lists(st.builds(Visit, st.uuids(), DAYS, st.booleans()), max_size=12)


def day(n: int) -> date:
    return TODAY + timedelta(days=n)


def asked(rule: Rule, *visits: Visit, today: date = TODAY) -> list[Occurrence]:
    return occurrences(rule, visits, today)


def states(one: Occurrence) -> list[str]:
    """The states of an occurrence from the day before it to long after."""
    days = (one.due_on + timedelta(days=n) for n in range(-1, 9))
    return [schedule.state(one, False, each) for each in days]


# When they ask: pure


def test_once_asks_once() -> None:
    assert [one.due_on for one in asked(Rule("once", 3, 2, TODAY))] == [day(3)]


def test_every_n_days_asks_from_the_first_day_to_the_last() -> None:
    rule = Rule("every_n_days", 14, 2, day(-20), day(30))
    assert [one.due_on for one in asked(rule)] == [day(-20), day(-6), day(8), day(22)]


def test_before_a_visit_and_around_a_dose() -> None:
    visits = [Visit(1, day(10), True), Visit(2, day(12), False)]
    assert [o.due_on for o in asked(Rule("before_visit", 1, 2, TODAY), *visits)] == [
        day(9),
        day(11),
    ]
    assert [o.due_on for o in asked(Rule("after_dose", -1, 1, TODAY), *visits)] == [day(9)]
    assert [o.due_on for o in asked(Rule("after_dose", 7, 3, TODAY), *visits)] == [day(17)]


def test_two_visits_of_one_day_are_asked_about_once() -> None:
    visits = [Visit(1, day(5), True), Visit(2, day(5), False)]
    assert len(asked(Rule("before_visit", 1, 2, TODAY), *visits)) == 1


def test_what_is_asked_is_due_then_late_as_long_again_then_missed() -> None:
    [one] = asked(Rule("once", 0, 2, TODAY))
    assert states(one) == ["upcoming", *["due"] * 3, *["late"] * 2, *["missed"] * 4]
    [short] = asked(Rule("once", 0, 0, TODAY))
    assert states(short)[:4] == ["upcoming", "due", "late", "missed"]


def test_what_is_asked_before_a_dose_is_over_on_its_day() -> None:
    [one] = asked(Rule("after_dose", -1, 5, TODAY), Visit(1, day(10), True))
    assert (one.due_on, one.until_on, one.late_until_on) == (day(9), day(10), day(10))


def test_a_plan_takes_answers_for_one_day_at_a_time() -> None:
    visits = [Visit(1, day(1), True), Visit(2, day(3), True)]
    first, second = asked(Rule("after_dose", 7, 5, TODAY), *visits)
    assert first.late_until_on == second.due_on - timedelta(days=1)


@given(RULES, VISITS, DAYS)
def test_occurrences_are_in_order_apart_and_within_the_plan(
    rule: Rule, visits: list[Visit], today: date
) -> None:
    found = occurrences(rule, visits, today)
    for one in found:
        assert rule.starts_on <= one.due_on <= one.until_on <= one.late_until_on
        assert (one.until_on - one.due_on).days <= rule.within
    for one, following in zip(found, found[1:], strict=False):
        assert one.late_until_on < following.due_on
    assert len({one.anchor for one in found}) == len(found)
    now = [schedule.state(one, False, today) for one in found]
    assert sum(state in schedule.OPEN for state in now) <= 1
    assert now == sorted(now, key=["missed", "late", "due", "upcoming"].index)


@given(RULES, VISITS, DAYS, st.integers(-20, 20))
def test_to_move_everything_moves_what_is_asked_as_far(
    rule: Rule, visits: list[Visit], today: date, days: int
) -> None:
    by = timedelta(days=days)
    moved_rule = Rule(rule.rule, rule.n, rule.within, rule.starts_on + by)
    moved = [Visit(one.id, one.on + by, one.is_dose) for one in visits]
    before = [one.due_on + by for one in occurrences(rule, visits, today)]
    assert [one.due_on for one in occurrences(moved_rule, moved, today + by)] == before


@given(RULES, VISITS, DAYS)
def test_what_was_told_is_not_asked_again(rule: Rule, visits: list[Visit], today: date) -> None:
    told = [one.due_on for one in occurrences(rule, visits, today)][:3]
    assert not set(told) & {one.due_on for one in occurrences(rule, visits, today, told)}


# Across changes of the clocks: pure


@given(DAYS, st.sampled_from(ZONES))
def test_a_reminder_goes_out_at_nine_of_its_own_day_whatever_the_clocks_do(
    on: date, zone: str
) -> None:
    local = schedule.speaks_at(on, zone).astimezone(ZoneInfo(zone))
    assert (local.date(), local.time()) == (on, time(9))


@given(st.integers(1, 30), DAYS, st.sampled_from(ZONES))
def test_every_n_days_is_n_calendar_days_and_not_so_many_hours(
    n: int, first: date, zone: str
) -> None:
    found = occurrences(Rule("every_n_days", n, 0, first), [], first)
    reminded = [schedule.speaks_at(one.due_on, zone).astimezone(ZoneInfo(zone)) for one in found]
    for one, following in zip(reminded, reminded[1:], strict=False):
        assert (following.date() - one.date()).days == n
        assert following.time() == one.time()


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    st.sampled_from(ZONES),
)
def test_the_day_of_a_visit_is_that_of_the_wall_where_the_patient_lives(
    moment: datetime, zone: str
) -> None:
    on = schedule.local_day(moment, zone)
    midnight = datetime.combine(on, time.min, ZoneInfo(zone)).astimezone(UTC)
    following = datetime.combine(on + timedelta(days=1), time.min, ZoneInfo(zone)).astimezone(UTC)
    assert midnight <= moment < following
    assert timedelta(hours=22) < following - midnight < timedelta(hours=26)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    st.sampled_from(ZONES),
)
def test_nobody_is_reminded_at_night_or_in_their_quiet_hours(moment: datetime, zone: str) -> None:
    hour = moment.astimezone(ZoneInfo(zone)).time()
    assert schedule.may_speak(moment, zone) == (time(9) <= hour < time(20))
    quiet = (time(18), time(12))
    if schedule.may_speak(moment, zone, quiet):
        assert time(12) <= hour < time(18)
