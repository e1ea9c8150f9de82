"""Hot reads as core functions use them: one record, or a page of a list."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from orjson import loads
from sqlalchemy import JSON, ColumnElement, Select, Table, select

from api import clock, db
from api.access.policies import LINK, TABLE, Actor, Grant
from api.audit import trail
from api.core import gate
from api.core.one_trip.composing import CHART, CLINIC, PageOf, Subject, compose
from api.db import Listing, Page, Values, found
from api.errors import NotAllowed, NotSignedIn

SHAPES = 256
"""How many prepared shapes of one list are kept."""
Prepared = tuple[db.Trip, list[str]]
"""A statement, and the names of its records' columns."""


class _Hot:
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
        event = {
            **{"event_id_": db.new_id(), "now_": clock.now(), "door_": actor.door},
            **{"request_id_": actor.request_id, "client_ip_": actor.client_ip},
            **{"about_id_": about, "kind_": None if about is None else self.about.kind},
        }
        who = {"sid_": actor.sign_in_id, "user_": actor.user_id, "clinic_": actor.clinic_id}
        rows = db.in_one_trip(trip, {**event, **who, **values})
        if not rows:
            raise NotSignedIn("The sign-in has ended.")
        trail.begin(self.about.action).written = self.about.audited
        said = loads(rows[0][0])
        self._refuse_unless_seen(actor, said)
        there, table = 1 + names.index(self.about.table.c.id.key), self.about.table
        seen = [dict(zip(names, row[1:], strict=True)) for row in rows if row[there] is not None]
        for row in seen:
            db.reveal(table, row, self.as_written)
            for name in self.json:
                text = row[name]
                if text is not None:
                    row[name] = orjson.Fragment(text) if name in self.as_written else loads(text)
        return seen, said.get("chart")

    def _refuse_unless_seen(self, actor: Actor, said: Values) -> None:
        actor.known = gate.rights_of(_typed(actor, said))
        if actor.rights.role not in TABLE[self.about.action]:
            raise NotAllowed("Your role does not do this.")
        found(said if said["seen"] else None)

    def _compiled(self, records: Select[Any], page: PageOf | None = None) -> Prepared:
        trip = db.prepare_trip(compose(self.about, records, page))
        return trip, [str(column.name) for column in records.selected_columns]

    def _mine(self, actor: Actor) -> Select[Any]:
        return self.records.where(self.about.table.c.clinic_id == actor.clinic_id)


def _alone() -> bool:
    """Whether one trip says all: there is such a trip, and nothing was written before it."""
    return db.one_trip_pool() is not None and not db.store().has_begun


def _typed(actor: Actor, said: Values) -> Values:
    """The columns of the sign-in as the database's driver would give them.

    User and clinic are those of the actor: the statement finds no other.
    """
    said["user_id"], said["clinic_id"] = actor.user_id, actor.clinic_id
    said["own_patient_id"] = said["own_patient_id"] and UUID(said["own_patient_id"])
    said["auth_time"] = datetime.fromisoformat(said["auth_time"])
    return said


class Reading(_Hot):
    """One record of `table`: `records` selects it by the bound value `record_id`."""

    def one(self, actor: Actor, record_id: UUID, **given: Any) -> Values:
        """The record, or `NotFound`; refusals in the order of the gate.

        `given` are further values that `records` is bound to.
        """
        trail.begin(self.about.action)
        trail.about(self.about.kind, record_id)
        if actor.door == LINK or not _alone():
            return self._plainly(actor, record_id, given)
        values = {"record_id": record_id, **given}
        rows, _ = self._at_once(actor, self._prepared(), values, record_id)
        return found(next(iter(rows), None))

    @lru_cache(maxsize=1)  # noqa: B019 - as many readings as there are, made at import
    def _prepared(self) -> Prepared:
        return self._compiled(self.records)

    def _plainly(self, actor: Actor, record_id: UUID, given: Values) -> Values:
        granted = gate.admit(actor, self.about.action)
        reach = gate.in_reach(actor, granted, self.about.chart)
        statement = self._mine(actor).where(reach)
        values = {"record_id": record_id, CLINIC.key: actor.clinic_id, **given}
        row = found(db.store().row(statement, self.about.table, **values))
        trail.touches([row[self.about.chart.key or "id"]])
        return row


