"""A check-in that answers what a plan asked is linked to it as it is completed."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_

from api.core.outcomes.plans import coming
from api.core.outcomes.plans.coming import Planned
from api.core.outcomes.plans.table import check_in_occurrences, check_in_plans
from api.db import Values, store


def any_plans(clinic_id: Any, patient_id: Any) -> ColumnElement[bool]:
    """Whether a patient has plans that stand: an SQL expression for a hot write."""
    p = check_in_plans.c
    return exists().where(
        p.clinic_id == clinic_id, p.patient_id == patient_id, p.deleted_at.is_(None)
    )


def answer_plans(patient: Values, check_in: Values) -> list[UUID]:
    """Which plans a complete check-in answers, linked; one may answer several, each once.

    What was asked by the day of the answers and not answered yet; asks nobody for a right.
    """
    p = check_in_plans.c
    statement = coming.plans_of(patient["clinic_id"], [patient["id"]]).where(
        p.instrument == check_in["instrument"],
        or_(p.practice_id.is_(None), p.practice_id == check_in["practice_id"]),
    )
    plans = store().rows(statement.order_by(p.id).with_for_update(key_share=True))
    answered: dict[UUID, Planned] = {}
    for one in coming.asked_of(patient, plans, check_in["answered_on"]):
        if one.is_open:
            answered.setdefault(one.plan["id"], one)
    for one in answered.values():
        _link(one, check_in)
    return list(answered)


def _link(one: Planned, check_in: Values) -> None:
    said = {"check_in_id": check_in["id"], "answered_on": check_in["answered_on"]}
    said |= {"due_on": one.occurrence.due_on, "until_on": one.occurrence.until_on}
    keep(one, said)


def keep(one: Planned, values: Values) -> Values:
    """Write down what has come of an occurrence; callers hold its plan."""
    if one.kept is not None:
        return store().change(check_in_occurrences, one.kept, values)
    ids = {name: one.plan[name] for name in ("clinic_id", "patient_id")}
    new = {
        "plan_id": one.plan["id"],
        "anchor": one.occurrence.anchor,
        "due_on": one.occurrence.due_on,
        "until_on": one.occurrence.until_on,
        "reminders": 0,
    }
    return store().add(check_in_occurrences, new | ids | values)
