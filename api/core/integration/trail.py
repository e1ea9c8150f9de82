"""The trail: what the steps of one practice add up to, as a pure function of dates and weights.

It measures steps logged, not a person or a brain. The shape is that of Lally et al. 2010
(doi:10.1002/ejsp.674): each repetition closes the same share of what is left, 18-254 days to 95 %,
one missed opportunity without consequence. Grace, half-life, weights and stages are conventions of
this project.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from itertools import groupby
from math import fsum, nextafter
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

FORMULA: Final = "lally-1"

WEIGHTS: Final[Mapping[str, float]] = {
    "done": 1.0,
    "partly": 0.5,
    "prompted": 0.5,
    "skipped": 0.0,
    "detour": 0.0,
}
KNOWN_WEIGHTS: Final = frozenset(WEIGHTS.values())

N95_DEFAULT: Final = 66  # full repetitions to 0.95: the median of Lally 2010
N95_BOUNDS: Final = (18, 254)  # the range seen there
LEFT_AT_N95: Final = 0.05
INTERVAL_WHEN_CUED: Final = 14  # days; for a practice that waits for its cue
GRACE_INTERVALS: Final = 2  # planned opportunities that may be missed, and one day more
HALF_LIFE_GRACES: Final = 10  # past the grace, half is left after ten times the grace
CURVE_POINTS: Final = 400
BELOW_ONE: Final = nextafter(1.0, 0.0)  # years of daily practice would round to 1, never reached

# Stage and the strength it starts at, lowest first.
STAGES: Final = (("footprints", 0.0), ("track", 0.15), ("path", 0.5), ("familiar_trail", 0.8))


@dataclass(frozen=True, slots=True)
class Walk:
    """One logged step: the patient's own calendar day and one of the known weights."""

    on: date
    weight: float

    def __post_init__(self) -> None:
        """Keep the weights a closed set, so that a crumb can't hold off the decay."""
        if self.weight not in KNOWN_WEIGHTS:
            raise ValueError(f"a step weighs one of {sorted(KNOWN_WEIGHTS)}, not {self.weight}")


@dataclass(frozen=True, slots=True)
class Pause:
    """Days on which the trail stands still, from `from_on` up to but not including `to_on`.

    `to_on` is the day the practice is active again, null while it has not been taken up.
    """

    from_on: date
    to_on: date | None = None


@dataclass(frozen=True)
class Params:
    """How fast one trail forms: repetitions to 0.95, planned days between steps, cap a day."""

    n95: int = N95_DEFAULT
    interval_days: int | None = 1
    cap: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what the formula has no meaning for."""
        if not N95_BOUNDS[0] <= self.n95 <= N95_BOUNDS[1]:
            raise ValueError(f"n95 lies within {N95_BOUNDS}, not {self.n95}")
        if self.interval_days is not None and self.interval_days < 1:
            raise ValueError("interval_days is at least 1, or null")
        if self.cap <= 0:
            raise ValueError("cap is above 0")

    @cached_property
    def grace_days(self) -> int:
        """Days without a step that cost nothing."""
        interval = INTERVAL_WHEN_CUED if self.interval_days is None else self.interval_days
        return GRACE_INTERVALS * interval + 1

    @cached_property
    def half_life_days(self) -> int:
        """Days past the grace after which half is left."""
        return HALF_LIFE_GRACES * self.grace_days


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The strength, 0 to 1 and unrounded, read at the end of one day."""

    on: date
    strength: float


@dataclass(frozen=True, slots=True)
class Detours:
    """How often the old trail was taken, when last, and how soon the new one was found again."""

    count: int
    last_on: date | None
    median_return_days: float | None


DEFAULTS: Final = Params()


def local_day(at: datetime, time_zone: str) -> date:
    """The calendar day it is at the aware instant `at` where the patient is (IANA zone)."""
    if at.tzinfo is None:
        raise ValueError("an instant needs its offset from UTC")
    return at.astimezone(ZoneInfo(time_zone)).date()


def strength(
    walks: Iterable[Walk], pauses: Iterable[Pause], on: date, params: Params = DEFAULTS
) -> float:
    """How well trodden the trail is at the end of day `on`: 0 up to but never 1, unrounded."""
    return curve(walks, pauses, on, params)[-1].strength


def curve(
    walks: Iterable[Walk], pauses: Iterable[Pause], on: date, params: Params = DEFAULTS
) -> list[CurvePoint]:
    """The strength after each day of practice up to `on`, and on `on` itself, oldest first.

    At most 400 points. A longer history is thinned evenly by position, with the first and the
    last kept: a drawn line looks alike, and years of practice stay one small answer.
    """
    cuts = _cuts(pauses)
    points = _practice_points(walks, cuts, on, params)
    if not points:
        return [CurvePoint(on, 0.0)]
    last = points[-1]
    if last.on < on:
        rest = _active_days(last.on, on, cuts)
        points.append(CurvePoint(on, _decayed(last.strength, rest, params)))
    return _thinned(points)


