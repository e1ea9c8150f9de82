"""Throttling of whoever tries to come in: counted in the database, so that all servers count alike.

A try is counted before it is looked at and forgiven when it was right, so that a hundred at once
are a hundred. After some that were wrong there is a wait that grows, told as 429 and never slept,
and tries during a wait prolong it for nobody. Nothing is ever locked (NIST SP 800-63B 5.2.2 would
allow it after 100), an address or account that does not exist counts like one that does, and the
count is kept under a blind index: it names nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, Index, Integer, String, Table, and_, case, func, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from api import clock, vault
from api.access.users import clinics
from api.config import settings
from api.core import clocks
from api.db import Instant, Values, leave_store, metadata, store, transaction
from api.errors import TooMany

PAIR, WHOSE, WHERE, ALL, DEVICE = KINDS = ("pair", "whose", "where", "all", "device")
"""What is counted: for one account from one address, for the account, for the address, in all, and
for a device that its owner has used before. Rows are always taken in this order: nobody deadlocks.
"""
TIMES: Final = {PAIR: 1, WHOSE: 3, WHERE: 10, ALL: 120, DEVICE: 1}
"""How many times the setting is free: who tries from one address can't keep the owner out, who
comes from another, and a clinic shares an address."""
WAITS_S: Final = (1, 2, 4, 8, 15, 30, 60, 120, 300)
"""Seconds of wait after each wrong try that is not free any more."""
SHARED_WAITS_S: Final = WAITS_S[:6]
"""The same where others wait too: for an address and for all."""
FORGOTTEN: Final = {
    PAIR: timedelta(hours=1),
    WHOSE: timedelta(hours=1),
    WHERE: timedelta(hours=1),
    ALL: timedelta(minutes=1),
    DEVICE: timedelta(hours=1),
}
"""How long after the last try, or for what others share after the first, a count begins anew."""
SHARED: Final = (WHERE, ALL)
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when a count that asks for no wait is free."""
KEPT: Final = timedelta(days=1)
MOST_A_DAY: Final = {PAIR: 1, WHOSE: 3}
"""How many letters of one purpose go within a day."""
AT_ONCE: Final = 500

throttles = Table(
    "throttles",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("since", Instant, nullable=False),
    Column("free_at", Instant, nullable=False),
)
Index("ix_throttles_since", throttles.c.since)


class Purpose(StrEnum):
    """What somebody tries; each is counted for itself."""

    SIGN_IN = "sign_in"  # a password for an address
    PROOF = "proof"  # a password or code of whoever is signed in
    CODE = "code"  # a code of the second factor
    RESET = "reset"  # a wish for a new password
    TOKEN = "token"  # a one-time token of a mail or a link
    NEW_DEVICE = "new_device"  # no try, but a letter that one was used


@dataclass(frozen=True)
class Tried:
    """One try that was counted, and may be forgiven."""

    rows: tuple[tuple[str, str], ...]


def count(purpose: Purpose, whose: str, where: str | None, device: UUID | None = None) -> Tried:
    """Count a try in a transaction of its own; raises `TooMany` with the wait there is.

    `whose` is the account, user or token that is tried, in any spelling that finds it, `where` the
    address it is tried from. A `device` that its owner used before counts for itself alone, so that
    others who try the account can't keep its owner out.
    """
    leave_store()
    tried = Tried(tuple(_rows(purpose, whose.strip(), where or "", device)))
    moment = clock.now()
    with transaction() as apart:
        taken = set(apart.execute(_counting(tried, moment, apart.on_postgres)).scalars())
        waits = [key for key, _ in tried.rows if key not in taken]
        if waits:
            raise TooMany("Too many tries. Wait a little.", retry_after=_wait(waits, moment))
    return tried


def forgive(tried: Tried) -> None:
    """Take a try back that was right: for its account it counts from nothing, else one less.

    What the store has done until now is kept with it, and the clinic that was meant is meant still.
    """
    moment, meant = clock.now(), store().within.clinic_id
    with transaction() as apart:
        insert = postgresql.insert if apart.on_postgres else sqlite.insert
        rows = [_row(key, kind, 0, moment, LONG_AGO) for key, kind in tried.rows]
        t = throttles.c
        less = case((and_(t.kind.in_(SHARED), t.tries > 0), t.tries - 1), else_=0)
        statement = insert(throttles).values(rows)
        again = {"tries": less, "free_at": statement.excluded.free_at}
        apart.execute(statement.on_conflict_do_update(index_elements=["key"], set_=again))
    if meant is not None:
        store().stand_in(meant)


