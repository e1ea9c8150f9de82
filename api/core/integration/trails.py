"""What the steps of a practice add up to for one reader: the pure formula, fed from the tables.

Whoever is not the patient gets what they would get if the patient's `me` entries were not there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select

from api.access.policies import Actor
from api.core.gate import shown_to
from api.core.integration import words
from api.core.integration.tables import STANDS_STILL, moments, practice_statuses, steps
from api.core.integration.trail import (
    FORMULA,
    WEIGHTS,
    Params,
    Pause,
    Walk,
    curve,
    detours,
    furthest_stage,
    local_day,
    stage,
    steps_logged,
    strength,
)
from api.db import Values, store

PLACES = 6


@dataclass
class Log:
    """One practice's steps as a reader may count them, its pauses and its parameters."""

    walks: list[Walk] = field(default_factory=list)
    detour_days: list[date] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    params: Params = Params()

    def sums_up_to(self, on: date) -> Values:
        """`{strength, stage, furthest_stage}` at the end of day `on`; strength to 6 places."""
        now = strength(self.walks, self.pauses, on, self.params)
        return {
            "strength": round(now, PLACES),
            "stage": stage(now, steps_logged(self.walks, on)),
            "furthest_stage": furthest_stage(self.walks, self.pauses, on, self.params),
        }


def logs(reader: Actor, practices: Sequence[Values]) -> dict[UUID, Log]:
    """The log of each practice, in two queries, however many they are."""
    made = {row["id"]: Log(params=Params(interval_days=row["interval_days"])) for row in practices}
    for row in store().rows(_of(reader, steps, made)) if made else []:
        log = made[row["practice_id"]]
        if row["kind"] == "detour":
            log.detour_days.append(row["walked_on"])
        log.walks.append(Walk(row["walked_on"], WEIGHTS[row["kind"]]))
    for practice_id, changes in _status_changes(reader, made).items():
        made[practice_id].pauses = pauses(changes)
    return made


def _of(reader: Actor, table: Table, ids: Iterable[UUID]) -> Any:
    columns = {steps: ("walked_on", "kind"), moments: ("happened_on", "noticed_at")}[table]
    return select(table.c.practice_id, *(table.c[name] for name in columns)).where(
        table.c.clinic_id == reader.clinic_id,
        table.c.practice_id.in_(list(ids)),
        table.c.deleted_at.is_(None),
        shown_to(reader, table),
    )


def _status_changes(reader: Actor, ids: Iterable[UUID]) -> dict[UUID, list[Values]]:
    t = practice_statuses.c
    wanted, by_practice = list(ids), dict[UUID, list[Values]]()
    statement = (
        select(t.practice_id, t.status, t.from_on)
        .where(t.clinic_id == reader.clinic_id, t.practice_id.in_(wanted))
        .order_by(t.from_on, t.id)
    )
    for row in store().rows(statement) if wanted else []:
        by_practice.setdefault(row["practice_id"], []).append(row)
    return by_practice


def pauses(changes: Sequence[Values]) -> list[Pause]:
    """The days on which a trail stands still, from the changes of status, oldest first."""
    ends: list[date | None] = [change["from_on"] for change in changes[1:]]
    return [
        Pause(change["from_on"], end)
        for change, end in zip(changes, [*ends, None], strict=True)
        if change["status"] in STANDS_STILL
    ]


def trail_of(reader: Actor, patient: Values, practice: Values, on: date) -> Values:
    """The whole trail of one practice up to the end of day `on`, as this reader may count it."""
    log = logs(reader, [practice])[practice["id"]]
    summed = log.sums_up_to(on)
    points = curve(log.walks, log.pauses, on, log.params)
    taken = detours(log.detour_days, log.walks, on)
    return summed | {
        "on": on,
        "formula": FORMULA,
        "steps_total": sum(walk.weight > 0 and walk.on <= on for walk in log.walks),
        "detours": {
            "count": taken.count,
            "last_on": taken.last_on,
            "median_return_days": taken.median_return_days,
        },
        "moments_count": _moments_up_to(reader, patient, practice, on),
        "words": words.of_trail(patient["locale"], summed["stage"], summed["furthest_stage"]),
        "curve": [{"on": each.on, "strength": round(each.strength, PLACES)} for each in points],
    }


def _moments_up_to(reader: Actor, patient: Values, practice: Values, on: date) -> int:
    zone = patient["time_zone"]
    rows = store().rows(_of(reader, moments, [practice["id"]]))
    days = (row["happened_on"] or local_day(row["noticed_at"], zone) for row in rows)
    return sum(day <= on for day in days)
