"""Who wrote a record: a practitioner of the clinic, or the clinic where a program did."""

from typing import Any

from api.access.policies import Actor
from api.core.ehr import staff_of
from api.fhir.datatypes import Json, reference


def recorder(reader: Actor, row: dict[str, Any]) -> Json | None:
    """The practitioner who recorded it, or None."""
    by = row["recorded_by"]
    return reference("Practitioner", by) if by in staff_of(reader) else None


def writer(reader: Actor, row: dict[str, Any]) -> Json | None:
    """The practitioner who recorded it, else the clinic."""
    return recorder(reader, row) or reference("Organization", row["clinic_id"])
