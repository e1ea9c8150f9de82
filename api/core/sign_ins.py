"""Signing in: a password opens a sign-in, a refresh token keeps it, ending it takes effect at once.

No hash is made while a transaction is open, so that nobody waits for the database meanwhile.
"""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, exists, select

from api import clock, vault
from api.access.hashing import is_password
from api.access.users import (
    clinics,
    find_account,
    refresh_tokens,
    sign_ins,
    stand_in_clinic_of,
    users,
)
from api.audit import trail
from api.config import settings
from api.core import (
    awake,
    gate,
    half_sign_ins,
    known_devices,
    owner_letters,
    passwords,
    second_step,
    throttle,
)
from api.core.half_sign_ins import new_token as new_token
from api.core.replay import digest
from api.core.throttle import Purpose
from api.db import Values, leave_store, new_id, store, transaction, within
from api.errors import Conflict, Invalid, NotSignedIn, WrongCredentials

SAME_SUCCESSOR = timedelta(minutes=10)
"""How long a lost answer to a refresh may be asked for again."""
PLACE = "refresh_tokens.successor"
NOBODY = UUID(int=0)
"""No account has this id; its memberships are asked for all the same."""
log = logging.getLogger("freshtrail")


def sign_in(
    email: str,
    password: str,
    clinic_id: UUID | None = None,
    otp: str | None = None,
    where: str | None = None,
    known_by: str | None = None,
) -> Values:
    """A new sign-in: its ids and first refresh token.

    Raises `NotSignedIn`, in the same words and after one hash, whether the account is unknown,
    disabled or the password wrong; `Conflict` with the memberships when a clinic must be chosen.
    An account with a second factor gives its code as well, or gets an `mfa_token` to give it with.
    Tries are counted, with the address `where` from; who tries too often meets `TooMany`, unless
    it is on a device that the account is `known_by`: an earlier refresh token. Of any other device
    the owner is told by letter.
    """
    trail.begin("sign_in:open")
    device = known_devices.find_device(email, known_by)
    tried = throttle.count(Purpose.SIGN_IN, email, where, device)
    account = find_account(store(), email)
    # Read before the hash: a password that is reset meanwhile raises the security version, and
    # the sign-in of the old password is then born ended. Asked for an unknown account as well.
    memberships = _memberships(account["id"] if account else NOBODY)
    leave_store()
    hashed = account["password_hash"] if account else None
    if not is_password(password, hashed):
        raise _wrong()
    user = _chosen(memberships, clinic_id) | {"device_id": device}
    throttle.forgive(tried)
    passwords.strengthen(user["account_id"], password, hashed)
    second_step.ask(user, otp, where)
    return open_sign_in(user, where)


def finish_sign_in(mfa_token: str, otp: str, where: str | None = None) -> Values:
    """A new sign-in for whoever gave the right password before, and now gives the code.

    Raises `NotSignedIn` in the same words for a wrong code and a token that is used up or old.
    """
    trail.begin("sign_in:open")
    user = second_step.half_in(mfa_token, where)
    second_step.take_code(user, otp, where)
    if not half_sign_ins.use_half(mfa_token):
        raise second_step.wrong_code()
    return open_sign_in(user, where)


def _wrong() -> NotSignedIn:
    return WrongCredentials("The e-mail address or the password is not right.", error="")


def _memberships(account_id: UUID) -> list[Values]:
    with within(account_id=account_id):
        return store().rows(
            select(users, clinics.c.name.label("clinic_name"))
            .join(clinics, clinics.c.id == users.c.clinic_id)
            .where(
                users.c.account_id == account_id,
                users.c.disabled_at.is_(None),
                users.c.deleted_at.is_(None),
            )
            .order_by(users.c.id)
        )


