"""Signing in over v1: tokens for a password, fresh ones for old ones, and the way back in."""

from typing import Any

import marshmallow as ma
from flask import Response, after_this_request, g, request

from api.access import tokens
from api.access.hashing import MAX_PASSWORD, MIN_PASSWORD
from api.access.policies import Actor
from api.config import settings
from api.core import accounts, gate, own_sign_ins, sign_ins
from api.paging import Listing, Values
from api.v1.forms import Ask, Flag, Id, Instant, Show, Words, shown
from api.v1.resource import Blueprint, idempotency_key

blp = Blueprint("sign_in", "Signing in, staying signed in, signing out.")
MAX_TRIED = 1024
"""Bytes of a password that anybody may send to be compared."""
MAX_TOKEN = 200
TOKEN_EXAMPLE = "bm90LWEtcmVhbC10b2tlbi1vbmx5LWFuLWV4YW1wbGU"


def _fits(password: str) -> None:
    if len(password.encode()) > MAX_TRIED:
        raise ma.ValidationError(f"Longer than {MAX_TRIED} bytes.")


def tried_password(**kwargs: Any) -> Words:
    """A password to be compared; too long a one is refused before anything is hashed."""
    return Words(MAX_TRIED, validate=_fits, **kwargs)


class SignInSchema(Ask):
    """Who wants in: address and password, or the `mfa_token` that they were answered with."""

    email = Words(254)
    password = tried_password()
    otp = Words(20, metadata={"description": "A code of the authenticator app, or for recovery."})
    mfa_token = Words(MAX_TOKEN, metadata={"description": "Goes with `otp` and nothing else."})
    known_by = Words(
        MAX_TOKEN,
        metadata={
            "description": "A refresh token of yours, spent or ended: while others try your "
            "account, by it you need not wait with them, and no letter tells you of a new device."
        },
    )
    clinic_id = Id(metadata={"description": "Needed when the account belongs to several clinics."})

    @ma.validates_schema
    def _one_way_in(self, data: Values, **_kwargs: Any) -> None:
        if "mfa_token" in data:
            if set(data) != {"mfa_token", "otp"}:
                raise ma.ValidationError("Send mfa_token with otp and nothing else.", "mfa_token")
            return
        missing = [name for name in ("email", "password") if name not in data]
        if missing:
            raise ma.ValidationError({name: ["This is needed."] for name in missing})


class RefreshTokenSchema(Ask):
    """A refresh token."""

    refresh_token = Words(MAX_TOKEN, required=True)


class StepUpSchema(Ask):
    """What proves that it is still you."""

    password = tried_password()
    otp = Words(20)

    @ma.validates_schema
    def _one_of_them(self, data: Values, **_kwargs: Any) -> None:
        if not data:
            raise ma.ValidationError("Send password or otp.")


class ResetWishSchema(Ask):
    """Whose password is to be set anew."""

    email = Words(254, required=True)


class ResetSchema(Ask):
    """The token of the mail, and the new password."""

    token = Words(MAX_TOKEN, required=True)
    password = Words(MAX_PASSWORD, MIN_PASSWORD, required=True)


class AccessTokenSchema(Show):
    """An access token; `expires_in` is in seconds."""

    access_token = shown(ma.fields.String)
    token_type = shown(ma.fields.String)
    expires_in = shown(ma.fields.Integer)


class TokensSchema(AccessTokenSchema):
    """An access token, and the refresh token that gets the next one."""

    refresh_token = shown(ma.fields.String)


class ResetAskedSchema(Show):
    """The one answer to everybody."""

    detail = shown(ma.fields.String)


class SignedInSchema(Show):
    """One of your sign-ins that still stand."""

    id = shown(ma.fields.UUID)
    created_at = shown(Instant)
    auth_time = shown(Instant)
    last_seen_at = shown(Instant)
    ends_at = shown(Instant)
    current = shown(Flag)


@blp.offer(
    "POST",
    "/auth/token",
    None,
    body=SignInSchema,
    answer=TokensSchema,
    errors=(401, 409),
    example={"email": "clinician@demo.example", "password": "fresh-snow-2026"},
)
def sign_in(values: Values) -> Values:
    """Sign in.

    Whether an address has an account is not told: the same 401 for every wrong pair. With several
    clinics and no `clinic_id`: 409 with `memberships`. A second factor that was not sent: 401
    `mfa_required` with an `mfa_token`, to be sent here with `otp` within five minutes.
    """
    opened = _finish(values) if "mfa_token" in values else _begin(values)
    g.actor = signed_in(opened)
    return access(opened) | {"refresh_token": opened["refresh_token"]}