def is_new_today(purpose: Purpose, whose: str, where: str | None) -> bool:
    """Whether this is the first within a day for `whose` from `where`, and not one of too many.

    It is counted in the transaction of the store: what is undone was not there.
    """
    moment, subjects = clock.now(), {PAIR: f"{whose}|{where or ''}", WHOSE: whose}
    keys = {kind: _key(purpose, kind, subject) for kind, subject in subjects.items()}
    return all(_is_taken(key, kind, moment) for kind, key in keys.items())


def _is_taken(key: str, kind: str, moment: datetime) -> bool:
    """Whether one more goes within its day, and is counted."""
    insert = postgresql.insert if store().on_postgres else sqlite.insert
    t, statement = throttles.c, insert(throttles).values(_row(key, kind, 1, moment, LONG_AGO))
    is_over = t.since <= moment - KEPT
    again = {
        "tries": case((is_over, 1), else_=t.tries + 1),
        "since": case((is_over, _at(moment)), else_=t.since),
    }
    going = statement.on_conflict_do_update(
        index_elements=["key"], set_=again, where=or_(is_over, t.tries < MOST_A_DAY[kind])
    )
    return store().execute(going.returning(t.key)).first() is not None


def _rows(purpose: Purpose, whose: str, where: str, device: UUID | None) -> list[tuple[str, str]]:
    subjects = {PAIR: f"{whose}|{where}", WHOSE: whose, WHERE: where, ALL: ""}
    if device is not None:
        subjects = {DEVICE: str(device)}
    return [(_key(purpose, kind, subject), kind) for kind, subject in subjects.items()]


def _key(purpose: Purpose, kind: str, subject: str) -> str:
    return vault.blind(f"{purpose}|{kind}|{subject}", "throttles.key")


def _row(key: str, kind: str, tries: int, since: datetime, free_at: datetime) -> Values:
    return {"key": key, "kind": kind, "tries": tries, "since": since, "free_at": free_at}


def _free(kind: str) -> int:
    return max(1, settings().rate_sign_in) * TIMES[kind]


def _waits(kind: str) -> Sequence[int]:
    return SHARED_WAITS_S if kind in SHARED else WAITS_S


def _counting(tried: Tried, moment: datetime, on_postgres: bool) -> Any:
    """One statement that counts in every bucket that is free; its rows are the keys of those."""
    insert = postgresql.insert if on_postgres else sqlite.insert
    first = [_row(key, kind, 1, moment, _first(kind, moment)) for key, kind in tried.rows]
    t, statement = throttles.c, insert(throttles).values(first)
    kinds = [kind for _, kind in tried.rows]
    is_over = case(*((t.kind == kind, t.since <= moment - FORGOTTEN[kind]) for kind in kinds))
    tries = case((is_over, 1), else_=t.tries + 1)
    since = case((is_over, _at(moment)), (t.kind.in_(SHARED), t.since), else_=_at(moment))
    ladder = [step for kind in kinds for step in _ladder(kind, tries, moment)]
    again = {"tries": tries, "since": since, "free_at": case(*ladder)}
    # A wait that is longer than any was made by a clock that went wrong.
    free = or_(t.free_at <= moment, t.free_at > moment + timedelta(seconds=WAITS_S[-1]))
    return statement.on_conflict_do_update(
        index_elements=["key"], set_=again, where=free
    ).returning(t.key)


def _first(kind: str, moment: datetime) -> datetime:
    return LONG_AGO if _free(kind) > 1 else moment + timedelta(seconds=1)


def _ladder(kind: str, tries: Any, moment: datetime) -> list[tuple[Any, Any]]:
    """From when on a bucket of this kind is free again, by its count."""
    mine, free, waits = throttles.c.kind == kind, _free(kind), _waits(kind)
    steps = [(and_(mine, tries < free), _at(LONG_AGO))]
    for more, wait in enumerate(waits):
        steps.append((and_(mine, tries == free + more), _at(moment, wait)))
    return [*steps, (mine, _at(moment, waits[-1]))]


def _at(moment: datetime, seconds: int = 0) -> Any:
    return literal(moment + timedelta(seconds=seconds), Instant)


def _wait(keys: list[str], moment: datetime) -> int:
    """Seconds until all of these are free."""
    latest = func.max(throttles.c.free_at, type_=Instant).label("at")
    row = store().row(select(latest).where(throttles.c.key.in_(keys)))
    at = moment if row is None or row["at"] is None else row["at"]
    return max(1, ceil((at - moment).total_seconds()))


def forget_due() -> bool:
    """Forget some counts that tell nothing any more; tells whether there were any."""
    old = select(throttles.c.key).where(throttles.c.since <= clock.now() - KEPT).limit(AT_ONCE)
    gone = throttles.delete().where(throttles.c.key.in_(old.scalar_subquery()))
    return bool(store().execute(gone).rowcount)


clocks.DUE.append(forget_due)
clocks.WHERE[forget_due] = lambda: select(clinics.c.id).limit(1)  # of no clinic: once is enough
