"""An EHR's read in one trip: who the client is, what it reaches and the records, in one statement.

As hot reads of people are (`api/core/one_trip`). On PostgreSQL the event goes along where what is
found is shown as it is: one record, or a page of one patient. Else it follows with the answer, in
a trip of its own: whose data leaves is known only when the resources are made and were looked at.
What one statement can't say is asked in the plain transaction, by the same gate, and reads just the
same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from orjson import loads
from sqlalchemy import (
    JSON,
    DateTime,
    Select,
    String,
    TypeDecorator,
    Uuid,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
)

from api import clock, db
from api.access.policies import Actor, Role
from api.access.users import OWN_EHR
from api.audit import trail
from api.core import client_reach, gate
from api.core.ehr.source import Source, Wanted
from api.core.one_trip.asking import is_alone
from api.db import Values
from api.db.walls import named_first

SHAPES: Final = 512
"""How many prepared statements are kept: of each source some, and of each page size."""
CLINIC, CLIENT = bindparam("clinic_", type_=Uuid), bindparam("client_", type_=Uuid)
SYSTEM, BLIND = bindparam("system_", type_=String), bindparam("blind_", type_=String)
EVENT = bindparam("event_", type_=Uuid)
FRONT: Final = tuple(column.key for column in client_reach.CLIENT_COLUMNS)
"""What stands before the columns of a record: who the client is."""


@dataclass(frozen=True)
class Shape:
    """What of a question the statement depends on; the values are bound."""

    by_id: bool
    by_patient: bool
    since: bool
    after: bool
    size: int | None
    is_counted: bool
    tells: bool


@dataclass(frozen=True)
class Prepared:
    """A statement, the names of its records' columns, and how some of them are still to be read."""

    trip: db.Trip | db.Question
    names: tuple[str, ...]
    read: tuple[tuple[str, Callable[[Any], Any]], ...]


def in_one_trip(
    actor: Actor, action: str, source: Source, wanted: Wanted, is_counted: bool = False
) -> list[Values] | None:
    """The records in reach that are wanted, or their count; None where one statement can't say it.

    Nobody is told by it that the client is not registered any more: the gate does that.
    """
    shape, system = _shape(source, wanted, is_counted), client_reach.system_of(actor)
    if shape is None or system is None or not is_alone(True):
        return None
    deed = trail.begin(action)
    db.store().stand_in(actor.clinic_id)
    prepared = _prepared(source, shape, db.one_trip_pool() is not None)
    values = _values(actor, system, wanted)
    rows = _answered(prepared.trip, values | _of_event(actor, wanted) if shape.tells else values)
    if not rows:
        return None
    is_there = rows[0][-len(prepared.names)] is not None
    deed.written |= shape.tells and (is_there or not shape.by_id)
    if actor.known is None:
        told = dict(zip(FRONT, rows[0], strict=False))
        actor.known = client_reach.client_rights(actor, told)
    gate.admit(actor, action)
    db.store().hold_back(after_reading=True)
    return _opened(source, prepared, rows)


def _shape(source: Source, wanted: Wanted, is_counted: bool) -> Shape | None:
    """None for what is made of other records, narrowed by the reader, or asked of several."""
    several = any(many is not None and len(many) != 1 for many in (wanted.ids, wanted.patients))
    if source.table is None or source.limits is not None or several:
        return None
    if wanted.sought or wanted.gone_since is not None:
        return None
    if wanted.patients is not None and source.patient is None:
        return None
    ids = wanted.ids or ()
    if not all(isinstance(one, UUID) for one in (*ids, *([wanted.after] if wanted.after else ()))):
        return None
    return Shape(
        wanted.ids is not None,
        wanted.patients is not None,
        wanted.since is not None and source.exact,
        wanted.after is not None,
        wanted.size,
        is_counted,
        wanted.told_as is not None
        and source.patient is not None
        and db.one_trip_pool() is not None,
    )


def _values(actor: Actor, system: str, wanted: Wanted) -> Values:
    return {
        "clinic_": actor.clinic_id,
        "client_": actor.user_id,
        "system_": system,
        "blind_": client_reach.blind_system(actor.clinic_id, system),
        "id_": wanted.ids[0] if wanted.ids else None,
        "patient_": wanted.patients[0] if wanted.patients else None,
        "since_": wanted.since,
        "after_": wanted.after,
    }


def _of_event(actor: Actor, wanted: Wanted) -> Values:
    """The event of this deed, as `trail.write` would have it, and whose data the answer holds."""
    deed = trail.current()
    assert deed is not None and not deed.written, "one deed leaves one event"
    return {
        "event_": db.new_id(),
        "now_": clock.now(),
        "action_": deed.action,
        "kind_": wanted.told_as,
        "purpose_": deed.purpose,
        "sign_in_": actor.sign_in_id,
        "door_": actor.door,
        "request_": actor.request_id,
        "ip_": actor.client_ip,
    }


