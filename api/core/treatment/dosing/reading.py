"""Reading: the ledger of a session, one entry of it, its monitoring, and what a patient reads."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from api import clock
from api.access.policies import Actor
from api.core import gate
from api.core.treatment.dosing import after_signing, finding, showing
from api.core.treatment.dosing.monitoring import monitoring_told, standing
from api.core.treatment.dosing.table import ledger_entries
from api.core.treatment.dosing.vocabulary import DOSE, PHASE
from api.core.treatment.sessions import sessions
from api.db import SYNC_MARGIN, Listing, Page, Values, found, store
from api.errors import NotFound

OF_DOSE = ("medicine", "route", "dose_mg")
"""What a patient reads of a dose, beside when it was."""


def list_ledger(actor: Actor, session_id: UUID, asked: Page, type: str | None = None) -> Listing:
    """The ledger of a session, in the order in which the entries came.

    With changes since a time, an entry that another one superseded since is told again.
    """
    session = gate.find_in_chart(actor, "ledger:read", sessions, session_id)
    entries = finding.entries_of(session["clinic_id"], session["id"])
    there = [e for e in entries if type in (None, e["type"])]
    if asked.since is not None:
        there = [e for e in there if _changed_at(e, entries) >= asked.since]
    after = asked.after[0] if asked.after else 0
    rest = [e for e in there if e["sequence"] > after]
    more, rows = len(rest) > asked.limit, rest[: asked.limit]
    shown = showing.show_all(actor, session, entries, {row["id"] for row in rows})
    listing = Listing([shown[row["id"]] for row in rows], (rows[-1]["sequence"],) if more else None)
    if asked.since is not None:
        listing.tombstones = []
        listing.synced_to = None if more else max(clock.now() - SYNC_MARGIN, asked.since)
    return listing


def _changed_at(entry: Values, entries: list[Values]) -> Any:
    """When an entry came, or was superseded."""
    by = next((e for e in entries if e["id"] == entry["superseded_by"]), entry)
    return by["recorded_at"]


def read_ledger_entry(actor: Actor, entry_id: UUID) -> Values:
    """One entry of a ledger."""
    row = gate.find_in_chart(actor, "ledger:read", ledger_entries, entry_id)
    session = found(store().row(_session(row)))
    entries = finding.entries_of(session["clinic_id"], session["id"])
    return showing.show_all(actor, session, entries, {entry_id})[entry_id]


def _session(row: Values) -> Select[Any]:
    s = sessions.c
    return select(sessions).where(s.clinic_id == row["clinic_id"], s.id == row["session_id"])


def read_monitoring(actor: Actor, session_id: UUID) -> Values:
    """What of the protocol is due, done, late and missed in a session, and all judgements."""
    session = gate.find_in_chart(actor, "monitoring:read", sessions, session_id)
    entries = finding.entries_of(session["clinic_id"], session["id"])
    protocol = finding.protocol_of(session)
    return monitoring_told(session, entries, protocol, clock.now())


def read_given(actor: Actor, session_id: UUID) -> Values:
    """What a patient was given and how it went, as they read it; raises `NotFound` until signed.

    The entries that stand, by their time: `{session_id, doses[], phases[]}`.
    """
    session = gate.find_in_chart(actor, "given:read", sessions, session_id)
    if not after_signing.is_signed(session):
        raise NotFound("There is no such record.")
    there = standing(finding.entries_of(session["clinic_id"], session["id"]))
    return {
        "session_id": session["id"],
        "doses": [
            {"given_at": e["measured_at"]} | {name: e["content"][name] for name in OF_DOSE}
            for e in there
            if e["type"] == DOSE
        ],
        "phases": [
            {"began_at": e["measured_at"], "phase": e["content"]["phase"]}
            for e in there
            if e["type"] == PHASE
        ],
    }
