"""Orders of exports: a client places one, asks how far it is, and throws it away again."""

import json
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.clients import ehr_clients
from api.core.clocks import here
from api.core.ehr.exports.tables import (
    READY,
    RUNNING,
    WAITING,
    bulk_chunks,
    bulk_exports,
    bulk_patients,
)
from api.core.patients import patients
from api.db import Values, found, store
from api.errors import TooMany

EXPORTS: Final = "fhir:export"
MOST_AT_ONCE: Final = 2
"""Exports of one client that wait or are made at the same time."""
MOST_KEPT: Final = 10
"""Exports of one client that are kept at the same time."""
WAIT_S: Final = 60
STALE: Final = timedelta(days=7)
"""After which an export that could not be made is forgotten."""


def order_export(actor: Actor, request: Values, scopes: str) -> Values:
    """A new export, to be made by the worker; raises `TooMany` where the client has enough."""
    gate.admit(actor, EXPORTS)
    _hold_client(actor)
    e = bulk_exports.c
    mine = [e.clinic_id == actor.clinic_id, e.client_id == actor.user_id, e.deleted_at.is_(None)]
    there = [row["state"] for row in store().rows(select(e.state).where(*mine))]
    if sum(state in (WAITING, RUNNING) for state in there) >= MOST_AT_ONCE:
        raise TooMany("Wait until an export of yours is made, or delete it.", WAIT_S)
    if len(there) >= MOST_KEPT:
        raise TooMany("Delete an export that you have fetched.", WAIT_S)
    values = {
        "clinic_id": actor.clinic_id,
        "client_id": actor.user_id,
        "state": WAITING,
        "request": json.dumps(request),
        "scopes": scopes,
        "percent": 0,
    }
    row = store().add(bulk_exports, values)
    trail.about("export", row["id"])
    return row


def _hold_client(actor: Actor) -> None:
    """Let one order of a client come after the other, so that both count."""
    c = ehr_clients.c
    mine = select(c.id).where(c.clinic_id == actor.clinic_id, c.id == actor.user_id)
    store().execute(mine.with_for_update(key_share=True))


def read_export(actor: Actor, export_id: UUID) -> Values:
    """An export of this client: how far it is, and once it is ready its files.

    `files` is `{name, lines}`; lines are None where somebody in the export is out of reach now,
    for then the file holds fewer than were made.
    """
    gate.admit(actor, EXPORTS)
    row = find(actor, export_id)
    shown: Values = {name: row[name] for name in SHOWN} | {"request": json.loads(row["request"])}
    return shown | ({"files": _files(actor, row)} if row["state"] == READY else {})


SHOWN: Final = ("id", "state", "percent", "doing", "transaction_at", "expires_at", "scopes")


def remove_export(actor: Actor, export_id: UUID) -> None:
    """The export is no more, also one that is being made; its files go at once."""
    gate.admit(actor, EXPORTS)
    row = find(actor, export_id, hold=True)
    store().remove(bulk_exports, row)
    throw_away(row)


def throw_away(row: Values) -> None:
    """Take the pieces of an export away."""
    for table in (bulk_chunks, bulk_patients):
        mine = [table.c.clinic_id == row["clinic_id"], table.c.export_id == row["id"]]
        store().execute(table.delete().where(*mine))


def forget_charts(clinic_id: UUID, charts: list[UUID]) -> None:
    """Take away every export that holds anything of these charts, also one that is being made."""
    e, b = bulk_exports.c, bulk_patients.c
    theirs = (b.clinic_id == clinic_id, b.export_id == e.id, b.patient_id.in_(charts))
    those = select(bulk_exports).where(e.clinic_id == clinic_id, exists().where(*theirs))
    for row in store().rows(those.order_by(e.id).with_for_update()):
        if row["deleted_at"] is None:
            store().remove(bulk_exports, row)
        throw_away(row)


def find(actor: Actor, export_id: UUID, hold: bool = False) -> Values:
    """An export of this client that is there and has not run out; else `NotFound`."""
    gate.admit(actor, EXPORTS)
    trail.about("export", export_id)
    e = bulk_exports.c
    mine = [e.clinic_id == actor.clinic_id, e.client_id == actor.user_id, e.id == export_id]
    one = select(bulk_exports).where(*mine, e.deleted_at.is_(None))
    row = found(store().row(one.with_for_update() if hold else one, opens=bulk_exports))
    is_over = row["expires_at"] is not None and row["expires_at"] <= clock.now()
    return found(None if is_over else row)


def _files(actor: Actor, row: Values) -> list[Values]:
    c = bulk_chunks.c
    lines: Any = func.sum(c.lines)
    mine = [c.clinic_id == row["clinic_id"], c.export_id == row["id"]]
    counted = select(c.file, lines.label("lines")).where(*mine).group_by(c.file).order_by(c.file)
    fewer = bool(out_of_reach(actor, row["id"]))
    return [
        {"name": one["file"], "lines": None if fewer else int(one["lines"])}
        for one in store().rows(counted)
    ]


def out_of_reach(
    actor: Actor, export_id: UUID, among: list[UUID] | None = None, or_gone: bool = True
) -> set[str]:
    """Whose chart the client does not reach any more: of everybody in an export, or among some.

    Without `or_gone` a chart that was taken away is reached as it was: it may be told that it was.
    """
    granted = gate.admit(actor, EXPORTS)
    b, p = bulk_patients.c, patients.c
    there = select(p.id).where(
        p.clinic_id == actor.clinic_id,
        p.id == b.patient_id,
        p.deleted_at.is_(None) if or_gone else true(),
        gate.in_reach(actor, granted, p.id),
    )
    gone = select(b.patient_id).where(
        b.clinic_id == actor.clinic_id, b.export_id == export_id, ~there.exists()
    )
    if among is not None:
        gone = gone.where(b.patient_id.in_(among))
    return {str(row["patient_id"]) for row in store().rows(gone)}


def _is_over() -> list[ColumnElement[bool]]:
    e, now = bulk_exports.c, clock.now()
    given_up = and_(e.state != READY, e.created_at <= now - STALE)
    return [e.deleted_at.is_(None), or_(e.expires_at <= now, given_up)]


def clinics_with_expired() -> Select[Any]:
    """A select of the clinics in which an export ran out."""
    return select(bulk_exports.c.clinic_id).where(*_is_over()).distinct()


def forget_expired() -> bool:
    """Take away one export that ran out, in the transaction that is open; false when none did."""
    e = bulk_exports.c
    over = select(bulk_exports).where(here(bulk_exports), *_is_over())
    row = store().row(over.order_by(e.id).limit(1).with_for_update(skip_locked=True))
    if row is None:
        return False
    store().remove(bulk_exports, row)
    throw_away(row)
    return True
