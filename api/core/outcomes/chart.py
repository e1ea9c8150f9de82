"""The picture of a series: plain SVG without colour, script, style or library. Pure.

Bands are stripes, windows are hatched, doses are marked lines, a baseline is a square: each is
told by its form, so that a grey printout says as much as a screen. Everything drawn is in words in
`<desc>` too. Presentation attributes alone, for the security policy of the answer forbids styles.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any
from xml.sax.saxutils import escape

from api.core.outcomes.picture import (
    MONTHS,
    NONE_YET,
    Picture,
    band_words,
    describe,
    is_baseline,
    subtitle,
    title,
)

WIDTH, HEIGHT = 900, 440
LEFT, RIGHT, TOP, BOTTOM = 60, 760, 80, 350
"""The edges of the plot, in units of the picture."""
STEPS = (1, 2, 3, 7, 14, 28, 56, 91, 182, 365, 730, 1825, 3650)
"""Days between two dates on the axis."""
TICKS, CLOSE = 6, 26
"""Dates on the axis, and units between two labels."""
FEW, MANY = 12, 40
"""Up to how many doses have a strong line, and totals a number each where there is room."""
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def draw(picture: Picture) -> str:
    """The picture as an SVG document, 900 by 440 units, with `title` and `desc`."""
    plot = _Plot(picture)
    parts = [
        *plot.windows(),
        *plot.bands(),
        *plot.axes(),
        *plot.doses(),
        *plot.series(),
        *plot.legend(),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
            ' aria-labelledby="title desc" font-family="Helvetica, Arial, sans-serif"'
            ' font-size="13" fill="#000">',
            f'<title id="title">{_safe(title(picture))}</title>',
            f'<desc id="desc">{_safe(describe(picture))}</desc>',
            HATCH,
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            _text(LEFT, 28, picture.instrument.short_title, size=20, weight="bold"),
            _text(LEFT, 47, subtitle(picture), fill="#333"),
            *parts,
            "</svg>",
            "",
        ]
    )


HATCH = (
    '<defs><pattern id="window" width="7" height="7" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)"><line x1="0" y1="0" x2="0" y2="7" stroke="#777"'
    ' stroke-width="1.6"/></pattern></defs>'
)


class _Plot:
    """Where the days and the totals of one picture lie, and the parts that are drawn there."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        scoring = picture.instrument.scoring
        self.low = float(scoring.lowest or 0)
        self.high = max(float(scoring.highest or 0), self.low + 1)
        days = [point["answered_on"] for point in picture.points]
        days += [day for span in picture.windows for day in span]
        first, last = (min(days), max(days)) if days else (date(2000, 1, 1), date(2000, 1, 8))
        spare = timedelta(days=max(1, (last - first).days // 40))
        self.begins, self.first, self.last = first, first - spare, last + spare

    def x(self, day: date) -> float:
        """Where a day lies."""
        share = (day - self.first).days / (self.last - self.first).days
        return round(LEFT + share * (RIGHT - LEFT), 1)

    def y(self, total: float) -> float:
        """Where a total lies."""
        share = (total - self.low) / (self.high - self.low)
        return round(BOTTOM - share * (BOTTOM - TOP), 1)

    def windows(self) -> Iterator[str]:
        """Hatched, beneath everything else."""
        for begins, ends in self.picture.windows:
            x, width = self.x(begins), round(self.x(ends) - self.x(begins), 1)
            yield (
                f'<rect x="{x}" y="{TOP}" width="{width}" height="{BOTTOM - TOP}"'
                ' fill="url(#window)" fill-opacity="0.45"/>'
            )

    def bands(self) -> Iterator[str]:
        """Every second band is a grey stripe; each has its name beside the plot."""
        bands = [b for b in self.picture.instrument.bands if None not in (b.lowest, b.highest)]
        for place, band in enumerate(bands):
            top = TOP if place == len(bands) - 1 else self.y(bands[place + 1].lowest)
            foot = BOTTOM if place == 0 else self.y(band.lowest)
            if place % 2:
                yield (
                    f'<rect x="{LEFT}" y="{top}" width="{RIGHT - LEFT}"'
                    f' height="{round(foot - top, 1)}" fill="#000" fill-opacity="0.08"/>'
                )
            if place:
                yield _line(LEFT, foot, RIGHT + 6, foot, "#666", 'stroke-dasharray="2 3"')
            yield _text(RIGHT + 10, (top + foot) / 2 + 4, band_words(band.code))
            yield _text(LEFT - 8, foot + 4, f"{band.lowest:g}", anchor="end")

    def axes(self) -> Iterator[str]:
        """A frame, the highest total, and dates."""
        yield _line(LEFT, BOTTOM, RIGHT, BOTTOM) + _line(LEFT, TOP, LEFT, BOTTOM)
        yield _text(LEFT - 8, TOP + 4, f"{self.high:g}", anchor="end")
        if not self.picture.instrument.bands:
            yield _text(LEFT - 8, BOTTOM + 4, f"{self.low:g}", anchor="end")
        year = None
        for day in self._ticks():
            x = self.x(day)
            yield _line(x, BOTTOM, x, BOTTOM + 5)
            yield _text(x, BOTTOM + 20, f"{day.day} {MONTHS[day.month - 1]}", anchor="middle")
            if day.year != year:
                yield _text(x, BOTTOM + 36, str(day.year), anchor="middle", fill="#333")
            year = day.year

    def _ticks(self) -> Iterator[date]:
        days = (self.last - self.first).days
        step = next((each for each in STEPS if days / each <= TICKS), STEPS[-1])
        day = self.begins
        while day <= self.last:
            yield day
            day += timedelta(days=step)

    def doses(self) -> Iterator[str]:
        """A line with a triangle on top; numbered as far as there is room."""
        doses = self.picture.doses
        numbered = set(_apart([self.x(day) for day in doses], CLOSE))
        width = 1.5 if len(doses) <= FEW else 0.6
        for place, day in enumerate(doses):
            x = self.x(day)
            yield _line(x, TOP, x, BOTTOM, "#000", f'stroke-width="{width}"')
            yield f'<path d="M{x - 6} {TOP - 11}h12l-6 11z"/>'
            if place in numbered:
                yield _text(x, TOP - 15, f"D{place + 1}", anchor="middle", weight="bold")

    def series(self) -> Iterator[str]:
        """The totals joined by a line; what has none is a cross on the axis."""
        totals = self.picture.totals
        places = [(self.x(p["answered_on"]), self.y(p["total"])) for p in totals]
        if len(places) > 1:
            path = " ".join(f"{x},{y}" for x, y in places)
            yield f'<polyline points="{path}" fill="none" stroke="#fff" stroke-width="5"/>'
            yield f'<polyline points="{path}" fill="none" stroke="#000" stroke-width="2"/>'
        for point, (x, y) in zip(totals, places, strict=True):
            yield self._mark(point, x, y)
        yield from self._values(totals, places)
        for point in self.picture.points:
            if point["total"] is None:
                yield _cross(self.x(point["answered_on"]), BOTTOM - 6)
        if not totals:
            yield _text((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2, NONE_YET, anchor="middle")

    def _mark(self, point: dict[str, Any], x: float, y: float) -> str:
        if is_baseline(self.picture, point):
            return _square(x, y)
        radius = 4.5 if len(self.picture.points) < 60 else 2.5
        return f'<circle cx="{x}" cy="{y}" r="{radius}" stroke="#fff"/>'

    def _values(self, totals: Sequence[dict[str, Any]], places: Any) -> Iterator[str]:
        """Numbers above the points, as far as there is room; of many, the telling ones alone."""
        for i in self._numbered(totals, [x for x, _ in places]):
            x, y = places[i]
            above = y - 12 if y - 24 > TOP else y + 22
            yield _text(x, above, f"{totals[i]['total']:g}", anchor="middle", weight="bold")

    def _numbered(self, totals: Sequence[dict[str, Any]], places: Sequence[float]) -> list[int]:
        """Which totals: baseline, last, highest and lowest, then the others if they are few."""
        if not totals:
            return []
        size = {i: point["total"] for i, point in enumerate(totals)}
        first = [i for i, point in enumerate(totals) if is_baseline(self.picture, point)]
        first += [len(totals) - 1, max(size, key=size.__getitem__), min(size, key=size.__getitem__)]
        return _apart(places, CLOSE, first, all_others=len(totals) <= MANY)

    def legend(self) -> Iterator[str]:
        """What the marks mean, of those that are there."""
        x, y = LEFT, HEIGHT - 22
        for mark, words in self._marks(y):
            yield f'<g transform="translate({x} 0)">{mark}</g>' + _text(x + 22, y + 4, words)
            x += 40 + round(len(words) * 6.6)

    def _marks(self, y: float) -> Iterator[tuple[str, str]]:
        if self.picture.totals:
            yield f'<circle cx="8" cy="{y}" r="4.5"/>', "total"
        if self.picture.baseline is not None:
            yield _square(8, y), "baseline"
        if len(self.picture.totals) < len(self.picture.points):
            yield _cross(8, y), "answers left open, no total"
        if self.picture.doses:
            yield f'<path d="M2 {y - 6}h12l-6 11z"/>', "dose"
            box = f'<rect x="0" y="{y - 7}" width="16" height="14" stroke="#000"'
            words = f"{self.picture.lengths} days after a dose"
            yield f'{box} fill="url(#window)" fill-opacity="0.6"/>', words


def _apart(
    places: Sequence[float], least: float, first: Iterable[int] = (), all_others: bool = True
) -> list[int]:
    """Which labels find room: those named first, then from left to right."""
    chosen: list[int] = []
    for i in [*first, *(range(len(places)) if all_others else ())]:
        if all(abs(places[i] - places[j]) >= least for j in chosen):
            chosen.append(i)
    return chosen


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str = "#000", more: str = "") -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{stroke}" {more}/>'


def _square(x: float, y: float) -> str:
    return (
        f'<rect x="{x - 6}" y="{y - 6}" width="12" height="12" fill="#fff" stroke="#000"'
        ' stroke-width="2.5"/>'
    )


def _cross(x: float, y: float) -> str:
    d = f"M{x - 5} {y - 5}l10 10M{x - 5} {y + 5}l10 -10"
    return f'<path d="{d}" stroke="#000" stroke-width="2"/>'


def _text(x: float, y: float, words: str, **how: Any) -> str:
    """Words with a white edge, so that they can be read on stripes and hatching."""
    names = {"anchor": "text-anchor", "size": "font-size", "weight": "font-weight"}
    more = "".join(f' {names.get(name, name)}="{value}"' for name, value in how.items())
    edge = ' stroke="#fff" stroke-width="3" paint-order="stroke"'
    return f'<text x="{x}" y="{y}"{more}{edge}>{_safe(words)}</text>'


def _safe(words: str) -> str:
    return escape(NOT_XML.sub("", words))
