"""Operators: who acts from the shell, in the name of a user and with that user's rights."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Actor, Rights, Role
from api.access.users import clinics, find_account, users
from api.audit import trail
from api.db import new_id, store, within
from api.errors import Invalid


@contextmanager
def acting_as(email: str, clinic_id: UUID | None = None) -> Iterator[Actor]:
    """The user with this e-mail address as an actor of door `shell`; what they did is audited.

    `clinic_id` chooses where the address belongs to several clinics; raises `Invalid` unless it is
    clear who acts. The audit row goes into the transaction that is open.
    """
    actor = _find(email, clinic_id)
    trail.forget()
    try:
        yield actor
        trail.write(store(), actor.signature() | {"sign_in_id": None}, "ok")
    finally:
        trail.forget()


def _find(email: str, clinic_id: UUID | None) -> Actor:
    account = find_account(store(), email)
    statement = (
        select(users, clinics.c.time_zone)
        .join(clinics, clinics.c.id == users.c.clinic_id)
        .where(
            users.c.account_id == (account["id"] if account else None),
            users.c.disabled_at.is_(None),
            users.c.deleted_at.is_(None),
        )
    )
    if clinic_id is not None:
        statement = statement.where(users.c.clinic_id == clinic_id)
    with within(account_id=account["id"] if account else None):
        rows = store().rows(statement) if account else []
    if not rows:
        raise Invalid([("/actor", f"Nobody who may act here has the address {email}.")])
    if len(rows) > 1:
        named = ", ".join(str(row["clinic_id"]) for row in rows)
        raise Invalid([("/actor", f"{email} belongs to several clinics; choose one of {named}.")])
    row = rows[0]
    store().stand_in(row["clinic_id"])
    request_id = new_id()
    actor = Actor(request_id, row["id"], row["clinic_id"], "shell", request_id.hex)
    actor.known = Rights(
        user_id=row["id"],
        clinic_id=row["clinic_id"],
        role=Role(row["role"]),
        display_name=row["display_name"],
        patient_id=row["patient_id"],
        privileges=frozenset(row["privileges"]),
        zone=row["time_zone"],
        auth_time=clock.now(),
    )
    return actor
