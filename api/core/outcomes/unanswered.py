"""Check-ins that a plan asked for and that were let pass, for those who see to whom to call."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select

from api.core.outcomes.checkins.table import COMPLETE, check_ins
from api.core.outcomes.plans import waiting
from api.db import Values, among, store

Answered = dict[tuple[UUID, str], date]


def let_pass(clinic_id: UUID, whom: Select[Any]) -> list[Values]:
    """What these patients let pass: late by now, or missed in the last two weeks.

    Of each plan the last that it asked, with `is_late` while it can still be answered; nothing
    whose instrument was answered after all. Three queries for all; asks nobody, for callers that
    did.
    """
    rows = store().rows(waiting.let_pass(clinic_id, whom))
    for row in rows:
        row["is_late"] = row["today"] <= row["late_until_on"]
    missed = {row["instrument"] for row in rows if not row["is_late"]}
    answered = _answered_apart(clinic_id, whom, missed) if missed else {}
    return [row for row in rows if row["is_late"] or not _is_answered(row, answered)]


def _answered_apart(clinic_id: UUID, whom: Select[Any], instruments: set[str]) -> Answered:
    """When each of these patients last answered an instrument that somebody missed."""
    c = check_ins.c
    statement = select(c.patient_id, c.instrument, func.max(c.answered_on).label("on")).where(
        c.clinic_id == clinic_id,
        among(c.patient_id, whom),
        c.instrument.in_(instruments),
        c.state == COMPLETE,
        c.deleted_at.is_(None),
    )
    rows = store().rows(statement.group_by(c.patient_id, c.instrument))
    return {(row["patient_id"], row["instrument"]): row["on"] for row in rows}


def _is_answered(row: Values, answered: Answered) -> bool:
    last = answered.get((row["patient_id"], row["instrument"]))
    return last is not None and last >= row["due_on"]
