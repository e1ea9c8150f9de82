"""Staffing: what somebody may do at the clinic, and whether they may sign in, decided by others."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, true

from api import clock
from api.access.policies import Actor, Role
from api.access.users import accounts, clinics, email_of, sign_ins, users
from api.audit import trail
from api.core import gate, mail
from api.db import Values, found, match, store
from api.errors import Conflict, Invalid, NotAllowed
from api.outbox import deliver, events
from api.outbox.tables import BY_HAND, webhooks

STAFF = tuple(role.value for role in Role if role not in (Role.PATIENT, Role.SYSTEM))
"""The roles between which somebody may change."""
CLINICIANS_OWN = ("profession", "privileges")
ACTIVE, DISABLED = "active", "disabled"


def change_user(actor: Actor, user_id: UUID, version: int | None, values: Values) -> Values:
    """Another role, profession, name or other privileges; they hold from the next request on.

    Nobody changes their own. The privacy officers are told.
    """
    gate.admit(actor, "user:change")
    row = _held(actor, user_id)
    match(row, version)
    full = _fitting(row, values)
    trail.wrote(values)
    if not full:
        return _show(row)
    after = store().change(users, row, full)
    _tell(actor, after, "user.changed")
    return _show(after)


def disable_user(actor: Actor, user_id: UUID) -> Values:
    """They sign in no more: every sign-in ends at once, and the webhooks they made are paused."""
    gate.admit(actor, "user:disable")
    row = _held(actor, user_id)
    if row["disabled_at"] is not None:
        raise Conflict("This user is disabled.", state=DISABLED, allowed=["enable"])
    trail.wrote(["disabled_at"])
    moment = clock.now()
    gone = {"disabled_at": moment, "security_version": row["security_version"] + 1}
    after = store().change(users, row, gone)
    theirs = (sign_ins.c.clinic_id == row["clinic_id"], sign_ins.c.user_id == user_id)
    still = sign_ins.c.revoked_at.is_(None)
    store().execute(sign_ins.update().where(*theirs, still).values(revoked_at=moment))
    _pause_webhooks(row)
    _tell(actor, after, "user.disabled")
    return _show(after)


def enable_user(actor: Actor, user_id: UUID) -> Values:
    """They may sign in again, by their password; what ended stays ended."""
    gate.admit(actor, "user:disable")
    row = _held(actor, user_id)
    if row["disabled_at"] is None:
        raise Conflict("This user may sign in.", state=ACTIVE, allowed=["disable"])
    trail.wrote(["disabled_at"])
    after = store().change(users, row, {"disabled_at": None})
    _tell(actor, after, "user.enabled")
    return _show(after)


def _held(actor: Actor, user_id: UUID) -> Values:
    """The user, kept from others, once it is sure that the actor still may: nobody decides on
    somebody who has just decided on them, so that not all administrators go at once."""
    if user_id == actor.user_id:
        raise NotAllowed("Nobody changes their own rights; ask a colleague.")
    clinic = select(clinics.c.id).where(clinics.c.id == actor.clinic_id)
    store().execute(clinic.with_for_update(key_share=True))
    before, actor.known = actor.rights, None
    if gate.identify(actor).role != before.role:
        raise NotAllowed("Your role does not do this.")
    trail.about("user", user_id)
    one = (
        select(users, accounts.c.email)
        .join(accounts, accounts.c.id == users.c.account_id)
        .where(
            users.c.clinic_id == actor.clinic_id,
            users.c.id == user_id,
            users.c.role != Role.SYSTEM.value,
            users.c.deleted_at.is_(None),
        )
    )
    row = found(store().row(one.with_for_update(of=users, key_share=True)))
    trail.touches([row["patient_id"]] if row["patient_id"] else [])
    return row


def _fitting(row: Values, values: Values) -> Values:
    """The values as the columns keep them; what only clinicians have goes with their role."""
    role = values.get("role", row["role"])
    if "role" in values and (role not in STAFF or row["role"] not in STAFF):
        raise Invalid([("/role", "A patient stays one, and nobody else becomes one.")])
    given = [name for name in CLINICIANS_OWN if values.get(name)]
    if given and role != Role.CLINICIAN:
        raise Invalid([(f"/{name}", "Only for the role clinician.") for name in given])
    full = dict(values)
    if "privileges" in full:
        full["privileges"] = sorted(set(full["privileges"]))
    if role != Role.CLINICIAN and row["role"] == Role.CLINICIAN:
        full |= {"profession": None, "privileges": []}
    return full


def _pause_webhooks(row: Values) -> None:
    w = webhooks.c
    on = (w.created_by == row["id"], w.disabled_at.is_(None), w.deleted_at.is_(None))
    mine = select(webhooks).where(w.clinic_id == row["clinic_id"], *on).with_for_update()
    for hook in store().rows(mine, opens=webhooks):
        store().change(webhooks, hook, {"disabled_at": clock.now(), "disabled_for": BY_HAND})
        deliver.cancel_pending(store(), row["clinic_id"], hook["id"])


def _tell(changer: Actor, row: Values, name: str) -> None:
    """The event, and a letter to every privacy officer but the one who does it."""
    events.append(store(), row["clinic_id"], name, {"user_id": row["id"]})
    for address in officers(changer.clinic_id, changer.user_id):
        mail.send(address, name.replace(".", "_"))


def officers(clinic_id: UUID, but: UUID) -> list[str]:
    """The e-mail addresses of the clinic's privacy officers, but not that of the user who acts."""
    return addresses(clinic_id, Role.PRIVACY_OFFICER, but=but)


def addresses(clinic_id: UUID, *roles: Role, but: UUID | None = None) -> list[str]:
    """The e-mail addresses of all who work at the clinic in these roles, `but` one user's."""
    u = users.c
    statement = (
        select(accounts.c.id, accounts.c.email)
        .join(users, u.account_id == accounts.c.id)
        .where(
            u.clinic_id == clinic_id,
            u.role.in_([role.value for role in roles]),
            true() if but is None else u.id != but,
            u.disabled_at.is_(None),
            u.deleted_at.is_(None),
        )
        .order_by(u.id)
    )
    return [email_of(row) for row in store().rows(statement)]


def _show(row: Values) -> Values:
    email: Any = email_of({"id": row["account_id"], "email": row["email"]})
    return row | {"email": email, "privileges": sorted(row["privileges"])}
