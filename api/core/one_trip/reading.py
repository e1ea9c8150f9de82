"""Hot reads as core functions use them: one record, or a page of a list."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, select

from api import db
from api.access.policies import LINK, Actor, Grant
from api.audit import trail
from api.core import gate
from api.core.one_trip.asking import Hot, Prepared, is_alone
from api.core.one_trip.composing import CHART, CLINIC, PageOf
from api.db import Listing, Page, Values, found

SHAPES = 256
"""How many prepared shapes of one list are kept, for one engine."""


class Reading(Hot):
    """One record of `table`: `records` selects it by the bound value `record_id`."""

    def one(self, actor: Actor, record_id: UUID, **given: Any) -> Values:
        """The record, or `NotFound`; refusals in the order of the gate.

        `given` are further values that `records` is bound to.
        """
        trail.begin(self.about.action)
        trail.about(self.about.kind, record_id)
        if actor.door == LINK or not is_alone(self.about.audited):
            return self._plainly(actor, record_id, given)
        values = {"record_id": record_id, **given}
        prepared = self._prepared(db.one_trip_pool() is not None)
        rows, _ = self._at_once(actor, prepared, values, record_id)
        trail.touches(row[self.about.chart_name] for row in rows)
        return found(next(iter(rows), None))

    @lru_cache(maxsize=2)  # noqa: B019 - as many readings as there are, made at import
    def _prepared(self, on_postgres: bool) -> Prepared:
        return self._compiled(on_postgres, self.records)

    def _plainly(self, actor: Actor, record_id: UUID, given: Values) -> Values:
        granted = gate.admit(actor, self.about.action)
        reach = gate.in_reach(actor, granted, self.about.chart)
        statement = self._mine(actor).where(reach)
        values = {"record_id": record_id, CLINIC.key: actor.clinic_id, **given}
        row = found(db.store().row(statement, self.about.table, **values))
        trail.touches([row[self.about.chart_name]])
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
        trail.touches([row[self.about.chart_name]])
        db.store().hold_back()
        return row


class Listed(Hot):
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
        # SQLite finds what lies in reach faster when the role is known before it is asked.
        if plainly or not is_alone(patient_id is not None):
            return self._plainly(actor, asked, wanted, patient_id)
        values = {**wanted, **db.bounds(asked), CHART.key: patient_id}
        on_postgres = db.one_trip_pool() is not None
        prepared = self._prepared(on_postgres, db.shape_of(asked), tuple(sorted(wanted)))
        rows, chart = self._at_once(actor, prepared, values, patient_id)
        trail.touches(() if patient_id is None else (patient_id,))
        return replace(db.cut(rows, asked, self.order), chart=chart)

    def _prepare(self, on_postgres: bool, shape: db.Shape, names: tuple[str, ...]) -> Prepared:
        records = self._records(self.records, shape, names)
        return self._compiled(on_postgres, records, PageOf(records._order_by_clauses, shape.limit))

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
            trail.touches(row[self.about.chart_name] for row in listing.items)
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
