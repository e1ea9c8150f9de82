"""Making exports: piece by piece, each in a transaction of its own, so that a kill loses nothing.

A piece, and the place after which the next one goes, are committed together.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, and_, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError, TimeoutError as PoolTimeout

from api import clock, vault
from api.access.policies import FHIR, Actor
from api.audit import trail
from api.core import clocks
from api.core.clients import active_client
from api.core.ehr.exports.orders import EXPORTS, STALE, clinics_with_expired, forget_expired
from api.core.ehr.exports.packing import pack
from api.core.ehr.exports.tables import (
    FAILED,
    KEPT,
    READY,
    RUNNING,
    WAITING,
    bulk_chunks,
    bulk_exports,
    bulk_patients,
)
from api.db import SYNC_MARGIN, Values, new_id, store, transaction, within
from api.errors import NotAllowed

log = logging.getLogger("freshtrail.exports")
LEASE: Final = timedelta(seconds=60)
"""How long an export belongs to the worker that took it; longer than any piece lasts."""
TURN_S: Final = 10.0
"""Seconds one export is worked at before others have their turn."""
CONTENT: Final = "bulk_chunks.content"


@dataclass(frozen=True)
class Order:
    """What is to be made: what was asked, under which scopes, and after which place to go on."""

    request: Mapping[str, Any]
    scopes: str
    registered: str
    place: Sequence[Any] | None
    transaction_at: Any


@dataclass(frozen=True)
class Piece:
    """Lines of a file, each with its patient, and the place after them; None at the very end."""

    file: str
    lines: Sequence[tuple[bytes, UUID | None]]
    place: Sequence[Any] | None
    percent: int
    doing: str


Make = Callable[[Actor, Order], Piece]


def work(make: Make) -> bool:
    """Make pieces of the exports that wait, in each clinic of the longest; false when none does."""
    return any([_work_in(clinic_id, make) for clinic_id in _waiting()])


def _waiting() -> list[UUID]:
    """The clinics in which an export waits."""
    with within(finding=True), transaction() as open_store:
        asked = select(bulk_exports.c.clinic_id).where(*_is_free()).distinct()
        return [row[0] for row in open_store.execute(asked)]


def _work_in(clinic_id: UUID, make: Make) -> bool:
    with within(clinic_id):
        with transaction():
            job = _claim(clinic_id)
        return job is not None and _work_at(job, make)


def _work_at(job: Values, make: Make) -> bool:
    ends = monotonic() + TURN_S
    try:
        while monotonic() < ends:
            with transaction():
                if not _step(job, make):
                    return True
        with transaction():
            _release(job)
    except (OperationalError, PoolTimeout):
        raise  # the lease runs out, and whoever comes next goes on from the last piece
    except Exception:
        log.exception("an export could not be made", extra={"export_id": str(job["id"])})
        with transaction():
            _end(job, FAILED)
    finally:
        trail.forget()
    return True


def _is_free() -> list[ColumnElement[bool]]:
    """The conditions that nobody makes an export."""
    e, now = bulk_exports.c, clock.now()
    left = and_(e.state == RUNNING, e.lease_until < now)
    return [or_(e.state == WAITING, left), e.deleted_at.is_(None), e.created_at > now - STALE]


def _claim(clinic_id: UUID) -> Values | None:
    """The export that nobody makes and that was worked at the longest ago, with a lease on it."""
    e, now = bulk_exports.c, clock.now()
    free = select(bulk_exports).where(e.clinic_id == clinic_id, *_is_free())
    row = store().row(free.order_by(e.updated_at).limit(1).with_for_update(skip_locked=True))
    if row is None:
        return None
    held: Values = {"state": RUNNING, "lease_until": now + LEASE}
    if row["transaction_at"] is None:
        held["transaction_at"] = now - SYNC_MARGIN
    return store().change(bulk_exports, row, held)


def _held(job: Values) -> Values | None:
    """The export as it stands, unless it was deleted or is another worker's by now."""
    e = bulk_exports.c
    mine = [e.clinic_id == job["clinic_id"], e.id == job["id"], e.deleted_at.is_(None)]
    ours = [e.state == RUNNING, e.version == job["version"]]
    one = select(bulk_exports).where(*mine, *ours).with_for_update()
    return store().row(one, opens=bulk_exports)


