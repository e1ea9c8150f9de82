"""Keeping notes: every version of a note is kept, and what is written is held by one at a time."""

import json
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import select

from api.access.policies import Actor
from api.core import chart_keys
from api.core.treatment.notes import finding
from api.core.treatment.notes.tables import APART, VERSIONS
from api.core.treatment.sessions import sessions
from api.core.treatment.sessions.booking import lock_session
from api.db import Values, found, store
from api.errors import Conflict
from api.outbox import events

CONTENT: Final = ("text", "sections")
OURS: Final = ("kind", "closed_at", "destroyed_at", *finding.LACKING)
"""What is known of a psychotherapy note beside its own columns."""


def digest_of(row: Values) -> str:
    """The SHA-256 of what a note says, in one spelling (RFC 8785's order of names)."""
    said = {name: row[name] for name in (*CONTENT, "kind", "template")} | {"id": str(row["id"])}
    plain = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(plain.encode()).hexdigest()


def add(writer: Actor, values: Values, deed: str = "written", event: str | None = None) -> Values:
    """A new note in the table of its kind, with its first version."""
    table = finding.table_of(values)
    given = {"unlocks": 0} | values
    if values["kind"] == APART:
        given = {name: value for name, value in values.items() if name != "kind"}
        given |= _under(writer, values)
    row = _like(store().add(table, given, also=_told(values, event)), values)
    _keep(writer, row, deed)
    return row


def change(
    writer: Actor, row: Values, values: Values, deed: str, event: str | None = None
) -> Values:
    """The next version of a note; others are told of it only if it is part of the record."""
    table = finding.table_of(row)
    if row["kind"] == APART and row["destroyed_at"] is None:
        values = values | _under(writer, row)
    after = _like(store().change(table, row, values, also=_told(row, event)), row)
    _keep(writer, after, deed)
    return after


def _under(writer: Actor, row: Values) -> Values:
    """Under which key the words lie from now on, as does the answer that is remembered."""
    key_id = chart_keys.to_write(row)
    if row.get("chart_key_id") not in (None, key_id):  # it was destroyed since the row was read
        detail = "The words of this note were destroyed."
        raise Conflict(detail, state=finding.state_of(row), allowed=[])
    finding.seal_answer(writer, key_id)
    return {"chart_key_id": key_id}


def _like(row: Values, before: Values) -> Values:
    """The row with what is known of its kind and of the record it is part of."""
    if before["kind"] == APART:
        return row | {name: before.get(name) for name in OURS}
    return {"closed_at": before.get("closed_at")} | row


def _keep(writer: Actor, row: Values, deed: str) -> None:
    kept = {name: row[name] for name in ("clinic_id", "patient_id", *CONTENT, "digest", "state")}
    if row["kind"] == APART:
        kept["chart_key_id"] = row["chart_key_id"]
    more = {"note_id": row["id"], "number": row["version"], "deed": deed}
    store().add(VERSIONS[finding.table_of(row)], kept | more | {"written_by": writer.user_id})


def _told(row: Values, event: str | None) -> list[Any]:
    """The event that goes with a change; nothing is ever told of a psychotherapy note."""
    if event is None or row["kind"] == APART:
        return []
    subject = {"note_id": row["id"], "patient_id": row["patient_id"]}
    session = {} if row["session_id"] is None else {"session_id": row["session_id"]}
    return [events.row(row["clinic_id"], event, subject | session)]


def session_of(row: Values) -> Values | None:
    """The session that a note stands beside, as it is now, kept from others; None for none."""
    if row["session_id"] is None:
        return None
    return lock_session({"clinic_id": row["clinic_id"], "id": row["session_id"]})


def hold(actor: Actor, seen: Values) -> tuple[Values, Values | None]:
    """A note and its session as they are now, kept from others until this transaction ends.

    The session always comes first, so that no two wait in a ring.
    """
    session, table = session_of(seen), finding.table_of(seen)
    one = [table.c.clinic_id == seen["clinic_id"], table.c.id == seen["id"]]
    there = select(*finding.columns_of(table)).where(*one, table.c.deleted_at.is_(None))
    statement = there.with_for_update(of=table)
    row = found(store().row(statement, opens=table))
    closed_at = None if session is None else session["signed_at"]
    if seen["kind"] == APART:
        return finding.set_apart(actor, row), session
    return row | {"closed_at": closed_at}, session


def touch(added: Values) -> None:
    """Let the note to which something was added be read anew: its version rises."""
    table = finding.table_of(added)
    one = [table.c.clinic_id == added["clinic_id"], table.c.id == added["addendum_to"]]
    whole = select(*finding.columns_of(table)).where(*one).with_for_update(of=table)
    store().change(table, found(store().row(whole, opens=table)), {})


def open_again(session: Values) -> None:
    """Let the record of a session be unsigned once more, after a signature of it was voided."""
    told = {"session_id": session["id"], "patient_id": session["patient_id"]}
    row = events.row(session["clinic_id"], "session.unsigned", told)
    store().change(sessions, session, {"signed_at": None}, also=[row])
