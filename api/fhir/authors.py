"""Who wrote a record: a practitioner of the clinic, or the clinic where a program did."""

from typing import Any

from api.access.policies import Actor
from api.core.ehr import is_by_staff
from api.fhir.datatypes import Json, reference


def recorder(reader: Actor, row: dict[str, Any]) -> Json | None:
    """The practitioner who recorded it, or None."""
    by_staff = is_by_staff(reader, row, "recorded_by")
    return reference("Practitioner", row["recorded_by"]) if by_staff else None


def writer(reader: Actor, row: dict[str, Any]) -> Json | None:
    """The practitioner who recorded it, else the clinic."""
    return recorder(reader, row) or reference("Organization", row["clinic_id"])
