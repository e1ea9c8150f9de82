"""Practices: repeatable new behaviours under a goal, with status and what their steps add up to."""

import re
from datetime import date, timedelta
from uuid import UUID

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.config import settings
from api.core import gate
from api.core.integration import automaticity, entries, trails
from api.core.integration.tables import goals, practice_statuses, practices
from api.db import Listing, Page, Values, found, match, new_id, store
from api.errors import Invalid

MAX_TITLE = 500
NO_LINE = re.compile(r"[\s\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""What has no place in a title, which is one line."""


def list_practices(actor: Actor, goal_id: UUID, asked: Page, status: str | None = None) -> Listing:
    """The practices under a goal, the newest first, each with what its steps add up to today."""
    goal = gate.find_in_chart(actor, "practice:read", goals, goal_id)
    listing = entries.listed(actor, practices, asked, {"goal_id": goal_id}, status=status)
    listing.items = show(actor, entries.patient_of(goal), listing.items)
    return listing


def start_practice(actor: Actor, goal_id: UUID, values: Values) -> Values:
    """A new practice under a goal; the new trail alone is enough."""
    gate.find_in_chart(actor, "practice:create", goals, goal_id)
    goal = entries.steady(actor, goals, goal_id)
    patient = entries.patient_of(goal)
    full = {"interval_days": 1, "status": "active"} | values | {"goal_id": goal_id}
    row = entries.add(actor, practices, patient, full, goal)
    trail.about(practices.name, row["id"])
    trail.wrote(values)
    return entries.with_reading(actor, patient, show(actor, patient, [row])[0])


def read_practice(actor: Actor, practice_id: UUID) -> Values:
    """One practice, with what its steps add up to today."""
    row = gate.find_in_chart(actor, "practice:read", practices, practice_id)
    return show(actor, entries.patient_of(row), [row])[0]


def change_practice(actor: Actor, practice_id: UUID, version: int | None, values: Values) -> Values:
    """Change a practice or its status; every change of status keeps its date and can be undone."""
    row = gate.find_in_chart(actor, "practice:update", practices, practice_id)
    match(row, version)
    patient = entries.patient_of(row)
    goal = entries.steady(actor, goals, row["goal_id"])
    trail.wrote(values)
    dated = _dated(patient, row, dict(values))
    after = entries.change(actor, practices, row, dated, goal)
    if "status_from_on" in dated:
        _keep_status(actor, after)
    return entries.with_reading(actor, patient, show(actor, patient, [after])[0])


def _dated(patient: Values, row: Values, values: Values) -> Values:
    """The values with the day from which a new status holds: today, or the day that is told."""
    told: date | None = values.pop("status_from_on", None)
    if values.get("status", row["status"]) == row["status"]:
        if told is not None:
            raise Invalid([("/status_from_on", "Dates a change of status, and there is none.")])
        return values
    today = clock.today(patient["time_zone"])
    first = today - timedelta(days=settings().backdate_days)
    earliest = max(first, row["status_from_on"] or first)
    if told is not None and not earliest <= told <= today:
        detail = "Neither ahead, nor before the last change, nor too long ago."
        raise Invalid([("/status_from_on", detail)])
    return values | {"status_from_on": told or today}


def _keep_status(author: Actor, practice: Values) -> None:
    store().execute(
        practice_statuses.insert().values(
            clinic_id=practice["clinic_id"],
            id=new_id(),
            practice_id=practice["id"],
            status=practice["status"],
            from_on=practice["status_from_on"],
            changed_by=author.user_id,
            created_at=clock.now(),
        )
    )


def read_trail(actor: Actor, practice_id: UUID, on: date | None = None) -> Values:
    """What the steps add up to at the end of a day: strength, stage, curve, detours, moments."""
    row = gate.find_in_chart(actor, "practice:read", practices, practice_id)
    patient = entries.patient_of(row)
    today = clock.today(patient["time_zone"])
    if on is not None and on > today:
        raise Invalid([("/on", "Not ahead of today where the patient lives.")])
    return trails.trail_of(actor, patient, row, on or today) | {"practice": name_of(row)}


def name_of(practice: Values) -> Values:
    """`{id, title}` of a practice; without a title of its own it bears that of its new trail."""
    return {"id": practice["id"], "title": title_of(practice)}


def title_of(practice: Values) -> str:
    """Its own title; else its new trail in one line, cut to what a title may hold."""
    line: str = NO_LINE.sub(" ", practice["new_trail"]).strip()
    return practice["title"] or line[:MAX_TITLE].strip()


def show(reader: Actor, patient: Values, rows: list[Values]) -> list[Values]:
    """Practices as the doors show them; four queries, however many they are."""
    logs = trails.logs(reader, rows)
    measured = automaticity.of_practices(reader, [row["id"] for row in rows])
    titles = entries.pointed_at(reader, goals, [row["goal_id"] for row in rows], "title")
    today = clock.today(patient["time_zone"])
    shown = []
    for row in rows:
        goal = found(titles.get(row["goal_id"]))
        named = {"title": title_of(row)}
        under = {"goal": {"id": goal["id"], "title": goal["title"]}}
        reckoned = {
            "trail": logs[row["id"]].sums_up_to(today),
            "automaticity": measured.get(row["id"]),
        }
        shown.append(entries.show(patient, row) | named | under | reckoned)
    return shown
