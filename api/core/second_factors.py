"""The second factor: codes of an authenticator app (RFC 6238), and recovery codes for its loss.

It belongs to the account, whichever clinic is signed in to. A code is good once: the time step
last taken is kept, and only a later one is taken, by one conditional UPDATE.
"""

import secrets
from datetime import datetime
from hmac import compare_digest
from typing import Any, Final
from uuid import UUID

import pyotp
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    String,
    Table,
    Uuid,
    and_,
    func,
    select,
)

from api import clock, vault
from api.access.policies import Actor
from api.access.users import accounts, email_of, users
from api.audit import trail
from api.core import gate, mail, throttle
from api.core.throttle import Purpose
from api.db import Instant, Sealed, Values, found, metadata, store
from api.errors import Conflict, Invalid, NotFound

STEP_S: Final = 30
SLACK: Final = 1
"""Steps that a clock may be off either way; OWASP ASVS 5.0 6.5.5 has none, phones drift."""
CODES, ID_LENGTH, SECRET_LENGTH = 10, 4, 12
"""Recovery codes of a set; letters that name one; letters to be guessed, 5 bits each: 60 bits."""
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
PLACE, CODE_PLACE = "second_factors.secret", "recovery_codes.blind"
ISSUER: Final = "Freshtrail"

second_factors = Table(
    "second_factors",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("secret", Sealed(bound_to="account_id"), nullable=False),
    Column("confirmed_at", Instant),
    Column("last_step", BigInteger, nullable=False),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
)
"""One for an account; it counts once it was confirmed. `last_step` is the last time step taken."""
recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("account_id", Uuid, nullable=False),
    Column("id", String(ID_LENGTH), nullable=False),
    Column("blind", String(64), nullable=False),
    Column("used_at", Instant),
    PrimaryKeyConstraint("account_id", "id"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
)
"""Keyed by HMAC with a key outside the database: whoever steals the rows can't try one guess, and
60 drawn bits need no slow hash against those who ask here."""


def read_second_factor(actor: Actor) -> Values:
    """Whether the actor's account asks for a code, since when, and how many recovery codes last."""
    gate.admit(actor, "second_factor:read")
    account = _account(actor)
    row = store().row(select(second_factors).where(*_confirmed(account["id"])))
    left = select(func.count().label("n")).where(*_unused(account["id"]))
    return {
        "totp": row is not None,
        "confirmed_at": row["confirmed_at"] if row else None,
        "recovery_codes_left": found(store().row(left))["n"],
    }


def make_totp(actor: Actor) -> Values:
    """A secret for the app, told this once; it counts once a code of it was sent.

    Raises `Conflict` while another one is in use.
    """
    gate.admit(actor, "second_factor:make")
    account = _account(actor)
    if is_on(account["id"]):
        raise Conflict("Remove the second factor in use first.", state="on", allowed=["remove"])
    return new_secret(account)


def new_secret(account: Values) -> Values:
    """A secret for the app of an account that has none in use, told this once."""
    secret, mine = pyotp.random_base32(), second_factors.c.account_id == account["id"]
    waiting = and_(mine, second_factors.c.confirmed_at.is_(None))
    store().execute(second_factors.delete().where(waiting))
    store().execute(
        second_factors.insert().values(
            account_id=account["id"],
            created_at=clock.now(),
            secret=vault.seal_json(secret, PLACE, account["id"]),
            last_step=0,
        )
    )
    trail.wrote(["secret"])
    uri = pyotp.TOTP(secret).provisioning_uri(name=email_of(account), issuer_name=ISSUER)
    return {"secret": secret, "otpauth_uri": uri}


def confirm_totp(actor: Actor, code: str) -> Values:
    """Turn the second factor on with a code of it; answers the recovery codes, told this once.

    Raises `Conflict` when nothing waits for a code, `Invalid` for a wrong one.
    """
    gate.admit(actor, "second_factor:confirm")
    throttle.count(Purpose.PROOF, str(actor.user_id), actor.client_ip)
    return {"recovery_codes": turn_on(_account(actor), code)}


def turn_on(account: Values, code: str) -> list[str]:
    """The recovery codes of a second factor that is on from now on; raises as `confirm_totp`."""
    row = store().row(select(second_factors).where(second_factors.c.account_id == account["id"]))
    if row is None or row["confirmed_at"] is not None:
        raise Conflict("No second factor waits for its first code.", allowed=["make"])
    moment = clock.now()
    step = _step_of(row, code, moment)
    waiting = and_(
        second_factors.c.account_id == account["id"],
        second_factors.c.secret == row["secret"],
        second_factors.c.confirmed_at.is_(None),
    )
    turned_on = second_factors.update().where(waiting).values(confirmed_at=moment, last_step=step)
    if step is None or store().execute(turned_on).rowcount != 1:
        raise Invalid([("/otp", "This code is not right, or not any more.")])
    mail.send(email_of(account), "second_factor_on")
    return _new_codes(account["id"])


