"""Notes: drafted, signed and locked; added to, co-signed, unlocked by another, held from a patient.

Psychotherapy notes pass through the same doors and lie in tables of their own: only who wrote one
ever meets it.
"""

from api.core.treatment.notes.finding import find_note, open_notes
from api.core.treatment.notes.holding import hold_note, release_note
from api.core.treatment.notes.shredding import bring_home, shred
from api.core.treatment.notes.unlocking import (
    approve_unlock,
    ask_unlock,
    deny_unlock,
    list_unlock_requests,
)
from api.core.treatment.notes.versions import list_note_versions, remove_note
from api.core.treatment.notes.writing import (
    add_addendum,
    change_note,
    cosign_note,
    draft_addendum,
    list_patient_notes,
    list_session_notes,
    read_note,
    sign_note,
    write_patient_note,
    write_session_note,
)

__all__ = [
    "add_addendum",
    "approve_unlock",
    "ask_unlock",
    "bring_home",
    "change_note",
    "cosign_note",
    "deny_unlock",
    "draft_addendum",
    "find_note",
    "hold_note",
    "list_note_versions",
    "list_patient_notes",
    "list_session_notes",
    "list_unlock_requests",
    "open_notes",
    "read_note",
    "release_note",
    "remove_note",
    "shred",
    "sign_note",
    "write_patient_note",
    "write_session_note",
]
