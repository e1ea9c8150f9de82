"""Inspecting: the chains of a database read and verified, with what lies outside it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Column,
    Connection,
    Uuid,
    and_,
    create_engine,
    exists,
    func,
    select,
    table as plain_table,
)
from sqlalchemy.pool import NullPool

from api.audit import checkpoints, verifying
from api.audit.chain import body_of
from api.audit.seal import audit_heads, audit_seals
from api.audit.trail import audit_event_patients, audit_events
from api.db import Instant

AT_ONCE: Final = 1000
"""Links that are read at a time."""
CHAIN: Final = (audit_heads, audit_seals)
_clinics_known = plain_table("clinics", Column("id", Uuid))


@dataclass(frozen=True)
class Report:
    """What was found of a clinic: its verdict, and what is not sealed yet."""

    clinic_id: UUID
    verdict: verifying.Verdict
    unsealed: int
    oldest_unsealed_at: datetime | None
    checkpoints: int
    begin: int = 1


@contextmanager
def one_moment(url: str) -> Iterator[Connection]:
    """A connection that sees one moment of a database, whatever is written meanwhile."""
    sqlite = url.startswith("sqlite")
    how: dict[str, Any] = {} if sqlite else {"isolation_level": "REPEATABLE READ"}
    engine = create_engine(url, poolclass=NullPool, **how)
    with engine.connect() as connection:
        if sqlite:
            connection.exec_driver_sql("BEGIN")
        yield connection


def inspect(
    connection: Connection,
    folder: Path | None,
    clinics: Sequence[UUID] | None = None,
    since: int = 1,
    say: Callable[[int, int], None] = lambda _done, _of: None,
) -> list[Report]:
    """Verify the chains of all clinics, or of some; without a folder no checkpoint is asked.

    With `since`, only from that link of each chain on, after the last checkpoint before it. `say`
    is told now and then how many links were read, and how many there are in all.

    The connection should be one of `one_moment`. Checkpoints are read before the database, for
    they are written after it: what they tell of must be there.
    """
    told = _told(folder)
    chosen = _clinics(connection, told) if clinics is None else list(clinics)
    heads = {one: _head(connection, one, folder is not None) for one in chosen}
    points = {one: _again(folder, one, heads[one], told.get(one, [])) for one in chosen}
    begins = {one: verifying.vouched(points[one], since) for one in chosen}
    count = _Count(say, sum(_ahead(heads[one], begins[one]) for one in chosen))
    verdicts = {one: _followed(connection, one, points[one], begins[one], count) for one in chosen}
    verifying.name_unfit(verdicts)
    for one in chosen:
        verifying.judge_end(verdicts[one], heads[one], points[one])
    return [
        Report(one, verdicts[one], *_unsealed(connection, one), len(points[one]), begins[one])
        for one in chosen
    ]


@dataclass
class _Count:
    """How far the reading is, over all chains."""

    say: Callable[[int, int], None]
    of: int
    done: int = 0

    def add(self, links: int) -> None:
        self.done += links
        self.say(self.done, max(self.of, self.done))


def _ahead(head: verifying.Head | None, begin: int) -> int:
    """How many links there are to read, by where the database says that the chain ends."""
    return 0 if head is None else max(head.seq - begin + 1, 0)


def _followed(
    connection: Connection,
    clinic_id: UUID,
    points: list[checkpoints.Checkpoint],
    begin: int,
    count: _Count,
) -> verifying.Verdict:
    _stand_in(connection, clinic_id)
    links = _links(connection, clinic_id, begin, count)
    return verifying.follow(links, [point.size for point in points], begin)


def _stand_in(connection: Connection, clinic_id: UUID) -> None:
    """Let a clinic's rows be meant from now on, where the database asks whose (PostgreSQL)."""
    if connection.dialect.name == "postgresql":
        setting = func.set_config("app.clinic_id", str(clinic_id), True)
        connection.execute(select(setting))


Told = dict[UUID, list[checkpoints.Checkpoint]]


