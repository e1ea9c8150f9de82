"""The readings before a dose: what is lacking, what breaks a rule, what is to be repeated. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.core.treatment.dosing.judging import readings_of
from api.core.treatment.protocols import Protocol
from api.core.treatment.protocols.definition import (
    AFTER_DOSE,
    ALERT,
    BEFORE_DOSE,
    HOLD,
    REPEAT,
    STOP,
    Point,
    Threshold,
)
from api.paging import Values

HOLDING = (HOLD, ALERT, STOP)


@dataclass(frozen=True)
class Baseline:
    """What the readings before a dose say by a protocol; each names fields or rules."""

    unmeasured: tuple[str, ...] = ()
    out_of_limits: tuple[str, ...] = ()
    unrepeated: tuple[str, ...] = ()


def baseline(
    protocol: Protocol,
    entries: Sequence[Values],
    now: datetime,
    dosed_at: datetime | None = None,
) -> Baseline:
    """The baseline of a first dose, or of one that is not given yet, by the entries that stand.

    `entries` are in order of their time. The newest reading of each field counts; one that asks to
    be repeated is settled by a second one that breaks no rule that holds a dose.
    """
    taken = _taken(protocol, entries, now, dosed_at)
    rules = [rule for rule in protocol.thresholds if rule.when != AFTER_DOSE]
    broken = [rule for rule in rules if taken.get(rule.field) and _breaks(rule, taken)]
    return Baseline(
        tuple(name for name in _needed(protocol) if not taken.get(name)),
        tuple(rule.rule for rule in broken if rule.action in HOLDING),
        tuple(r.rule for r in broken if r.action == REPEAT and len(taken[r.field]) == 1),
    )


def _points(protocol: Protocol) -> list[Point]:
    return [point for point in protocol.monitoring_points if point.when == BEFORE_DOSE]


def _needed(protocol: Protocol) -> Iterator[str]:
    yield from dict.fromkeys(name for point in _points(protocol) for name in point.needs)


def _taken(
    protocol: Protocol, entries: Sequence[Values], now: datetime, dosed_at: datetime | None
) -> dict[str, list[float]]:
    """The readings of each field in the minutes that count before a dose, the newest last.

    While there is no dose, a reading of a device whose clock runs ahead of ours counts as well.
    """
    longest = max((point.at_min for point in _points(protocol)), default=0)
    opens = (dosed_at or now) - timedelta(minutes=longest)
    taken: dict[str, list[float]] = {}
    for entry in entries:
        at = entry["measured_at"]
        if opens <= at and (dosed_at is None or at <= dosed_at):
            for name, value in readings_of(entry).items():
                taken.setdefault(name, []).append(value)
    return taken


def _breaks(rule: Threshold, taken: dict[str, list[float]]) -> bool:
    return rule.is_broken_by(taken[rule.field][-1])