def _step(job: Values, make: Make) -> bool:
    """Make one piece; false when there is nothing more to do at this export."""
    row = _held(job)
    if row is None:
        return False
    trail.forget()
    client = active_client(row["client_id"])
    if client is None:
        return _end(job, FAILED)
    actor = _as_client(row)
    order = Order(
        json.loads(row["request"]),
        row["scopes"],
        client["scopes"],
        row["place"],
        row["transaction_at"],
    )
    try:
        piece = make(actor, order)
    except NotAllowed:
        return _end(job, FAILED)
    _keep(row, piece)
    if piece.place is None:
        return _end(job, READY)
    told = {"place": list(piece.place), "percent": piece.percent, "doing": piece.doing}
    return _changed(job, row, told | {"lease_until": clock.now() + LEASE})


def _changed(job: Values, row: Values, values: Values) -> bool:
    job.update(store().change(bulk_exports, row, values))
    return True


def _as_client(row: Values) -> Actor:
    """The client who ordered it: what it may not read, its export does not hold."""
    client: UUID = row["client_id"]
    return Actor(client, client, row["clinic_id"], door=FHIR, request_id=row["id"].hex)


def _release(job: Values) -> None:
    """Let another turn, of whichever worker, go on."""
    row = _held(job)
    if row is not None:
        store().change(bulk_exports, row, {"state": WAITING, "lease_until": None})


def _keep(row: Values, piece: Piece) -> None:
    if not piece.lines:
        return
    c = bulk_chunks.c
    mine = [c.clinic_id == row["clinic_id"], c.export_id == row["id"], c.file == piece.file]
    last = store().row(select(c.number).where(*mine).order_by(c.number.desc()).limit(1))
    number = 0 if last is None else last["number"] + 1
    people: dict[str, list[int]] = {}
    for line, (_, patient_id) in enumerate(piece.lines):
        if patient_id is not None:
            people.setdefault(str(patient_id), []).append(line)
    packed = pack([line for line, _ in piece.lines])
    keys = {"clinic_id": row["clinic_id"], "export_id": row["id"]}
    place = _place(row, piece.file, number)
    values = {
        **keys,
        "file": piece.file,
        "number": number,
        "lines": len(piece.lines),
        "people": people,
        "content": vault.seal_bytes(packed, CONTENT, place, row["clinic_id"]),
    }
    store().execute(bulk_chunks.insert(), [values])
    _name(keys, people)


def _place(row: Values, file: str, number: int) -> str:
    """To what the content of a piece is bound: it opens nowhere else."""
    return f"{row['id']}/{file}/{number}"


def unseal(row: Values, file: str, number: int, content: str) -> bytes:
    """The piece that was sealed."""
    place = _place(row, file, number)
    return vault.unseal_bytes(content, CONTENT, place, row["clinic_id"])


def _name(keys: Values, people: Mapping[str, Any]) -> None:
    if people:
        dialect: Any = postgresql if store().on_postgres else sqlite
        rows = [keys | {"patient_id": UUID(one)} for one in sorted(people)]
        store().execute(dialect.insert(bulk_patients).on_conflict_do_nothing(), rows)


def _end(job: Values, state: str) -> bool:
    """The export is ready, or will never be; false, for nothing more is to be done."""
    row = _held(job)
    if row is None:
        return False
    now = clock.now()
    ended = {"state": state, "lease_until": None, "finished_at": now, "expires_at": now + KEPT}
    store().change(bulk_exports, row, ended | ({"percent": 100} if state == READY else {}))
    _audit(row, "ok" if state == READY else "failed")
    return False


def _audit(row: Values, outcome: str) -> None:
    """One event of the export, with everybody in it, so that their access log tells them."""
    event = {
        "clinic_id": row["clinic_id"],
        "id": new_id(),
        "at": clock.now(),
        "actor_id": row["client_id"],
        "role": "system",
        "sign_in_id": row["client_id"],
        "action": EXPORTS,
        "type": "export",
        "record_id": row["id"],
        "purpose": "treatment",
        "outcome": outcome,
        "door": FHIR,
        "request_id": row["id"].hex,
    }
    store().append(trail.audit_events, [event])
    b, to = bulk_patients.c, trail.audit_event_patients
    mine = [b.clinic_id == row["clinic_id"], b.export_id == row["id"]]
    named = select(b.clinic_id, literal(event["id"], Uuid), b.patient_id).where(*mine)
    store().execute(to.insert().from_select(["clinic_id", "event_id", "patient_id"], named))


clocks.DUE.append(forget_expired)
clocks.WHERE[forget_expired] = clinics_with_expired
