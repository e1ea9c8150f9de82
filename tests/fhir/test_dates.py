"""Dates: each is a span; the prefixes of FHIR are relations of two spans."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from api.fhir import dates

days = st.dates(date(1900, 1, 1), date(2200, 1, 1))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(days, days)
def test_of_two_days_the_prefixes_say_what_the_calendar_says(one: date, other: date) -> None:
    there = one.isoformat()
    for prefix, verdict in {
        "eq": one == other,
        "": one == other,
        "ne": one != other,
        "gt": one > other,
        "lt": one < other,
        "ge": one >= other,
        "le": one <= other,
        "sa": one > other,
        "eb": one < other,
    }.items():
        assert dates.answers(f"{prefix}{other}", there) == verdict, prefix


@given(st.integers(-720, 720))
def test_an_instant_is_the_same_in_every_zone(minutes: int) -> None:
    sign, ahead = ("-" if minutes < 0 else "+"), abs(minutes)
    text = f"2026-06-15T12:00:00{sign}{ahead // 60:02}:{ahead % 60:02}"
    told = dates.span("2026-06-15T12:00:00Z")[0] - timedelta(minutes=minutes)
    assert dates.span(text)[0] == told


@pytest.mark.parametrize(
    "text", ["", "x", "2026-1-1", "2026-02-30", "0000", "20260101", "2026-01-01T25:00Z", "٢٠٢٦"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(dates.BadDate):
        dates.span(text)


def test_a_period_answers_where_it_overlaps() -> None:
    going_on = {"start": "2026-01-01"}
    assert dates.answers("ge2030", going_on)
    assert not dates.answers("eb2030", going_on)
    assert dates.answers("sa2025", going_on)
    assert dates.answers("eq2026", {"start": "2026-02-01", "end": "2026-03-01"})
    assert not dates.answers("eq2026-02", {"start": "2026-02-01", "end": "2026-03-01"})
    assert dates.answers("le9999-12-31", going_on)