def renew_recovery_codes(actor: Actor) -> Values:
    """Ten new recovery codes, told this once; those before are good no more."""
    gate.admit(actor, "second_factor:renew")
    account = _account(actor)
    held = select(second_factors).where(*_confirmed(account["id"])).with_for_update()
    if store().row(held) is None:
        raise Conflict("There is no second factor.", state="off", allowed=["make"])
    return {"recovery_codes": _new_codes(account["id"])}


def remove_totp(actor: Actor) -> None:
    """Sign in by password alone from now on; raises `NotFound` when it is so already."""
    gate.admit(actor, "second_factor:remove")
    turn_off(_account(actor))


def turn_off(account: Values) -> None:
    """Let the account sign in by password alone; raises `NotFound` when it is so already."""
    store().execute(recovery_codes.delete().where(recovery_codes.c.account_id == account["id"]))
    mine = second_factors.c.account_id == account["id"]
    if store().execute(second_factors.delete().where(mine)).rowcount != 1:
        raise NotFound("There is no such record.")
    mail.send(email_of(account), "second_factor_off")


def _account(actor: Actor) -> Values:
    trail.about("user", actor.user_id)
    mine = and_(users.c.clinic_id == actor.clinic_id, users.c.id == actor.user_id)
    statement = select(accounts).join(users, and_(users.c.account_id == accounts.c.id, mine))
    return found(store().row(statement))


def _confirmed(account_id: UUID) -> list[Any]:
    confirmed = second_factors.c.confirmed_at.is_not(None)
    return [second_factors.c.account_id == account_id, confirmed]


def _unused(account_id: UUID) -> list[Any]:
    return [recovery_codes.c.account_id == account_id, recovery_codes.c.used_at.is_(None)]


def is_on(account_id: UUID) -> bool:
    """Whether the account asks for a code after the password."""
    return store().row(select(second_factors).where(*_confirmed(account_id))) is not None


def is_taken(account_id: UUID, code: str) -> bool:
    """Whether the code, of the app or for recovery, is good now; it is good for nobody after."""
    typed = "".join(code.split()).replace("-", "").upper()
    if len(typed) == ID_LENGTH + SECRET_LENGTH:
        return _takes_recovery_code(account_id, typed)
    row = store().row(select(second_factors).where(*_confirmed(account_id)))
    step = None if row is None else _step_of(row, typed, clock.now())
    if step is None:
        return False
    later = second_factors.c.last_step < step
    taken = second_factors.update().where(*_confirmed(account_id), later).values(last_step=step)
    return bool(store().execute(taken).rowcount)


def _step_of(row: Values, code: str, moment: datetime) -> int | None:
    """The time step whose code this is, within the slack; None when it is of none."""
    totp = pyotp.TOTP(vault.unseal_json(row["secret"], PLACE, row["account_id"]))
    now, typed = int(moment.timestamp()) // STEP_S, code.strip().encode()
    fitting = [
        step
        for step in range(now - SLACK, now + SLACK + 1)
        if compare_digest(totp.generate_otp(step).encode(), typed)
    ]
    return max(fitting, default=None)


def _takes_recovery_code(account_id: UUID, typed: str) -> bool:
    this = and_(
        recovery_codes.c.id == typed[:ID_LENGTH],
        recovery_codes.c.blind == _blind(account_id, typed),
    )
    used = recovery_codes.update().where(*_unused(account_id), this).values(used_at=clock.now())
    if store().execute(used).rowcount != 1:
        return False
    account = found(store().row(select(accounts).where(accounts.c.id == account_id)))
    mail.send(email_of(account), "recovery_code_used")
    return True


def _blind(account_id: UUID, typed: str) -> str:
    return vault.blind(f"{account_id}:{typed}", CODE_PLACE)


def _new_codes(account_id: UUID) -> list[str]:
    store().execute(recovery_codes.delete().where(recovery_codes.c.account_id == account_id))
    names: set[str] = set()
    while len(names) < CODES:
        names.add(_drawn(ID_LENGTH))
    codes = [name + _drawn(SECRET_LENGTH) for name in sorted(names)]
    rows = [
        {"account_id": account_id, "id": code[:ID_LENGTH], "blind": _blind(account_id, code)}
        for code in codes
    ]
    store().execute(recovery_codes.insert().values(rows))
    trail.wrote(["recovery_codes"])
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def _drawn(length: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))
