"""Automaticity beside the trail: how much a practice walks by itself, in the patient's answers.

It is measured a floor above, where check-ins are; that floor tells this one how to ask. The trail
counts walking, automaticity asks whether the feet know the way; the two are never blended.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from api.access.policies import Actor
from api.db import Values

Measure = Callable[[Actor, Sequence[UUID]], dict[UUID, Values]]
"""From practice ids to `{mean, answered_at}` of the latest complete answers, if any."""
_measures: list[Measure] = []


def measured_by(measure: Measure) -> Measure:
    """Ask this function from now on, instead of the one before."""
    _measures[:] = [measure]
    return measure


def of_practices(reader: Actor, practice_ids: Sequence[UUID]) -> dict[UUID, Values]:
    """`{mean, answered_at}` by practice, of those that were ever asked about; one query."""
    return _measures[0](reader, practice_ids) if _measures and practice_ids else {}
