"""Suspending a clinic: its records are read, and nothing is written, until it is resumed.

The operator does it from the shell. The gate reads it with the rights of whoever asks, so that it
holds from the next request on; what goes on all the same is named in `api/access/suspension.py`.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Role
from api.access.users import clinics
from api.audit import trail
from api.core import mail, staffing
from api.db import Values, found, new_id, store
from api.errors import Conflict, Invalid

MAX_REASON: Final = 60
"""Characters of the reason that stands in the trail, as a reference to where more is written."""


def suspend_clinic(clinic_id: UUID, reason: str) -> Values:
    """The clinic, suspended from now on; `Conflict` where it is already."""
    row = _turned(clinic_id, "clinic:suspend", clock.now(), reason)
    for address in _told(clinic_id):
        mail.send(address, "clinic_suspended")
    return row


def resume_clinic(clinic_id: UUID, reason: str) -> Values:
    """The clinic, written again; `Conflict` where it is not suspended."""
    row = _turned(clinic_id, "clinic:resume", None, reason)
    for address in _told(clinic_id):
        mail.send(address, "clinic_resumed")
    return row


def _turned(clinic_id: UUID, deed: str, suspended_at: datetime | None, reason: str) -> Values:
    if not (0 < len(reason.strip()) <= MAX_REASON and reason.isprintable()):
        raise Invalid([("/reason", f"1 to {MAX_REASON} printable characters.")])
    store().stand_in(clinic_id)
    mine = select(clinics).where(clinics.c.id == clinic_id)
    row = found(store().row(mine.with_for_update(key_share=True)))
    if (row["suspended_at"] is None) == (suspended_at is None):
        raise Conflict(f"The clinic is {'not' if suspended_at is None else 'already'} suspended.")
    now = clock.now()
    changes: Values = {
        "suspended_at": suspended_at,
        "version": row["version"] + 1,
        "updated_at": now,
    }
    store().execute(clinics.update().where(clinics.c.id == clinic_id).values(**changes))
    store().append(trail.audit_events, [_event(clinic_id, deed, now, reason.strip())])
    return row | changes


def _told(clinic_id: UUID) -> list[str]:
    return staffing.addresses(clinic_id, Role.ADMINISTRATOR, Role.PRIVACY_OFFICER)


def _event(clinic_id: UUID, deed: str, now: datetime, reason: str) -> Values:
    """What the trail keeps; nobody is signed in at a shell."""
    return {
        "clinic_id": clinic_id,
        "id": new_id(),
        "at": now,
        "action": deed,
        "type": "clinic",
        "record_id": clinic_id,
        "outcome": "ok",
        "reason_ref": reason,
        "purpose": "operation",
        "door": "shell",
        "request_id": new_id().hex,
        "field_names": "suspended_at",
    }
