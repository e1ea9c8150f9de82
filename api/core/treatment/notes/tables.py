"""The tables of notes. Psychotherapy notes have tables of their own, and a key of their own.

45 CFR 164.501 keeps psychotherapy notes apart from the rest of the record: only who wrote one
reads it, so that no query over `notes` can ever meet one.
"""

from typing import Any, Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from api.db import Instant, Sealed, of, tenant_table
from api.vault import PSYCHOTHERAPY, SEAL

PROGRESS, SUMMARY, APART, ADDENDUM = KINDS = (
    "progress",
    "patient_summary",
    "psychotherapy",
    "addendum",
)
WRITTEN: Final = (PROGRESS, SUMMARY, APART)
"""The kinds that are written as such; an addendum is added to a note or a record that is signed."""
IN_RECORD: Final = (PROGRESS, SUMMARY, ADDENDUM)
DRAFT, SIGNED, LOCKED = STATES = ("draft", "signed", "locked")
"""`locked` is a signed note whose record is closed; that follows from the session, or from the
co-signature of a note beside no session, and is not stored."""
KEPT_STATES: Final = (DRAFT, SIGNED)
TEMPLATES: Final = {
    "soap": ("subjective", "objective", "assessment", "plan"),
    "dap": ("data", "assessment", "plan"),
    "birp": ("behavior", "intervention", "response", "plan"),
}
"""The sections of each template, in the order in which they are read."""
FREE: Final = "free"
ASKED, APPROVED, DENIED = REQUEST_STATES = ("asked", "approved", "denied")
DEEDS: Final = (
    *("written", "changed", "signed", "cosigned", "unlocked", "held", "released"),
    "removed",
)
"""What made a version of a note."""


def _content(purpose: str) -> tuple[Any, ...]:
    """What is said in a note, and its digest once it is signed, under the key of a purpose."""
    return (
        Column("text", Sealed(purpose)),
        Column("sections", Sealed(purpose)),
        Column("digest", Sealed(purpose)),
    )


def _note(name: str, purpose: str, *more: Any) -> Table:
    return tenant_table(
        name,
        Column("session_id", Uuid),
        Column("addendum_to", Uuid),
        Column("template", String(10)),
        *_content(purpose),
        Column("author_id", Uuid, nullable=False),
        Column("state", String(10), nullable=False),
        Column("signed_at", Instant),
        *more,
        of("sessions", "session_id"),
        of("users", "author_id"),
        of(name, "addendum_to"),
        CheckConstraint(f"state IN {KEPT_STATES}", name="state"),
        CheckConstraint("(state = 'signed') = (signed_at IS NOT NULL)", name="signed"),
    )


def _versions(name: str, of_table: str, purpose: str, *more: Any) -> Table:
    return tenant_table(
        name,
        Column("note_id", Uuid, nullable=False),
        Column("number", Integer, nullable=False),
        Column("deed", String(10), nullable=False),
        Column("state", String(10), nullable=False),
        *_content(purpose),
        Column("written_by", Uuid, nullable=False),
        *more,
        ForeignKeyConstraint(["clinic_id", "note_id"], [f"{of_table}.clinic_id", f"{of_table}.id"]),
        of("users", "written_by"),
        UniqueConstraint("clinic_id", "note_id", "number"),
        CheckConstraint(f"deed IN {DEEDS}", name="deed"),
    )


notes = _note(
    "notes",
    SEAL,
    Column("kind", String(20), nullable=False),
    Column("entry", Sealed),
    Column("cosigned_by", Uuid),
    Column("cosigned_at", Instant),
    Column("unlocks", Integer, nullable=False),
    Column("hold", Sealed),
    Column("held_until", Instant),
    of("users", "cosigned_by"),
    CheckConstraint(f"kind IN {IN_RECORD}", name="kind"),
)
"""`entry` is what came too late for the ledger of a signed session. `unlocks` counts how often the
note was opened again; `hold` is `{reason, notice, held_by, held_at}`."""
note_versions = _versions("note_versions", "notes", SEAL)
psychotherapy_notes = _note("psychotherapy_notes", PSYCHOTHERAPY, Column("chart_key_id", Uuid))
psychotherapy_note_versions = _versions(
    "psychotherapy_note_versions",
    "psychotherapy_notes",
    PSYCHOTHERAPY,
    Column("chart_key_id", Uuid),
)
"""`chart_key_id` is the key under which the words lie; nothing refers to it, for a backup holds
notes without keys. Where it is empty they lie under the clinic's key, as all once did."""
VERSIONS: Final = {notes: note_versions, psychotherapy_notes: psychotherapy_note_versions}
"""Where the versions of each table's notes are kept."""

note_unlock_requests = tenant_table(
    "note_unlock_requests",
    Column("note_id", Uuid, nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", Sealed, nullable=False),
    Column("asked_by", Uuid, nullable=False),
    Column("decided_by", Uuid),
    Column("decided_at", Instant),
    Column("decision", Sealed),
    of("notes", "note_id"),
    of("users", "asked_by"),
    of("users", "decided_by"),
    CheckConstraint(f"state IN {REQUEST_STATES}", name="state"),
    CheckConstraint("decided_by IS NULL OR decided_by <> asked_by", name="by_another"),
)
OPEN: Final = note_unlock_requests.c.state == ASKED
Index(
    "uq_note_unlock_requests_open",
    *note_unlock_requests.c["clinic_id", "note_id"],
    unique=True,
    sqlite_where=OPEN,
    postgresql_where=OPEN,
)
for _table in VERSIONS:
    Index(f"ix_{_table.name}_session", *_table.c["clinic_id", "session_id"])
    Index(f"ix_{_table.name}_addendum", *_table.c["clinic_id", "addendum_to"])
DRAFTS: Final = notes.c.state == DRAFT
Index(
    "ix_notes_drafts",
    *notes.c["clinic_id", "patient_id"],
    sqlite_where=DRAFTS,
    postgresql_where=DRAFTS,
)
Index("ix_psychotherapy_notes_author", *psychotherapy_notes.c["clinic_id", "author_id"])
