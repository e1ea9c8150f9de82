"""Holding a progress note from its patient: with a reason, until when, and with notice to them."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core.treatment.notes import finding, keeping, showing
from api.core.treatment.notes.tables import PROGRESS
from api.db import Values, match
from api.errors import Invalid

LONGEST: Final = timedelta(days=30)
"""How long a note is held at most before somebody must say anew why; this project's own limit."""


def hold_note(actor: Actor, note_id: UUID, values: Values) -> Values:
    """Hold a progress note from its patient for a time; they are told that one is held."""
    seen = finding.find_note(actor, "note:hold", note_id)
    row, _ = keeping.hold(actor, seen)
    if row["kind"] != PROGRESS:
        raise showing.not_now(actor, row, "Only a progress note is held from a patient.")
    until = _until(values["expires_at"])
    by = {"held_by": str(actor.user_id), "held_at": _spelled(clock.now())}
    kept = {"reason": values["reason"], "notice": values.get("notice")} | by
    trail.wrote(values)
    after = keeping.change(actor, row, {"hold": kept, "held_until": until}, "held", "note.held")
    return showing.show(actor, after)


def release_note(actor: Actor, note_id: UUID, version: int | None) -> Values:
    """Let the patient read it before the time is over."""
    seen = finding.find_note(actor, "note:hold", note_id)
    row, _ = keeping.hold(actor, seen)
    match(row, version)
    if row["held_until"] is None or row["held_until"] <= clock.now():
        raise showing.not_now(actor, row, "This note is not held.")
    trail.wrote(["hold"])
    free = {"hold": None, "held_until": None}
    return showing.show(actor, keeping.change(actor, row, free, "released", "note.released"))


def _until(expires_at: datetime) -> datetime:
    now = clock.now()
    if not now < expires_at <= now + LONGEST:
        raise Invalid([("/expires_at", f"Ahead, and at most {LONGEST.days} days.")])
    return expires_at


def _spelled(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
