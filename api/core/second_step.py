"""The second step of signing in, once the password was right: a code, or a factor to be set up.

What one holds between the two opens nothing but the second.
"""

from api.access.policies import Role
from api.config import settings
from api.core import half_sign_ins, second_factors, throttle
from api.core.half_sign_ins import new_token
from api.core.throttle import Purpose
from api.db import Values, store
from api.errors import CodeWanted, NotSignedIn, WrongCode


def ask(user: Values, otp: str | None, where: str | None) -> None:
    """Ask for the code of the second factor, or for one to be set up; raises `NotSignedIn`."""
    if not second_factors.is_on(user["account_id"]):
        _let_enrol(user)
        return
    if otp is None:
        token = new_token()
        half_sign_ins.open_half(user, token)
        raise CodeWanted(
            "Send a code of your app, or a recovery code.", error="mfa_required", mfa_token=token
        )
    take_code(user, otp, where)


def _let_enrol(user: Values) -> None:
    """Let one who must have a second factor, and has none, make one and do nothing else."""
    if settings().totp_required and user["role"] != Role.PATIENT:
        token = new_token()
        half_sign_ins.open_half(user, token, half_sign_ins.ENROLMENT_LASTS)
        raise CodeWanted(
            "Set up an authenticator app first: POST /auth/second-factor.",
            error="mfa_enrolment_required",
            mfa_token=token,
        )


def take_code(user: Values, otp: str, where: str | None) -> None:
    """Take the code of the second factor, once the try is counted; raises `NotSignedIn`."""
    tried = throttle.count(Purpose.CODE, str(user["account_id"]), where)
    if not second_factors.is_taken(user["account_id"], otp):
        raise wrong_code()
    store().commit()  # the code is used up, whatever comes of it
    throttle.forgive(tried)


def wrong_code() -> NotSignedIn:
    """The one answer to a wrong code, and to a token that is unknown, used up or old."""
    return WrongCode("The code is not right, or not any more.", error="")


def half_in(mfa_token: str, where: str | None) -> Values:
    """Who gave the right password before; raises `NotSignedIn` for any other token."""
    tried = throttle.count(Purpose.TOKEN, mfa_token, where)
    user = half_sign_ins.find_half(mfa_token)
    if user is None:
        raise wrong_code()
    throttle.forgive(tried)
    return user
