"""The day of a patient, as their own entries, plans and visits make it."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from api import clock
from api.access.policies import Actor
from api.core.integration import entries, trails
from api.core.integration.practices import name_of
from api.core.integration.tables import practices
from api.core.integration.trails import Log
from api.core.outcomes.instruments.shelf import shelf
from api.core.outcomes.plans import open_check_ins
from api.core.treatment.windows import Windows, windows_of
from api.db import Values, store

ENDED = "discharged"


@dataclass(frozen=True)
class Walk:
    """An active practice with its log, and the last day on which it was walked."""

    practice: Values
    log: Log
    last_on: date | None


@dataclass(frozen=True)
class Day:
    """What is known of the patient on this day of theirs."""

    patient: Values
    on: date
    days: Windows
    walks: list[Walk]
    due: list[Values]

    @property
    def rests(self) -> bool:
        """Whether it is the day of a dose."""
        return self.days.now == 0


def read_day(reader: Actor, patient: Values) -> Day:
    """What is known of the patient today; on the day of a dose no more than that."""
    on, days = clock.today(patient["time_zone"]), windows_of(patient)
    rests = days.now == 0
    walks = [] if rests else _walks(reader, patient)
    return Day(patient, on, days, walks, [] if rests else _due(reader, patient))


def _walks(reader: Actor, patient: Values) -> list[Walk]:
    """The active practices, the oldest first, with their logs; three queries."""
    p = practices.c
    statement = select(practices).where(
        p.clinic_id == patient["clinic_id"],
        p.patient_id == patient["id"],
        p.status == "active",
        p.deleted_at.is_(None),
    )
    rows = store().rows(statement.order_by(p.id), opens=practices)
    logs = trails.logs(reader, rows)
    return [Walk(row, logs[row["id"]], _last_walked(logs[row["id"]])) for row in rows]


def _last_walked(log: Log) -> date | None:
    return max((walk.on for walk in log.walks if walk.weight > 0), default=None)


def _due(reader: Actor, patient: Values) -> list[Values]:
    """The check-ins that may be answered now and can be shown."""
    if patient["status"] == ENDED:
        return []
    planned = open_check_ins(patient["clinic_id"], {patient["id"]: patient["time_zone"]})
    mine = planned.get(patient["id"], [])
    shelved = shelf(patient["clinic_id"]) if mine else []
    known = {one.instrument.key: one.instrument for one in shelved}
    shown = [one for one in mine if not known[one.plan["instrument"]].is_text_missing]
    ids = [one.plan["practice_id"] for one in shown]
    named = entries.pointed_at(reader, practices, ids, "title", "new_trail")
    return [
        {
            "practice": _named(named.get(one.plan["practice_id"])),
            "plan_id": one.plan["id"],
            "instrument": one.plan["instrument"],
            "title": known[one.plan["instrument"]].title,
            "due_on": one.occurrence.due_on,
        }
        for one in shown
    ]


def _named(practice: Values | None) -> Values | None:
    return None if practice is None else name_of(practice)
