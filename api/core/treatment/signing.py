"""Signing: each chair signs its part of a session's record, and the last one closes it."""

import json
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import not_, or_, select

from api import clock
from api.access.policies import Actor
from api.access.users import named, users
from api.audit import trail
from api.core import gate, team_reach
from api.core.treatment import dosing, signatures
from api.core.treatment.notes.tables import DRAFT, notes
from api.core.treatment.sessions import sessions
from api.core.treatment.sessions.booking import lock_session
from api.core.treatment.signatures import session_signatures
from api.db import Values, store
from api.errors import Conflict, NotAllowed
from api.outbox import events


def list_signatures(actor: Actor, session_id: UUID) -> Values:
    """Which parts of the record are owed and by whom, which are signed, and what is in the way."""
    session = gate.find_in_chart(actor, "signature:read", sessions, session_id)
    return _told(actor, session)


def sign_part(actor: Actor, session_id: UUID, part: str) -> Values:
    """Sign the part of one's own chair; with the last one owed the record is closed.

    It binds what was there: the session as it stands, its signed notes and its ledger. Raises
    `Conflict` while the session is not completed or one's own notes of it are drafts, and for the
    last part while anybody's are who can still sign them. What somebody left behind stays a draft
    beside the record, to be read and not part of it.
    """
    seen = gate.find_in_chart(actor, "session:sign", sessions, session_id)
    session = lock_session(seen)
    owed = signatures.owed(session)
    _refuse_unless_open(session, owed, part)
    if part not in signatures.signable_by(signatures.clinician(actor.clinic_id, actor.user_id)):
        raise NotAllowed("This part is another chair's to sign.")
    written = _notes_of(session)
    closes = all(one["part"] == part or one["signed_at"] is not None for one in owed)
    _refuse_drafts(actor, session, owed, [row for row in written if row["state"] == DRAFT], closes)
    made = _signature(actor.user_id, session, part, written)
    row = store().add(session_signatures, made)
    trail.wrote(["part"])
    after = _close(session, written) if closes else session
    return {"id": row["id"]} | _told(actor, after)


def _told(reader: Actor, session: Values) -> Values:
    owed = signatures.owed(session)
    drafts = [row for row in _notes_of(session) if row["state"] == DRAFT]
    names = named(reader.clinic_id, {row["author_id"] for row in drafts})
    return {
        "session_id": session["id"],
        "state": session["state"],
        "signed_at": session["signed_at"],
        "parts": [one | {"state": _state(one)} for one in owed],
        "missing": _missing(owed),
        "unsigned_notes": [
            {"id": row["id"], "kind": row["kind"], "author": names[row["author_id"]]}
            for row in drafts
        ],
    }


def _state(part: Values) -> str:
    return "owed" if part["signed_at"] is None else signatures.SIGNED


def _missing(owed: list[Values]) -> list[str]:
    return [one["part"] for one in owed if one["signed_at"] is None]


def _refuse_unless_open(session: Values, owed: list[Values], part: str) -> None:
    """Raise `Conflict` unless the session is over, its record open, and the part owed still."""
    missing = _missing(owed)
    if session["state"] != "completed":
        detail = "A record is signed once the session is completed."
        raise Conflict(detail, state=session["state"], allowed=[], missing=missing)
    signatures.refuse_if_locked(session)
    if part not in missing:
        detail = "This part is not owed, or it is signed."
        raise Conflict(detail, state=session["state"], allowed=missing, missing=missing)


def _refuse_drafts(
    signer: Actor, session: Values, owed: list[Values], drafts: list[Values], closes: bool
) -> None:
    """Raise `Conflict` for one's own drafts, and at the last part for anybody's."""
    gone = _gone(session, {row["author_id"] for row in drafts}) if closes else set()
    in_the_way = [
        row
        for row in drafts
        if row["author_id"] == signer.user_id or (closes and row["author_id"] not in gone)
    ]
    if in_the_way:
        raise Conflict(
            "Notes of this session are not signed.",
            state=session["state"],
            allowed=[],
            missing=["note_unsigned"],
            note_ids=[row["id"] for row in in_the_way],
        )


def _gone(session: Values, authors: set[UUID]) -> set[UUID]:
    """Those of the authors who left the clinic, or whom the patient's chart is closed to."""
    u, clinic_id = users.c, session["clinic_id"]
    reaches = team_reach.on_team(clinic_id, u.id, session["patient_id"], clock.now())
    left = or_(u.disabled_at.is_not(None), u.deleted_at.is_not(None), not_(reaches))
    statement = select(u.id).where(u.clinic_id == clinic_id, u.id.in_(authors), left)
    return {row["id"] for row in store().rows(statement)}


def _notes_of(session: Values) -> list[Values]:
    """The notes of the record, in the order of writing; what is kept apart is not among them."""
    n = notes.c
    mine = [n.clinic_id == session["clinic_id"], n.session_id == session["id"]]
    statement = select(notes).where(*mine, n.deleted_at.is_(None)).order_by(n.id)
    return store().rows(statement, opens=notes)


def sign_as_held(session: Values) -> None:
    """Every owed part, signed by whoever owes it first: for records that are brought along whole.

    Asks nobody for a right.
    """
    written = _notes_of(session)
    for one in signatures.owed(session):
        if one["signed_at"] is None:
            made = _signature(one["by"][0]["id"], session, one["part"], written)
            store().add(session_signatures, made | {"signed_at": session["signed_at"]})


def _signature(signer_id: UUID, session: Values, part: str, written: list[Values]) -> Values:
    keys = {name: session[name] for name in ("clinic_id", "patient_id")}
    by = {"session_id": session["id"], "signed_by": signer_id, "signed_at": clock.now()}
    record = _record(session, [row for row in written if row["state"] != DRAFT])
    covers = {
        "notes": {each["id"]: each["version"] for each in record["notes"]},
        "ledger": [each["id"] for each in record["ledger"]],
    }
    more = {"session_version": session["version"], "digest": digest_of(record), "covers": covers}
    return keys | by | {"part": part} | more


def _record(session: Values, signed: list[Values]) -> Values:
    """What is signed: the session as it stands, its signed notes, its ledger, in JSON's types."""
    kept = ("id", "version", "kind", "state", "started_at", "completed_at")
    ledger = dosing.entries_of(session["clinic_id"], session["id"])
    said = {
        "session": {name: session[name] for name in kept},
        "notes": [{n: row[n] for n in ("id", "version", "kind", "digest")} for row in signed],
        "ledger": ledger if session["kind"] == "dosing" else [],
    }
    plain: Values = json.loads(json.dumps(said, default=str))
    return plain


def digest_of(record: Any) -> str:
    """The SHA-256 of a record in one spelling (RFC 8785's order of names), hex."""
    spelled = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(spelled.encode()).hexdigest()


def _close(session: Values, written: list[Values]) -> Values:
    """The session with its record closed; each of its notes is another one to read now."""
    told = {"session_id": session["id"], "patient_id": session["patient_id"]}
    event = events.row(session["clinic_id"], "session.signed", told)
    for row in written:
        store().change(notes, row, {})
    return store().change(sessions, session, {"signed_at": clock.now()}, also=[event])
