"""Leaving: the sign-in of a patient whose chart is removed, with all that it was made of."""

from secrets import token_hex
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, select

from api import clock
from api.access.users import (
    accounts,
    email_of,
    make_account,
    password_resets,
    refresh_tokens,
    sign_ins,
    users,
)
from api.core.factor_resets import factor_resets
from api.core.half_sign_ins import half_sign_ins
from api.core.replay import idempotency_keys
from api.core.second_factors import recovery_codes, second_factors
from api.db import Values, found, new_id, store, within
from api.outbox import letters

OF_USER: Final[tuple[Table, ...]] = (half_sign_ins, factor_resets, idempotency_keys, sign_ins)
OF_ACCOUNT: Final[tuple[Table, ...]] = (second_factors, recovery_codes, password_resets)
NOBODY: Final = "Removed chart"
"""Called so where the patient's name stood."""


def end_sign_ins(clinic_id: UUID, charts: list[UUID]) -> None:
    """End the users of these charts; each leaves a tombstone under an account of nobody's.

    The person's own account goes too, unless they sign in to another clinic with it: its address
    is free then.
    """
    u = users.c
    mine = (u.clinic_id == clinic_id, u.patient_id.in_(charts), u.deleted_at.is_(None))
    for user in store().rows(select(users).where(*mine).with_for_update()):
        _end(user)


def _end(user: Values) -> None:
    s, t = sign_ins.c, refresh_tokens.c
    theirs = (s.clinic_id == user["clinic_id"], s.user_id == user["id"])
    family = select(s.id).where(*theirs)
    store().execute(refresh_tokens.delete().where(t.sign_in_id.in_(family)))
    for table in OF_USER:
        mine = (table.c.clinic_id == user["clinic_id"], table.c.user_id == user["id"])
        store().execute(table.delete().where(*mine))
    nobody, moment = new_id(), clock.now()
    make_account(store(), nobody, f"{token_hex(16)}@removed.invalid", None)
    left: dict[str, Any] = {"account_id": nobody, "display_name": NOBODY, "preferences": {}}
    left |= {"locale": "en-US", "disabled_at": moment, "deleted_at": moment}
    left["security_version"] = user["security_version"] + 1
    store().change(users, user, left)
    if not _is_needed(user["account_id"]):
        _remove_account(user["account_id"])


def _is_needed(account_id: UUID) -> bool:
    """Whether somebody still signs in with the account, at whichever clinic."""
    with within(account_id=account_id):
        mine = select(users.c.id).where(users.c.account_id == account_id)
        return store().row(mine.limit(1)) is not None


def _remove_account(account_id: UUID) -> None:
    a = accounts.c
    account = found(store().row(select(accounts).where(a.id == account_id)))
    letters.forget(store(), email_of(account))
    for table in OF_ACCOUNT:
        store().execute(table.delete().where(table.c.account_id == account_id))
    store().execute(accounts.delete().where(a.id == account_id))
