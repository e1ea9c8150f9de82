"""Notes over v1: drafted, signed and locked, added to, co-signed, unlocked, held and read."""

from typing import Any

from api.access.policies import Actor
from api.core.treatment import notes
from api.paging import Listing, Values
from api.v1.note_shapes import (
    BesideNotesSchema,
    ChangedNoteSchema,
    DecisionSchema,
    NewAddendumSchema,
    NewHoldSchema,
    NewNoteSchema,
    NoteQuery,
    NoteSchema,
    NoteVersionSchema,
    NothingSchema,
    PatientNoteSchema,
    UnlockReasonSchema,
    UnlockRequestSchema,
)
from api.v1.resource import Blueprint

blp = Blueprint("notes", "Notes of a chart and of its sessions, from draft to locked.")
ONE = "/notes/<id:note_id>"
OF_SESSION = "/sessions/<id:session_id>/notes"
OF_PATIENT = "/patients/<id:patient_id>/notes"
REQUEST = f"{ONE}/unlock-requests/<id:request_id>"
SOAP = {
    "kind": "progress",
    "sections": {
        "subjective": "Slept well.",
        "objective": "Calm, at ease.",
        "assessment": "As hoped for.",
        "plan": "A walk each evening.",
    },
}


@blp.offer(
    "GET",
    OF_SESSION,
    "note:read",
    query=NoteQuery,
    answer=NoteSchema,
    to_patient=PatientNoteSchema,
    beside=BesideNotesSchema,
    paged=True,
)
def list_session_notes(actor: Actor, session_id: Any, **asked: Any) -> Listing:
    """List the notes of a session, the newest first.

    As with the notes of a patient.
    """
    return notes.list_session_notes(actor, session_id, **asked)


@blp.offer(
    "POST",
    OF_SESSION,
    "note:write",
    body=NewNoteSchema,
    answer=NoteSchema,
    location="/api/v1/notes/{id}",
    example=SOAP,
    errors=(409,),
)
def write_session_note(actor: Actor, session_id: Any, values: Values) -> Values:
    """Draft a note of a session.

    A session whose record is signed takes addenda alone (409), and psychotherapy notes, which are
    no part of it.
    """
    return notes.write_session_note(actor, session_id, values)


