"""Unlocking: the author asks to change a signed note, and a colleague agrees or does not.

An unlocked note is a draft again. Every version of it is kept, how often it was opened is counted,
and the signatures of the session that cover it count no more: their parts are owed once again.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Actor
from api.access.users import named
from api.audit import trail
from api.core.treatment import signatures
from api.core.treatment.notes import finding, keeping, showing
from api.core.treatment.notes.tables import (
    APART,
    APPROVED,
    ASKED,
    DENIED,
    DRAFT,
    OPEN,
    note_unlock_requests,
)
from api.db import Listing, Page, Values, found, page, store
from api.errors import Conflict, NotAllowed

DECISIONS = {ASKED: ["approve", "deny"], APPROVED: [], DENIED: []}
"""What is open to a colleague, by the state of a request."""


def list_unlock_requests(actor: Actor, note_id: UUID, asked: Page) -> Listing:
    """Who asked to unlock a note and why, and what a colleague said, in the order of asking."""
    note = finding.find_note(actor, "note:history", note_id)
    r = note_unlock_requests.c
    mine = [r.clinic_id == actor.clinic_id, r.note_id == note["id"]]
    listing = page(
        select(note_unlock_requests).where(*mine),
        note_unlock_requests,
        asked,
        opens=note_unlock_requests,
    )
    listing.items = _show_all(actor, listing.items)
    return listing


def ask_unlock(actor: Actor, note_id: UUID, values: Values) -> Values:
    """The author asks to change their signed note once more; one request at a time is open."""
    seen = finding.find_note(actor, "note:ask_unlock", note_id)
    if seen["author_id"] != actor.user_id:
        raise NotAllowed("Only its author changes a note, so only they ask.")
    row, _ = keeping.hold(actor, seen)
    if row["kind"] == APART:
        raise showing.not_now(actor, row, "No colleague reads this, so none can agree; add to it.")
    if row["state"] == DRAFT:
        raise showing.not_now(actor, row, "A draft needs no unlocking.")
    if _open_of(row) is not None:
        raise showing.not_now(actor, row, "A request to unlock this note is open.")
    keys = {name: row[name] for name in ("clinic_id", "patient_id")}
    by = {"note_id": row["id"], "state": ASKED, "asked_by": actor.user_id}
    made = store().add(note_unlock_requests, keys | by | {"reason": values["reason"]})
    trail.wrote(values)
    return _show_all(actor, [made])[0]


def approve_unlock(actor: Actor, note_id: UUID, request_id: UUID, values: Values) -> Values:
    """A colleague agrees: the note is a draft again, and what covered it is owed once more."""
    seen = finding.find_note(actor, "note:unlock", note_id)
    row, session = keeping.hold(actor, seen)
    request = _decided(actor, row, request_id, APPROVED, values)
    opened = {"state": DRAFT, "signed_at": None, "digest": None, "unlocks": row["unlocks"] + 1}
    keeping.change(
        actor, row, opened | {"cosigned_by": None, "cosigned_at": None}, "unlocked", "note.unlocked"
    )
    if session is not None and signatures.void(session, "note_unlocked", row["id"]):
        keeping.open_again(session)
    return request


def deny_unlock(actor: Actor, note_id: UUID, request_id: UUID, values: Values) -> Values:
    """A colleague does not agree: the note stays as it was signed."""
    seen = finding.find_note(actor, "note:unlock", note_id)
    row, _ = keeping.hold(actor, seen)
    return _decided(actor, row, request_id, DENIED, values)


def _decided(actor: Actor, note: Values, request_id: UUID, state: str, values: Values) -> Values:
    r = note_unlock_requests.c
    one = [r.clinic_id == actor.clinic_id, r.note_id == note["id"], r.id == request_id]
    statement = select(note_unlock_requests).where(*one).with_for_update()
    row = found(store().row(statement, opens=note_unlock_requests))
    if actor.user_id in (row["asked_by"], note["author_id"]):
        raise NotAllowed("Nobody decides on what they asked themself.")
    if row["state"] != ASKED:
        detail = "This request was decided."
        raise Conflict(detail, state=row["state"], allowed=DECISIONS[row["state"]])
    by: dict[str, Any] = {"state": state, "decided_by": actor.user_id, "decided_at": clock.now()}
    trail.wrote(["state", *values])
    after = store().change(note_unlock_requests, row, by | {"decision": values.get("note")})
    return _show_all(actor, [after])[0]


def _open_of(note: Values) -> Values | None:
    r = note_unlock_requests.c
    mine = [r.clinic_id == note["clinic_id"], r.note_id == note["id"], OPEN]
    return store().row(select(r.id).where(*mine))


def _show_all(reader: Actor, rows: list[Values]) -> list[Values]:
    who = {row[name] for row in rows for name in ("asked_by", "decided_by")} - {None}
    names = named(reader.clinic_id, who)
    kept = ("id", "version", "created_at", "updated_at", "note_id", "state", "reason", "decided_at")
    return [
        {name: row[name] for name in kept}
        | {"asked_by": names[row["asked_by"]], "decided_by": names.get(row["decided_by"])}
        | {"note": row["decision"], "allowed": _may(reader, row)}
        for row in rows
    ]


def _may(reader: Actor, row: Values) -> list[str]:
    return [] if row["asked_by"] == reader.user_id else DECISIONS[row["state"]]
