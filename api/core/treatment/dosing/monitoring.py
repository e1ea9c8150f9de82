"""Monitoring: which reading is due, done, late or missed, and everything that was judged. Pure.

Each dose begins the schedule anew. A reading counts for the point of the schedule that it lies
nearest to, so that it counts for one alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from api.core.treatment.dosing.judging import readings_of, total_mg
from api.core.treatment.dosing.vocabulary import DOSE, VOID
from api.core.treatment.protocols.definition import (
    AFTER_DOSE,
    BEFORE_DOSE,
    LONGEST_MIN,
    Point,
    Protocol,
)
from api.db import Values

UPCOMING, DUE, DONE, LATE, MISSED = STATES = ("upcoming", "due", "done", "late", "missed")
"""`late` is past its time and can still be done; `missed` can't any more."""
OPEN: Final = (DUE, LATE)


def standing(entries: Sequence[Values]) -> list[Values]:
    """The entries that no other one supersedes, by `measured_at` and then by arrival."""
    there = [e for e in entries if e["superseded_by"] is None and e["type"] != VOID]
    return sorted(there, key=lambda e: (e["measured_at"], e["sequence"]))


@dataclass(frozen=True)
class Slot:
    """One point of the schedule: when it opens, is due, is late, and can't be done any more."""

    point: Point
    opens_at: datetime | None
    due_at: datetime | None
    late_at: datetime | None
    ends_at: datetime | None
    minute: int | None = None

    def holds(self, at: datetime) -> bool:
        """Whether a reading of this instant counts for the point."""
        begun = self.opens_at is None or self.opens_at <= at
        return begun and (self.ends_at is None or at < self.ends_at)


def monitoring_told(
    session: Values, entries: Sequence[Values], protocol: Protocol, now: datetime
) -> Values:
    """The monitoring of a session at an instant: points, doses, and every judgement.

    `{protocol, doses, first_dose_at, last_dose_at, minutes_since_dose, observation, points[],
    counts, next_due, judgements[]}`.
    """
    there = standing(entries)
    doses = [entry for entry in there if entry["type"] == DOSE]
    at = [dose["measured_at"] for dose in doses]
    ended_at = session.get("completed_at") or session.get("closed_at")
    points = [_told(slot, there, now, ended_at) for slot in slots(protocol, at, now, ended_at)]
    waiting = [point for point in points if point["state"] in (*OPEN, UPCOMING)]
    return {
        "session_id": session["id"],
        "protocol": protocol.name | {"title": protocol.title},
        "doses": {"count": len(doses), "total_mg": total_mg(doses)},
        "first_dose_at": at[0] if at else None,
        "last_dose_at": at[-1] if at else None,
        "minutes_since_dose": _minutes(at[-1], now) if at and at[-1] <= now else None,
        "observation": _observation(protocol, at, ended_at or now),
        "points": points,
        "counts": {state: sum(p["state"] == state for p in points) for state in STATES},
        "next_due": waiting[0] if waiting else None,
        "judgements": _judged(entries),
    }