@blp.offer(
    "GET",
    OF_PATIENT,
    "note:read",
    query=NoteQuery,
    answer=NoteSchema,
    to_patient=PatientNoteSchema,
    beside=BesideNotesSchema,
    paged=True,
)
def list_patient_notes(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's notes, the newest first.

    A patient reads signed progress notes and patient summaries; `held_back` tells them that one is
    held and until when. A psychotherapy note stands in its author's list, who keeps it when they
    leave the care team, and in nobody else's. Addenda stand in the note that they add to.
    """
    return notes.list_patient_notes(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "note:write",
    body=NewNoteSchema,
    answer=NoteSchema,
    location="/api/v1/notes/{id}",
    example={"kind": "patient_summary", "text": "We agreed on a walk each evening."},
)
def write_patient_note(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Draft a note of a patient beside no session."""
    return notes.write_patient_note(actor, patient_id, values)


@blp.offer("GET", ONE, "note:read", answer=NoteSchema, to_patient=PatientNoteSchema, derived=True)
def read_note(actor: Actor, note_id: Any) -> Values:
    """Read a note with its addenda."""
    return notes.read_note(actor, note_id)


@blp.offer(
    "PATCH",
    ONE,
    "note:write",
    body=ChangedNoteSchema,
    answer=NoteSchema,
    example={"text": "We agreed on a walk each morning."},
)
def change_note(actor: Actor, note_id: Any, version: int | None, values: Values) -> Values:
    """Change one's own draft.

    Sections are merged by name. A signed note is 409 with what it allows: add to it, or ask a
    colleague to unlock it.
    """
    return notes.change_note(actor, note_id, version, values)


@blp.offer("DELETE", ONE, "note:remove", status=204)
def remove_note(actor: Actor, note_id: Any, version: int | None) -> None:
    """Take back one's own draft.

    What was once signed stays (409), but for a psychotherapy note: its author takes it back with
    every word and version of it.
    """
    notes.remove_note(actor, note_id, version)


@blp.offer(
    "POST",
    f"{ONE}/sign",
    "note:sign",
    body=NothingSchema,
    answer=NoteSchema,
    example={},
    errors=(409,),
)
def sign_note(actor: Actor, note_id: Any, values: Values) -> Values:
    """Sign one's own draft, or a draft addendum.

    Nobody changes it from then on. A template of which sections are not written is 409 with
    `missing`. A signed progress note and a patient summary are the patient's to read.
    """
    return notes.sign_note(actor, note_id)


@blp.offer(
    "POST",
    f"{ONE}/addenda",
    "note:add",
    body=NewAddendumSchema,
    answer=NoteSchema,
    location="/api/v1/notes/{id}",
    example={"text": "The patient called: they slept well."},
    errors=(409,),
)
def add_addendum(actor: Actor, note_id: Any, values: Values) -> Values:
    """Add to a signed note.

    An addendum has its own author and date and is signed as it is written, unless it is left a
    draft. Entries that come too late for a signed session arrive as draft addenda of its record.
    """
    return notes.add_addendum(actor, note_id, values)


@blp.offer(
    "POST",
    f"{ONE}/cosign",
    "note:cosign",
    body=NothingSchema,
    answer=NoteSchema,
    example={},
    errors=(409,),
)
def cosign_note(actor: Actor, note_id: Any, values: Values) -> Values:
    """Co-sign a colleague's signed note, as their supervisor.

    Never one's own (403), and once.
    """
    return notes.cosign_note(actor, note_id)


@blp.offer("GET", f"{ONE}/versions", "note:history", answer=NoteVersionSchema, paged=True)
def list_note_versions(actor: Actor, note_id: Any, asked: Any) -> Listing:
    """List every version of a note, the oldest first."""
    return notes.list_note_versions(actor, note_id, asked)


@blp.offer("GET", f"{ONE}/unlock-requests", "note:history", answer=UnlockRequestSchema, paged=True)
def list_unlock_requests(actor: Actor, note_id: Any, asked: Any) -> Listing:
    """List who asked to unlock a note and why, and what was decided."""
    return notes.list_unlock_requests(actor, note_id, asked)


@blp.offer(
    "POST",
    f"{ONE}/unlock-requests",
    "note:ask_unlock",
    body=UnlockReasonSchema,
    answer=UnlockRequestSchema,
    location="/api/v1/notes/{note_id}/unlock-requests",
    example={"reason": "The wrong medicine is named in the plan."},
    errors=(409,),
)
def ask_unlock(actor: Actor, note_id: Any, values: Values) -> Values:
    """Ask to change a signed note of one's own once more.

    A colleague decides. One request is open at a time.
    """
    return notes.ask_unlock(actor, note_id, values)


@blp.offer(
    "POST",
    f"{REQUEST}/approve",
    "note:unlock",
    body=DecisionSchema,
    answer=UnlockRequestSchema,
    example={"note": "Agreed."},
    errors=(409,),
)
def approve_unlock(actor: Actor, note_id: Any, request_id: Any, values: Values) -> Values:
    """Agree that a note is unlocked; never on what one asked or wrote oneself (403).

    The note is a draft again and `unlocks` counts it. Signatures of its session that cover it
    count no more: their parts are owed again.
    """
    return notes.approve_unlock(actor, note_id, request_id, values)


@blp.offer(
    "POST",
    f"{REQUEST}/deny",
    "note:unlock",
    body=DecisionSchema,
    answer=UnlockRequestSchema,
    example={"note": "An addendum will do."},
    errors=(409,),
)
def deny_unlock(actor: Actor, note_id: Any, request_id: Any, values: Values) -> Values:
    """Decide that a note stays as it was signed.

    Never on what one asked or wrote oneself (403).
    """
    return notes.deny_unlock(actor, note_id, request_id, values)


@blp.offer(
    "POST",
    f"{ONE}/hold",
    "note:hold",
    body=NewHoldSchema,
    answer=NoteSchema,
    example={
        "reason": "It names a person who would be endangered.",
        "expires_at": "2026-12-01T17:00:00Z",
    },
    errors=(409,),
)
def hold_note(actor: Actor, note_id: Any, values: Values) -> Values:
    """Hold a progress note from its patient for a time.

    With a reason that the care team reads, an end, and notice to the patient that one is held.
    """
    return notes.hold_note(actor, note_id, values)


@blp.offer("DELETE", f"{ONE}/hold", "note:hold", answer=NoteSchema)
def release_note(actor: Actor, note_id: Any, version: int | None) -> Values:
    """Let the patient read a held note before the time is over."""
    return notes.release_note(actor, note_id, version)
