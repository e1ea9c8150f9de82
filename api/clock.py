"""Time as the clinic sees it: the real clock, or in demo and test mode a moved one."""

import time
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from api.config import settings

_STARTED = time.time()


@cache
def _shift() -> timedelta:
    told = settings().clock
    if not told:
        return timedelta(0)
    return datetime.fromisoformat(told).astimezone(UTC) - datetime.fromtimestamp(_STARTED, UTC)


def now() -> datetime:
    """This instant in UTC, moved by `FRESHTRAIL_CLOCK` where that is set."""
    return datetime.now(UTC) + _shift()


def real(moment: datetime) -> datetime:
    """The instant by the machine's own clock: ids are made by that."""
    return moment - _shift()


def today(zone: str) -> date:
    """The calendar day it is now in the IANA time zone `zone`."""
    return day_of(now(), zone)


def day_of(moment: datetime, zone: str) -> date:
    """The calendar day that an instant falls on in the IANA time zone `zone`."""
    return moment.astimezone(ZoneInfo(zone)).date()


def midnight(day: date) -> datetime:
    """The instant at which a day begins in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
