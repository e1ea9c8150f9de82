"""Scores of a release: which check-in stands for a window, and what changed since the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from api.core.outcomes import change
from api.core.outcomes.instruments.catalogue import catalogue
from api.core.release import deidentify as d
from api.core.release.shapes import ITEMS_MISSING, NOT_ANSWERED, shapes, wide_name


@dataclass(frozen=True, slots=True)
class Point:
    """One check-in as it may be told: without its day."""

    distance: tuple[int, int]
    version: str
    scoring_version: str
    total: float | None
    band: str | None
    practice: Any


Points = dict[str, dict[str, Point]]
"""By instrument and window."""


def place(points: Points, row: Mapping[str, Any], offset: int, before: bool) -> None:
    """Put a check-in where it belongs, unless another one lies nearer to the window's day.

    The baseline is the last before the first dose, at most 14 days old; a later one is nearest to
    its window's day, and of two as near the earlier.
    """
    window = d.window_of(offset)
    if window is None or before != (window.code == d.BASELINE):
        return
    distance = (abs(offset - window.nominal), 0 if before else offset)
    there = points.setdefault(row["instrument"], {})
    nearest = there.get(window.code)
    # On the same day the later of two baselines counts, and the earlier of two others.
    nearer = nearest is None or distance < nearest.distance
    if nearer or (before and nearest is not None and distance == nearest.distance):
        there[window.code] = Point(
            distance,
            row["instrument_version"].partition("+")[0],
            row["scoring_version"],
            row["total"],
            row["band"],
            row["practice_id"],
        )


def score_rows(code: str, points: Points) -> list[list[Any]]:
    """A row for each window of each instrument that the subject ever answered in one.

    A window without an answer says no more than that: whether it has come yet would tell of when
    the subject began.
    """
    return [
        _row(code, key, window, there.get(window), there.get(d.BASELINE))
        for key, there in sorted(points.items())
        for window in d.CODES
    ]


def _row(
    code: str, key: str, window: str, point: Point | None, baseline: Point | None
) -> list[Any]:
    if point is None:
        newest = catalogue()[key]
        return [code, key, newest.version, None, window, *[None] * 2, NOT_ANSWERED, *[None] * 5]
    missing = ITEMS_MISSING if point.total is None else None
    about = [code, key, point.version, point.scoring_version, window, point.total, point.band]
    return [*about, missing, *_change(key, window, point, baseline)]


def _change(key: str, window: str, point: Point, baseline: Point | None) -> Sequence[Any]:
    comparable = (
        baseline is not None
        and window != d.BASELINE
        and (baseline.scoring_version, baseline.practice) == (point.scoring_version, point.practice)
    )
    if not comparable or baseline is None or None in (point.total, baseline.total):
        return [None] * 5
    said = change.change(_rules(key), baseline.total, point.total)
    named = ("response", "remission", "reliable", "deterioration")
    return [said["difference"], *(said[name]["verdict"] for name in named)]


@cache
def _rules(key: str) -> change.Rules:
    return change.rules_of(catalogue()[key].definition)


def wide_row(code: str, scored: Sequence[Sequence[Any]]) -> list[Any]:
    """The totals of one subject side by side."""
    totals = {wide_name(row[1], row[4]): row[5] for row in scored}
    names = [field.name for field in shapes()["scores_wide"].fields[1:]]
    return [code, *(totals.get(name) for name in names)]
