"""Devices that their owner has used before, known by a refresh token that one holds."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import and_, select

from api import clock
from api.access.users import accounts, blind_email, refresh_tokens, sign_ins, users
from api.core.replay import digest
from api.db import store

KNOWN_FOR: Final = timedelta(days=90)


def find_device(email: str, token: str | None) -> UUID | None:
    """The earlier sign-in of this very account whose refresh token it is, or None.

    The token opens nothing: spent, ended or not, it tells that somebody was here before.
    """
    if token is None:
        return None
    whose = and_(users.c.clinic_id == sign_ins.c.clinic_id, users.c.id == sign_ins.c.user_id)
    statement = (
        select(sign_ins.c.id)
        .join(refresh_tokens, refresh_tokens.c.sign_in_id == sign_ins.c.id)
        .join(users, whose)
        .join(accounts, accounts.c.id == users.c.account_id)
        .where(
            refresh_tokens.c.hash == digest(token),
            sign_ins.c.created_at > clock.now() - KNOWN_FOR,
            accounts.c.email_blind == blind_email(email),
        )
    )
    row = store().row(statement)
    return None if row is None else row["id"]
