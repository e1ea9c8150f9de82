"""Reading: the ledger of a session, one entry of it, and its monitoring."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from api import clock
from api.access.policies import Actor
from api.core import gate
from api.core.treatment.dosing import finding, showing
from api.core.treatment.dosing.monitoring import monitoring_told
from api.core.treatment.dosing.table import ledger_entries
from api.core.treatment.sessions import sessions
from api.db import SYNC_MARGIN, Listing, Page, Values, found, store


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
