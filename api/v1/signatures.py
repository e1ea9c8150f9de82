"""Signatures over v1: who still owes which part of a session's record."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.treatment import signatures, signing
from api.core.treatment.moves import STATES
from api.core.treatment.notes import tables
from api.paging import Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Instant, Many, Show, shown
from api.v1.resource import Blueprint

blp = Blueprint("signatures", "The parts of a session's record, and who signed them.")
OF_SESSION = "/sessions/<id:session_id>/signatures"
BY = "Of whom one signs it, or a colleague of the same chair."
DIGEST = "SHA-256 of what was signed: the session, its signed notes and its ledger as they were."
MISSING = "The parts that are owed still."


class NewSignatureSchema(Ask):
    """Which part is signed."""

    part = Choice(signatures.PARTS, required=True)


class PartSchema(Show):
    """A part of the record: who owes it, and who signed it when."""

    part = Choice(signatures.PARTS, required=True)
    state = Choice(("owed", signatures.SIGNED), required=True)
    by = Many(ma.fields.Nested(ClinicianRefSchema), required=True, metadata={"description": BY})
    signed_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    signed_at = shown(Instant, nullable=True)
    digest = shown(ma.fields.String, nullable=True, metadata={"description": DIGEST})


class UnsignedNoteSchema(Show):
    """A draft that stands in the way."""

    id = shown(ma.fields.UUID)
    kind = Choice(tables.IN_RECORD, required=True)
    author = ma.fields.Nested(ClinicianRefSchema, required=True)


class SignaturesSchema(Show):
    """What is signed of a session's record and what is missing, from whom."""

    id = ma.fields.UUID(metadata={"description": "The signature that was just made."})
    session_id = shown(ma.fields.UUID)
    state = Choice(STATES, required=True)
    signed_at = shown(Instant, nullable=True)
    parts = Many(ma.fields.Nested(PartSchema), required=True)
    missing = Many(Choice(signatures.PARTS), required=True, metadata={"description": MISSING})
    unsigned_notes = Many(ma.fields.Nested(UnsignedNoteSchema), required=True)


@blp.offer("GET", OF_SESSION, "signature:read", answer=SignaturesSchema)
def list_signatures(actor: Actor, session_id: Any) -> Values:
    """Read what is signed of a session's record, and what is missing from whom.

    A dosing session owes a part for each chair of the clinicians named on it or in its ledger:
    therapist, prescriber, nurse; any other session owes one. `signed_at` is null until the last
    one owed is there.
    """
    return signing.list_signatures(actor, session_id)


@blp.offer(
    "POST",
    OF_SESSION,
    "session:sign",
    body=NewSignatureSchema,
    answer=SignaturesSchema,
    location="/api/v1/sessions/{session_id}/signatures",
    example={"part": "therapist"},
    errors=(409,),
)
def sign_part(actor: Actor, session_id: Any, values: Values) -> Values:
    """Sign the part of one's own chair (403 for another's).

    409 with `missing` before the session is completed, while one's own notes of it are drafts, and
    for the last part while anybody's are (`note_ids`). With the last part the record is closed: it
    takes nothing but addenda, and the patient reads the record of the session.
    """
    return signing.sign_part(actor, session_id, **values)