def _answered(trip: db.Trip | db.Question, values: Values) -> list[Any]:
    if isinstance(trip, db.Question):
        return db.ask(trip, values)
    return db.in_one_trip(trip, values)


def _opened(source: Source, prepared: Prepared, rows: list[Any]) -> list[Values]:
    """The records that end these rows, or none; their sealed columns opened."""
    names, width = prepared.names, len(prepared.names)
    found = [dict(zip(names, row[-width:], strict=True)) for row in rows if row[-width] is not None]
    opens = source.table if source.opens and "many" not in names else None
    for row in found:
        db.reveal(opens, row)
        for name, read in prepared.read:
            if row[name] is not None:
                row[name] = read(row[name])
    return found


@lru_cache(SHAPES)
def _prepared(source: Source, shape: Shape, on_postgres: bool) -> Prepared:
    who = client_reach.client_cte(CLINIC, CLIENT, SYSTEM)
    records = _records(source, shape, who)
    names = tuple(str(column.name) for column in records.selected_columns)
    rows = records.cte("p")
    whole = select(*who.c, *rows.c).select_from(who.outerjoin(rows, true()))
    if not shape.is_counted:
        whole = whole.order_by(rows.c.id)
    if shape.tells:
        whole = whole.add_cte(_event(who, rows, shape), _touched(who, rows, source))
    readers = ((str(c.name), _reader(c.type)) for c in records.selected_columns)
    read = tuple((name, one) for name, one in readers if one is not None)
    if on_postgres:
        return Prepared(db.prepare_trip(whole), names, read)
    return Prepared(db.prepare_question(whole, len(FRONT)), names, read)


def _event(who: Any, rows: Any, shape: Shape) -> Any:
    """The event of a client that was let in; of a record that is not found the end tells."""
    values = {
        "clinic_id": CLINIC,
        "id": EVENT,
        "at": bindparam("now_", type_=DateTime(timezone=True)),
        "actor_id": CLIENT,
        "role": literal_column(f"'{Role.SYSTEM.value}'"),
        "sign_in_id": bindparam("sign_in_", type_=Uuid),
        "action": bindparam("action_", type_=String),
        "type": bindparam("kind_", type_=String),
        "record_id": bindparam("id_", type_=Uuid),
        "outcome": literal_column("'ok'"),
        "purpose": bindparam("purpose_", type_=String),
        "door": bindparam("door_", type_=String),
        "request_id": bindparam("request_", type_=String),
        "client_ip": bindparam("ip_", type_=String),
    }
    one = select(*(value.label(name) for name, value in values.items())).select_from(who)
    if shape.by_id:
        one = one.where(exists(select(literal_column("1")).select_from(rows)))
    return trail.audit_events.insert().from_select(list(values), one).cte("a")


def _touched(who: Any, rows: Any, source: Source) -> Any:
    """Whose records are found."""
    table, chart = trail.audit_event_patients, rows.c[source.patient.key]
    values = {"clinic_id": CLINIC, "event_id": EVENT, "patient_id": chart}
    one = select(*(value.label(name) for name, value in values.items())).distinct()
    one = one.select_from(who.join(rows, true()))
    return table.insert().from_select(list(values), one).cte("t")


def _records(source: Source, shape: Shape, who: Any) -> Select[Any]:
    """The records, their first column never null, as far as the client reaches."""
    table = source.table
    assert table is not None, "what is made of other records is not asked at once"
    c = table.c
    statement = source.records().where(source.of_clinic == CLINIC, *source.where)
    if source.leaves_tombstones:
        statement = statement.where(c.deleted_at.is_(None))
    if source.patient is not None:
        shows_all = select(who.c.ehr_access).scalar_subquery() == literal_column(f"'{OWN_EHR}'")
        known = client_reach.known_to(CLINIC, CLIENT, BLIND, source.patient)
        statement = statement.where(or_(shows_all, known), gate.not_kept_apart(table))
    if shape.by_id:
        statement = statement.where(c.id == bindparam("id_", type_=Uuid))
    if shape.by_patient:
        statement = statement.where(source.patient == bindparam("patient_", type_=Uuid))
    if shape.since:
        statement = statement.where(c.updated_at >= bindparam("since_", type_=c.updated_at.type))
    if shape.after:
        statement = statement.where(c.id > bindparam("after_", type_=Uuid))
    statement = statement.where(named_first(CLINIC))
    if shape.is_counted:
        counted = func.count(literal_column("1")).label("many")
        return select(counted).select_from(statement.subquery()).where(named_first(CLINIC))
    statement = statement.order_by(c.id)
    return statement if shape.size is None else statement.limit(literal_column(str(shape.size)))


def _reader(kind: Any) -> Callable[[Any], Any] | None:
    """How a value is read that the driver gives as the database has it."""
    if isinstance(kind, JSON):
        return loads
    own = isinstance(kind, TypeDecorator) and not isinstance(kind.impl, DateTime)
    if own and type(kind).process_result_value is not TypeDecorator.process_result_value:
        return lambda value: kind.process_result_value(value, None)
    return None
