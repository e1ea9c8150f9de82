"""How a hot read asks: one statement on PostgreSQL, and on SQLite one by its own driver."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from orjson import loads
from sqlalchemy import JSON, ColumnElement, Select, Table

from api import clock, db
from api.access.policies import TABLE, Actor
from api.access.suspension import goes_on
from api.audit import trail
from api.core import gate
from api.core.one_trip.composing import SIGN_IN, PageOf, Subject, compose, spread
from api.db import Values, found
from api.errors import NotAllowed, NotSignedIn

Prepared = tuple[db.Trip | db.Question, list[str]]
"""A statement, and the names of its records' columns."""


class Hot:
    """What reads share: who may, and where their records are.

    `as_written` names columns that hold JSON and are shown as they are: on PostgreSQL they come
    as a fragment for the JSON writer, and nobody reads what is in them.
    """

    def __init__(
        self,
        action: str,
        records: Select[Any],
        table: Table,
        chart: ColumnElement[Any],
        kind: str = "patient",
        in_chart: Table | None = None,
        audited: bool = True,
        as_written: Sequence[str] = (),
        of_chart: Sequence[Any] = (),
    ) -> None:
        assert not any(cell.step_up or cell.privilege for cell in TABLE[action].values())
        assert not audited or goes_on(action), "its event would be written before it is refused"
        self.about = Subject(action, table, chart, kind, in_chart, tuple(of_chart), audited)
        self.records = records
        self.as_written = frozenset(as_written)
        self.json = [c.name for c in records.selected_columns if isinstance(c.type, JSON)]

    def _at_once(
        self, actor: Actor, prepared: Prepared, values: Values, about: UUID | None
    ) -> tuple[list[Values], Values | None]:
        """The rows of the one statement, and what was read of the chart that they are of.

        Refuses as the gate does, by what the statement says.
        """
        trip, names = prepared
        db.store().stand_in(actor.clinic_id)
        moment = clock.now()
        moments = {"now_": moment, "lately_": moment - gate.LONGEST_IDLE}
        who = {"sid_": actor.sign_in_id, "user_": actor.user_id, "clinic_": actor.clinic_id}
        if isinstance(trip, db.Question):
            return self._embedded(actor, trip, names, {**who, **moments, **values})
        event = {
            **{"event_id_": db.new_id(), "door_": actor.door},
            **moments,
            **{"request_id_": actor.request_id, "client_ip_": actor.client_ip},
            **{"about_id_": about, "kind_": None if about is None else self.about.kind},
        }
        rows = db.in_one_trip(trip, {**event, **who, **values})
        if not rows:
            raise NotSignedIn("The sign-in has ended.")
        trail.begin(self.about.action).written = self.about.audited
        said = _said(rows[0][: -len(names)])
        self._refuse_unless_seen(actor, said)
        return self._opened(names, rows), said.get("chart")

    def _embedded(
        self, actor: Actor, question: db.Question, names: list[str], values: Values
    ) -> tuple[list[Values], Values | None]:
        """The same on SQLite, where the event is written with the answer."""
        rows = db.ask(question, values)
        if not rows:
            raise NotSignedIn("The sign-in has ended.")
        front = len(rows[0]) - len(names)
        of_chart = ["patient_id", *(column.key for column in self.about.of_chart)]
        chart = dict(zip(of_chart, rows[0][len(SIGN_IN) : front], strict=False))
        there = rows[0][front + names.index("id")]
        seen = chart.get("patient_id", there) is not None
        self._refuse_unless_seen(actor, dict(zip(SIGN_IN, rows[0], strict=False)) | {"seen": seen})
        db.store().hold_back(after_reading=True)
        return self._opened(names, rows), chart or None

    def _opened(self, names: list[str], rows: list[Any]) -> list[Values]:
        """The records that end these rows, or none; their sealed columns opened."""
        table, width = self.about.table, len(names)
        there = names.index("id") - width
        seen = [
            dict(zip(names, row[-width:], strict=True)) for row in rows if row[there] is not None
        ]
        for row in seen:
            db.reveal(table, row, self.as_written)
            for name in self.json:
                text = row[name]
                if text is not None:
                    row[name] = orjson.Fragment(text) if name in self.as_written else loads(text)
        return seen

    def _refuse_unless_seen(self, actor: Actor, said: Values) -> None:
        # User and clinic are those of the actor: the statement finds no other.
        who = {"user_id": actor.user_id, "clinic_id": actor.clinic_id}
        actor.known = gate.rights_of({**said, **who})
        if actor.rights.role not in TABLE[self.about.action]:
            raise NotAllowed("Your role does not do this.")
        gate.refuse_suspended(actor, self.about.action)
        found(said if said["seen"] else None)

    def _compiled(
        self, on_postgres: bool, records: Select[Any], page: PageOf | None = None
    ) -> Prepared:
        names = [str(column.name) for column in records.selected_columns]
        if on_postgres:
            return db.prepare_trip(compose(self.about, records, page)), names
        asked = spread(self.about, records, page)
        return db.prepare_question(asked, len(asked.selected_columns) - len(names)), names

    def _mine(self, actor: Actor) -> Select[Any]:
        return self.records.where(self.about.table.c.clinic_id == actor.clinic_id)


def _said(front: Sequence[Any]) -> Values:
    """Who is signed in and whether they saw anything: of one record by columns, of a page as JSON,
    so that fifty records do not repeat it."""
    if len(front) > 1:
        columns = dict(zip((*SIGN_IN, "seen"), front, strict=True))
        return columns | {"privileges": loads(columns["privileges"])}
    said: Values = loads(front[0])
    for name in ("auth_time", "seen_at"):
        said[name] = datetime.fromisoformat(said[name])
    return said | {"own_patient_id": said["own_patient_id"] and UUID(said["own_patient_id"])}


def is_alone(on_sqlite_too: bool) -> bool:
    """Whether one statement says all: the engine has one for it, and nothing was written before."""
    has_one = on_sqlite_too or db.one_trip_pool() is not None
    return has_one and not db.store().has_begun