def _chosen(memberships: list[Values], clinic_id: UUID | None) -> Values:
    fitting = [user for user in memberships if clinic_id in (None, user["clinic_id"])]
    if not fitting:
        raise _wrong()
    if len(fitting) > 1:
        names = [
            {"clinic_id": user["clinic_id"], "name": user["clinic_name"], "kind": user["role"]}
            for user in fitting
        ]
        raise Conflict("Choose a clinic and send its clinic_id.", memberships=names)
    return fitting[0]


def open_sign_in(user: Values, where: str | None) -> Values:
    """A sign-in of this user from now to its absolute end, with its first refresh token.

    `device_id` of the user is the earlier sign-in of the device, if it is known.
    """
    owner_letters.tell_of_new_device(user, where)
    moment, sign_in_id = clock.now(), new_id()
    store().stand_in(user["clinic_id"])
    store().execute(
        sign_ins.insert().values(
            id=sign_in_id,
            clinic_id=user["clinic_id"],
            user_id=user["id"],
            security_version=user["security_version"],
            auth_time=moment,
            created_at=moment,
            last_seen_at=moment,
            awake_until=moment + awake.longest_idle(user["role"]),
            ends_at=moment + timedelta(hours=settings().sign_in_hours),
        )
    )
    token = new_token()
    _add_token(token, sign_in_id, moment)
    trail.about("sign_in", sign_in_id)
    ids = {"clinic_id": user["clinic_id"], "user_id": user["id"]}
    return {"sign_in_id": sign_in_id, **ids, "refresh_token": token}


def _add_token(token: str, sign_in_id: UUID, moment: datetime) -> None:
    store().execute(
        refresh_tokens.insert().values(hash=digest(token), sign_in_id=sign_in_id, created_at=moment)
    )


def refresh(
    token: str,
    key: str | None = None,
    is_deed: bool = True,
    where: str | None = None,
    request_id: str = "",
) -> Values:
    """The sign-in of a refresh token, the token's one successor, and whether it was told before.

    A token that was used before ends its sign-in, unless the same `key` asks within ten minutes
    and the successor is still unused: then that successor again. Raises `NotSignedIn`. Of a
    sign-in that ends so its owner is told, and the trail, with the address `where` from.
    Only where it `is_deed`, not done in the background, does the sign-in stay awake longer for it.
    """
    successor, moment = new_token(), clock.now()
    sign_in_id = _use(token, successor, key, moment)
    if sign_in_id is None:
        return _used_before(token, key, moment, is_deed, (where, request_id))
    if key is not None:
        _check_key(sign_in_id, token, key, moment)
    _add_token(successor, sign_in_id, moment)
    ids = _standing(sign_in_id, moment, is_deed)
    return ids | {"refresh_token": successor, "replayed": False}


def _check_key(sign_in_id: UUID, token: str, key: str, moment: datetime) -> None:
    """Raise `Invalid` when the sign-in has used the key for another of its tokens."""
    kept_since = moment - timedelta(hours=settings().idempotency_hours)
    other = select(refresh_tokens.c.hash).where(
        refresh_tokens.c.sign_in_id == sign_in_id,
        refresh_tokens.c.used_with_key == digest(key),
        refresh_tokens.c.used_at > kept_since,
        refresh_tokens.c.hash != digest(token),
    )
    if store().row(other) is not None:
        raise Invalid([("/Idempotency-Key", "This key was used for another request.")])


def _use(token: str, successor: str, key: str | None, moment: datetime) -> UUID | None:
    """Mark the token used, for one caller alone: whoever comes second changes no row."""
    kept = None if key is None else vault.seal_json(successor, PLACE, digest(token))
    used = (
        refresh_tokens.update()
        .where(refresh_tokens.c.hash == digest(token), refresh_tokens.c.used_at.is_(None))
        .values(
            used_at=moment,
            successor_hash=digest(successor),
            successor=kept,
            used_with_key=None if key is None else digest(key),
        )
        .returning(refresh_tokens.c.sign_in_id)
    )
    found: UUID | None = store().execute(used).scalar()
    return found


