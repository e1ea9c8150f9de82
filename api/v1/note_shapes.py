"""What is sent and shown of notes: the forms of v1's notes, versions and requests to unlock."""

import re
from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from api.core.treatment.notes import tables
from api.core.treatment.notes.holding import LONGEST
from api.core.treatment.notes.wording import MOST_SECTIONS
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Flag, Instant, Many, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import PageQuery

MOST = 20_000
"""The most characters of a text or of a section."""
NAME = r"^[a-z][a-z0-9_]{0,39}$"
TEMPLATES = (*tables.TEMPLATES, tables.FREE)
KIND = (
    "`psychotherapy`: read by its author alone, never counted or listed for anybody else, and no"
    " part of the session's record."
)
TEMPLATE = (
    "`soap`, `dap` and `birp` fix the sections, all of which are written before it is signed. Told"
    " from the sections where it is left out; `free` has any."
)
SECTIONS = "The sections of the template by their names: " + "; ".join(
    f"`{key}`: {', '.join(names)}" for key, names in tables.TEMPLATES.items()
)
STATE = "`locked`: signed, and the record that it is part of is closed."
ALLOWED = "What is yours to do with it now: the last part of the address."
EXPIRES = f"Ahead, and at most {LONGEST.days} days; held again with a reason anew."
NOTICE = "What the patient is told in place of the note; standard words unless given."
UNLOCKS = "How often the note was opened again after it was signed."
ENTRY = "An entry that came too late for the ledger of a signed session, as it came."


class Sections(ma.fields.Dict):
    """Sections by their lower_snake names, each a text."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {"description": SECTIONS, "propertyNames": {"pattern": NAME}})
        text = Words(MOST, allow_none=True)
        super().__init__(keys=ma.fields.String(), values=text, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, Mapping):
            raise self.make_error("invalid")
        if not 1 <= len(value) <= MOST_SECTIONS:
            raise ma.ValidationError(f"1 to {MOST_SECTIONS} sections.")
        if not all(re.fullmatch(NAME, key, re.ASCII) for key in value):
            raise ma.ValidationError("The name of a section is lower_snake, at most 40 signs.")
        return super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]


class NoteFields(Ask):
    """What may be written of a note, and cleared."""

    text = Words(MOST, allow_none=True)
    sections = Sections(allow_none=True)
    template = Choice(TEMPLATES, allow_none=True, metadata={"description": TEMPLATE})


class NewNoteSchema(NoteFields):
    """A note as it is drafted: `text` or `sections`, or both."""

    kind = Choice(tables.WRITTEN, required=True, metadata={"description": KIND})


class ChangedNoteSchema(NoteFields):
    """A merge patch of a draft: absent = unchanged, null = cleared, section by section."""


class NothingSchema(Ask):
    """Nothing more is asked."""


class NewAddendumSchema(Ask):
    """What is added to a signed note."""

    text = Words(MOST, required=True)
    as_draft = Flag(metadata={"description": "Leave it a draft, to be signed later."})


class NewHoldSchema(Ask):
    """Why a note is held from its patient, and until when."""

    reason = Words(2000, required=True)
    expires_at = Instant(required=True, metadata={"description": EXPIRES})
    notice = Words(500, metadata={"description": NOTICE})


DESTROYED = (
    "When the key of its chart was destroyed, so that nobody reads the words of a psychotherapy"
    " note any more: `text` and `sections` are null, and nothing is allowed but to remove it."
)


class UnlockReasonSchema(Ask):
    """Why a signed note is to be changed."""

    reason = Words(2000, required=True)


class DecisionSchema(Ask):
    """What a colleague says to it."""

    note = Words(2000)


class PatientAddendumSchema(Show):
    """What was added to a note after it was signed."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    state = Choice(tables.STATES, required=True, metadata={"description": STATE})
    text = shown(ma.fields.String)
    author = ma.fields.Nested(ClinicianRefSchema, required=True)
    signed_at = shown(Instant, nullable=True)


class AddendumSchema(PatientAddendumSchema):
    """What was added to a note; an entry that came too late stands beside its words."""

    entry = ma.fields.Dict(required=True, allow_none=True, metadata={"description": ENTRY})


class PatientNoteSchema(Show):
    """A signed note as its patient reads it."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    session_id = shown(ma.fields.UUID, nullable=True)
    kind = Choice(tables.KINDS, required=True, metadata={"description": KIND})
    state = Choice(tables.STATES, required=True, metadata={"description": STATE})
    template = Choice(TEMPLATES, required=True, allow_none=True)
    text = shown(ma.fields.String, nullable=True)
    sections = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.String(), required=True, allow_none=True
    )
    author = ma.fields.Nested(ClinicianRefSchema, required=True)
    signed_at = shown(Instant, nullable=True)
    cosigned_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    addendum_to = shown(ma.fields.UUID, nullable=True)
    addenda = Many(ma.fields.Nested(PatientAddendumSchema), required=True)


class HoldSchema(Show):
    """Why a note is held from its patient, by whom, and until when."""

    reason = shown(ma.fields.String)
    notice = shown(ma.fields.String, nullable=True)
    expires_at = shown(Instant)
    held_at = shown(ma.fields.String)
    held_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)


class NoteSchema(PatientNoteSchema):
    """A note as clinicians read it."""

    cosigned_at = shown(Instant, nullable=True)
    unlocks = shown(ma.fields.Integer, metadata={"description": UNLOCKS})
    entry = ma.fields.Dict(required=True, allow_none=True, metadata={"description": ENTRY})
    hold = ma.fields.Nested(HoldSchema, required=True, allow_none=True)
    destroyed_at = shown(Instant, nullable=True, metadata={"description": DESTROYED})
    addenda = Many(ma.fields.Nested(AddendumSchema), required=True)
    allowed = Many(ma.fields.String(), required=True, metadata={"description": ALLOWED})


class HeldBackSchema(Show):
    """That a note is held from the patient, until when."""

    expires_at = shown(Instant)
    words = shown(ma.fields.String)


class BesideNotesSchema(Show):
    """To a patient: which notes are held from them, without what they say."""

    held_back = Many(ma.fields.Nested(HeldBackSchema), most=1000)


class NoteQuery(PageQuery):
    """Which of the notes."""

    kind = Choice(tables.KINDS)
    state = Choice(tables.STATES, metadata={"description": STATE})


class NoteVersionSchema(Show):
    """A note as it was once; `number` is its version then, `deed` what made it so."""

    id = shown(ma.fields.UUID)
    created_at = shown(Instant)
    number = shown(ma.fields.Integer)
    deed = Choice(tables.DEEDS, required=True)
    state = Choice(tables.KEPT_STATES, required=True)
    text = shown(ma.fields.String, nullable=True)
    sections = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.String(), required=True, allow_none=True
    )
    digest = shown(
        ma.fields.String, nullable=True, metadata={"description": "SHA-256 of what was signed."}
    )
    destroyed_at = shown(Instant, nullable=True, metadata={"description": DESTROYED})
    written_by = ma.fields.Nested(ClinicianRefSchema, required=True)


class UnlockRequestSchema(Show):
    """That somebody asked to change a signed note, and what a colleague said to it."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    note_id = shown(ma.fields.UUID)
    state = Choice(tables.REQUEST_STATES, required=True)
    reason = shown(ma.fields.String)
    asked_by = ma.fields.Nested(ClinicianRefSchema, required=True)
    decided_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    decided_at = shown(Instant, nullable=True)
    note = shown(ma.fields.String, nullable=True)
    allowed = Many(ma.fields.String(), required=True, metadata={"description": ALLOWED})
