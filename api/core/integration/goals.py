"""Goals: what the patient wants to practise now, in their words, and what it matters for."""

from uuid import UUID

from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.integration import entries
from api.core.integration.tables import (
    ACHIEVEMENT as ACHIEVEMENT,
    CATEGORIES as CATEGORIES,
    LIFECYCLE as LIFECYCLE,
    PROMPTS as PROMPTS,
    goals,
    insights,
)
from api.core.patients import open_chart
from api.db import Listing, Page, Values, match
from api.errors import Invalid

CLINICAL = ("lifecycle_status", "achievement_status", "clinician_comment")
"""What a patient may read of a goal and only a clinician may write."""
AT_FIRST = {"lifecycle_status": "active", "achievement_status": "in_progress"}


def list_goals(
    actor: Actor,
    patient_id: UUID,
    asked: Page,
    lifecycle_status: str | None = None,
    category: str | None = None,
) -> Listing:
    """The patient's goals, the newest first."""
    patient = open_chart(actor, "goal:read", patient_id)
    equal: Values = {"lifecycle_status": lifecycle_status, "category": category}
    listing = entries.listed(actor, goals, asked, {"patient_id": patient_id}, **equal)
    listing.items = _show(actor, patient, listing.items)
    return listing


def set_goal(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A new goal; what it grew from must belong to the same patient."""
    patient = open_chart(actor, "goal:create", patient_id)
    _refuse_clinical(actor, values)
    _refuse_foreign(actor, patient, values)
    row = entries.add(actor, goals, patient, AT_FIRST | values)
    trail.about(goals.name, row["id"])
    trail.wrote(values)
    return entries.with_reading(actor, patient, _show(actor, patient, [row])[0])


def read_goal(actor: Actor, goal_id: UUID) -> Values:
    """One goal."""
    row = gate.find_in_chart(actor, "goal:read", goals, goal_id)
    return _show(actor, entries.patient_of(row), [row])[0]


def change_goal(actor: Actor, goal_id: UUID, version: int | None, values: Values) -> Values:
    """Change a goal: how far it has come is a clinician's to say, who sees it the patient's."""
    row = gate.find_in_chart(actor, "goal:update", goals, goal_id)
    match(row, version)
    patient = entries.patient_of(row)
    _refuse_clinical(actor, values)
    _refuse_foreign(actor, patient, values)
    trail.wrote(values)
    after = entries.change(actor, goals, row, values)
    return entries.with_reading(actor, patient, _show(actor, patient, [after])[0])


def _refuse_clinical(author: Actor, values: Values) -> None:
    clinical = sorted(set(values) & set(CLINICAL))
    if clinical and author.rights.is_patient:
        raise Invalid([(f"/{name}", "A clinician writes this.") for name in clinical])


def _refuse_foreign(author: Actor, patient: Values, values: Values) -> None:
    entries.refuse_other_session(patient, values.get("session_id"))
    entries.named(author, insights, patient, "/insight_id", values.get("insight_id"))


def _show(reader: Actor, patient: Values, rows: list[Values]) -> list[Values]:
    """Goals as the doors show them; an insight that the reader may not see is not named."""
    there = entries.pointed_at(reader, insights, [row["insight_id"] for row in rows])
    shown = [entries.show(patient, row) for row in rows]
    for goal in shown:
        goal["insight_id"] = goal["insight_id"] if goal["insight_id"] in there else None
    return shown
