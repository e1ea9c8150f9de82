"""Deeds of whoever holds a secret and is not signed in, as events of the trail.

No right is asked for them, so the gate does not begin them: the secret is the right.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.users import users
from api.audit import trail
from api.db import Values, new_id, store, within

ACCEPT, RESET, REUSE = DEEDS = ("user:accept_invitation", "user:reset_password", "sign_in:reuse")


def note(user: Values, action: str, where: str | None, request_id: str, **more: Any) -> None:
    """Append the event to the trail of the user's clinic, in the transaction of the store.

    It is told under the name of the user whose secret it was; `more` are further columns.
    """
    event = {
        "clinic_id": user["clinic_id"],
        "id": new_id(),
        "at": clock.now(),
        "actor_id": user["id"],
        "role": user["role"],
        "action": action,
        "purpose": "treatment",
        "outcome": "ok",
        "door": "v1",
        "request_id": request_id,
        "client_ip": where,
    }
    with within(user["clinic_id"]):
        store().append(trail.audit_events, [event | more])


def note_reset(account_id: UUID, where: str | None, request_id: str) -> None:
    """The event of a new password, in every clinic in which the account has a user."""
    u = users.c
    theirs = select(u.id, u.clinic_id, u.role).where(
        u.account_id == account_id, u.deleted_at.is_(None)
    )
    with within(account_id=account_id):
        rows = store().rows(theirs.order_by(u.id))
    for user in rows:
        note(user, RESET, where, request_id, type="user", record_id=user["id"])
