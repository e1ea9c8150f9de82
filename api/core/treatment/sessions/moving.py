"""Moving: what becomes of a session, from arrival to completion, or called off and reopened."""

from datetime import datetime
from uuid import UUID

from api import clock
from api.access.policies import Actor, Rights
from api.audit import trail
from api.core import gate
from api.core.treatment import moves
from api.core.treatment.sessions import holding, showing, starting
from api.core.treatment.sessions.booking import lock_session, not_now, subject_of
from api.core.treatment.sessions.table import sessions
from api.db import Values, store
from api.errors import Invalid
from api.outbox import events


def arrive_session(actor: Actor, session_id: UUID, values: Values) -> Values:
    """The patient is here."""
    row = gate.find_in_chart(actor, "session:update", sessions, session_id)
    return _move(actor, row, "arrive", values)


def start_session(actor: Actor, session_id: UUID, values: Values) -> Values:
    """The session begins; a dosing session asks for a fresh sign-in."""
    row = gate.find_in_chart(actor, "session:update", sessions, session_id)
    gate.admit(actor, moves.right_to("start", row["kind"]))
    return _move(actor, row, "start", values)


def complete_session(actor: Actor, session_id: UUID, values: Values) -> Values:
    """The session is over."""
    row = gate.find_in_chart(actor, "session:update", sessions, session_id)
    return _move(actor, row, "complete", values)


def cancel_session(actor: Actor, session_id: UUID, values: Values) -> Values:
    """The session is called off; its time is free again, and it opens no chart by duty."""
    row = gate.find_in_chart(actor, "session:cancel", sessions, session_id)
    return _move(actor, row, "cancel", values)


def mark_no_show(actor: Actor, session_id: UUID, values: Values) -> Values:
    """The patient did not come; the time is free again."""
    row = gate.find_in_chart(actor, "session:no_show", sessions, session_id)
    return _move(actor, row, "no-show", values)


def reopen_session(actor: Actor, session_id: UUID, values: Values) -> Values:
    """Back to the state before; what was called off needs everybody's time once more."""
    row = gate.find_in_chart(actor, "session:update", sessions, session_id)
    return _move(actor, row, "reopen", values)


def _move(actor: Actor, seen: Values, name: str, values: Values) -> Values:
    row = lock_session(seen)
    member = showing.is_member(actor.rights, row["patient_id"])
    if not moves.may(name, row["state"], row["kind"], actor.rights.role, member):
        raise not_now(actor.rights, row, "This move is not open now.")
    at, reason = _when(row, values.get("at")), _why(actor.rights, name, values.get("reason"))
    changes = moves.after(name, row["state"], at, reason)
    if name == "start":
        can = showing.allowed(actor.rights, row, member)
        changes |= starting.overridden(actor, row, values.get("overrides", []), can)
    trail.wrote(changes)
    if name == "reopen" and row["state"] in moves.FREEING:
        holding.hold(row, holding.named_on(row), newly_named=False)
    told = events.row(row["clinic_id"], "session.moved", subject_of(row))
    changed = store().change(sessions, row, changes, also=[told])
    holding.set_duty(changed)
    return showing.show(actor.rights, changed)


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
