"""Ratings: how far each goal was attained, day by day, and what all of them add up to."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Actor
from api.access.users import named
from api.audit import trail
from api.core import gate
from api.core.integration import attainment, entries
from api.core.integration.tables import goal_ratings, goals
from api.core.patients import open_chart
from api.db import Listing, Page, Values, page, store
from api.errors import Invalid

UNCOUNTED = ("cancelled", "entered_in_error", "rejected")
"""Lifecycle states of goals that nobody expects anything of."""
MOST = 200
"""The most goals that are reckoned together, the newest."""


def list_ratings(actor: Actor, goal_id: UUID, asked: Page) -> Listing:
    """How far one goal was attained, the latest day first."""
    goal = gate.find_in_chart(actor, "goal:read", goals, goal_id)
    r = goal_ratings.c
    statement = select(goal_ratings).where(r.clinic_id == goal["clinic_id"], r.goal_id == goal_id)
    listing = page(statement, goal_ratings, asked, [r.rated_on], newest_first=True)
    listing.items = _show(goal, listing.items)
    return listing


def rate_goal(actor: Actor, goal_id: UUID, values: Values) -> Values:
    """How far a goal was attained on a day; the goal carries the level of the latest one."""
    seen = gate.find_in_chart(actor, "goal:rate", goals, goal_id)
    store().hold(goals, seen)
    goal = entries.steady(actor, goals, goal_id)
    today = clock.today(entries.patient_of(goal)["time_zone"])
    rated_on = values.get("rated_on", today)
    if rated_on > today:
        raise Invalid([("/rated_on", "Not ahead of today where the patient lives.")])
    keys = {"clinic_id": goal["clinic_id"], "patient_id": goal["patient_id"], "goal_id": goal_id}
    by = {"level": values["level"], "rated_on": rated_on, "rated_by": actor.user_id}
    row = store().add(goal_ratings, keys | by)
    if goal["attained_on"] is None or rated_on >= goal["attained_on"]:
        store().change(goals, goal, {"attained_level": row["level"], "attained_on": rated_on})
    trail.about(goal_ratings.name, row["id"])
    trail.wrote(values)
    return _show(goal, [row])[0]


def read_attainment(actor: Actor, patient_id: UUID, on: date | None = None) -> Values:
    """The T-score of a patient's rated goals at the end of a day, and of their first ratings.

    Three queries, however many goals there are; what the reader may not see is not counted.
    """
    patient = open_chart(actor, "attainment:read", patient_id)
    day = on or clock.today(patient["time_zone"])
    counted = _counted(actor, patient)
    rated = _rated(patient, counted, day)
    shown = [_reckoned(goal, rated.get(goal["id"], [])) for goal in counted]
    now, first = (_score(shown, name) for name in ("level", "first_level"))
    return {
        "on": day,
        "formula": attainment.FORMULA,
        "rho": attainment.RHO,
        "t_score": attainment.rounded(now),
        "first_t_score": attainment.rounded(first),
        "change": None if now is None or first is None else attainment.rounded(now - first),
        "goals_counted": sum(goal["level"] is not None for goal in shown),
        "goals": shown,
    }


def _counted(reader: Actor, patient: Values) -> list[Values]:
    g = goals.c
    statement = select(g.clinic_id, g.id, g.title, g.attainment_weight).where(
        g.clinic_id == patient["clinic_id"],
        g.patient_id == patient["id"],
        g.deleted_at.is_(None),
        g.lifecycle_status.not_in(UNCOUNTED),
        gate.shown_to(reader, goals),
    )
    return store().rows(statement.order_by(g.id.desc()).limit(MOST), opens=goals)


def _rated(patient: Values, counted: list[Values], on: date) -> dict[UUID, list[Values]]:
    """The ratings of each goal up to a day, oldest first."""
    r = goal_ratings.c
    statement = select(r.goal_id, r.level, r.rated_on).where(
        r.clinic_id == patient["clinic_id"],
        r.goal_id.in_([goal["id"] for goal in counted]),
        r.rated_on <= on,
        r.deleted_at.is_(None),
    )
    by_goal: dict[UUID, list[Values]] = {}
    for row in store().rows(statement.order_by(r.rated_on, r.id)) if counted else []:
        by_goal.setdefault(row["goal_id"], []).append(row)
    return by_goal


def _reckoned(goal: Values, rated: list[Values]) -> Values:
    first: Values = rated[0] if rated else {}
    last: Values = rated[-1] if rated else {}
    return {
        "goal": {"id": goal["id"], "title": goal["title"]},
        "weight": weight_of(goal),
        "level": last.get("level"),
        "rated_on": last.get("rated_on"),
        "first_level": first.get("level"),
        "first_rated_on": first.get("rated_on"),
    }


def weight_of(goal: Values) -> int:
    """The weight of a goal among the others; 1 where nobody said."""
    weight: Any = goal["attainment_weight"]
    return 1 if weight is None else int(weight)


def _score(reckoned: list[Values], name: str) -> float | None:
    rated = [(goal["weight"], goal[name]) for goal in reckoned if goal[name] is not None]
    return attainment.t_score(rated)


def _show(goal: Values, rows: list[Values]) -> list[Values]:
    names = named(goal["clinic_id"], {row["rated_by"] for row in rows})
    said = {one: person["display_name"] for one, person in names.items()}
    return [_shown(row, said.get(row["rated_by"])) for row in rows]


def _shown(row: Values, rater: str | None) -> Values:
    names = ("id", "version", "created_at", "updated_at", "goal_id", "level", "rated_on")
    by = {"id": row["rated_by"], "display_name": rater}
    return {name: row[name] for name in names} | {"rated_by": by}