def _minutes(since: datetime, until: datetime) -> int:
    return int((until - since).total_seconds() // 60)


def _observation(protocol: Protocol, doses: list[datetime], until: datetime) -> Values:
    """For how long the patient stays after the last dose, and whether that time is over."""
    ends = doses[-1] + timedelta(minutes=protocol.observation_min) if doses else None
    return {
        "minutes": protocol.observation_min,
        "until_at": ends,
        "met": ends is not None and until >= ends,
    }


def slots(
    protocol: Protocol, doses: Sequence[datetime], now: datetime, ended_at: datetime | None
) -> list[Slot]:
    """The schedule of a session: what is before the dose, after each dose, and at discharge."""
    found: list[Slot] = []
    for point in protocol.monitoring_points:
        if point.when == BEFORE_DOSE:
            found.append(_before(point, doses, now, ended_at))
    for dose, after in zip(doses, [*doses[1:], None], strict=False):
        found += _after(protocol, dose, after, now, ended_at)
    for point in protocol.monitoring_points:
        if point.when not in (BEFORE_DOSE, AFTER_DOSE) and doses:
            due = doses[-1] + timedelta(minutes=point.at_min)
            found.append(Slot(point, due, due, None, None, point.at_min))
    return found


def _before(
    point: Point, doses: Sequence[datetime], now: datetime, ended_at: datetime | None
) -> Slot:
    """What is measured before the first dose; until there is one, in the minutes before now."""
    dose = doses[0] if doses else None
    opens = (dose or ended_at or now) - timedelta(minutes=point.at_min)
    # A reading of the very minute of the dose was taken before it.
    return Slot(point, opens, dose, None, None if dose is None else dose + timedelta(seconds=1))


def _after(
    protocol: Protocol,
    dose: datetime,
    following: datetime | None,
    now: datetime,
    ended_at: datetime | None,
) -> Iterator[Slot]:
    times = sorted(_times(protocol, dose, following, now, ended_at), key=lambda one: one[:2])
    due = [dose, *(dose + timedelta(minutes=minute) for minute, _, _ in times)]
    for place, (minute, _code, point) in enumerate(times, start=1):
        is_last = place == len(times)
        ends = following if is_last else due[place] + (due[place + 1] - due[place]) / 2
        yield Slot(
            point,
            opens_at=due[place - 1] + (due[place] - due[place - 1]) / 2,
            due_at=due[place],
            late_at=due[place] + timedelta(minutes=point.grace_min),
            ends_at=ends,
            minute=minute,
        )


def _times(
    protocol: Protocol,
    dose: datetime,
    following: datetime | None,
    now: datetime,
    ended_at: datetime | None,
) -> Iterator[tuple[int, str, Point]]:
    """The minutes after a dose at which something is due: up to the next dose, or the one ahead."""
    for point in protocol.monitoring_points:
        if point.when != AFTER_DOSE:
            continue
        minute, every = point.at_min, point.every_min
        last = LONGEST_MIN if point.until_min is None else point.until_min
        while minute <= (last if every else point.at_min):
            due = dose + timedelta(minutes=minute)
            if (following and due >= following) or (ended_at and due > ended_at):
                break
            yield minute, point.code, point
            if every is None or (point.until_min is None and due > now):
                break
            minute += every


def _told(slot: Slot, there: Sequence[Values], now: datetime, ended_at: datetime | None) -> Values:
    done_at, taken, missing = _taken(slot, there)
    state = DONE if done_at is not None else _state(slot, now, ended_at)
    late_by = None
    if done_at is not None and slot.late_at is not None and done_at > slot.late_at:
        late_by = _minutes(slot.due_at or done_at, done_at)
    return {
        "code": slot.point.code,
        "when": slot.point.when,
        "minute": slot.minute,
        "due_at": slot.due_at,
        "state": state,
        "done_at": done_at,
        "late_by_min": late_by,
        "needs": list(slot.point.needs),
        "missing": missing,
        "sequences": taken,
    }


def _taken(slot: Slot, there: Sequence[Values]) -> tuple[datetime | None, list[int], list[str]]:
    """When the last reading that was needed came, which entries count, and what is lacking."""
    lacking, taken = set(slot.point.needs), []
    done_at = None
    for entry in there:
        measured = readings_of(entry)
        if not slot.holds(entry["measured_at"]) or not lacking & set(measured):
            continue
        taken.append(entry["sequence"])
        lacking -= set(measured)
        if not lacking:
            done_at = entry["measured_at"]
            break
    return done_at, taken, [name for name in slot.point.needs if name in lacking]


def _state(slot: Slot, now: datetime, ended_at: datetime | None) -> str:
    over = slot.ends_at is not None and now >= slot.ends_at
    if over or (ended_at is not None and now >= ended_at):
        return MISSED
    if slot.opens_at is not None and now < slot.opens_at:
        return UPCOMING
    return LATE if slot.late_at is not None and now > slot.late_at else DUE


def _judged(entries: Sequence[Values]) -> list[Values]:
    """Every judgement with the entry it is of, in the order of the ledger."""
    return [
        one | _source(entry)
        for entry in sorted(entries, key=lambda e: e["sequence"])
        for one in entry["judgements"]
    ]


def _source(entry: Values) -> dict[str, Any]:
    return {
        "entry_id": entry["id"],
        "sequence": entry["sequence"],
        "measured_at": entry["measured_at"],
        "superseded": entry["superseded_by"] is not None,
    }
