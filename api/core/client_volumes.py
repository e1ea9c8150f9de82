"""Volumes: how many charts an EHR client touched in a day, beside what it touches on others.

A client whose key was taken reads what it can reach. Once a day the worker compares the day before
with the median of the days before that, and those who run the clinic are told of what stands out.
"""

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from statistics import median
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, distinct, func, literal_column, select

from api import clock
from api.access.policies import FHIR, Role
from api.access.users import clinics
from api.audit import trail
from api.audit.trail import audit_event_patients, audit_events, happened_since
from api.config import settings
from api.core import lookouts, mail, staffing
from api.core.clocks import DUE, WHERE
from api.db import Values, day_at, new_id, store

log = logging.getLogger("freshtrail.worker")
COMPARED_DAYS: Final = 28
"""How many days before, at most, a day is compared with."""
UTC_S: Final[Any] = literal_column("0")


def stands_out(charts: int, before: Sequence[int], times: int, floor: int) -> bool:
    """Whether so many charts in a day are `times` the median of the days before, or more.

    Days on which the client asked for nothing are none to compare with; without any the median is
    0, so that a client that slept, or is new, stands out by the floor alone.
    """
    usual = median(before) if before else 0
    return charts >= floor and charts >= times * usual


def watch_clients() -> bool:
    """Look at yesterday (UTC) of each EHR client of the clinic; false where it was looked at."""
    return lookouts.look(clinics.c.volumes_until, clock.today("UTC"), _watch)


def _watch(clinic_id: UUID) -> None:
    today = clock.today("UTC")
    for client_id, by_day in _touched(clinic_id, today).items():
        charts = by_day.pop(today - timedelta(days=1), 0)
        before = [*by_day.values()]
        if stands_out(charts, before, settings().client_alarm_times, settings().client_alarm_floor):
            _alarm(clinic_id, client_id, charts, before)


def _touched(clinic_id: UUID, today: date) -> dict[UUID, dict[date, int]]:
    """How many charts each client touched on each day, up to yesterday; one query."""
    e, p = audit_events.c, audit_event_patients.c
    day, since = day_at(e.at, UTC_S), clock.midnight(today - timedelta(days=COMPARED_DAYS + 1))
    of_event = and_(p.clinic_id == e.clinic_id, p.event_id == e.id)
    asked = (
        select(e.actor_id, day.label("day"), func.count(distinct(p.patient_id)).label("charts"))
        .join(audit_event_patients, of_event)
        .where(e.clinic_id == clinic_id, *happened_since(since), e.at < clock.midnight(today))
        .where(e.door == FHIR, e.role == Role.SYSTEM.value, e.outcome == "ok")
        .group_by(e.actor_id, day)
    )
    found: dict[UUID, dict[date, int]] = {}
    for row in store().rows(asked):
        found.setdefault(row["actor_id"], {})[row["day"]] = row["charts"]
    return found


def _alarm(clinic_id: UUID, client_id: UUID, charts: int, before: list[int]) -> None:
    """An event of the trail, a letter to those who can end the client, and a line of the log."""
    usual = float(median(before)) if before else 0.0
    store().append(trail.audit_events, [_event(clinic_id, client_id, charts, usual)])
    for address in staffing.addresses(clinic_id, Role.ADMINISTRATOR, Role.PRIVACY_OFFICER):
        mail.send(address, "client_alarm")
    log.warning("EHR client %s touched %d charts in a day, else %.1f", client_id, charts, usual)


def _event(clinic_id: UUID, client_id: UUID, charts: int, usual: float) -> Values:
    return {
        "clinic_id": clinic_id,
        "id": new_id(),
        "at": clock.now(),
        "action": "client:alarm",
        "type": "client",
        "record_id": client_id,
        "outcome": "ok",
        "reason_ref": f"{charts} charts in a day; median {usual:g}",
        "purpose": "security",
        "door": "worker",
        "request_id": new_id().hex,
    }


def _clinics_behind() -> Select[Any]:
    return lookouts.behind(clinics.c.volumes_until, clock.today("UTC"))


DUE.append(watch_clients)
WHERE[watch_clients] = _clinics_behind
