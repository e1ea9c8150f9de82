"""Draw the mean of an instrument by window, with its 95 % interval, from a release's scores.

    pip install duckdb
    python docs/examples/mean_by_window.py scores.parquet mean.svg

Windows are counted from the first dose. The instrument is `phq-9` unless a third word names one.
"""

import sys
from pathlib import Path

import duckdb

WINDOWS = ("baseline", "week_01", "week_02", "week_04", "week_12", "week_24")
ASKED = """
    SELECT "window", avg(total), 1.96 * stddev_samp(total) / sqrt(count(total)), count(total)
    FROM read_parquet(?) WHERE instrument = ? AND total IS NOT NULL
    GROUP BY "window" HAVING count(total) > 1
"""
WIDE, HIGH, LEFT, TOP = 640, 360, 60, 50


def means(scores: str, instrument: str) -> dict[str, tuple[float, float, int]]:
    """By window the mean, half the width of its interval, and how many subjects it is of."""
    rows = duckdb.execute(ASKED, [scores, instrument]).fetchall()
    found = {window: (mean, half, n) for window, mean, half, n in rows}
    return {window: found[window] for window in WINDOWS if window in found}


def draw(found: dict[str, tuple[float, float, int]], instrument: str) -> str:
    """An SVG of points with their intervals; 0 is at the bottom."""
    top = max(mean + half for mean, half, _ in found.values()) * 1.1
    across = (WIDE - 2 * LEFT) / max(1, len(found) - 1)

    def up(value: float) -> float:
        return HIGH - TOP - value / top * (HIGH - 2 * TOP)

    marks = [f'<text x="{LEFT}" y="24">Mean {instrument} by window, 95 % interval</text>']
    line = []
    for place, (window, (mean, half, n)) in enumerate(found.items()):
        x = LEFT + place * across
        line.append(f"{x:.1f},{up(mean):.1f}")
        ends = f'y1="{up(mean - half):.1f}" y2="{up(mean + half):.1f}"'
        marks += [
            f'<line x1="{x:.1f}" x2="{x:.1f}" {ends} stroke="black" stroke-width="2"/>',
            f'<circle cx="{x:.1f}" cy="{up(mean):.1f}" r="5"/>',
            f'<text x="{x + 8:.1f}" y="{up(mean) - 8:.1f}">{mean:.1f}</text>',
            f'<text x="{x:.1f}" y="{HIGH - 24}" text-anchor="middle">{window}</text>',
            f'<text x="{x:.1f}" y="{HIGH - 8}" text-anchor="middle">n {n}</text>',
        ]
    path = f'<polyline points="{" ".join(line)}" fill="none" stroke="gray"/>'
    size = f'width="{WIDE}" height="{HIGH}" font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{path}{"".join(marks)}</svg>\n'


def main() -> None:
    """Read, say and draw."""
    scores, picture, *more = sys.argv[1:]
    instrument = more[0] if more else "phq-9"
    found = means(scores, instrument)
    for window, (mean, half, n) in found.items():
        print(f"{window:<9} {mean:5.2f} ({mean - half:.2f} to {mean + half:.2f}) n {n}")
    Path(picture).write_text(draw(found, instrument))


if __name__ == "__main__":
    main()
