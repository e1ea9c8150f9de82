"""Removing a colleague's second factor over v1: one administrator asks, another agrees."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import factor_resets
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Instant, Show, Words, shown
from api.v1.resource import Blueprint

blp = Blueprint("factor_resets", "Second factors that are lost.")
REASON = "Lost phone and recovery codes; recognised in person at the desk."


class NewFactorResetSchema(Ask):
    """Why, and how it is known who asks for it."""

    reason = Words(1000, 10, required=True)


class FactorResetSchema(Show):
    """A wish that a colleague's second factor be removed."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    user_id = shown(ma.fields.UUID)
    state = Choice(factor_resets.STATES, required=True)
    reason = shown(ma.fields.String)
    asked_by = shown(ma.fields.UUID)
    not_before = shown(Instant)
    decided_by = shown(ma.fields.UUID, nullable=True)
    decided_at = shown(Instant, nullable=True)


@blp.offer("GET", "/mfa-resets", "user:list", answer=FactorResetSchema, paged=True)
def list_factor_resets(actor: Actor, **asked: Any) -> Listing:
    """List whose second factor was asked to be removed, newest first."""
    return factor_resets.list_factor_resets(actor, **asked)


@blp.offer(
    "POST",
    "/users/<id:user_id>/mfa-resets",
    "user:reset_factor",
    body=NewFactorResetSchema,
    answer=FactorResetSchema,
    status=201,
    errors=(409,),
    example={"reason": REASON},
)
def ask_for_factor_reset(actor: Actor, user_id: Any, values: Values) -> Values:
    """Ask that a colleague's second factor be removed.

    Needs a sign-in of the last five minutes. They are told by mail, and another administrator has
    to agree: in production no sooner than a day later. Nobody asks for their own (403).
    """
    return factor_resets.ask_for_factor_reset(actor, user_id, values)


@blp.offer(
    "POST",
    "/mfa-resets/<id:reset_id>/approve",
    "user:reset_factor",
    answer=FactorResetSchema,
    errors=(409,),
)
def approve_factor_reset(actor: Actor, reset_id: Any) -> Values:
    """Agree that a colleague's second factor is removed.

    Needs a sign-in of the last five minutes, of another administrator than who asked (else 403).
    It is gone at once, with every sign-in of the account; before `not_before` it is 409.
    """
    return factor_resets.approve_factor_reset(actor, reset_id)


@blp.offer(
    "POST",
    "/mfa-resets/<id:reset_id>/withdraw",
    "user:reset_factor",
    answer=FactorResetSchema,
    errors=(409,),
)
def withdraw_factor_reset(actor: Actor, reset_id: Any) -> Values:
    """Take the wish back, or refuse it.

    Needs a sign-in of the last five minutes.
    """
    return factor_resets.withdraw_factor_reset(actor, reset_id)
