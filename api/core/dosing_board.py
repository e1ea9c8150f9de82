"""The dosing board: today's chairs at one look, in a number of queries that does not grow."""

from collections import defaultdict
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.treatment import dosing
from api.core.treatment.dosing.finding import opened
from api.core.treatment.dosing.judging import readings_of
from api.core.treatment.dosing.table import dose_plans, ledger_entries
from api.core.treatment.moves import FREEING
from api.core.treatment.protocols.definition import NOTE, Protocol
from api.core.treatment.protocols.finding import chosen, in_force, made, versions_of
from api.core.treatment.protocols.shipped import shipped
from api.core.treatment.sessions import sessions, showing
from api.db import Listing, Page, Values, page, store

SHOWN: Final = ("id", "version", "patient", "state", "room", "starts_at", "ends_at", "clinicians")
"""What of a session stands on the board."""


def list_dosing_board(actor: Actor, asked: Page) -> Listing:
    """The dosing sessions of today in reach, and those still running, in order of their start.

    Each with minutes since the dose, the last vitals, what is due next and what was judged.
    """
    granted = gate.admit(actor, "dosing_board:read")
    begins, ends = _today(actor.rights.zone)
    s = sessions.c
    statement = select(sessions).where(
        s.clinic_id == actor.clinic_id,
        gate.in_reach(actor, granted, s.patient_id),
        s.kind == "dosing",
        or_(
            and_(s.starts_at >= begins, s.starts_at < ends, s.state.not_in(FREEING)),
            s.state == "in_progress",
        ),
    )
    listing = page(statement, sessions, asked, [s.starts_at], opens=sessions)
    trail.touches(row["patient_id"] for row in listing.items)
    listing.items = _chairs(actor, listing.items)
    return listing


def _today(zone: str) -> tuple[datetime, datetime]:
    first = datetime.combine(clock.today(zone), time.min, ZoneInfo(zone))
    return first.astimezone(UTC), (first + timedelta(days=1)).astimezone(UTC)


def _chairs(reader: Actor, rows: list[Values]) -> list[Values]:
    ids = [row["id"] for row in rows]
    ledgers, plans = _ledgers(reader.clinic_id, ids), _plans(reader.clinic_id, ids)
    known = versions_of(reader.clinic_id)
    shown = {row["id"]: row for row in showing.show_all(reader.rights, rows)}
    return [
        {name: shown[row["id"]][name] for name in SHOWN}
        | _chair(row, ledgers.get(row["id"], []), plans.get(row["id"]), known)
        for row in rows
    ]


def _chair(row: Values, entries: list[Values], plan: Values | None, known: list[Values]) -> Values:
    now = clock.now()
    told = dosing.monitoring_told(row, entries, _protocol(row, plan, known), now)
    return {
        "planned": plan and {name: plan[name] for name in ("medicine", "route", "dose_mg")},
        "doses": told["doses"],
        "last_dose_at": told["last_dose_at"],
        "minutes_since_dose": told["minutes_since_dose"],
        "last_vitals": _last_vitals(dosing.standing(entries)),
        "next_due": told["next_due"],
        "counts": told["counts"],
        "observation": told["observation"],
        "judgements": [one for one in told["judgements"] if _is_open(one)],
    }


def _is_open(judgement: Values) -> bool:
    """Whether somebody must still look at it: it asks for something, and its entry stands."""
    return judgement["action"] != NOTE and not judgement["superseded"]


def _last_vitals(standing: list[Values]) -> Values | None:
    """The last of each reading, and when the newest of them was taken."""
    found: Values = {}
    at = None
    for entry in standing:
        measured = readings_of(entry)
        if measured:
            at = entry["measured_at"]
            found |= measured
    return None if at is None else {"measured_at": at, "readings": found}


def _protocol(row: Values, plan: Values | None, known: list[Values]) -> Protocol:
    """The version a session began with, or the one of its planned route; asks nothing."""
    key, number = row["protocol_key"], row["protocol_version"]
    own = [one for one in known if (one["key"], one["number"]) == (key, number)]
    if own:
        return made(own[0])
    if key in shipped() and shipped()[key].version == number:
        return shipped()[key]
    there = plan or {}
    return chosen(in_force(known, clock.now()), there.get("route"), there.get("medicine"))


def _ledgers(clinic_id: UUID, ids: list[UUID]) -> dict[UUID, list[Values]]:
    """The whole ledger of each session; one query."""
    e = ledger_entries.c
    mine: list[Any] = [e.clinic_id == clinic_id, e.session_id.in_(ids), e.deleted_at.is_(None)]
    statement = select(ledger_entries).where(*mine).order_by(e.session_id, e.sequence)
    found: dict[UUID, list[Values]] = defaultdict(list)
    for row in store().rows(statement, opens=ledger_entries) if ids else []:
        found[row["session_id"]].append(row)
    return {session_id: opened(rows) for session_id, rows in found.items()}


def _plans(clinic_id: UUID, ids: list[UUID]) -> dict[UUID, Values]:
    """The dose plan of each session; one query."""
    p = dose_plans.c
    mine: list[Any] = [p.clinic_id == clinic_id, p.session_id.in_(ids), p.deleted_at.is_(None)]
    rows = store().rows(select(dose_plans).where(*mine), opens=dose_plans) if ids else []
    return {row["session_id"]: {**row["content"], **row} for row in rows}
