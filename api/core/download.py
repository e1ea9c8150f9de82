"""The download of one's own record: everything the patient may read, in one file, in one event.

45 CFR 164.524(c)(2): in the electronic form that is readily producible; here the same JSON that
each list answers.
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core.patients import open_chart
from api.db import Values

Part = Callable[[Actor, UUID], Any]


def download_record(actor: Actor, patient_id: UUID, parts: Mapping[str, Part]) -> Values:
    """Every part of the chart as its patient reads it, by name; all of one moment's reading."""
    open_chart(actor, "patient:download", patient_id)
    made = {name: tell(actor, patient_id) for name, tell in parts.items()}
    trail.about("patient", patient_id)
    return {"made_at": clock.now(), "patient_id": patient_id} | made
