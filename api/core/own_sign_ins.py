"""One's own sign-ins: confirmed anew, listed, and ended."""

from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, select

from api import clock
from api.access.hashing import is_password
from api.access.policies import Actor
from api.access.users import accounts, sign_ins, users
from api.audit import trail
from api.core import awake, gate, second_factors, throttle
from api.core.sign_ins import ended_refusal, ending
from api.core.throttle import Purpose
from api.db import Listing, Page, Values, leave_store, page, store
from api.errors import NotFound, NotSignedIn


def step_up(actor: Actor, password: str | None, otp: str | None = None) -> None:
    """Confirm who is there: the sign-in counts as fresh from now on; its end does not move."""
    gate.admit(actor, "sign_in:step_up")
    tried = throttle.count(Purpose.PROOF, str(actor.user_id), actor.client_ip)
    account = _account(actor)
    if not _proves(account, password, otp):
        raise NotSignedIn("That is not right.", error="insufficient_user_authentication")
    store().commit()
    throttle.forgive(tried)
    moment = clock.now()
    until = moment + awake.longest_idle(actor.rights.role)
    fresh = {"auth_time": moment, "last_seen_at": moment, "awake_until": until}
    mine = sign_ins.update().where(
        sign_ins.c.id == actor.sign_in_id, sign_ins.c.revoked_at.is_(None)
    )
    if store().execute(mine.values(**fresh)).rowcount != 1:
        raise ended_refusal()
    trail.about("sign_in", actor.sign_in_id)


def _proves(account: Values, password: str | None, otp: str | None) -> bool:
    """Whether something was sent and all of it is right: the password, the code, or both."""
    if password is None and otp is None:
        return False
    if password is not None:
        leave_store()
        if not is_password(password, account["password_hash"]):
            return False
    return otp is None or second_factors.is_taken(account["id"], otp)


def _account(actor: Actor) -> Values:
    mine = and_(users.c.clinic_id == actor.clinic_id, users.c.id == actor.user_id)
    statement = select(accounts).join(users, and_(users.c.account_id == accounts.c.id, mine))
    row = store().row(statement)
    assert row is not None
    return row


def list_sign_ins(actor: Actor, asked: Page) -> Listing:
    """The actor's own sign-ins that still stand, newest first, the one at hand marked."""
    gate.admit(actor, "sign_in:list")
    moment = clock.now()
    over = func.coalesce(sign_ins.c.awake_until, sign_ins.c.ends_at)
    past = case((sign_ins.c.ends_at <= moment, sign_ins.c.ends_at), (over <= moment, over))
    gone = func.coalesce(sign_ins.c.revoked_at, past).label("deleted_at")
    changed = func.coalesce(sign_ins.c.revoked_at, past, sign_ins.c.last_seen_at)
    mine: Any = (
        select(*sign_ins.c, gone, changed.label("updated_at"))
        .where(sign_ins.c.clinic_id == actor.clinic_id, sign_ins.c.user_id == actor.user_id)
        .subquery("mine")
    )
    listing = page(select(mine), mine, asked, newest_first=True)
    for row in listing.items:
        row["current"] = row["id"] == actor.sign_in_id
    return listing


def end_sign_in(actor: Actor, sign_in_id: UUID) -> None:
    """End one of the actor's own sign-ins; its tokens are refused from the next request on."""
    gate.admit(actor, "sign_in:end")
    trail.about("sign_in", sign_in_id)
    ended = store().execute(
        ending(clock.now()).where(
            sign_ins.c.id == sign_in_id,
            sign_ins.c.clinic_id == actor.clinic_id,
            sign_ins.c.user_id == actor.user_id,
        )
    )
    if ended.rowcount != 1:
        raise NotFound("There is no such record.")
