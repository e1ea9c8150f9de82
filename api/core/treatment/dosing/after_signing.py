"""After the record was signed: what still comes becomes a draft addendum, once for each entry."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from api.access.policies import Actor
from api.core.treatment import notes, signatures
from api.core.treatment.dosing.table import ledger_addenda
from api.db import Values, store


def is_signed(session: Values) -> bool:
    """Whether the record takes nothing but addenda any more."""
    return session["state"] == "completed" and signatures.is_signed(session)


def drafted(session: Values) -> dict[str, Values]:
    """The entries of a session that became addenda, `{entry, addendum}`, by `client_event_id`."""
    a = ledger_addenda.c
    mine = (a.clinic_id == session["clinic_id"], a.session_id == session["id"])
    rows = store().rows(select(ledger_addenda).where(*mine), opens=ledger_addenda)
    return {row["client_event_id"]: _told(row) for row in rows}


def _told(row: Values) -> Values:
    told = dict(row["content"])
    told["measured_at"] = datetime.fromisoformat(told["measured_at"])
    told["corrects_id"] = None if told["corrects_id"] is None else UUID(told["corrects_id"])
    return {"entry": told, "addendum": {"id": row["addendum_id"]}}


def become_addendum(actor: Actor, session: Values, entry: Values) -> Values:
    """The draft addendum that an entry becomes; a person reads it, and signs it or not."""
    drafted = notes.draft_addendum(actor, session, words_of(entry), entry)
    kept: dict[str, Any] = {name: entry[name] for name in ("type", "reason", "content")}
    kept["measured_at"] = entry["measured_at"].isoformat()
    kept["corrects_id"] = None if entry["corrects_id"] is None else str(entry["corrects_id"])
    keys = {name: session[name] for name in ("clinic_id", "patient_id")}
    more = {"session_id": session["id"], "client_event_id": entry["client_event_id"]}
    store().add(ledger_addenda, keys | more | {"content": kept, "addendum_id": drafted["id"]})
    return {"id": drafted["id"]}


def words_of(entry: Values) -> str:
    """What an entry says, in a line."""
    at = entry["measured_at"].isoformat(timespec="minutes").replace("+00:00", "Z")
    said = ", ".join(f"{name}: {value}" for name, value in sorted(entry["content"].items()))
    why = "" if entry["reason"] is None else f" Correction: {entry['reason']}"
    return f"Late entry, {entry['type']} of {at}. {said}{why}".strip()
