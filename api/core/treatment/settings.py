"""Set and setting: the intention in the patient's words, who was there, what was agreed."""

from typing import Final
from uuid import UUID

from sqlalchemy import Column, UniqueConstraint, Uuid

from api.access.policies import Actor
from api.core import gate
from api.core.treatment import beside, signatures
from api.core.treatment.sessions import sessions
from api.db import Sealed, Values, found, of, tenant_table

TOUCH: Final = ("none", "hand_only", "as_agreed", "not_discussed")
"""What was agreed about touch; how exactly stands in words beside it."""
WORDS: Final = (
    "intention",
    "set",
    "setting",
    "people_present",
    "music",
    "eyeshade",
    "touch_agreement",
    "touch_words",
    "words_worth_keeping",
)
PATIENTS_OWN: Final = ("intention", "touch_agreement", "touch_words", "music", "eyeshade")
"""What a patient reads of it once the record is signed, beside the words worth keeping."""
TO_PATIENT: Final = (*PATIENTS_OWN, "words_worth_keeping")

session_settings = tenant_table(
    "session_settings",
    Column("session_id", Uuid, nullable=False),
    Column("words", Sealed),
    Column("recorded_by", Uuid, nullable=False),
    of("sessions", "session_id"),
    of("users", "recorded_by"),
    UniqueConstraint("clinic_id", "session_id"),
)


def read_setting(actor: Actor, session_id: UUID) -> Values:
    """Set and setting of one session; a patient reads their part of it once it is signed."""
    session = gate.find_in_chart(actor, "setting:read", sessions, session_id)
    if actor.rights.is_patient and not signatures.is_signed(session):
        found(None)
    return _show(actor, session, beside.of_session(session_settings, session))


def put_setting(actor: Actor, session_id: UUID, version: int | None, values: Values) -> Values:
    """Set and setting written down whole; what is left out is not said."""
    session = gate.find_in_chart(actor, "setting:write", sessions, session_id)
    row = beside.put(actor, session_settings, session, version, {"words": values})
    return _show(actor, session, row)


def _show(reader: Actor, session: Values, row: Values | None) -> Values:
    said = (row or {}).get("words") or {}
    shown = {name: (row or beside.UNSET)[name] for name in ("version", "updated_at")}
    seen = TO_PATIENT if reader.rights.is_patient else WORDS
    lists = {"people_present": said.get("people_present") or []} if seen is WORDS else {}
    keeping = {"words_worth_keeping": said.get("words_worth_keeping") or []}
    words = {name: said.get(name) for name in seen}
    return {"session_id": session["id"]} | shown | words | lists | keeping
