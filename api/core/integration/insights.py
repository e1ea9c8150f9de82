"""Insights: what the patient took from a session, in their words."""

from uuid import UUID

from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.holds import refuse_held
from api.core.integration import entries
from api.core.integration.tables import insights
from api.core.patients import open_chart
from api.db import Listing, Page, Values, match, store


def list_insights(
    actor: Actor, patient_id: UUID, asked: Page, session_id: UUID | None = None
) -> Listing:
    """The patient's insights, the newest first."""
    patient = open_chart(actor, "insight:read", patient_id)
    listing = entries.listed(
        actor, insights, asked, {"patient_id": patient_id}, session_id=session_id
    )
    listing.items = [entries.show(patient, row) for row in listing.items]
    return listing


def note_insight(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """An insight is written down, word by word."""
    patient = open_chart(actor, "insight:write", patient_id)
    entries.refuse_other_session(patient, values.get("session_id"))
    row = entries.add(actor, insights, patient, values)
    trail.about(insights.name, row["id"])
    trail.wrote(values)
    return entries.with_reading(actor, patient, entries.show(patient, row))


def read_insight(actor: Actor, insight_id: UUID) -> Values:
    """One insight."""
    row = gate.find_in_chart(actor, "insight:read", insights, insight_id)
    return entries.show(entries.patient_of(row), row)


def change_insight(actor: Actor, insight_id: UUID, version: int | None, values: Values) -> Values:
    """The words are changed by who may, and the sharing by the patient.

    The patient's goals that grew from an insight that became `me` go along with it.
    """
    row = gate.find_in_chart(actor, "insight:write", insights, insight_id)
    entries.refuse_unless_own(actor, row)
    entries.refuse_other_words(actor, row, values)
    match(row, version)
    patient = entries.patient_of(row)
    entries.refuse_other_session(patient, values.get("session_id"))
    trail.wrote(values)
    after = entries.change(actor, insights, row, values)
    return entries.with_reading(actor, patient, entries.show(patient, after))


def remove_insight(actor: Actor, insight_id: UUID, version: int | None) -> None:
    """The insight goes; goals that came of it stay."""
    row = gate.find_in_chart(actor, "insight:write", insights, insight_id)
    entries.refuse_unless_own(actor, row)
    entries.refuse_other_words(actor, row)
    match(row, version)
    refuse_held(row["clinic_id"], row["patient_id"])
    store().remove(insights, row)
