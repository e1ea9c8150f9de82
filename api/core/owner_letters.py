"""Letters to the owner of an account, of what may not have been them."""

from uuid import UUID

from sqlalchemy import and_, select

from api.access.users import accounts, email_of, sign_ins, stand_in_clinic_of, users
from api.core import mail, throttle, token_deeds
from api.core.throttle import Purpose
from api.db import Values, found, store, within

WHOSE = and_(users.c.clinic_id == sign_ins.c.clinic_id, users.c.id == sign_ins.c.user_id)


def tell_of_reuse(sign_in_id: UUID, where: str | None, request_id: str) -> None:
    """A letter, and an event of the trail: a refresh token came twice, so the sign-in has ended."""
    stand_in_clinic_of(store(), sign_in_id)
    whose = select(users).join(sign_ins, WHOSE).where(sign_ins.c.id == sign_in_id)
    user = found(store().row(whose))
    about = {"type": "sign_in", "record_id": sign_in_id, "sign_in_id": sign_in_id}
    refused = {"outcome": "refused", "reason_ref": "not_signed_in"}
    token_deeds.note(user, token_deeds.REUSE, where, request_id, **about, **refused)
    mail.send(_address(user["account_id"]), "sign_in_ended")


def tell_of_new_device(user: Values, where: str | None) -> None:
    """A letter, when the user is being signed in on a device that the account is not known by.

    None at the very first sign-in, when nobody else can be meant. A front end that never shows by
    what it is known would cause one each time: so at most one within a day for where it comes from,
    and three for the account. Whoever comes from elsewhere on that day is told of all the same.
    """
    account_id = user["account_id"]
    if user.get("device_id") is not None or not _was_here(account_id):
        return
    if throttle.is_new_today(Purpose.NEW_DEVICE, str(account_id), where):
        mail.send(_address(account_id), "new_device")


def _was_here(account_id: UUID) -> bool:
    """Whether the account was ever signed in to, in whichever clinic."""
    one = select(sign_ins.c.id).join(users, WHOSE).where(users.c.account_id == account_id)
    with within(account_id=account_id):
        return store().row(one.limit(1)) is not None


def _address(account_id: UUID) -> str:
    mine = select(accounts.c.id, accounts.c.email).where(accounts.c.id == account_id)
    return email_of(found(store().row(mine)))
