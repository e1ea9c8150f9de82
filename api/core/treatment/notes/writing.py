"""Writing notes: drafted and changed by their author, signed, added to, co-signed by another."""

from typing import Any
from uuid import UUID

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.patients import open_chart
from api.core.treatment import signatures
from api.core.treatment.notes import finding, keeping, showing, wording
from api.core.treatment.notes.tables import ADDENDUM, APART, DRAFT, SIGNED, notes
from api.core.treatment.sessions import sessions
from api.core.treatment.sessions.booking import lock_session
from api.db import Listing, Page, Values, match
from api.errors import NotAllowed


def list_session_notes(
    actor: Actor, session_id: UUID, asked: Page, kind: str | None = None, state: str | None = None
) -> Listing:
    """The notes of a session, the newest first, as far as the reader may see them."""
    gate.find_in_chart(actor, "note:read", sessions, session_id)
    within = finding.Within("session_id", session_id, kind, state)
    listing = showing.show_page(actor, finding.listed(actor, asked, within))
    listing.beside = showing.held_back(actor, "session_id", session_id)
    return listing


def list_patient_notes(
    actor: Actor, patient_id: UUID, asked: Page, kind: str | None = None, state: str | None = None
) -> Listing:
    """The notes of a chart, the newest first; of one that closed, an author's own ones apart."""
    in_reach = finding.open_notes(actor, patient_id)
    within = finding.Within("patient_id", patient_id, kind, state, in_reach)
    listing = showing.show_page(actor, finding.listed(actor, asked, within))
    listing.beside = showing.held_back(actor, "patient_id", patient_id)
    return listing


def read_note(actor: Actor, note_id: UUID) -> Values:
    """One note."""
    return showing.show(actor, finding.find_note(actor, "note:read", note_id))


def write_session_note(actor: Actor, session_id: UUID, values: Values) -> Values:
    """A new draft beside a session; one whose record is signed takes addenda alone."""
    session = gate.find_in_chart(actor, "note:write", sessions, session_id)
    return _write(actor, session, values)


