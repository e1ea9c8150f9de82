"""Dates as FHIR search compares them: each is a span, and prefixes say how two spans lie."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from api import clock

PREFIXES: Final = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
FORM: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
FIRST: Final = datetime.min.replace(tzinfo=UTC)
LAST: Final = datetime.max.replace(tzinfo=UTC)
ABOUT: Final = 0.1
"""How far `ap` reaches: a tenth of the distance from now, as R4 suggests."""
Span = tuple[datetime, datetime]


class BadDate(ValueError):
    """What was sent is no date of FHIR."""


def span(text: str) -> Span:
    """From when until when (not included) a date, dateTime or instant lasts; UTC without a zone."""
    matched = FORM.fullmatch(text.replace(" ", "+"))
    if matched is None:
        raise BadDate("A date is expected, such as 2026-01-31.")
    year, month, on, hour, minute, second, fraction, zone = matched.groups()
    try:
        start = _start(year, month, on, hour, minute, second, fraction, zone)
    except (ValueError, OverflowError):
        raise BadDate("A date is expected, such as 2026-01-31.") from None
    try:
        return start, _end(start, month, on, hour, second, fraction)
    except (ValueError, OverflowError):
        return start, LAST


def _start(
    year: str,
    month: str | None,
    on: str | None,
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
    zone: str | None,
) -> datetime:
    whole = f"{year}-{month or '01'}-{on or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
    told = "+00:00" if zone in (None, "Z") else zone
    return datetime.fromisoformat(f"{whole}{(fraction or '')[:7]}{told}").astimezone(UTC)


def _end(
    start: datetime,
    month: str | None,
    on: str | None,
    hour: str | None,
    second: str | None,
    fraction: str | None,
) -> datetime:
    if month is None:
        return start.replace(year=start.year + 1)
    if on is None:
        ahead = start.replace(day=28) + timedelta(days=4)
        return ahead.replace(day=1)
    if hour is None:
        return start + timedelta(days=1)
    if second is None:
        return start + timedelta(minutes=1)
    if fraction is None:
        return start + timedelta(seconds=1)
    return start + timedelta(microseconds=10 ** max(0, 6 - (len(fraction) - 1)))


def asked(value: str) -> tuple[str, Span]:
    """The prefix and the span of a parameter's value; raises `BadDate`."""
    prefix = value[:2] if value[:2] in PREFIXES else "eq"
    return prefix, span(value.removeprefix(prefix) if value[:2] in PREFIXES else value)


def of_value(value: Any) -> Span | None:
    """The span of a date or a Period in a resource."""
    if isinstance(value, str):
        return span(value)
    if isinstance(value, dict) and ("start" in value or "end" in value):
        begins = span(value["start"])[0] if "start" in value else FIRST
        return begins, span(value["end"])[1] if "end" in value else LAST
    return None


def answers(value: str, there: Any) -> bool:
    """Whether a date of a resource answers to a parameter's value."""
    prefix, wanted = asked(value)
    its = of_value(there)
    return its is not None and _lies(prefix, wanted, its)


def _lies(prefix: str, wanted: Span, its: Span) -> bool:
    within = wanted[0] <= its[0] and its[1] <= wanted[1]
    above, below = its[1] > wanted[1], its[0] < wanted[0]
    verdicts = {
        "eq": within,
        "ne": not within,
        "gt": above,
        "lt": below,
        "ge": above or within,
        "le": below or within,
        "sa": its[0] >= wanted[1],
        "eb": its[1] <= wanted[0],
    }
    return _overlaps(_widened(wanted), its) if prefix == "ap" else verdicts[prefix]


def _widened(wanted: Span) -> Span:
    margin = abs(clock.now() - wanted[0]) * ABOUT
    return max(FIRST + margin, wanted[0]) - margin, min(LAST - margin, wanted[1]) + margin


def _overlaps(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def ordered(value: Any) -> list[str]:
    """By what a date is ordered, or nothing."""
    its = of_value(value)
    return [] if its is None else [its[0].isoformat(timespec="microseconds")]
