"""The demo's appointment book: finds the next free hour of a clinician, so that none is double."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

FIRST_HOUR, LAST_HOUR = 9, 17
SATURDAY = 5


class Diary:
    """Whole hours from 9 to 17 on weekdays, in the clinic's zone; each is given out once."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self._taken: set[tuple[UUID, date, int]] = set()

    def take(
        self, clinician: UUID, day: date, hours: int, kept_free: tuple[date, ...] = ()
    ) -> datetime:
        """The start of the first free stretch of `hours` on or after `day`, in UTC."""
        while True:
            if day.weekday() < SATURDAY and day not in kept_free:
                for hour in range(FIRST_HOUR, LAST_HOUR - hours + 1):
                    wanted = {(clinician, day, hour + i) for i in range(hours)}
                    if not wanted & self._taken:
                        self._taken |= wanted
                        return self._at(day, hour)
            day += timedelta(days=1)

    def _at(self, day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour), self.zone).astimezone(UTC)
