"""Lookouts: what the worker looks for in the trail once a day or week, and tells those in charge.

How far it has looked stands beside the clinic, and is moved on first: of two workers one looks, and
what could not be looked at is told in the log and not tried for ever.
"""

import logging
from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Select, func, or_, select
from sqlalchemy.exc import DBAPIError

from api.access.users import clinics
from api.db import store

log = logging.getLogger("freshtrail.worker")
LONGER_MS = "30000"
"""For how long the database may look: a month of a large clinic's trail takes longer than a request
may."""


def behind(until: Column[date], day: date) -> Select[Any]:
    """The clinics in which nobody has looked up to a day."""
    return select(clinics.c.id.label("clinic_id")).where(_is_behind(until, day))


def _is_behind(until: Column[date], day: date) -> Any:
    return or_(until.is_(None), until < day)


def look(until: Column[date], day: date, work: Callable[[UUID], None]) -> bool:
    """Do the work for the clinic that is meant, once up to a day; false where it is done."""
    clinic_id = store().within.clinic_id
    if clinic_id is None:
        return False
    mine = clinics.update().where(clinics.c.id == clinic_id, _is_behind(until, day))
    if store().execute(mine.values({until: day})).rowcount != 1:
        return False
    try:
        with store().connection.begin_nested():
            if store().on_postgres:
                store().execute(select(func.set_config("statement_timeout", LONGER_MS, True)))
            work(clinic_id)
    except DBAPIError:
        log.exception("a lookout could not look through the trail")
    return True
