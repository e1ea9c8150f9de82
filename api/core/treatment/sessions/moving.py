"""Moving: what becomes of a session, from arrival to completion, or called off and reopened."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from api import clock
from api.access.policies import Actor, Rights
from api.audit import trail
from api.core import gate
from api.core.treatment import moves, signatures
from api.core.treatment.sessions import agreeing, holding, showing
from api.core.treatment.sessions.booking import lock_session, not_now, subject_of
from api.core.treatment.sessions.table import sessions
from api.db import Values, store
from api.errors import Invalid
from api.outbox import events


def arrive_session(actor: Actor, session_id: UUID, values: Values) -> Values:
    """The patient is here."""
    row = gate.find_in_chart(actor, "session:update", sessions, session_id)
    return move(actor, row, "arrive", values)


def cancel_session(actor: Actor, session_id: UUID, values: Values) -> Values:
    """The session is called off; its time is free again, and it opens no chart by duty."""
    row = gate.find_in_chart(actor, "session:cancel", sessions, session_id)
    return move(actor, row, "cancel", values)


def mark_no_show(actor: Actor, session_id: UUID, values: Values) -> Values:
    """The patient did not come; the time is free again."""
    row = gate.find_in_chart(actor, "session:no_show", sessions, session_id)
    return move(actor, row, "no-show", values)


def reopen_session(actor: Actor, session_id: UUID, values: Values) -> Values:
    """Back to the state before; what was called off needs time and consent once more."""
    row = gate.find_in_chart(actor, "session:update", sessions, session_id)
    return move(actor, row, "reopen", values)


Weighs = Callable[[Values, datetime, list[str]], Values]
"""What must be asked before a move: of the session, the instant, and what may be done with it
otherwise. Answers the columns that the move sets besides, or refuses."""


def move(
    mover: Actor, seen: Values, name: str, values: Values, weighs: Weighs | None = None
) -> Values:
    """The session after a move; asks nobody for a right to its chart, for callers that did."""
    row = lock_session(seen)
    member = showing.is_member(mover.rights, row["patient_id"])
    if name not in showing.allowed(mover.rights, row, member):
        raise not_now(mover.rights, row, "This move is not open now.")
    at, reason = _when(row, values.get("at")), _why(mover.rights, name, values.get("reason"))
    changes = moves.after(name, row["state"], at, reason)
    if weighs is not None:
        others = [each for each in showing.allowed(mover.rights, row, member) if each != name]
        changes |= weighs(row, at, others)
    trail.wrote(changes)
    if name == "reopen":
        signatures.void(row, "session_reopened")
        if row["state"] in moves.FREEING:
            holding.hold(row, holding.named_on(row), newly_named=False)
            agreeing.refuse_withdrawn(row)
    told = events.row(row["clinic_id"], "session.moved", subject_of(row))
    changed = store().change(sessions, row, changes, also=[told])
    holding.set_duty(changed)
    return showing.show(mover.rights, changed)


def _when(row: Values, at: datetime | None) -> datetime:
    now, last = clock.now(), row["moved_at"]
    if at is None:
        return now if last is None else max(now, last)
    if at > now:
        raise Invalid([("/at", "This lies ahead.")])
    if last is not None and at < last:
        raise Invalid([("/at", "This lies before the last move.")])
    return at


def _why(mover: Rights, name: str, reason: str | None) -> str | None:
    reasons = moves.reasons_for(name, mover.role)
    if reason is None and moves.MOVES[name].needs_reason:
        raise Invalid([("/reason", "Missing data for required field.")])
    if reason is not None and reason not in reasons:
        raise Invalid([("/reason", f"Must be one of: {', '.join(reasons)}.")])
    return reason
