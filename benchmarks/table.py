"""The results as a table, and its place in `benchmarks/README.md`."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
MUST = {
    "GET a patient": 38,
    "list 50 check-ins": 42,
    "search by name prefix": 36,
    "POST a scored check-in": 36,
}
"""Per cent of the audited floor, by CPU, that must be reached."""
MUST_SQLITE = 30
HEAD = (
    "| endpoint | server | requests/s | p50 ms | p99 ms | errors | CPU ms, app | CPU ms, database"
    " | statements | ours / floor: requests/s | ours / floor: CPU |"
)


def as_markdown(found: dict[str, Any], seconds: float, rounds: int, quick: bool) -> str:
    """Every engine's table, below how it was measured."""
    cores = os.cpu_count()
    data = "400 patients, 2,000 check-ins" if quick else "10,000 patients, 100,000 check-ins"
    parts = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {cores} cores ({platform.machine()}, Python"
        f" {platform.python_version()}), {data}, {rounds} rounds of {seconds:g} s, alternated."
    ]
    for engine, one in found.items():
        parts += [f"### {NAMES[engine]}", _engine(engine, one)]
        if one["differing"]:
            parts.append(f"Answers of floor and ours differ: {', '.join(one['differing'])}.")
    return "\n\n".join(parts) + "\n"


NAMES = {"postgres": "PostgreSQL (fsync on)", "sqlite": "SQLite (synchronous FULL)"}


def _engine(engine: str, one: dict[str, Any]) -> str:
    lines = [HEAD, "|---|---|" + "--:|" * 9]
    for endpoint, measured in one["measured"].items():
        for name, m in measured.items():
            statements = one["statements"][endpoint] if name == "ours" else ""
            shares = _shares(measured, name)
            lines.append(
                f"| {endpoint} | {name} | {m['rate']:,.0f} | {m['p50_ms']:.1f} | {m['p99_ms']:.1f}"
                f" | {m['errors']} | {m['app_ms']:.3f} | {m['database_ms']:.3f} | {statements}"
                f" | {shares[0]} | {shares[1]} |"
            )
    return "\n".join(lines)


def _shares(measured: dict[str, Any], name: str) -> tuple[str, str]:
    """Ours as a share of this floor, by requests a second and by CPU; nothing beside ours."""
    if "floor" not in name:
        return "", ""
    return tuple(f"{share:.0f} %" for share in shares(measured, name))  # type: ignore[return-value]


def shares(measured: dict[str, Any], name: str = "audited floor") -> tuple[float, float]:
    """Per cent of a floor that ours reaches: by requests a second, by CPU a request."""
    ours, floor = measured["ours"], measured[name]
    return 100 * ours["rate"] / floor["rate"], 100 * _cpu(floor) / _cpu(ours)


def _cpu(one: dict[str, float]) -> float:
    return one["app_ms"] + one["database_ms"]


def write(text: str) -> None:
    """Put the table between its two marks in the README."""
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}")


def failed(found: dict[str, Any]) -> int:
    """The exit status: 1 when a request failed or floor and ours answered differently."""
    errors = sum(
        m["errors"] for e in found.values() for s in e["measured"].values() for m in s.values()
    )
    return int(errors > 0 or any(one["differing"] for one in found.values()))
