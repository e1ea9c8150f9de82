"""Half a sign-in: the password was right, the code of the second factor is still to come."""

import secrets
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Column, ForeignKeyConstraint, Integer, String, Table, Uuid, and_, or_, select

from api import clock
from api.access.users import users
from api.core.replay import digest
from api.db import Instant, Values, leave_store, metadata, store, transaction

HALF_LASTS: Final = timedelta(minutes=5)
ENROLMENT_LASTS: Final = timedelta(minutes=15)
"""How long one who must set up a second factor has for it."""
MAX_TRIES: Final = 5
"""Codes that may be tried with one token."""

TOKEN_BYTES: Final = 32
"""256 bits, as RFC 6749 section 10.10 asks for: a guess succeeds with at most 2^-160."""

half_sign_ins = Table(
    "half_sign_ins",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("clinic_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("security_version", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("used_at", Instant),
    Column("device_id", Uuid),
    ForeignKeyConstraint(["clinic_id", "user_id"], ["users.clinic_id", "users.id"]),
)
"""Whoever gave the right password and no code yet; it opens nothing but the second question.

`device_id` is the earlier sign-in that the device is known by, if it is."""


def new_token() -> str:
    """An opaque secret of 256 bits; only its digest is ever stored."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def open_half(user: Values, token: str, lasts: timedelta = HALF_LASTS) -> None:
    """Keep that this user's password was right; in a transaction of its own: a refusal follows."""
    leave_store()
    moment = clock.now()
    past = or_(half_sign_ins.c.expires_at <= moment, half_sign_ins.c.used_at.is_not(None))
    with transaction() as apart:
        apart.execute(half_sign_ins.delete().where(past))
        apart.execute(
            half_sign_ins.insert().values(
                token_hash=digest(token),
                clinic_id=user["clinic_id"],
                user_id=user["id"],
                security_version=user["security_version"],
                expires_at=moment + lasts,
                tries=0,
                device_id=user.get("device_id"),
            )
        )


def find_half(token: str) -> Values | None:
    """The user of a half sign-in that is still good, once its try is counted, else None.

    The try is counted in a transaction of its own, so that a wrong code counts as well.
    """
    leave_store()
    with transaction() as apart:
        tried = half_sign_ins.update().where(*_good_half(token), half_sign_ins.c.tries < MAX_TRIES)
        if apart.execute(tried.values(tries=half_sign_ins.c.tries + 1)).rowcount != 1:
            return None
    whose = and_(
        users.c.clinic_id == half_sign_ins.c.clinic_id, users.c.id == half_sign_ins.c.user_id
    )
    stands = (
        users.c.security_version == half_sign_ins.c.security_version,
        users.c.disabled_at.is_(None),
        users.c.deleted_at.is_(None),
    )
    good = _good_half(token)
    clinic = store().row(select(half_sign_ins.c.clinic_id).where(*good))
    if clinic is None:
        return None
    store().stand_in(clinic["clinic_id"])
    known = half_sign_ins.c.device_id
    return store().row(select(users, known).join(half_sign_ins, whose).where(*good, *stands))


def use_half(token: str) -> bool:
    """Use the half sign-in up, for one caller alone."""
    used = half_sign_ins.update().where(*_good_half(token)).values(used_at=clock.now())
    return bool(store().execute(used).rowcount)


def _good_half(token: str) -> list[Any]:
    table = half_sign_ins.c
    return [
        table.token_hash == digest(token),
        table.used_at.is_(None),
        table.expires_at > clock.now(),
    ]