def stage(strength: float, any_steps: bool) -> str | None:
    """The patient's word for a strength; null while no step with a weight is logged."""
    if not any_steps:
        return None
    return [name for name, start in STAGES if strength >= start][-1]


def furthest_stage(
    walks: Iterable[Walk], pauses: Iterable[Pause], on: date, params: Params = DEFAULTS
) -> str | None:
    """The highest stage the recomputed curve ever reached up to `on`; null with no steps."""
    points = _practice_points(walks, _cuts(pauses), on, params)
    highest = max((point.strength for point in points), default=0.0)
    return stage(highest, bool(points))


def steps_logged(walks: Iterable[Walk], on: date) -> bool:
    """Whether a step with a weight is logged on or before `on`."""
    return any(walk.weight > 0 and walk.on <= on for walk in walks)


def detours(detour_days: Iterable[date], walks: Iterable[Walk], on: date) -> Detours:
    """What is known of the detours up to `on`, one entry of `detour_days` for each logged.

    A return is the first later day with a weighted step, counted in calendar days; a detour not
    returned from yet has no share in the median.
    """
    taken = sorted(day for day in detour_days if day <= on)
    walked = sorted({walk.on for walk in walks if walk.weight > 0 and walk.on <= on})
    returns = [_days_until_walked(day, walked) for day in taken]
    known = [days for days in returns if days is not None]
    return Detours(
        count=len(taken),
        last_on=taken[-1] if taken else None,
        median_return_days=float(median(known)) if known else None,
    )


def _days_until_walked(day: date, walked: Sequence[date]) -> int | None:
    return next(((later - day).days for later in walked if later > day), None)


# Half-open spans of day ordinals, disjoint and in order.
_Cuts = Sequence[tuple[int, int]]


def _cuts(pauses: Iterable[Pause]) -> _Cuts:
    """The paused days, with overlapping pauses laid together."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(_span(pause) for pause in pauses):
        if merged and start <= merged[-1][1]:
            start, end = merged[-1][0], max(end, merged.pop()[1])
        if start < end:
            merged.append((start, end))
    return merged


def _span(pause: Pause) -> tuple[int, int]:
    end = date.max if pause.to_on is None else pause.to_on
    return pause.from_on.toordinal(), end.toordinal() + (pause.to_on is None)


def _active_days(earlier: date, later: date, cuts: _Cuts) -> int:
    """Days from `earlier` to `later` with the paused ones cut out of the calendar."""
    first, past = earlier.toordinal() + 1, later.toordinal() + 1
    paused = sum(max(0, min(past, end) - max(first, start)) for start, end in cuts)
    return past - first - paused


def _practice_points(
    walks: Iterable[Walk], cuts: _Cuts, on: date, params: Params
) -> list[CurvePoint]:
    """The strength after each day with a weighted step up to `on`, oldest first."""
    points: list[CurvePoint] = []
    for day, dose in _doses(walks, on, params.cap):
        before = 0.0
        if points:
            rest = _active_days(points[-1].on, day, cuts)
            before = _decayed(points[-1].strength, rest, params)
        points.append(CurvePoint(day, _walked(before, dose, params)))
    return points


def _doses(walks: Iterable[Walk], on: date, cap: float) -> list[tuple[date, float]]:
    """Each day of practice with the sum of its weights, capped; what lies ahead is left out."""
    counted = sorted((w for w in walks if w.weight > 0 and w.on <= on), key=lambda w: w.on)
    days = groupby(counted, key=lambda walk: walk.on)
    return [(day, min(cap, fsum(walk.weight for walk in same))) for day, same in days]


def _decayed(strength: float, rest_days: int, params: Params) -> float:
    """What is left after `rest_days` without a step: all of it inside the grace."""
    overdue = max(0, rest_days - params.grace_days)
    return float(strength * 2.0 ** (-overdue / params.half_life_days))


def _walked(strength: float, dose: float, params: Params) -> float:
    """The strength after a day's dose, which closes the same share of what is left each time."""
    left = (1.0 - strength) * LEFT_AT_N95 ** (dose / params.n95)
    return float(min(BELOW_ONE, 1.0 - left))


def _thinned(points: list[CurvePoint]) -> list[CurvePoint]:
    """At most `CURVE_POINTS` of the points, evenly by position, with the first and the last."""
    if len(points) <= CURVE_POINTS:
        return points
    step = (len(points) - 1) / (CURVE_POINTS - 1)
    return [points[round(i * step)] for i in range(CURVE_POINTS)]
