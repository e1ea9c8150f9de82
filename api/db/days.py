"""Days in SQL, alike on both engines: so many days on, how many between, the day of an instant.

And instants: so many seconds on.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, DateTime, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class days_on(FunctionElement[date]):  # noqa: N801
    """The day that lies a number of days after a day: `days_on(day, number)`."""

    type = Date()
    inherit_cache = True


class days_between(FunctionElement[int]):  # noqa: N801
    """How many days the second day lies after the first: `days_between(first, second)`."""

    type = Integer()
    inherit_cache = True


class day_at(FunctionElement[date]):  # noqa: N801
    """The day of an instant where clocks are so many seconds ahead of UTC: `day_at(at, ahead)`."""

    type = Date()
    inherit_cache = True


class seconds_on(FunctionElement[datetime]):  # noqa: N801
    """The instant that lies a number of seconds after an instant: `seconds_on(at, number)`.

    SQLite tells it to the millisecond.
    """

    type = DateTime(timezone=True)
    inherit_cache = True


def _said(form: str) -> Any:
    def said(element: FunctionElement[Any], compiler: Any, **more: Any) -> str:
        one, other = (compiler.process(each, **more) for each in element.clauses)
        return form.format(one, other)

    return said


compiles(days_on, "postgresql")(_said("(CAST({0} AS DATE) + CAST({1} AS INTEGER))"))
compiles(days_on, "sqlite")(_said("date({0}, ({1}) || ' days')"))
compiles(days_between, "postgresql")(_said("(CAST({1} AS DATE) - CAST({0} AS DATE))"))
compiles(days_between, "sqlite")(_said("CAST(julianday({1}) - julianday({0}) AS INTEGER)"))
compiles(day_at, "postgresql")(
    _said("CAST(({0}) AT TIME ZONE 'UTC' + CAST({1} AS INTEGER) * INTERVAL '1 second' AS DATE)")
)
compiles(day_at, "sqlite")(_said("date({0}, ({1}) || ' seconds')"))
compiles(seconds_on, "postgresql")(_said("({0} + CAST({1} AS INTEGER) * INTERVAL '1 second')"))
compiles(seconds_on, "sqlite")(
    _said("strftime('%Y-%m-%d %H:%M:%f', {0}, CAST({1} AS TEXT) || ' seconds')")
)