def _told(folder: Path | None) -> Told:
    files = folder.glob("*.checkpoints") if folder and folder.exists() else ()
    return {UUID(f.stem): [*checkpoints.read(f.parent, UUID(f.stem))] for f in files}


def _again(
    folder: Path | None, clinic_id: UUID, head: verifying.Head | None, points: list[Any]
) -> list[checkpoints.Checkpoint]:
    """The checkpoints; read once more where the first look may have met a line half written, or
    came before one of which the database tells."""
    told = 0 if head is None else head.told_seq
    seen = max((one.size for one in points if one.good), default=0)
    if folder is None or (told <= seen and all(one.good for one in points)):
        return points
    last = max(seen, told)
    return [one for one in checkpoints.read(folder, clinic_id) if one.size <= last or not one.good]


def _clinics(connection: Connection, told: Told) -> list[UUID]:
    """Every clinic that has a chain, or had one by its checkpoints."""
    known = {row[0] for row in connection.execute(select(_clinics_known.c.id))}
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.set_config("app.finding", "on", True)))
    for table in CHAIN:
        known |= {row[0] for row in connection.execute(select(table.c.clinic_id).distinct())}
    return sorted({one for one in known if _has_chain(connection, one)} | told.keys())


def _has_chain(connection: Connection, clinic_id: UUID) -> bool:
    _stand_in(connection, clinic_id)
    parts = [select(t.c.clinic_id).where(t.c.clinic_id == clinic_id) for t in CHAIN]
    return any(connection.execute(part.limit(1)).first() is not None for part in parts)


def _head(connection: Connection, clinic_id: UUID, asks_outside: bool) -> verifying.Head | None:
    _stand_in(connection, clinic_id)
    h = audit_heads.c
    mine = select(h.seq, h.hash, h.told_seq).where(h.clinic_id == clinic_id)
    row = connection.execute(mine).first()
    return row and verifying.Head(row.seq, row.hash, row.told_seq if asks_outside else 0)


def _links(
    connection: Connection, clinic_id: UUID, begin: int, count: _Count
) -> Iterator[verifying.Link]:
    """The links of a chain in their order from `begin` on, a thousand at a time."""
    s, e = audit_seals.c, audit_events.c
    same = and_(e.clinic_id == s.clinic_id, e.id == s.event_id)
    columns: list[Any] = [s.seq, s.prev_hash, s.hash, s.event_id, *audit_events.c]
    joined = select(*columns).select_from(audit_seals.outerjoin(audit_events, same))
    after = begin - 1
    while True:
        page = joined.where(s.clinic_id == clinic_id, s.seq > after).order_by(s.seq)
        rows = [row._mapping for row in connection.execute(page.limit(AT_ONCE))]
        if not rows:
            return
        touched = _patients(connection, clinic_id, [row[s.event_id] for row in rows])
        for row in rows:
            event = {column.key: row[column] for column in audit_events.c}
            gone = event["id"] is None
            body = None if gone else body_of(event, touched.get(event["id"], ()))
            yield verifying.Link(row[s.seq], row[s.prev_hash], row[s.hash], body)
        after = rows[-1][s.seq]
        count.add(len(rows))


def _patients(connection: Connection, clinic_id: UUID, ids: list[UUID]) -> dict[UUID, list[UUID]]:
    p = audit_event_patients.c
    asked = select(p.event_id, p.patient_id).where(p.clinic_id == clinic_id, p.event_id.in_(ids))
    found: dict[UUID, list[UUID]] = {}
    for event_id, patient_id in connection.execute(asked):
        found.setdefault(event_id, []).append(patient_id)
    return found


def _unsealed(connection: Connection, clinic_id: UUID) -> tuple[int, datetime | None]:
    """How many events are not proven yet, and the oldest of them."""
    _stand_in(connection, clinic_id)
    e, s = audit_events.c, audit_seals.c
    sealed = exists().where(s.clinic_id == e.clinic_id, s.event_id == e.id)
    asked = select(func.count(), func.min(e.at, type_=Instant()))
    count, oldest = connection.execute(asked.where(e.clinic_id == clinic_id, ~sealed)).one()
    return int(count), oldest