class Opening(Reading):
    """The record at which a hot write begins; what is then added goes with its event in one trip.

    The write must add records and change none.
    """

    def __init__(self, action: str, records: Select[Any], table: Table, chart: Any) -> None:
        super().__init__(action, records, table, chart, audited=False)

    def one(self, actor: Actor, record_id: UUID, **given: Any) -> Values:
        """The record, or `NotFound`; from now on new rows wait for the end."""
        row = super().one(actor, record_id, **given)
        trail.touches([row[self.about.chart.key or "id"]])
        db.store().hold_back()
        return row


class Listed(_Hot):
    """A list of `table`, a page at a time, as `db.page` has it.

    `where` gives the condition of each value that may be asked for, by its name, with a bound
    value of that name; values that are None are not asked for.
    """

    def __init__(
        self,
        action: str,
        records: Select[Any],
        table: Table,
        chart: ColumnElement[Any],
        where: Callable[[str], ColumnElement[bool]],
        in_chart: Table | None = None,
        order: Sequence[Any] = (),
        newest_first: bool = False,
        as_written: Sequence[str] = (),
        of_chart: Sequence[Any] = (),
    ) -> None:
        kind = "patient"
        super().__init__(action, records, table, chart, kind, in_chart, True, as_written, of_chart)
        self.where, self.order, self.newest_first = where, tuple(order), newest_first
        self._prepared = lru_cache(SHAPES)(self._prepare)

    def of_chart(
        self, actor: Actor, patient_id: UUID, asked: Page, plainly: bool = False, **wanted: Any
    ) -> Listing:
        """A page of the one chart, which must be in reach: else `NotFound`.

        `plainly` for a caller that may still refuse: the event is then written with the answer.
        """
        trail.begin(self.about.action)
        trail.about(self.about.kind, patient_id)
        return self._page(actor, asked, _said(wanted), patient_id, plainly)

    def within_reach(self, actor: Actor, asked: Page, **wanted: Any) -> Listing:
        """A page of whatever lies in a chart in reach."""
        trail.begin(self.about.action)
        return self._page(actor, asked, _said(wanted), None)

    def _page(
        self,
        actor: Actor,
        asked: Page,
        wanted: Values,
        patient_id: UUID | None,
        plainly: bool = False,
    ) -> Listing:
        if plainly or not _alone():
            return self._plainly(actor, asked, wanted, patient_id)
        values = {**wanted, **db.bounds(asked), CHART.key: patient_id}
        prepared = self._prepared(db.shape_of(asked), tuple(sorted(wanted)))
        rows, chart = self._at_once(actor, prepared, values, patient_id)
        return replace(db.cut(rows, asked, self.order), chart=chart)

    def _prepare(self, shape: db.Shape, names: tuple[str, ...]) -> Prepared:
        records = self._records(self.records, shape, names)
        return self._compiled(records, PageOf(records._order_by_clauses, shape.limit))

    def _records(
        self, records: Select[Any], shape: db.Shape, names: tuple[str, ...]
    ) -> Select[Any]:
        records = records.where(*map(self.where, names))
        return db.page_of(records, self.about.table, shape, self.order, self.newest_first)

    def _plainly(
        self, actor: Actor, asked: Page, wanted: Values, patient_id: UUID | None
    ) -> Listing:
        granted, chart = gate.admit(actor, self.about.action), None
        if patient_id is not None:
            chart = self._open_chart(actor, granted, patient_id)
            lies = self.about.chart == patient_id
        else:
            lies = gate.in_reach(actor, granted, self.about.chart)
        statement = self._records(
            self._mine(actor).where(lies), db.shape_of(asked), tuple(sorted(wanted))
        )
        values = {**wanted, **db.bounds(asked), CLINIC.key: actor.clinic_id, CHART.key: patient_id}
        rows = db.store().rows(statement, self.about.table, **values)
        listing = replace(db.cut(rows, asked, self.order), chart=chart)
        if patient_id is None:
            trail.touches(row[self.about.chart.key or "id"] for row in listing.items)
        return listing

    def _open_chart(self, actor: Actor, granted: Grant, patient_id: UUID) -> Values:
        parent = self.about.in_chart
        assert parent is not None
        statement = select(parent.c.id.label("patient_id"), *self.about.of_chart).where(
            parent.c.clinic_id == actor.clinic_id,
            parent.c.id == patient_id,
            parent.c.deleted_at.is_(None),
            gate.in_reach(actor, granted, parent.c.id),
        )
        values: Values = {CLINIC.key: actor.clinic_id, CHART.key: patient_id}
        row = found(db.store().row(statement, None, **values))
        trail.touches([patient_id])
        return row


def _said(wanted: Values) -> Values:
    return {name: value for name, value in wanted.items() if value is not None}
