"""Accounts and users: who works or is treated here, how they are asked in, what they prefer."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select

from api import clock
from api.access.hashing import hash_password
from api.access.policies import Actor, Role
from api.access.users import (
    accounts,
    clinics,
    email_of,
    find_account,
    make_account,
    make_user,
    password_resets,
    sign_ins,
    users,
)
from api.audit import trail
from api.core import gate, mail, throttle, token_deeds
from api.core.merging import merged, refuse_gaps
from api.core.patients import patients
from api.core.replay import digest
from api.core.sign_ins import end_all, new_token
from api.core.throttle import Purpose
from api.db import Listing, Page, Store, Values, found, leave_store, match, new_id, page, store
from api.errors import Invalid

RESET_LASTS = timedelta(minutes=30)
SHARING = ("me", "care_team", "research")
CHANNELS = ("none", "email", "sms")
QUIET = ("from", "to")
DEFAULTS: Values = {
    "default_sharing": None,
    "reminder_channel": "none",
    "quiet_hours": None,
    "quote_my_moments": True,
}


def make_person(
    store: Store, clinic_id: UUID, email: str, password: str | None, role: Role, **more: Any
) -> Values:
    """The row of a new user of the clinic; the account is made unless the address has one."""
    account = find_account(store, email)
    if account is None:
        hashed = None if password is None else hash_password(password)
        account = make_account(store, new_id(), email, hashed)
    return make_user(store, clinic_id, account["id"], role, **more)


def ask_for_password_reset(email: str, where: str | None = None) -> None:
    """Send a one-time token, good for 30 minutes, if the address has an account; tells nothing.

    The same rows are read and written for an address that has none, so that time tells nothing.
    """
    throttle.count(Purpose.RESET, email, where)
    account = find_account(store(), email)
    token, moment = new_token(), clock.now()
    store().execute(password_resets.delete().where(password_resets.c.expires_at <= moment))
    store().execute(
        password_resets.insert().values(
            token_hash=digest(token),
            account_id=None if account is None else account["id"],
            expires_at=moment + RESET_LASTS,
        )
    )
    if account is None:
        mail.send_to_nobody("password_reset", token)
    else:
        mail.send(email_of(account), "password_reset", token)


def reset_password(
    token: str, password: str, where: str | None = None, request_id: str = ""
) -> None:
    """Set a new password with a token of the mail; every sign-in of the account ends.

    Raises `Invalid` for a token that is unknown, used or old, before anything is hashed.
    """
    tried = throttle.count(Purpose.TOKEN, token, where)
    good = _good_reset(token, clock.now())
    row = store().row(select(password_resets.c.account_id).where(*good))
    if row is None:
        raise no_such_token()
    throttle.forgive(tried)
    refuse_own_address(_address_of(row["account_id"]), password)
    leave_store()
    hashed = hash_password(password)
    moment = clock.now()
    claim = password_resets.update().where(*_good_reset(token, moment)).values(used_at=moment)
    account_id = store().execute(claim.returning(password_resets.c.account_id)).scalar()
    if account_id is None:
        raise no_such_token()
    set_password(account_id, hashed)
    _close_resets(account_id, moment)
    end_all(account_id)
    token_deeds.note_reset(account_id, where, request_id)


def refuse_own_address(address: str, password: str) -> None:
    """Raise `Invalid` for a password that is the e-mail address of its account, or holds it."""
    if address.casefold() in password.casefold():
        raise Invalid([("/password", "Your e-mail address is the first that others would try.")])


def _address_of(account_id: UUID) -> str:
    mine = select(accounts.c.id, accounts.c.email).where(accounts.c.id == account_id)
    return str(email_of(found(store().row(mine))))


def _good_reset(token: str, moment: datetime) -> list[Any]:
    table = password_resets.c
    return [
        table.token_hash == digest(token),
        table.account_id.is_not(None),
        table.used_at.is_(None),
        table.expires_at > moment,
    ]


def no_such_token() -> Invalid:
    """The one answer to a one-time token that is unknown, used or too old."""
    return Invalid([("/token", "This token is not good, or not any more.")])


def set_password(account_id: UUID, hashed: str) -> None:
    """Let the account have this password hash from now on."""
    mine = accounts.update().where(accounts.c.id == account_id)
    store().execute(mine.values(password_hash=hashed))


def set_first_password(account_id: UUID, hashed: str) -> bool:
    """Give a password to an account that has none; tells whether it had none."""
    bare = accounts.update().where(accounts.c.id == account_id, accounts.c.password_hash.is_(None))
    return bool(store().execute(bare.values(password_hash=hashed)).rowcount)


def _close_resets(account_id: UUID, moment: datetime) -> None:
    store().execute(
        password_resets.update()
        .where(password_resets.c.account_id == account_id, password_resets.c.used_at.is_(None))
        .values(used_at=moment)
    )


def read_me(actor: Actor) -> Values:
    """Who is signed in: kind, names of the ids, rights beside the role, clinic, and until when."""
    gate.admit(actor, "me:read")
    statement = _with_sign_in().where(sign_ins.c.id == actor.sign_in_id)
    row = found(store().row(statement))
    user = {name: row[name] for name in ("display_name", "patient_id", "profession", "locale")}
    clinician_id = row["id"] if row["role"] == Role.CLINICIAN else None
    return user | {
        "kind": row["role"],
        "user_id": row["id"],
        "clinician_id": clinician_id,
        "privileges": sorted(row["privileges"]),
        "clinic": {
            "id": row["clinic_id"],
            "name": row["clinic_name"],
            "time_zone": row["time_zone"],
            "suspended": actor.rights.suspended,
        },
        "sign_in": {
            "id": actor.sign_in_id,
            "auth_time": row["auth_time"],
            "ends_at": row["ends_at"],
        },
    }


def _with_sign_in() -> Select[Any]:
    mine = and_(users.c.clinic_id == sign_ins.c.clinic_id, users.c.id == sign_ins.c.user_id)
    clinic = (clinics.c.name.label("clinic_name"), clinics.c.time_zone)
    return (
        select(users, *clinic, sign_ins.c.auth_time, sign_ins.c.ends_at)
        .join(sign_ins, mine)
        .join(clinics, clinics.c.id == users.c.clinic_id)
    )


def read_preferences(actor: Actor) -> Values:
    """What the actor prefers, with the defaults for what was never set."""
    gate.admit(actor, "me:read")
    return _preferences(_own_row(actor))


def change_preferences(actor: Actor, version: int | None, values: Values) -> Values:
    """Change what the actor prefers; `default_sharing` is a patient's to set."""
    gate.admit(actor, "me:update")
    if "default_sharing" in values and not actor.rights.is_patient:
        raise Invalid([("/default_sharing", "Only a patient shares entries.")])
    row = _own_row(actor)
    match(row, version)
    trail.wrote(values)
    preferred = row["preferences"] | _merged(row["preferences"], values)
    after = store().change(users, row, {"preferences": preferred}) if values else row
    if "default_sharing" in values:
        _share_by_default(row, values["default_sharing"])
    return _preferences(after)


