"""Enrolment: staff who must have a second factor set it up between password and first sign-in.

What they hold meanwhile is half a sign-in: it opens nothing but these two steps.
"""

from sqlalchemy import select

from api.access.users import accounts
from api.audit import trail
from api.core import half_sign_ins, second_factors, throttle
from api.core.second_step import half_in, wrong_code
from api.core.sign_ins import open_sign_in
from api.core.throttle import Purpose
from api.db import Values, found, store
from api.errors import Conflict, Invalid


def begin_enrolment(mfa_token: str, where: str | None = None) -> Values:
    """A secret for the app, told this once; raises `NotSignedIn` for a token that is not good.

    That of an account whose second factor is on is not: a code is asked for, and nothing else.
    """
    _, account = _enrolling(mfa_token, where)
    return second_factors.new_secret(account)


def finish_enrolment(mfa_token: str, otp: str, where: str | None = None) -> Values:
    """A new sign-in for whoever gave the first code of their app, with their recovery codes."""
    trail.begin("sign_in:open")
    user, account = _enrolling(mfa_token, where)
    throttle.count(Purpose.CODE, str(account["id"]), where)
    try:
        codes = second_factors.turn_on(account, otp)
    except (Conflict, Invalid):
        raise wrong_code() from None
    if not half_sign_ins.use_half(mfa_token):
        raise wrong_code()
    return open_sign_in(user, where) | {"recovery_codes": codes}


def _enrolling(mfa_token: str, where: str | None) -> tuple[Values, Values]:
    user = half_in(mfa_token, where)
    if second_factors.is_on(user["account_id"]):
        raise wrong_code()
    mine = select(accounts).where(accounts.c.id == user["account_id"])
    return user, found(store().row(mine))
