"""Dosing as an EHR reads it: what was planned, given, measured, and what went wrong."""

from typing import Final
from uuid import UUID

from sqlalchemy import Table, and_, or_, select

from api.access.policies import Actor
from api.core.ehr.care import clinicians
from api.core.ehr.source import Source
from api.core.treatment.dosing.table import dose_plans, ledger_entries
from api.core.treatment.dosing.vocabulary import DOSE, EVENT, RATING, VITALS as READING
from api.core.treatment.sessions import sessions
from api.db import Values, store


def _superseded(reader: Actor, rows: list[Values]) -> None:
    """Say of each entry which later one corrects it, and put the session's plan beside a dose."""
    e = ledger_entries.c
    statement = select(e.corrects_id, e.id, e.created_at).where(
        e.clinic_id == reader.clinic_id, e.corrects_id.in_([row["id"] for row in rows])
    )
    by = {one["corrects_id"]: one for one in store().rows(statement)}
    plans = _plans(reader, [row["session_id"] for row in rows])
    for row in rows:
        row["superseded"] = by.get(row["id"])
        row["plan_id"] = plans.get(row["session_id"])


def _plans(reader: Actor, session_ids: list[UUID]) -> dict[UUID, UUID]:
    p = dose_plans.c
    mine = (p.clinic_id == reader.clinic_id, p.session_id.in_(session_ids), p.deleted_at.is_(None))
    rows = store().rows(select(p.session_id, p.id).where(*mine))
    return {row["session_id"]: row["id"] for row in rows}


def _entries(*kinds: str) -> Source:
    table: Table = ledger_entries
    return Source(
        "ledger_entries",
        table,
        table.c.patient_id,
        where=(or_(*(table.c.type == kind for kind in kinds)),),
        beside=_superseded,
        author="recorded_by",
        exact=False,
    )


DOSES: Final = _entries(DOSE)
VITALS: Final = _entries(READING, RATING, DOSE)
"""What was read or rated; with a dose the weight was."""


def _doses_before(reader: Actor, rows: list[Values]) -> None:
    _superseded(reader, rows)
    e = ledger_entries.c
    later = ledger_entries.alias("later").c
    corrected = select(later.id).where(later.clinic_id == e.clinic_id, later.corrects_id == e.id)
    statement = select(e.id, e.session_id, e.measured_at).where(
        e.clinic_id == reader.clinic_id,
        e.session_id.in_([row["session_id"] for row in rows]),
        e.type == DOSE,
        ~corrected.exists(),
    )
    doses: dict[UUID, list[Values]] = {}
    for one in store().rows(statement.order_by(e.measured_at, e.id)):
        doses.setdefault(one["session_id"], []).append(one)
    for row in rows:
        there = doses.get(row["session_id"], [])
        row["doses"] = [d["id"] for d in there if d["measured_at"] <= row["measured_at"]]


EVENTS: Final = Source(
    "ledger_entries",
    ledger_entries,
    ledger_entries.c.patient_id,
    where=(ledger_entries.c.type == EVENT,),
    beside=_doses_before,
    author="recorded_by",
    exact=False,
)


DOSED: Final = Source(
    "sessions",
    sessions,
    sessions.c.patient_id,
    where=(
        and_(
            sessions.c.kind == "dosing",
            or_(sessions.c.last_dose_at.is_not(None), sessions.c.state == "completed"),
        ),
    ),
    beside=clinicians,
)
"""Dosing sessions in which a dose stands, or that were held before there was a ledger."""
PLANS: Final = Source("dose_plans", dose_plans, dose_plans.c.patient_id, author="planned_by")