def _merged(before: Values, values: Values) -> Values:
    """The values with the quiet hours as they are once the part that was sent is merged in."""
    if values.get("quiet_hours") is None:
        return values
    hours = merged(before.get("quiet_hours"), values["quiet_hours"], QUIET)
    refuse_gaps("quiet_hours", hours, QUIET)
    return values | {"quiet_hours": hours}


def _own_row(actor: Actor) -> Values:
    trail.about("user", actor.user_id)
    mine = and_(users.c.clinic_id == actor.clinic_id, users.c.id == actor.user_id)
    return found(store().row(select(users).where(mine)))


def _preferences(row: Values) -> Values:
    preferred: Values = row["preferences"]
    return DEFAULTS | preferred | {"version": row["version"]}


def _share_by_default(user: Values, sharing: str | None) -> None:
    chart = (patients.c.clinic_id == user["clinic_id"], patients.c.id == user["patient_id"])
    store().execute(patients.update().where(*chart).values(default_sharing=sharing))
    trail.touches([user["patient_id"]])


CLINICIAN = (
    users.c.id,
    users.c.version,
    users.c.created_at,
    users.c.display_name,
    users.c.profession,
    users.c.privileges,
)


def list_clinicians(actor: Actor, asked: Page) -> Listing:
    """The clinicians who work at the clinic; who was disabled leaves the list."""
    gate.admit(actor, "clinician:list")
    gone = func.coalesce(users.c.deleted_at, users.c.disabled_at).label("deleted_at")
    working: Any = (
        select(*CLINICIAN, users.c.updated_at, gone)
        .where(users.c.clinic_id == actor.clinic_id, users.c.role == Role.CLINICIAN.value)
        .subquery("working")
    )
    listing = page(select(working), working, asked)
    for row in listing.items:
        row["privileges"] = sorted(row["privileges"])
    return listing


def _with_account(actor: Actor) -> Select[Any]:
    return (
        select(users, accounts.c.email)
        .join(accounts, accounts.c.id == users.c.account_id)
        .where(users.c.clinic_id == actor.clinic_id, users.c.role != Role.SYSTEM.value)
    )


def list_users(actor: Actor, asked: Page, role: str | None = None) -> Listing:
    """Everybody who signs in at the clinic, with the e-mail address of their account."""
    gate.admit(actor, "user:list")
    statement = _with_account(actor)
    if role is not None:
        statement = statement.where(users.c.role == role)
    listing = page(statement, users, asked)
    listing.items = [_show_user(row) for row in listing.items]
    trail.touches(row["patient_id"] for row in listing.items if row["patient_id"])
    return listing


def read_user(actor: Actor, user_id: UUID) -> Values:
    """One user of the clinic."""
    gate.admit(actor, "user:list")
    trail.about("user", user_id)
    statement = _with_account(actor).where(users.c.id == user_id, users.c.deleted_at.is_(None))
    row = found(store().row(statement))
    trail.touches([row["patient_id"]] if row["patient_id"] else [])
    return _show_user(row)


def _show_user(row: Values) -> Values:
    email = email_of({"id": row["account_id"], "email": row["email"]})
    return row | {"email": email, "privileges": sorted(row["privileges"])}