def _begin(values: Values) -> Values:
    return sign_ins.sign_in(**values, where=request.remote_addr)


def _finish(values: Values) -> Values:
    return sign_ins.finish_sign_in(**values, where=request.remote_addr)


def signed_in(opened: Values) -> Actor:
    """Who has just come in, so that the trail can name them."""
    ids = (opened["sign_in_id"], opened["user_id"], opened["clinic_id"])
    actor = Actor(*ids, request_id=g.request_id, client_ip=request.remote_addr)
    gate.identify(actor)
    return actor


def access(ids: Values) -> Values:
    """An access token of a sign-in, as it is answered."""
    return {
        "access_token": tokens.issue(ids["sign_in_id"], ids["user_id"], ids["clinic_id"]),
        "token_type": "Bearer",
        "expires_in": settings().access_minutes * 60,
    }


@blp.offer(
    "POST",
    "/auth/refresh",
    None,
    body=RefreshTokenSchema,
    answer=TokensSchema,
    errors=(401,),
    replays=True,
    example={"refresh_token": TOKEN_EXAMPLE},
)
def refresh(values: Values) -> Values:
    """Get a fresh access token; the refresh token is replaced.

    A refresh token is good once. If the answer was lost, send it again with the same
    `Idempotency-Key` within ten minutes; any other second use ends the sign-in, and a letter tells
    you so.
    """
    by = {"where": request.remote_addr, "request_id": g.request_id}
    ids = sign_ins.refresh(values["refresh_token"], idempotency_key(), is_deed(), **by)
    if ids["replayed"]:
        after_this_request(_say_replayed)
    return access(ids) | {"refresh_token": ids["refresh_token"]}


def is_deed() -> bool:
    """Whether somebody does this; what runs in the background (`X-Background`) is no deed."""
    return "X-Background" not in request.headers


def _say_replayed(response: Response) -> Response:
    response.headers["Idempotent-Replayed"] = "true"
    return response


@blp.offer(
    "POST",
    "/auth/revoke",
    None,
    body=RefreshTokenSchema,
    status=204,
    example={"refresh_token": TOKEN_EXAMPLE},
)
def revoke(values: Values) -> None:
    """Sign out: end the sign-in of a refresh token.

    Access tokens of the sign-in are refused from the next request on. Unknown tokens get 204 too.
    """
    sign_ins.revoke(values["refresh_token"])


@blp.offer(
    "POST",
    "/auth/step-up",
    "sign_in:step_up",
    body=StepUpSchema,
    answer=AccessTokenSchema,
    replays=False,
    example={"password": "fresh-snow-2026"},
)
def step_up(actor: Actor, values: Values) -> Values:
    """Confirm that it is you.

    For five minutes the sign-in then counts as fresh, as some operations ask for.
    """
    own_sign_ins.step_up(actor, values.get("password"), values.get("otp"))
    ids = {"sign_in_id": actor.sign_in_id, "user_id": actor.user_id, "clinic_id": actor.clinic_id}
    return access(ids)


@blp.offer(
    "POST",
    "/auth/password-reset",
    None,
    body=ResetWishSchema,
    answer=ResetAskedSchema,
    status=202,
    example={"email": "clinician@demo.example"},
)
def ask_for_password_reset(values: Values) -> Values:
    """Ask for a new password.

    The answer is the same whether or not the address has an account.
    """
    accounts.ask_for_password_reset(values["email"], request.remote_addr)
    return {"detail": "If the address has an account, a mail with the next step is on its way."}


@blp.offer(
    "POST",
    "/auth/password-reset/confirm",
    None,
    body=ResetSchema,
    status=204,
    example={"token": TOKEN_EXAMPLE, "password": "another-snow-2027"},
)
def reset_password(values: Values) -> None:
    """Set a new password with the token of the mail.

    The token is good once and for 30 minutes. Every sign-in of the account ends, and nobody is
    signed in by this.
    """
    accounts.reset_password(**values, where=request.remote_addr, request_id=g.request_id)


@blp.offer("GET", "/me/sign-ins", "sign_in:list", answer=SignedInSchema, paged=True)
def list_sign_ins(actor: Actor, **asked: Any) -> Listing:
    """List your sign-ins that still stand, newest first."""
    return own_sign_ins.list_sign_ins(actor, **asked)


@blp.offer("DELETE", "/me/sign-ins/<id:sign_in_id>", "sign_in:end", status=204, versioned=False)
def end_sign_in(actor: Actor, sign_in_id: Any) -> None:
    """End one of your sign-ins.

    Its tokens are refused from the next request on. This one needs no `If-Match`.
    """
    own_sign_ins.end_sign_in(actor, sign_in_id)
