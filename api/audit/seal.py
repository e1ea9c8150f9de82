"""Sealing: committed events get their place in their clinic's chain, soon after and in order.

A request only appends its event: no lock is shared by the requests of a clinic. The worker seals
what can have nothing before it any more: on PostgreSQL the events of transactions below the oldest
one that still runs, on SQLite all, for there is one writer. A clinic's head is locked meanwhile, so
that any number of workers may seal; one that is killed leaves the work undone, never half done.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    PrimaryKeyConstraint,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    cast,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    table as plain_table,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite

from api import clock
from api.audit.chain import START, body_of, digest
from api.audit.trail import SYSTEM, audit_event_patients, audit_events
from api.db import Instant, Store, Values, feed, metadata

AT_ONCE: Final = 500
"""Events that are sealed in one transaction."""
NOWHERE: Final = -1
"""The place of a chain that was not begun, or of a database that was restored: look everywhere."""
AHEAD: Final = cast(cast(func.pg_snapshot_xmax(func.pg_current_snapshot()), Text), BigInteger)
"""Beyond every transaction of this server."""

audit_seals = Table(
    "audit_seals",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    PrimaryKeyConstraint("clinic_id", "seq"),
    UniqueConstraint("clinic_id", "event_id"),
)
"""Append only. `seq` counts from 1 without a gap."""
audit_heads = Table(
    "audit_heads",
    metadata,
    Column("clinic_id", Uuid, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("upto", BigInteger, nullable=False),
    Column("sealed_at", Instant, nullable=False),
    Column("told_seq", Integer, nullable=False),
)
"""Where each clinic's chain ends; `upto` is where to look for more, `told_seq` what the last
checkpoint outside the database holds."""
_clinics = plain_table("clinics", Column("id", Uuid))
_chains = union_all(select(_clinics.c.id), select(literal(SYSTEM, Uuid))).subquery("chains")
"""What there may be a chain of: every clinic, and what belongs to none."""


def seal_due(store: Store) -> bool:
    """Seal some events of one clinic, in the transaction that is open; false when none wait."""
    found = store.row(clinics_waiting(store).limit(1))
    if found is None:
        return False
    clinic_id = found["id"]
    head = _held(store, clinic_id)
    return head is not None and _seal(store, clinic_id, head)


def clinics_waiting(store: Store) -> Select[Any]:
    """A select of the clinics with events to seal, `trail.SYSTEM` among them."""
    upto = audit_heads.c.upto
    known, first = (exists(_of_clinics(store, place)) for place in (upto, None))
    joined = _chains.outerjoin(audit_heads, audit_heads.c.clinic_id == _chains.c.id)
    chosen = or_(and_(upto >= 0, known), and_(func.coalesce(upto, NOWHERE) == NOWHERE, first))
    meant = store.within.clinic_id
    here = () if meant is None else (_chains.c.id == meant,)
    return select(_chains.c.id).select_from(joined).where(chosen, *here)


def _of_clinics(store: Store, upto: Any) -> Any:
    theirs = _unsealed(store, upto).where(audit_events.c.clinic_id == _chains.c.id)
    return theirs.correlate(_chains, audit_heads)


def _unsealed(store: Store, upto: Any) -> Select[Any]:
    """Events that wait, from a place on; without one all that have no seal."""
    e, s = audit_events.c, audit_seals.c
    sealed = exists().where(s.clinic_id == e.clinic_id, s.event_id == e.id)
    where = [~sealed, *_settled(store, upto)]
    return select(literal_column("1")).select_from(audit_events).where(*where)


def _settled(store: Store, upto: Any) -> list[ColumnElement[bool]]:
    xid = audit_events.c.xid
    if not store.on_postgres:
        return [] if upto is None else [xid.is_(None), _rowid() > upto]
    if upto is None:  # of a server before this one, or of one that this was restored from
        return [or_(xid.is_(None), xid < feed.OLDEST_RUNNING, xid > AHEAD)]
    return [xid >= upto, xid < feed.OLDEST_RUNNING]


def _rowid() -> Any:
    return literal_column("audit_events.rowid")


def _held(store: Store, clinic_id: UUID) -> Values | None:
    """The clinic's head, locked; None where another worker holds it."""
    mine = select(audit_heads).where(audit_heads.c.clinic_id == clinic_id)
    if store.row(mine) is None:  # to insert it for nothing would wait for whoever changes it
        insert = postgresql.insert if store.on_postgres else sqlite.insert
        new = {"seq": 0, "hash": START, "upto": NOWHERE, "sealed_at": clock.now(), "told_seq": 0}
        first = insert(audit_heads).values(clinic_id=clinic_id, **new)
        store.execute(first.on_conflict_do_nothing())
    return store.row(mine.with_for_update(skip_locked=True))


