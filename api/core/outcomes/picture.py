"""What is drawn of a series, and the same in words for whoever hears it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from api.core.outcomes.instruments.catalogue import Instrument

TOLD: Final = 40
"""How many points are named one by one."""
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
NONE_YET = "There is no complete check-in with a total yet."
BETTER = {"worse": "lower is better", "better": "higher is better"}


@dataclass(frozen=True)
class Picture:
    """What is drawn: points `{checkin_id, answered_on, total, band}`, oldest first, and the days of
    doses in their order, each with how many days the window after it has."""

    instrument: Instrument
    points: Sequence[dict[str, Any]]
    baseline: dict[str, Any] | None
    doses: Mapping[date, int]

    @property
    def totals(self) -> list[dict[str, Any]]:
        """The points that have a total."""
        return [point for point in self.points if point["total"] is not None]

    @property
    def lengths(self) -> str:
        """For how many days windows last, in words."""
        return " or ".join(str(days) for days in sorted(set(self.doses.values())))

    @property
    def windows(self) -> list[tuple[date, date]]:
        """First and last day of each window; a dose within one restarts it."""
        spans: list[tuple[date, date]] = []
        for dose, days in self.doses.items():
            begins = dose
            if spans and dose <= spans[-1][1]:
                begins = spans.pop()[0]
            spans.append((begins, dose + timedelta(days=days)))
        return spans


def describe(picture: Picture) -> str:
    """The picture in words: range, points with their bands, doses and windows."""
    totals = picture.totals
    said = [f"{subtitle(picture)}."]
    if not totals:
        said.append(NONE_YET)
    elif len(totals) <= TOLD:
        said.append("; ".join(_told(picture, point) for point in totals) + ".")
    else:
        ends = [_told(picture, point) for point in (totals[0], totals[-1])]
        said.append(f"{len(totals)} totals, the first {ends[0]}, the last {ends[1]}.")
    left = len(picture.points) - len(totals)
    said += [f"{left} with answers left open, without a total."] if left else []
    if picture.doses:
        there = [day_words(day) for day in picture.doses]
        said.append("Doses on " + ", ".join(there[:TOLD]) + ".")
        said.append(f"Hatched: the {picture.lengths} days after a dose.")
    return " ".join(said)


def title(picture: Picture) -> str:
    """The instrument and the days between which it was answered."""
    return ", ".join([picture.instrument.title, *_between(picture)])


def subtitle(picture: Picture) -> str:
    """Days, range and direction, in one line."""
    one = picture.instrument
    has_total = one.scoring.lowest is not None
    scale = [f"totals {one.scoring.lowest} to {one.scoring.highest}"] if has_total else []
    return ", ".join([*_between(picture), *scale, _better(one)])


def _better(one: Instrument) -> str:
    return BETTER[one.higher_is]


def _between(picture: Picture) -> list[str]:
    """The first and the last day with a point, as words; nothing without one."""
    days = sorted({point["answered_on"] for point in picture.points})
    ends = [day_words(day) for day in dict.fromkeys([*days[:1], *days[-1:]])]
    return [" to ".join(ends)] if ends else []


def _told(picture: Picture, point: dict[str, Any]) -> str:
    about = [band_words(point["band"])] if point["band"] else []
    about += ["baseline"] if is_baseline(picture, point) else []
    return f"{point['total']} on {day_words(point['answered_on'])}" + (
        f" ({', '.join(about)})" if about else ""
    )


def is_baseline(picture: Picture, point: dict[str, Any]) -> bool:
    """Whether a point is what the others are measured against."""
    return picture.baseline is not None and point["checkin_id"] == picture.baseline["checkin_id"]


def band_words(code: str) -> str:
    """A band's code as it is written in words."""
    return code.replace("_", " ")


def day_words(day: date) -> str:
    """A day as it is written: 5 Nov 2026."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