def _used_before(
    token: str, key: str | None, moment: datetime, is_deed: bool, by: tuple[str | None, str]
) -> Values:
    row = store().row(select(refresh_tokens).where(refresh_tokens.c.hash == digest(token)))
    if row is None:
        raise ended_refusal()
    if key is None or not _asked_again(row, digest(key), moment):
        _end_family(row["sign_in_id"], moment, by)
        raise ended_refusal()
    successor = vault.unseal_json(row["successor"], PLACE, row["hash"])
    ids = _standing(row["sign_in_id"], moment, is_deed)
    return ids | {"refresh_token": successor, "replayed": True}


def _asked_again(row: Values, key_hash: str, moment: datetime) -> bool:
    unused = select(refresh_tokens.c.hash).where(
        refresh_tokens.c.hash == row["successor_hash"], refresh_tokens.c.used_at.is_(None)
    )
    return (
        row["used_with_key"] == key_hash
        and moment - row["used_at"] <= SAME_SUCCESSOR
        and store().row(unused) is not None
    )


def _end_family(sign_in_id: UUID, moment: datetime, by: tuple[str | None, str]) -> None:
    # In a transaction of its own: the request is refused, and this must outlive it.
    leave_store()
    with transaction() as apart:
        ended = apart.execute(ending(moment).where(sign_ins.c.id == sign_in_id))
        if ended.rowcount == 1:  # it is told once, however often the token comes
            owner_letters.tell_of_reuse(sign_in_id, *by)
    log.warning("a refresh token came twice; sign-in %s has ended", sign_in_id)


def ending(moment: datetime) -> Any:
    """The statement that ends the sign-ins it is narrowed to, unless they have ended."""
    return sign_ins.update().where(sign_ins.c.revoked_at.is_(None)).values(revoked_at=moment)


def ended_refusal() -> NotSignedIn:
    """The one answer to whoever comes with a sign-in that has ended."""
    return NotSignedIn("The sign-in has ended.")


def _standing(sign_in_id: UUID, moment: datetime, is_deed: bool) -> Values:
    """The ids of a sign-in that still counts; raises `NotSignedIn` otherwise."""
    stand_in_clinic_of(store(), sign_in_id)
    mine = and_(users.c.clinic_id == sign_ins.c.clinic_id, users.c.id == sign_ins.c.user_id)
    still = exists().where(mine, *gate.stands(moment, moment - gate.LONGEST_IDLE))
    seen: Any = {"last_seen_at": sign_ins.c.last_seen_at}
    if is_deed:
        seen = {"last_seen_at": moment, "awake_until": awake.awake_from(moment)}
    kept = (
        sign_ins.update()
        .where(sign_ins.c.id == sign_in_id, still)
        .values(seen)
        .returning(sign_ins.c.id.label("sign_in_id"), sign_ins.c.user_id, sign_ins.c.clinic_id)
    )
    row = store().execute(kept).mappings().first()
    if row is None:
        raise ended_refusal()
    return dict(row)


def revoke(token: str) -> None:
    """End the sign-in of a refresh token; an unknown one changes nothing and tells nothing."""
    family = select(refresh_tokens.c.sign_in_id).where(refresh_tokens.c.hash == digest(token))
    store().execute(ending(clock.now()).where(sign_ins.c.id.in_(family)))


def end_all(account_id: UUID) -> None:
    """End every sign-in of an account, in every clinic; tokens given out before count no more."""
    theirs = exists().where(
        users.c.account_id == account_id,
        users.c.clinic_id == sign_ins.c.clinic_id,
        users.c.id == sign_ins.c.user_id,
    )
    mine = users.update().where(users.c.account_id == account_id)
    with within(account_id=account_id):
        store().execute(mine.values(security_version=users.c.security_version + 1))
        store().execute(ending(clock.now()).where(theirs))
