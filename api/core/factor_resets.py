"""Removing a colleague's second factor, for whoever lost app and recovery codes: by two people.

One administrator asks, another agrees, and in production a day lies between: the person is told by
mail at once, so that one whose account is being taken over can say so.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, String, Uuid, select

from api import clock
from api.access.policies import Actor
from api.access.users import accounts, email_of, users
from api.audit import trail
from api.config import settings
from api.core import gate, mail, second_factors
from api.core.sign_ins import end_all
from api.core.staffing import officers
from api.db import Instant, Listing, Page, Sealed, Values, found, of, page, store, tenant_table
from api.errors import Conflict, NotAllowed

ASKED, DONE, WITHDRAWN = STATES = ("asked", "done", "withdrawn")

factor_resets = tenant_table(
    "factor_resets",
    Column("user_id", Uuid, nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", Sealed, nullable=False),
    Column("asked_by", Uuid, nullable=False),
    Column("decided_by", Uuid),
    Column("decided_at", Instant),
    Column("not_before", Instant, nullable=False),
    of("users", "user_id"),
    of("users", "asked_by"),
    of("users", "decided_by"),
    CheckConstraint("state IN ('asked', 'done', 'withdrawn')", name="factor_reset_state"),
    CheckConstraint("decided_by IS NULL OR state <> 'done' OR decided_by <> asked_by", name="two"),
    patient=False,
)
Index("ix_factor_resets_user", factor_resets.c.clinic_id, factor_resets.c.user_id)


def ask_for_factor_reset(actor: Actor, user_id: UUID, values: Values) -> Values:
    """Ask that a colleague's second factor be removed; they are told, and the privacy officers.

    Raises `Conflict` when there is none, or it was asked already; `NotAllowed` for one's own.
    """
    gate.admit(actor, "user:reset_factor")
    user, account = _whose(actor, user_id)
    if not second_factors.is_on(account["id"]):
        raise Conflict("This user has no second factor.", state="off", allowed=[])
    if store().row(_mine(actor).where(_open_for(user_id))) is not None:
        raise Conflict("It was asked already.", state=ASKED, allowed=["approve", "withdraw"])
    moment = clock.now()
    row = store().add(
        factor_resets,
        {
            "clinic_id": actor.clinic_id,
            "user_id": user["id"],
            "state": ASKED,
            "reason": values["reason"],
            "asked_by": actor.user_id,
            "not_before": moment + timedelta(hours=settings().reset_wait_hours),
        },
    )
    trail.wrote(values)
    for address in {email_of(account), *officers(actor.clinic_id, actor.user_id)}:
        mail.send(address, "second_factor_reset_asked")
    return row


def approve_factor_reset(actor: Actor, reset_id: UUID) -> Values:
    """Agree: the second factor is gone, and every sign-in of the account ends.

    Raises `NotAllowed` for who asked and whose it is, `Conflict` before its time and once decided.
    """
    gate.admit(actor, "user:reset_factor")
    row = _held(actor, reset_id)
    if actor.user_id in (row["asked_by"], row["user_id"]):
        raise NotAllowed("A second administrator agrees: neither who asked nor whose it is.")
    if clock.now() < row["not_before"]:
        until = row["not_before"].isoformat(timespec="seconds").replace("+00:00", "Z")
        raise Conflict(f"Not before {until}.", state=ASKED, allowed=["withdraw"])
    _, account = _whose(actor, row["user_id"])
    after = _decide(actor, row, DONE)
    if second_factors.is_on(account["id"]):
        second_factors.turn_off(account)
    end_all(account["id"])
    return after


def withdraw_factor_reset(actor: Actor, reset_id: UUID) -> Values:
    """Take it back, or refuse it; any administrator may."""
    gate.admit(actor, "user:reset_factor")
    return _decide(actor, _held(actor, reset_id), WITHDRAWN)


def list_factor_resets(actor: Actor, asked: Page) -> Listing:
    """What was asked of this kind in the clinic, decided or not, newest first."""
    gate.admit(actor, "user:list")
    return page(_mine(actor), factor_resets, asked, newest_first=True, opens=factor_resets)


def _decide(actor: Actor, row: Values, state: str) -> Values:
    trail.wrote(["state"])
    decided = {"state": state, "decided_by": actor.user_id, "decided_at": clock.now()}
    return store().change(factor_resets, row, decided)


def _held(actor: Actor, reset_id: UUID) -> Values:
    """The wish, kept from others; raises `Conflict` once it was decided."""
    one = _mine(actor).where(factor_resets.c.id == reset_id)
    row = found(store().row(one.with_for_update(), opens=factor_resets))
    trail.about("user", row["user_id"])
    if row["state"] != ASKED:
        raise Conflict("This was decided.", state=row["state"], allowed=[])
    return row


def _mine(actor: Actor) -> Any:
    return select(factor_resets).where(factor_resets.c.clinic_id == actor.clinic_id)


def _open_for(user_id: UUID) -> Any:
    return (factor_resets.c.user_id == user_id) & (factor_resets.c.state == ASKED)


def _whose(actor: Actor, user_id: UUID) -> tuple[Values, Values]:
    """A colleague, held so that two do not ask at once, and their account; never oneself."""
    if user_id == actor.user_id:
        raise NotAllowed("For your own, sign in with a recovery code.")
    trail.about("user", user_id)
    one = select(users).where(
        users.c.clinic_id == actor.clinic_id, users.c.id == user_id, users.c.deleted_at.is_(None)
    )
    user = found(store().row(one.with_for_update()))
    trail.touches([user["patient_id"]] if user["patient_id"] else [])
    account = select(accounts).where(accounts.c.id == user["account_id"])
    return user, found(store().row(account))
