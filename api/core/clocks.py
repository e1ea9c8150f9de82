"""What falls due: work that nobody asks for and that the worker does when its time has come."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, select, true

from api.access.users import clinics
from api.db import store

DUE: list[Callable[[], bool]] = []
"""Each does one piece of work in the transaction that is open, and tells whether there was any.

The worker calls each for one clinic after the other, again and again, a transaction for every
piece, until nothing is due. Two workers may call at once: take the row with
`FOR UPDATE SKIP LOCKED`.
"""
LONG: list[Callable[[], bool]] = []
"""Each does one piece of work that may take minutes, in transactions of its own, beside all else;
tells whether there was any."""
WHERE: dict[Callable[[], bool], Callable[[], Select[Any] | None]] = {}
"""Of a piece of work the select of the clinics (`clinic_id`) in which it is due, or None while it
is due nowhere; of tables that the worker may look through alone (`api/db/walls.py`). Work that is
not here is asked for in every clinic, every second: a few hundred clinics can bear that."""


def clinics_with(work: Callable[[], bool]) -> list[UUID]:
    """The clinics in which to ask for a piece of work."""
    everywhere = select(clinics.c.id).order_by(clinics.c.id)
    where = WHERE[work]() if work in WHERE else everywhere
    return [] if where is None else [row[0] for row in store().execute(where)]


def here(table: Table) -> ColumnElement[bool]:
    """The condition that a row is of the clinic that is meant; true where none is."""
    clinic_id = store().within.clinic_id
    return true() if clinic_id is None else table.c.clinic_id == clinic_id
