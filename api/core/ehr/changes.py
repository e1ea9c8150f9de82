"""Whether it helped, as a referrer reads it: the change of every measure, with its verdicts."""

from uuid import UUID

from api.access.policies import Actor
from api.core.outcomes.series import every_change
from api.core.patients import open_chart
from api.db import Values


def list_changes(actor: Actor, patient_id: UUID) -> list[Values]:
    """Of each measure its baseline, its current point and the verdicts on what lies between."""
    return every_change(open_chart(actor, "fhir:read", patient_id))
