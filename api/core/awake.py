"""Staying signed in: a sign-in ends when nothing is done with it for a while.

How long that is goes by the role: 15 minutes for staff, 30 for patients, by the settings less. What
is done is written at most once a minute, in a transaction of its own: a read costs no more for it.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import case, literal, select

from api import clock
from api.access.policies import Rights, Role
from api.access.users import sign_ins, users
from api.config import settings
from api.db import Instant, transaction

SEEN_EVERY: Final = timedelta(seconds=60)
"""How old what is known of somebody's last deed may be."""


def longest_idle(role: str) -> timedelta:
    """How long one of this role may do nothing and stay signed in."""
    is_patient = role == Role.PATIENT
    return timedelta(minutes=settings().idle_patient if is_patient else settings().idle_staff)


def note_deed(sign_in_id: UUID, rights: Rights) -> bool:
    """Let the sign-in stand longer, for something was done with it; tells whether it was written.

    Whoever holds a link or a key has no sign-in. One that has ended stays ended.
    """
    seen, moment = rights.seen_at, clock.now()
    if seen is None or moment - seen < SEEN_EVERY:
        return False
    until = moment + longest_idle(rights.role)
    mine = sign_ins.update().where(
        sign_ins.c.id == sign_in_id,
        sign_ins.c.revoked_at.is_(None),
        sign_ins.c.last_seen_at < moment,
    )
    with transaction() as apart:
        written = apart.execute(mine.values(last_seen_at=moment, awake_until=until))
    return bool(written.rowcount)


def awake_from(moment: datetime) -> Any:
    """Until when a sign-in of a user stands if nothing more is done, as an SQL value."""
    role = select(users.c.role).where(
        users.c.clinic_id == sign_ins.c.clinic_id, users.c.id == sign_ins.c.user_id
    )
    is_patient = role.scalar_subquery() == Role.PATIENT.value
    return case(
        (is_patient, literal(moment + longest_idle(Role.PATIENT), Instant)),
        else_=literal(moment + longest_idle(Role.CLINICIAN), Instant),
    )
