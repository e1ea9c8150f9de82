"""Measures as an EHR reads them: questionnaires, answers with their scores, goals and trails."""

from dataclasses import replace
from datetime import datetime, time
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from api import clock
from api.access.policies import Actor, Grant
from api.access.users import clinics
from api.core.ehr.identifiers import carrying, open_numbers
from api.core.ehr.source import Source
from api.core.gate import not_kept_apart, shown_to
from api.core.integration.tables import goals, practice_statuses, practices, steps
from api.core.integration.trail import FORMULA
from api.core.integration.trails import logs
from api.core.outcomes.checkins import check_in_corrections, check_ins
from api.core.outcomes.instruments.definition import Instrument
from api.core.outcomes.instruments.shelf import find_instrument, shelf
from api.core.outcomes.instruments.tables import instrument_texts, own_instruments
from api.core.patients import patients
from api.db import Instant, Values, store


def _instruments(reader: Actor, rows: list[Values]) -> None:
    """Put the instrument each was answered to beside it, and whether it was corrected."""
    known: dict[tuple[str, str], Instrument] = {}
    for row in rows:
        key = (row["instrument"], row["instrument_version"])
        if key not in known:
            known[key] = find_instrument(reader.clinic_id, *key)
        row["definition"] = known[key]
        row["corrected"] = row["version"] > (row["first_replaced"] or row["version"])
    open_numbers(reader, rows)


def _first_replaced() -> Any:
    """The first version of a check-in that a correction replaced."""
    t = check_in_corrections.c
    its = (t.clinic_id == check_ins.c.clinic_id, t.check_in_id == check_ins.c.id)
    return select(func.min(t.replaced_version)).where(*its).scalar_subquery()


def _goal() -> Any:
    """The goal of the practice that a check-in is about, as far as it is shared."""
    p = practices.c
    its = (p.clinic_id == check_ins.c.clinic_id, p.id == check_ins.c.practice_id)
    shared = (p.deleted_at.is_(None), not_kept_apart(practices))
    return select(p.goal_id).where(*its, *shared).scalar_subquery()


_NUMBERS: Final = carrying("QuestionnaireResponse", check_ins)
CHECK_INS: Final = Source(
    "check_ins",
    check_ins,
    check_ins.c.patient_id,
    where=(check_ins.c.state == "complete",),
    columns=(
        *_NUMBERS["columns"],
        _first_replaced().label("first_replaced"),
        _goal().label("goal_id"),
    ),
    joined=_NUMBERS["joined"],
    beside=_instruments,
    author="recorded_by",
    former=lambda version: version["state"] == "complete",
)
"""Complete check-ins; a draft is not told to other systems."""
ANSWERS: Final = replace(
    CHECK_INS,
    unread=("scores", "scoring_version", "total", "band", "patients_own", "import_system"),
)
"""The same without what comes of the answers."""


def _practices(reader: Actor, rows: list[Values]) -> None:
    """Put what is practised under each goal beside it, as far as it is shared."""
    p, by = practices.c, {row["id"]: row for row in rows}
    for row in rows:
        row["practices"] = []
    statement = select(practices).where(
        p.clinic_id == reader.clinic_id,
        p.goal_id.in_(list(by)),
        p.deleted_at.is_(None),
        shown_to(reader, practices),
    )
    for one in store().rows(statement.order_by(p.id), opens=practices):
        by[one["goal_id"]]["practices"].append(one)


GOALS: Final = Source(
    "goals",
    goals,
    goals.c.patient_id,
    beside=_practices,
    author="author_id",
    former=lambda version: True,
)


def _trails(reader: Actor, rows: list[Values]) -> None:
    """Put what the steps of each practice add up to today beside it, and since when."""
    zones = _zones(reader, {row["patient_id"] for row in rows})
    told = logs(reader, rows)
    latest = _latest_steps(reader, [row["id"] for row in rows])
    for row in rows:
        zone = zones[row["patient_id"]]
        today = clock.today(zone)
        row["on"], row["formula"] = today, FORMULA
        row["trail"] = told[row["id"]].sums_up_to(today)
        began = datetime.combine(today, time(), ZoneInfo(zone))
        row["updated_at"] = max(row["updated_at"], began, latest.get(row["id"], began))


def _zones(reader: Actor, ids: set[UUID]) -> dict[UUID, str]:
    p = patients.c
    statement = select(p.id, p.time_zone).where(p.clinic_id == reader.clinic_id, p.id.in_(ids))
    return {row["id"]: row["time_zone"] for row in store().rows(statement)}


def _latest_steps(reader: Actor, ids: list[UUID]) -> dict[UUID, datetime]:
    """When the steps of each practice, or its status, changed last."""
    s, t = steps.c, practice_statuses.c
    last = func.max(s.updated_at, type_=Instant()).label("at")
    walked = select(s.practice_id, last).where(
        s.clinic_id == reader.clinic_id, s.practice_id.in_(ids), shown_to(reader, steps)
    )
    found = {r["practice_id"]: r["at"] for r in store().rows(walked.group_by(s.practice_id))}
    last = func.max(t.created_at, type_=Instant()).label("at")
    moved = select(t.practice_id, last).where(
        t.clinic_id == reader.clinic_id, t.practice_id.in_(ids)
    )
    for row in store().rows(moved.group_by(t.practice_id)):
        known = found.get(row["practice_id"], row["at"])
        found[row["practice_id"]] = max(known, row["at"])
    return found


TRAILS: Final = Source(
    "practices", practices, practices.c.patient_id, beside=_trails, author="author_id", exact=False
)


def _shelf(reader: Actor, _granted: Grant) -> list[Values]:
    """Every instrument of the clinic in its newest version."""
    since = _since(reader)
    return [
        {
            "id": one.instrument.key,
            "updated_at": since.get(one.instrument.key, since[""]),
            "definition": one.instrument,
            "licence": one.licence,
        }
        for one in shelf(reader.clinic_id)
    ]


def _since(reader: Actor) -> dict[str, Any]:
    clinic = store().row(select(clinics.c.created_at).where(clinics.c.id == reader.clinic_id))
    since: dict[str, Any] = {"": clinic["created_at"] if clinic else clock.now()}
    for table in (own_instruments, instrument_texts):
        t = table.c
        last = func.max(t.created_at, type_=Instant()).label("at")
        found = select(t.key, last).where(t.clinic_id == reader.clinic_id).group_by(t.key)
        for row in store().rows(found):
            since[row["key"]] = max(row["at"], since.get(row["key"], row["at"]))
    return since


QUESTIONNAIRES: Final = Source("instruments", made=_shelf, exact=False)
