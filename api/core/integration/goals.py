"""Goals: what the patient wants to practise now, in their words, and what it matters for."""

from uuid import UUID

from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.integration import entries, ratings, sharing
from api.core.integration.attainment import LEVEL_NAMES
from api.core.integration.tables import (
    ACHIEVEMENT as ACHIEVEMENT,
    CATEGORIES as CATEGORIES,
    CONFIDENCE as CONFIDENCE,
    LIFECYCLE as LIFECYCLE,
    PROMPTS as PROMPTS,
    goals,
    insights,
)
from api.core.merging import merged
from api.core.patients import open_chart
from api.db import Listing, Page, Values, match
from api.errors import Invalid

CLINICAL = ("lifecycle_status", "achievement_status", "clinician_comment", "attainment_weight")
"""What only a clinician may write of a goal; a patient reads all of it but the weight."""
TO_PATIENT = ("on_hold", "active", "completed", "cancelled")
"""What a patient may make of a goal that they set themself."""
AT_FIRST = {"lifecycle_status": "active", "achievement_status": "in_progress"}
OBJECTS = {
    "old_trail": ("cue", "response", "short_term_payoff", "cost"),
    "new_trail": ("cue", "response", "smallest_step", "felt_reward"),
    "attainment_levels": LEVEL_NAMES,
}
"""The parts of a goal that are objects, with what each of them holds."""


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
    insight = _grew_from(actor, patient, values, values.get("insight_id"))
    row = entries.add(actor, goals, patient, AT_FIRST | _merged({}, values), insight)
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
    _refuse_clinical(actor, values, row)
    insight = _grew_from(actor, patient, values, values.get("insight_id"))
    if actor.rights.is_patient and "insight_id" not in values and "shared_with" in values:
        there = entries.pointed_at(actor, insights, [row["insight_id"]], "shared_with")
        insight = there.get(row["insight_id"])
    sharing.refuse_hiding(row, insight, "/insight_id")
    trail.wrote(values)
    after = entries.change(actor, goals, row, _merged(row, values), insight)
    return entries.with_reading(actor, patient, _show(actor, patient, [after])[0])


def _refuse_clinical(author: Actor, values: Values, row: Values | None = None) -> None:
    """Raise for what a patient may not write; a goal that they set is theirs to rest or to end."""
    clinical = set(values) & set(CLINICAL)
    own = row is not None and row["author_kind"] == "patient"
    if own and values.get("lifecycle_status") in TO_PATIENT:
        clinical.discard("lifecycle_status")
    if clinical and author.rights.is_patient:
        raise Invalid([(f"/{name}", "A clinician writes this.") for name in sorted(clinical)])


def _merged(row: Values, values: Values) -> Values:
    """The values with each object as it is once the part that was sent is merged in (RFC 7396)."""
    whole = dict(values)
    for name, keys in OBJECTS.items():
        if values.get(name) is not None:
            whole[name] = merged(row.get(name), values[name], keys)
    return whole


def _grew_from(
    author: Actor, patient: Values, values: Values, insight_id: UUID | None
) -> Values | None:
    """The insight that the goal grew from: while that is `me`, so is the goal."""
    entries.refuse_other_session(patient, values.get("session_id"))
    return entries.named(author, insights, patient, "/insight_id", insight_id)


def _show(reader: Actor, patient: Values, rows: list[Values]) -> list[Values]:
    """Goals as the doors show them; an insight that the reader may not see is not named."""
    there = entries.pointed_at(reader, insights, [row["insight_id"] for row in rows])
    shown = [entries.show(patient, row) for row in rows]
    for goal in shown:
        goal["insight_id"] = goal["insight_id"] if goal["insight_id"] in there else None
        goal["attainment_weight"] = ratings.weight_of(goal)
    return shown
