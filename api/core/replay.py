"""What was already answered: a write sent twice under one key is done once and answered twice."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Column,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    Uuid,
    cast,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError

from api import clock, vault
from api.access.policies import Actor
from api.access.users import users
from api.audit import trail
from api.config import settings
from api.core import chart_keys, gate
from api.db import Instant, Sealed, Values, keep as keep_all, leave_store, metadata, store
from api.errors import Busy, Invalid, NotAllowed, NotFound, NotSignedIn, Refusal

HIDDEN = "me"
"""How an entry is shared that its patient keeps for themself."""
PLACE = "idempotency_keys.answer"
AT_ONCE = 500

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("key_hash", String(64), nullable=False),
    Column("request_hash", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("status", Integer),
    Column("answer", Sealed(bound_to="key_hash", purpose_in="sealed_for")),
    Column("patients", JSON),
    Column("entries", JSON),
    Column("sealed_for", String(20)),
    PrimaryKeyConstraint("clinic_id", "user_id", "key_hash"),
    ForeignKeyConstraint(["clinic_id", "user_id"], ["users.clinic_id", "users.id"]),
)
"""`sealed_for` is the purpose of the key under which the answer lies: that of what it shows."""


@dataclass
class Kept:
    """An answer given before: its status, headers and body."""

    status: int
    headers: dict[str, str]
    body: str
    replayed: bool = False


def digest(*parts: str | bytes) -> str:
    """One hash over parts, each with its length, so that no two lists of parts collide."""
    h = sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        h.update(len(raw).to_bytes(8, "big") + raw)
    return h.hexdigest()


def once(actor: Actor, action: str, key: str, request_hash: str, run: Callable[[], Kept]) -> Kept:
    """What `run` answers, kept under the key with its effect; or what was answered before.

    For hot writes: nothing is asked beforehand, the effect and the key are written together at the
    end, and whoever finds the key taken has changed nothing and gives the first answer.
    """
    try:
        kept = run()
        store().append(idempotency_keys, [_answered(actor, key, request_hash, kept)])
        trail.write(store(), actor.signature(), "ok")
        keep_all()
        return kept
    except (NotSignedIn, NotAllowed, NotFound):
        raise
    except (Refusal, DBAPIError):
        first = _first_answer(actor, action, key, request_hash)
        if first is None:
            raise
        return first


def _first_answer(actor: Actor, action: str, key: str, request_hash: str) -> Kept | None:
    leave_store()
    deed = trail.begin(action)
    deed.written = False
    first = claim(actor, action, key, request_hash)
    if first is not None:
        deed.type = deed.record_id = None
        deed.fields.clear()
    return first


def _answered(actor: Actor, key: str, request_hash: str, kept: Kept) -> Values:
    row_key = _row_key(actor, key)
    asked = {"request_hash": request_hash, "created_at": clock.now()}
    return row_key | asked | _answer(actor, row_key, kept)


def claim(actor: Actor, action: str, key: str, request_hash: str) -> Kept | None:
    """Take the key for this request, or give the answer that the same request got before.

    The row goes in first, in the transaction of the effect; a twin that is still running is
    waited for. Raises `Invalid` when the key was used for another request, `Busy` when the twin
    takes too long, `NotFound` when what was answered is no longer in reach.
    """
    table, row_key = idempotency_keys, _row_key(actor, key)
    old = clock.now() - timedelta(hours=settings().idempotency_hours)
    store().execute(table.delete().where(*_is(row_key), table.c.created_at < old))
    values = {**row_key, "request_hash": request_hash, "created_at": clock.now()}
    insert = postgresql.insert if store().on_postgres else sqlite.insert
    try:
        statement = insert(table).values(**values).on_conflict_do_nothing()
        taken = store().execute(statement.returning(table.c.created_at)).first()
    except OperationalError:
        raise Busy("The first request with this key is still being answered.") from None
    return None if taken is not None else _kept(actor, action, row_key, request_hash)


def _row_key(actor: Actor, key: str) -> dict[str, Any]:
    ids = {"clinic_id": actor.clinic_id, "user_id": actor.user_id}
    return {**ids, "key_hash": digest(key)}


def _is(row_key: dict[str, Any]) -> list[Any]:
    return [idempotency_keys.c[name] == value for name, value in row_key.items()]


def _kept(actor: Actor, action: str, row_key: dict[str, Any], request_hash: str) -> Kept:
    row = store().row(select(idempotency_keys).where(*_is(row_key)))
    if row is not None and row["status"] is not None and row["answer"] is None:
        raise NotFound("There is no such record.")  # what it told of was erased
    if row is None or row["answer"] is None:
        raise Busy("The first request with this key is still being answered.")
    if row["request_hash"] != request_hash:
        detail = "This key was used for another request."
        raise Invalid([("/Idempotency-Key", detail)], detail)
    patients = [UUID(patient) for patient in row["patients"]]
    if not all(gate.still_reaches(actor, action, patient) for patient in patients):
        raise NotFound("There is no such record.")
    _refuse_hidden(actor, row["entries"] or [])
    trail.touches(patients)
    key_hash, purpose = row_key["key_hash"], row["sealed_for"] or vault.SEAL
    ring = chart_keys.ring_of(actor.clinic_id, row["answer"])
    answer = vault.unseal_json(row["answer"], PLACE, key_hash, actor.clinic_id, purpose, ring)
    return Kept(row["status"], answer["headers"], answer["body"], replayed=True)


def _refuse_hidden(actor: Actor, told: list[str]) -> None:
    """Raise `NotFound` when the answer tells of an entry that its patient keeps to themself now."""
    if actor.rights.is_patient:
        return
    by_table: dict[str, list[UUID]] = {}
    for name, _, record_id in (one.partition(":") for one in told):
        by_table.setdefault(name, []).append(UUID(record_id))
    for name, ids in by_table.items():
        c = metadata.tables[name].c
        hidden = select(c.id).where(
            c.clinic_id == actor.clinic_id, c.id.in_(ids), c.shared_with == HIDDEN
        )
        if store().row(hidden.limit(1)) is not None:
            raise NotFound("There is no such record.")


def _told(entries: Iterable[tuple[str, UUID]]) -> list[str]:
    """The entries of a deed that a patient may come to keep for themself, as the key holds them."""
    tables = metadata.tables
    mine = (each for each in entries if each[0] in tables and "shared_with" in tables[each[0]].c)
    return sorted(f"{name}:{record_id}" for name, record_id in mine)


def forget(actor: Actor, purpose: str) -> None:
    """Answers to the actor that were sealed for a purpose are given no more."""
    c = idempotency_keys.c
    mine = (c.clinic_id == actor.clinic_id, c.user_id == actor.user_id, c.sealed_for == purpose)
    store().execute(idempotency_keys.delete().where(*mine))


def forget_told(clinic_id: UUID, purpose: str, charts: Iterable[UUID]) -> None:
    """Take the words out of answers that were sealed for a purpose and tell of these charts.

    The keys stay, so that what is sent again is not written again.
    """
    c, those = idempotency_keys.c, {str(chart) for chart in charts}
    mine = (c.clinic_id == clinic_id, c.sealed_for == purpose, c.answer.is_not(None))
    rows = store().rows(select(c.user_id, c.key_hash, c.patients).where(*mine))
    for row in rows:
        if not those.isdisjoint(row["patients"] or []):
            one = (c.user_id == row["user_id"], c.key_hash == row["key_hash"])
            store().execute(idempotency_keys.update().where(*mine, *one).values(answer=None))


def forget_charts(clinic_id: UUID, charts: Iterable[UUID]) -> None:
    """Take the words out of every answer that tells of these charts, whoever got it."""
    c = idempotency_keys.c
    tells = or_(*(cast(c.patients, Text).contains(str(chart)) for chart in charts))
    mine = (c.clinic_id == clinic_id, c.answer.is_not(None), tells)
    store().execute(idempotency_keys.update().where(*mine).values(answer=None))


def forget_entries(clinic_id: UUID, patient_id: UUID, table: Table, ids: Iterable[UUID]) -> None:
    """Take the words of a patient's own entries out of what the patient was answered.

    The keys stay, so that what is sent again is not written again.
    """
    k, u = idempotency_keys.c, users.c
    theirs = select(u.id).where(u.clinic_id == clinic_id, u.patient_id == patient_id)
    mine = (k.clinic_id == clinic_id, k.user_id.in_(theirs), k.answer.is_not(None))
    gone = {f"{table.name}:{one}" for one in ids}
    rows = store().rows(select(k.key_hash, k.entries).where(*mine)) if gone else []
    told = [row["key_hash"] for row in rows if not gone.isdisjoint(row["entries"] or [])]
    for start in range(0, len(told), AT_ONCE):
        some = k.key_hash.in_(told[start : start + AT_ONCE])
        store().execute(idempotency_keys.update().where(*mine, some).values(answer=None))


def keep(actor: Actor, key: str, kept: Kept) -> None:
    """Remember the answer, sealed, together with its effect."""
    row_key = _row_key(actor, key)
    update = idempotency_keys.update().where(*_is(row_key))
    store().execute(update.values(**_answer(actor, row_key, kept)))


def _answer(actor: Actor, row_key: Values, kept: Kept) -> Values:
    deed, answer = trail.current(), {"headers": kept.headers, "body": kept.body}
    key_hash, purpose = row_key["key_hash"], actor.extras.get("sealed_for", vault.SEAL)
    key_id = actor.extras.get("chart_key_id")
    under = "" if key_id is None else vault.chart_kid(key_id)
    how = (actor.clinic_id, purpose, under, store().ring)
    return {
        "status": kept.status,
        "patients": sorted(str(patient) for patient in deed.patients) if deed else [],
        "entries": _told(deed.entries) if deed else [],
        "answer": vault.seal_json(answer, PLACE, key_hash, *how),
        "sealed_for": purpose,
    }
