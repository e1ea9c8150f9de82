"""What the plans of patients ask: reckoned from the visits as they are booked now, in few queries.

A dose that is moved moves what hangs on it, because nothing is stored until something comes of it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from api import clock
from api.core.integration.tables import ME, practices
from api.core.outcomes.plans import schedule
from api.core.outcomes.plans.schedule import Occurrence, Rule, Visit
from api.core.outcomes.plans.table import check_in_occurrences, check_in_plans
from api.core.outcomes.plans.waiting import ASKS_OF, ENDED, is_visit, visited_at
from api.core.patients import patients
from api.core.treatment.sessions import sessions
from api.db import Values, store


@dataclass(frozen=True)
class Planned:
    """One time that a plan asks, and what has become of it today."""

    plan: Values
    occurrence: Occurrence
    kept: Values | None
    state: str

    @property
    def is_open(self) -> bool:
        """Whether answers are taken for it."""
        return self.state in schedule.OPEN


def rule_of(plan: Values) -> Rule:
    """How a stored plan asks."""
    within = plan["answer_within_days"]
    return Rule(plan["rule"], plan["n"], within, plan["starts_on"], plan["ends_on"])


def plans_of(clinic_id: UUID, patient_ids: Collection[UUID]) -> Select[Any]:
    """A select of the plans of these patients that still stand."""
    p = check_in_plans.c
    return select(check_in_plans).where(
        p.clinic_id == clinic_id, p.patient_id.in_(list(patient_ids)), p.deleted_at.is_(None)
    )


def asked_of(patient: Values, plans: Iterable[Values], on: date | None = None) -> list[Planned]:
    """What these plans of one patient ask, by day; two queries. `on` stands for today."""
    zone = patient["time_zone"]
    if patient["status"] == ENDED:
        return []
    return _asked(patient["clinic_id"], {patient["id"]: zone}, list(plans), on)


def open_check_ins(clinic_id: UUID, people: Mapping[UUID, str]) -> dict[UUID, list[Planned]]:
    """What each patient (id to time zone) may answer now, due or late; at most four queries.

    Asks nobody, for callers that did. Of discharged patients nothing is asked; leave them out.
    """
    found: dict[UUID, list[Planned]] = defaultdict(list)
    plans = store().rows(plans_of(clinic_id, people)) if people else []
    for one in _asked(clinic_id, people, plans, is_near=True):
        if one.is_open:
            found[one.plan["patient_id"]].append(one)
    return dict(found)


def _asked(
    clinic_id: UUID,
    people: Mapping[UUID, str],
    plans: list[Values],
    on: date | None = None,
    is_near: bool = False,
) -> list[Planned]:
    plans = _asking(clinic_id, plans)
    if not plans:
        return []
    kept = _kept(clinic_id, [plan["id"] for plan in plans])
    visits = _visits(clinic_id, people, plans)
    days = {zone: on or clock.today(zone) for zone in set(people.values())}
    found = [
        one
        for plan in plans
        for one in of_plan(
            plan,
            visits.get(plan["patient_id"], []),
            kept.get(plan["id"], {}),
            days[people[plan["patient_id"]]],
            is_near,
        )
    ]
    return sorted(found, key=lambda one: (one.occurrence.due_on, one.plan["id"]))


def _asking(clinic_id: UUID, plans: list[Values]) -> list[Values]:
    """The plans without those whose practice rests, is gone, or is kept by the patient."""
    named = {plan["practice_id"] for plan in plans} - {None}
    if not named:
        return plans
    p = practices.c
    statement = select(p.id).where(
        p.clinic_id == clinic_id,
        p.id.in_(named),
        p.status == ASKS_OF,
        p.shared_with != ME,
        p.deleted_at.is_(None),
    )
    walked = {row["id"] for row in store().rows(statement)}
    return [plan for plan in plans if plan["practice_id"] is None or plan["practice_id"] in walked]


def of_plan(
    plan: Values,
    visits: Iterable[Visit],
    kept: Mapping[str, Values],
    today: date,
    is_near: bool = False,
) -> list[Planned]:
    """What one plan asks; what was answered stays on the day it was asked for."""
    done = {anchor: row for anchor, row in kept.items() if row["check_in_id"] is not None}
    told = {row["due_on"] for row in done.values()}
    asked = schedule.occurrences(rule_of(plan), visits, today, told, is_near)
    planned = [
        Planned(plan, one, kept.get(one.anchor), schedule.state(one, False, today))
        for one in asked
        if one.anchor not in done
    ]
    return planned + [Planned(plan, _as_kept(row), row, schedule.ANSWERED) for row in done.values()]


def _as_kept(row: Values) -> Occurrence:
    return Occurrence(row["anchor"], row["due_on"], row["until_on"], row["until_on"])


def _kept(clinic_id: UUID, plan_ids: list[UUID]) -> dict[UUID, dict[str, Values]]:
    k = check_in_occurrences.c
    statement = select(check_in_occurrences).where(
        k.clinic_id == clinic_id, k.plan_id.in_(plan_ids), k.deleted_at.is_(None)
    )
    found: dict[UUID, dict[str, Values]] = defaultdict(dict)
    for row in store().rows(statement):
        found[row["plan_id"]][row["anchor"]] = row
    return found


def _visits(
    clinic_id: UUID, people: Mapping[UUID, str], plans: list[Values]
) -> dict[UUID, list[Visit]]:
    """The visits on which plans of these patients hang; none is asked for when none does."""
    hanging = [p for p in plans if p["rule"] in (schedule.BEFORE_VISIT, schedule.AFTER_DOSE)]
    if not hanging:
        return {}
    s = sessions.c
    statement = select(s.id, s.patient_id, s.kind, visited_at().label("at")).where(
        s.clinic_id == clinic_id,
        s.patient_id.in_({plan["patient_id"] for plan in hanging}),
        *is_visit(),
    )
    found: dict[UUID, list[Visit]] = defaultdict(list)
    for row in store().rows(statement):
        on = schedule.local_day(row["at"], people[row["patient_id"]])
        found[row["patient_id"]].append(Visit(row["id"], on, row["kind"] == "dosing"))
    return found


def patient_of_plan(plan: Values) -> Values:
    """What must be known of a plan's patient: name, where they live, and whether they left."""
    p = patients.c
    names = (p.legal_given, p.legal_family, p.preferred_name)
    columns = (p.clinic_id, p.id, p.time_zone, p.status, *names)
    mine = (p.clinic_id == plan["clinic_id"], p.id == plan["patient_id"])
    row = store().row(select(*columns).where(*mine))
    assert row is not None, "a plan hangs on a patient"
    return row