def _seal(store: Store, clinic_id: UUID, head: Values) -> bool:
    horizon = _horizon(store)
    e = audit_events.c
    place = e.xid if store.on_postgres else _rowid()
    began = None if head["upto"] == NOWHERE else head["upto"]
    waiting = _unsealed(store, began).where(e.clinic_id == clinic_id)
    rows = store.rows(
        waiting.with_only_columns(*audit_events.c, place.label("place"))
        .order_by(place.nulls_first(), e.at, e.id)
        .limit(AT_ONCE)
    )
    touched = patients_of(store, clinic_id, [row["id"] for row in rows])
    seals, last = [], head["hash"]
    for number, row in enumerate(rows, head["seq"] + 1):
        made = digest(body_of(row, touched.get(row["id"], ())), last)
        keys = {"clinic_id": clinic_id, "seq": number, "event_id": row["id"]}
        seals.append(keys | {"prev_hash": last, "hash": made})
        last = made
    if seals:
        store.append(audit_seals, seals)
    cut = head["upto"] if began is None or not rows else rows[-1]["place"]
    upto = horizon if len(rows) < AT_ONCE else cut
    after = {"seq": head["seq"] + len(rows), "hash": last, "upto": upto, "sealed_at": clock.now()}
    mine = audit_heads.update().where(audit_heads.c.clinic_id == clinic_id)
    store.execute(mine.values(after))
    return bool(rows)


def oldest_unsealed(store: Store) -> datetime | None:
    """When the oldest event that waits for its seal was written; None when none waits.

    Of the clinics that may be looked through, as `within(finding=True)` lets all be.
    """
    waiting = [_oldest(store, row["id"]) for row in store.rows(clinics_waiting(store))]
    return min((at for at in waiting if at is not None), default=None)


def _oldest(store: Store, clinic_id: UUID) -> datetime | None:
    heads, e = audit_heads.c, audit_events.c
    head = store.row(select(heads.upto).where(heads.clinic_id == clinic_id))
    began = None if head is None or head["upto"] == NOWHERE else head["upto"]
    mine = _unsealed(store, began).where(e.clinic_id == clinic_id)
    row = store.row(mine.with_only_columns(func.min(e.at, type_=Instant()).label("at")))
    return None if row is None else row["at"]


def oldest_untold(store: Store) -> datetime | None:
    """When the oldest sealed event of which no checkpoint tells was written; None without one."""
    heads, seals, events = audit_heads.c, audit_seals.c, audit_events.c
    first = and_(seals.clinic_id == heads.clinic_id, seals.seq == heads.told_seq + 1)
    its = and_(events.clinic_id == seals.clinic_id, events.id == seals.event_id)
    joined = audit_heads.join(audit_seals, first).join(audit_events, its)
    oldest = select(func.min(events.at, type_=Instant()).label("at")).select_from(joined)
    row = store.row(oldest.where(heads.seq > heads.told_seq))
    return None if row is None else row["at"]


def _horizon(store: Store) -> int:
    """Up to where everything is settled now: the next look begins there."""
    if store.on_postgres:
        return int(store.execute(select(feed.OLDEST_RUNNING)).scalar_one())
    last = select(func.coalesce(func.max(_rowid()), 0)).select_from(audit_events)
    return int(store.execute(last).scalar_one())


def begin_again(store: Store) -> None:
    """Let the next looks go over everything: the database may have come from another server."""
    store.execute(audit_heads.update().values(upto=NOWHERE))


def patients_of(store: Store, clinic_id: UUID, events: list[UUID]) -> dict[UUID, list[UUID]]:
    """Whom each of some events touched."""
    p = audit_event_patients.c
    asked = select(p.event_id, p.patient_id).where(p.clinic_id == clinic_id)
    found: dict[UUID, list[UUID]] = {}
    for row in store.rows(asked.where(p.event_id.in_(events))):
        found.setdefault(row["event_id"], []).append(row["patient_id"])
    return found
