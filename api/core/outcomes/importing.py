"""Bringing a clinic's spreadsheet along: every row is checked before any is written.

A check-in of an import is known by patient, instrument, day and system, so that the same file
read twice changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, select

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.outcomes.checkins import add_check_in, check_ins
from api.core.outcomes.sheet import BadSheet, Fault, Plan, Row, Sheet, read_sheet
from api.core.patients import (
    add_patient,
    blind_external_id,
    join_team,
    patient_external_ids,
    patients as charts,
)
from api.db import Values, store

AT_ONCE = 500
"""Identities looked up in one statement."""
MIDDAY = time(12)
"""The hour given to answers of which only the day is known, in the patient's zone."""

Say = Callable[[int, int], None]
"""Told how many rows are done, of how many."""


@dataclass
class Report:
    """What an import did, or would do."""

    rows: int = 0
    written: int = 0
    unchanged: int = 0
    patients_created: int = 0


def import_checkins(
    actor: Actor, plan: Plan, lines: Iterable[str], say: Say, dry_run: bool = False
) -> Report:
    """Write the check-ins of a sheet, all or none; patients are found by their external id.

    Raises `BadSheet` with every fault before anything is written. `dry_run` checks and counts.
    """
    gate.admit(actor, "check_in:import")
    sheet = read_sheet(plan, lines, clock.today(actor.rights.zone))
    known = _find_patients(actor, sheet)
    former = _find_former(actor, sheet, known)
    if sheet.faults:
        raise BadSheet(sorted(sheet.faults, key=lambda fault: fault.line))
    return _write(actor, sheet, known, former, say, dry_run)


def _find_patients(actor: Actor, sheet: Sheet) -> dict[str, Values]:
    """The patients by their number; who is missing or out of reach is a fault."""
    granted = gate.admit(actor, "check_in:import")
    numbers = {row.number for row in sheet.rows}
    blinds = {blind_external_id(actor.clinic_id, sheet.plan.system, n): n for n in numbers}
    table, known = patient_external_ids, dict[str, Values]()
    theirs = and_(charts.c.clinic_id == table.c.clinic_id, charts.c.id == table.c.patient_id)
    reach = gate.in_reach(actor, granted, charts.c.id).label("in_reach")
    statement = select(table.c.blind, charts.c.id, charts.c.time_zone, reach).join(charts, theirs)
    statement = statement.where(table.c.clinic_id == actor.clinic_id, charts.c.deleted_at.is_(None))
    for chunk in _chunks(sorted(blinds)):
        found = store().rows(statement.where(table.c.blind.in_(chunk)))
        known |= {blinds[row["blind"]]: row for row in found}
    sheet.faults += [
        Fault(row.line, sheet.plan.patient_column, said)
        for row in sheet.rows
        if (said := _why_not(known.get(row.number), sheet.plan.create_patients))
    ]
    return known


def _why_not(patient: Values | None, create: bool) -> str:
    if patient is None:
        return "" if create else "No patient has this number; --create-patients makes them."
    return "" if patient["in_reach"] else "The patient is not in the actor's reach."


def _find_former(actor: Actor, sheet: Sheet, known: dict[str, Values]) -> set[tuple[UUID, date]]:
    """What was imported before; a row that differs is a fault, unless somebody corrected it."""
    former: dict[tuple[UUID, date], Values] = {}
    statement = select(check_ins).where(
        check_ins.c.clinic_id == actor.clinic_id,
        check_ins.c.instrument == sheet.plan.instrument.key,
        check_ins.c.import_system == sheet.plan.system,
    )
    for chunk in _chunks(sorted(p["id"] for p in known.values() if p["in_reach"])):
        rows = store().rows(statement.where(check_ins.c.patient_id.in_(chunk)), check_ins)
        former |= {(row["patient_id"], row["answered_on"]): row for row in rows}
    for row in sheet.rows:
        patient = known.get(row.number)
        before = former.get((patient["id"], row.answered_on)) if patient else None
        if before and before["version"] == 1 and before["answers"] != row.answers:
            said = "Imported before with other answers; correct that check-in instead."
            sheet.faults.append(Fault(row.line, "", said))
    return set(former)


def _chunks(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def _write(
    actor: Actor,
    sheet: Sheet,
    known: dict[str, Values],
    former: set[tuple[UUID, date]],
    say: Say,
    dry_run: bool,
) -> Report:
    report, made = Report(rows=len(sheet.rows)), set[str]()
    for done, row in enumerate(sheet.rows, 1):
        if row.number not in known and row.number not in made:
            made.add(row.number)
            if not dry_run:
                known[row.number] = _admit(actor, sheet.plan.system, row.number)
        patient = known.get(row.number)
        if patient is not None and (patient["id"], row.answered_on) in former:
            report.unchanged += 1
        elif not dry_run and patient is not None:
            add_check_in(actor.clinic_id, patient["id"], _values(actor, sheet.plan, row, patient))
        say(done, report.rows)
    report.written, report.patients_created = report.rows - report.unchanged, len(made)
    trail.touches(patient["id"] for patient in known.values())
    return report


def _admit(actor: Actor, system: str, number: str) -> Values:
    """A patient of whom only the number is known; a person completes the record."""
    values = {
        "legal_given": "Record",
        "legal_family": number,
        "birth_on": None,
        "time_zone": actor.rights.zone,
        "external_ids": [{"system": system, "value": number}],
    }
    patient = add_patient(actor.clinic_id, values)
    if actor.rights.role == "clinician":
        join_team(actor.clinic_id, patient["id"], actor.user_id, "lead", actor.user_id)
    return patient


def _values(actor: Actor, plan: Plan, row: Row, patient: Values) -> Values:
    at = datetime.combine(row.answered_on, MIDDAY, ZoneInfo(patient["time_zone"]))
    return {
        "instrument": plan.instrument.key,
        "answers": row.answers,
        "answered_on": row.answered_on,
        "answered_at": min(at, clock.now()),
        "answered_by": "staff_copied",
        "recorded_by": actor.user_id,
        "source": "import",
        "import_system": plan.system,
    }
