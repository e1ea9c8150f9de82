"""Letters: mails that wait in the database until a mail server has taken them.

A letter is written with what it tells of, in one transaction, and sent by the worker; none speaks
of a patient, a clinic or a treatment. Its address and one-time token are sealed, and gone once it
is settled. A letter that a killed worker left half done is sent anew under the same Message-ID.
"""

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Integer, String, Table, Uuid, select

from api import clock, vault
from api.config import settings
from api.db import Instant, Sealed, Store, Values, metadata, new_id
from api.outbox import smtp

WAITING, SENT, FAILED, NOBODY = STATES = ("waiting", "sent", "failed", "nobody")
RETRIES_S: Final = (5, 60, 300, 900, 1800, 3600)
"""Seconds from each failed attempt to the next; the last again and again, until it is too late."""
JITTER: Final = 0.1
LEASE: Final = timedelta(seconds=90)
"""How long a letter belongs to the worker that took it; longer than any exchange lasts."""
LASTS: Final = {"password_reset": timedelta(minutes=30)}
LASTS_ELSE: Final = timedelta(hours=72)
"""How long a letter is still of use: as long as the token in it is good."""
KEPT: Final = timedelta(days=90)
AT_ONCE: Final = 200
ADDRESS, TOKEN = "letters.address", "letters.token"
LOCALE: Final = "en-US"
TOLD: Final = "{told}"
"""The place of a number in the words of a letter."""

letters = Table(
    "letters",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("address", Sealed),
    Column("token", Sealed),
    Column("state", String(10), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("failure", String(20)),
    CheckConstraint("state IN ('waiting', 'sent', 'failed', 'nobody')", name="letter_state"),
)
"""A letter to `nobody` is the trace of a wish for an address without an account: it is written so
that time tells nothing, and never sent."""
Index("ix_letters_due", letters.c.state, letters.c.next_at)


@dataclass(frozen=True)
class Job:
    """One letter that a worker has taken."""

    letter_id: UUID
    tries: int
    kind: str
    address: str
    token: str | None
    written_at: datetime


@cache
def _words() -> dict[str, dict[str, Any]]:
    path = Path(__file__).with_name("letters.json")
    words: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))[LOCALE]
    return words


def kinds() -> set[str]:
    """The kinds of letter that there are words for."""
    return set(_words()["letters"])


def write(store: Store, kind: str, address: str | None, token: str | None) -> None:
    """Write a letter that goes when the transaction is kept; one without an address stays."""
    letter_id, moment = new_id(), clock.now()
    values = {
        "id": letter_id,
        "kind": kind,
        "address": vault.seal_json(address or "", ADDRESS, letter_id),
        "token": vault.seal_json(token or "", TOKEN, letter_id),
        "state": NOBODY if address is None else WAITING,
        "tries": 0,
        "created_at": moment,
        "next_at": moment,
        "expires_at": moment + LASTS.get(kind, LASTS_ELSE),
    }
    store.execute(letters.insert().values(values))


def forget(store: Store, address: str) -> None:
    """Take away what waits to be sent to an address whose account is no more."""
    c = letters.c
    for row in store.rows(select(c.id, c.address).where(c.address.is_not(None))):
        if vault.unseal_json(row["address"], ADDRESS, row["id"]) == address:
            store.execute(letters.delete().where(c.id == row["id"]))


def take(store: Store) -> Job | None:
    """Take the letter that has been due the longest; None when nothing is, or nothing can go."""
    if not settings().smtp_host:
        return None
    moment = clock.now()
    due = select(letters).where(letters.c.state == WAITING, letters.c.next_at <= moment)
    oldest = due.order_by(letters.c.next_at, letters.c.id).limit(1)
    row = store.row(oldest.with_for_update(skip_locked=True))
    if row is None:
        return None
    leased = {"tries": row["tries"] + 1, "next_at": moment + LEASE}
    store.execute(letters.update().where(letters.c.id == row["id"]).values(leased))
    address = vault.unseal_json(row["address"], ADDRESS, row["id"])
    token = vault.unseal_json(row["token"], TOKEN, row["id"]) or None
    return Job(row["id"], leased["tries"], row["kind"], address, token, row["created_at"])


def send(job: Job) -> smtp.Outcome:
    """What came of one attempt; outside of any transaction."""
    subject, text = compose(job.kind, job.token, job.written_at)
    return smtp.post(job.letter_id, job.address, subject, text)


def compose(kind: str, token: str | None, written_at: datetime) -> tuple[str, str]:
    """Subject and text of a letter; its link leads to APP_URL, never to where somebody asked.

    Where the words name a time, it is when the letter was written, with what it tells of; in UTC.
    Where they have a place for it, the token is no secret but a number that they tell.
    """
    words = _words()["letters"][kind]
    at = f"{written_at:%Y-%m-%d %H:%M} UTC"
    tells = any(TOLD in part for part in words["text"])
    said = [part.replace("{at}", at).replace(TOLD, token or "") for part in words["text"]]
    way_on = [_way_on(kind, token)] if token and not tells else []
    return words["subject"], "\n\n".join([*said, *way_on, *_words()["end"]]) + "\n"


def _way_on(kind: str, token: str) -> str:
    """Where the token is used. It stands behind `#`, which no server writes down."""
    base = settings().app_url.rstrip("/")
    return f"{base}/{kind.replace('_', '-')}#{token}" if base else token


def settle(store: Store, job: Job, outcome: smtp.Outcome) -> None:
    """Keep what came of an attempt, unless the lease ran out and the letter is another's."""
    mine = [letters.c.id == job.letter_id, letters.c.state == WAITING, letters.c.tries == job.tries]
    row = store.row(select(letters.c.expires_at).where(*mine).with_for_update())
    if row is not None:
        values = _what_next(job, outcome, row["expires_at"])
        store.execute(letters.update().where(letters.c.id == job.letter_id).values(values))


def _what_next(job: Job, outcome: smtp.Outcome, expires_at: datetime) -> Values:
    moment = clock.now()
    done: Values = {"settled_at": moment, "address": None, "token": None}
    if outcome.failure is None:
        return {"state": SENT, "failure": None, **done}
    wait = RETRIES_S[min(job.tries, len(RETRIES_S)) - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    next_at = moment + timedelta(seconds=wait)
    if outcome.is_final or next_at >= expires_at:
        return {"state": FAILED, "failure": outcome.failure, **done}
    return {"failure": outcome.failure, "next_at": next_at}


def oldest_due(store: Store) -> datetime | None:
    """Since when the letter that waits the longest has waited."""
    waiting = select(letters.c.created_at).where(letters.c.state == WAITING)
    row = store.row(waiting.order_by(letters.c.created_at).limit(1))
    return None if row is None else row["created_at"]


def prune(store: Store) -> bool:
    """Take away what nobody needs: tokens of letters too late, and old letters whole."""
    moment, c = clock.now(), letters.c
    late = letters.update().where(
        c.expires_at <= moment, c.state.in_((WAITING, NOBODY)), c.settled_at.is_(None)
    )
    gone = {"state": FAILED, "failure": "late", "settled_at": moment}
    emptied = store.execute(late.values(**gone, address=None, token=None)).rowcount
    old = select(c.id).where(c.created_at <= moment - KEPT).limit(AT_ONCE).scalar_subquery()
    return bool(store.execute(letters.delete().where(c.id.in_(old))).rowcount + emptied)
