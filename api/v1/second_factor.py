"""The second factor over v1: an authenticator app's codes and recovery codes, for oneself."""

import marshmallow as ma
from flask import g, request

from api.access.policies import Actor
from api.core import enrolment, second_factors
from api.paging import Values
from api.v1.forms import Ask, Flag, Instant, Many, Show, Words, shown
from api.v1.resource import Blueprint
from api.v1.signin import MAX_TOKEN, TOKEN_EXAMPLE, TokensSchema, access, signed_in

blp = Blueprint("second_factor", "Codes beside the password.")


class SecondFactorSchema(Show):
    """Whether a code is asked for at sign-in."""

    totp = shown(Flag)
    confirmed_at = shown(Instant, nullable=True)
    recovery_codes_left = shown(ma.fields.Integer)


class NewTotpSchema(Show):
    """What an authenticator app needs; told this once."""

    secret = shown(ma.fields.String)
    otpauth_uri = shown(ma.fields.String)


class MfaTokenSchema(Ask):
    """What the right password was answered with."""

    mfa_token = Words(MAX_TOKEN, required=True)


class FirstCodeInSchema(MfaTokenSchema):
    """The same, and the first code that the app shows."""

    otp = Words(20, required=True)


class EnrolledSchema(TokensSchema):
    """A sign-in, and ten codes, each good once in place of one from the app; told this once."""

    recovery_codes = Many(ma.fields.String(), required=True)


class FirstCodeSchema(Ask):
    """The first code that the app shows."""

    otp = Words(20, required=True)


class RecoveryCodesSchema(Show):
    """Ten codes, each good once in place of one from the app; told this once."""

    recovery_codes = Many(ma.fields.String(), required=True)


@blp.offer("GET", "/me/mfa", "second_factor:read", answer=SecondFactorSchema)
def read_second_factor(actor: Actor) -> Values:
    """Read whether you have a second factor."""
    return second_factors.read_second_factor(actor)


@blp.offer(
    "POST",
    "/me/mfa/totp",
    "second_factor:make",
    answer=NewTotpSchema,
    errors=(409,),
    replays=False,
)
def make_totp(actor: Actor) -> Values:
    """Make a secret for your authenticator app.

    It counts once `/me/mfa/totp/verify` had a code of it. Made again before that, the newer counts.
    """
    return second_factors.make_totp(actor)


@blp.offer(
    "POST",
    "/me/mfa/totp/verify",
    "second_factor:confirm",
    body=FirstCodeSchema,
    answer=RecoveryCodesSchema,
    errors=(409,),
    replays=False,
    example={"otp": "123456"},
)
def confirm_totp(actor: Actor, values: Values) -> Values:
    """Turn your second factor on.

    The answer has ten recovery codes. Keep them apart from the app: they are not shown again.
    """
    return second_factors.confirm_totp(actor, values["otp"])


@blp.offer(
    "POST",
    "/me/mfa/recovery-codes",
    "second_factor:renew",
    answer=RecoveryCodesSchema,
    errors=(409,),
    replays=False,
)
def renew_recovery_codes(actor: Actor) -> Values:
    """Get ten new recovery codes; those before are good no more."""
    return second_factors.renew_recovery_codes(actor)


@blp.offer("DELETE", "/me/mfa/totp", "second_factor:remove", status=204, versioned=False)
def remove_totp(actor: Actor) -> None:
    """Remove your second factor and its recovery codes."""
    second_factors.remove_totp(actor)


@blp.offer(
    "POST",
    "/auth/second-factor",
    None,
    body=MfaTokenSchema,
    answer=NewTotpSchema,
    errors=(401,),
    example={"mfa_token": TOKEN_EXAMPLE},
)
def begin_enrolment(values: Values) -> Values:
    """Make a secret for your authenticator app, before you may sign in.

    For whoever was answered 401 `mfa_enrolment_required`; its `mfa_token` is good for 15 minutes,
    for this and for the next step alone.
    """
    return enrolment.begin_enrolment(values["mfa_token"], request.remote_addr)


@blp.offer(
    "POST",
    "/auth/second-factor/verify",
    None,
    body=FirstCodeInSchema,
    answer=EnrolledSchema,
    errors=(401,),
    example={"mfa_token": TOKEN_EXAMPLE, "otp": "123456"},
)
def finish_enrolment(values: Values) -> Values:
    """Sign in with the first code of your authenticator app.

    Your second factor is on from now on. The answer has ten recovery codes, shown this once.
    """
    opened = enrolment.finish_enrolment(**values, where=request.remote_addr)
    g.actor = signed_in(opened)
    told = {name: opened[name] for name in ("refresh_token", "recovery_codes")}
    return access(opened) | told
