"""The picture of the cube: mean totals by window with their intervals, fit for a slide. Pure.

Plain SVG: no colour, script or style, so that it reads on a grey printout; each group has its own
line and mark, and `<desc>` says all of it in words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from api.core.outcomes.instruments.catalogue import instrument
from api.core.release.deidentify import BASELINE, CODES

WIDTH, HEIGHT = 960, 540
LEFT, RIGHT, TOP, BOTTOM = 80, 700, 110, 440
DASHES: Final = ("none", "7 4", "2 3", "10 3 2 3", "4 6", "1 2", "12 6")
NUDGE: Final = 9
"""How far the marks of two groups stand apart at one window."""


@dataclass(frozen=True)
class Drawn:
    """What is drawn: an instrument's rows of one cut, from one release."""

    instrument: str
    cut: str
    release: int
    released_on: str
    rows: Sequence[dict[str, Any]]


def draw(drawn: Drawn) -> str:
    """The picture, 960 by 540 units; without rows it says that there is nothing to tell."""
    one = instrument(drawn.instrument)
    source = (
        f"Release {drawn.release}, {drawn.released_on}; means with 95 % intervals; n rounded to 5"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' aria-labelledby="title desc" font-family="Helvetica, Arial, sans-serif"'
        ' font-size="16" fill="#000">',
        f'<title id="title">{one.short_title} by window</title>',
        f'<desc id="desc">{_said(drawn)}</desc>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 44, f"{one.short_title}: mean total by window from the first dose", size=24),
        _text(LEFT, 70, source, fill="#333"),
        *_Plot(drawn, float(one.scoring.lowest or 0), float(one.scoring.highest or 1)).parts(),
        "</svg>",
        "",
    ]
    return "\n".join(parts)


def _said(drawn: Drawn) -> str:
    told = (
        f"{row['group']}, {row['window']}: mean {row['mean']}, {row['ci95_low']} to"
        f" {row['ci95_high']}, n about {row['n']}"
        for row in drawn.rows
    )
    return "; ".join(told) or "No group is large enough to be told of."


class _Plot:
    def __init__(self, drawn: Drawn, low: float, high: float) -> None:
        self.low, self.high = low, high
        by_group = sorted(drawn.rows, key=lambda row: str(row["group"]))
        self.groups = [(name, list(some)) for name, some in groupby(by_group, lambda r: r["group"])]

    def parts(self) -> Iterator[str]:
        """Axes, then a line for each group."""
        yield _line(LEFT, BOTTOM, RIGHT, BOTTOM) + _line(LEFT, TOP, LEFT, BOTTOM)
        for step in range(6):
            value = self.low + (self.high - self.low) * step / 5
            yield _line(LEFT - 6, self.y(value), LEFT, self.y(value))
            yield _text(LEFT - 10, self.y(value) + 5, f"{value:g}", anchor="end")
        for code in CODES:
            name = "baseline" if code == BASELINE else f"week {int(code[-2:])}"
            yield _text(self.x(code), BOTTOM + 26, name, anchor="middle")
        if not self.groups:
            middle = (LEFT + RIGHT) / 2
            yield _text(middle, 280, "No group is large enough to be told of.", anchor="middle")
        for place, (name, rows) in enumerate(self.groups):
            yield from self.group(place, name, rows)

    def group(self, place: int, name: str, rows: list[dict[str, Any]]) -> Iterator[str]:
        """A line through the means, with an interval at each."""
        shift = NUDGE * (place - (len(self.groups) - 1) / 2)
        rows = sorted(rows, key=lambda row: CODES.index(row["window"]))
        points = [(self.x(row["window"]) + shift, self.y(row["mean"])) for row in rows]
        dash = DASHES[place % len(DASHES)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield (
            f'<polyline points="{path}" fill="none" stroke="#000" stroke-width="2"'
            f' stroke-dasharray="{dash}"/>'
        )
        fill = "#fff" if place % 2 else "#000"
        for (x, y), row in zip(points, rows, strict=True):
            low, high = self.y(row["ci95_low"]), self.y(row["ci95_high"])
            yield (
                _line(x, low, x, high)
                + _line(x - 5, low, x + 5, low)
                + _line(x - 5, high, x + 5, high)
            )
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{fill}" stroke="#000"/>'
        top = TOP + 26 * place
        yield (
            f'<line x1="{RIGHT + 24}" y1="{top}" x2="{RIGHT + 64}" y2="{top}" stroke="#000"'
            f' stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        yield _text(RIGHT + 74, top + 5, str(name).replace("_", " "))

    def x(self, code: str) -> float:
        """Where a window stands: they are set apart alike."""
        return LEFT + (RIGHT - LEFT) * (CODES.index(code) + 0.5) / len(CODES)

    def y(self, total: float) -> float:
        """Where a total lies; an interval does not leave the plot."""
        share = (total - self.low) / (self.high - self.low)
        return round(BOTTOM - min(1.0, max(0.0, share)) * (BOTTOM - TOP), 1)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#000"/>'


def _text(
    x: float, y: float, said: str, size: int = 16, anchor: str = "start", fill: str = "#000"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
        f' fill="{fill}">{said}</text>'
    )