def write_patient_note(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A new draft of a chart, beside no session."""
    patient = open_chart(actor, "note:write", patient_id)
    return _write(actor, {"id": None, "patient_id": patient["id"]}, values)


def _write(actor: Actor, session: Values, values: Values) -> Values:
    if values["kind"] == APART:
        gate.admit(actor, "psychotherapy_note:write")
    elif session["id"] is not None:
        signatures.refuse_if_locked(lock_session(session))
    keys = {"clinic_id": actor.clinic_id, "patient_id": session["patient_id"]}
    by = {"author_id": actor.user_id, "session_id": session["id"], "state": DRAFT}
    row = keeping.add(actor, keys | by | {"kind": values["kind"]} | wording.worded(values))
    trail.about(notes.name, row["id"])
    trail.wrote(values)
    return showing.show(actor, row)


def change_note(actor: Actor, note_id: UUID, version: int | None, values: Values) -> Values:
    """Change one's own draft; a note that was signed is added to, or unlocked by another."""
    seen = finding.find_note(actor, "note:write", note_id)
    _refuse_unless_author(actor, seen, "Only its author changes a note.")
    row = _at(actor, seen, version)
    if row["state"] != DRAFT:
        raise showing.not_now(actor, row, "A signed note is not changed; add to it.")
    if not values:
        return showing.show(actor, row)
    trail.wrote(values)
    after = keeping.change(actor, row, wording.reworded(row, values), "changed")
    _tell_parent(after)
    return showing.show(actor, after)


def _at(actor: Actor, seen: Values, version: int | None) -> Values:
    row = _held(actor, seen)
    match(row, version)
    return row


def _held(actor: Actor, seen: Values) -> Values:
    """The note as it is now, kept from others; one whose words were destroyed is left as it is."""
    row, _ = keeping.hold(actor, seen)
    if row.get("destroyed_at") is not None:
        raise showing.not_now(actor, row, "The words of this note were destroyed.")
    return row


def sign_note(actor: Actor, note_id: UUID) -> Values:
    """Sign one's own draft: from then on nobody changes it, and it says who wrote it."""
    seen = finding.find_note(actor, "note:sign", note_id)
    _refuse_unless_author(actor, seen, "Only its author signs a note.")
    row = _held(actor, seen)
    if row["state"] != DRAFT:
        raise showing.not_now(actor, row, "This note is signed.")
    missing = wording.gaps(row)
    if missing:
        detail = "Sections of its template are not written."
        raise showing.not_now(actor, row, detail, missing=missing)
    signed = {"state": SIGNED, "signed_at": clock.now(), "digest": keeping.digest_of(row)}
    trail.wrote(["state"])
    after = keeping.change(actor, row, signed, "signed", "note.signed")
    _tell_parent(after)
    return showing.show(actor, after)


def add_addendum(actor: Actor, note_id: UUID, values: Values) -> Values:
    """Words added to a signed note, dated and by their own author; signed as they are written."""
    seen = finding.find_note(actor, "note:add", note_id)
    of = _held(actor, seen)
    if of["state"] == DRAFT or of["addendum_to"] is not None or of["kind"] == ADDENDUM:
        raise showing.not_now(actor, of, "Only a signed note is added to, never an addendum.")
    row = _added(actor, of, values["text"], as_draft=values.get("as_draft", False))
    trail.wrote(values)
    _tell_parent(row)
    return showing.show(actor, row)


def _added(actor: Actor, of: Values, text: str, as_draft: bool) -> Values:
    keys = {name: of[name] for name in ("clinic_id", "patient_id", "session_id")}
    kind = APART if of["kind"] == APART else ADDENDUM
    said = {"text": text, "sections": None, "template": None, "kind": kind}
    by = {"author_id": actor.user_id, "addendum_to": of["id"], "state": DRAFT}
    row = keeping.add(actor, keys | said | by) | {"closed_at": of["closed_at"]}
    if as_draft:
        return row
    signed = {"state": SIGNED, "signed_at": clock.now(), "digest": keeping.digest_of(row)}
    return keeping.change(actor, row, signed, "signed", "note.signed")


def draft_addendum(actor: Actor, session: Values, text: str, entry: Values | None = None) -> Values:
    """A draft addendum to the signed record of a session, such as an entry that came too late.

    It adds to no note of its own; `entry` is kept beside the words as it came.
    """
    gate.admit(actor, "note:add")
    keys = {name: session[name] for name in ("clinic_id", "patient_id")}
    said: Values = {"text": text, "sections": None, "template": None, "kind": ADDENDUM}
    by = {"author_id": actor.user_id, "session_id": session["id"], "state": DRAFT}
    row = keeping.add(actor, keys | said | by | {"entry": entry})
    return showing.show(actor, row | {"closed_at": session["signed_at"]})


def cosign_note(actor: Actor, note_id: UUID) -> Values:
    """Sign a colleague's signed note beside them, as their supervisor; never one's own."""
    seen = finding.find_note(actor, "note:cosign", note_id)
    if seen["author_id"] == actor.user_id:
        raise NotAllowed("Nobody co-signs what they wrote.")
    row, _ = keeping.hold(actor, seen)
    if row["state"] == DRAFT or row["cosigned_at"] is not None:
        raise showing.not_now(actor, row, "A signed note is co-signed, once.")
    by: dict[str, Any] = {"cosigned_by": actor.user_id, "cosigned_at": clock.now()}
    trail.wrote(by)
    return showing.show(actor, keeping.change(actor, row, by, "cosigned", "note.cosigned"))


def _refuse_unless_author(writer: Actor, row: Values, detail: str) -> None:
    if row["author_id"] != writer.user_id:
        raise NotAllowed(detail)


def _tell_parent(row: Values) -> None:
    """The note that an addendum adds to is another one now, for whoever reads it again."""
    if row["addendum_to"] is not None:
        keeping.touch(row)
