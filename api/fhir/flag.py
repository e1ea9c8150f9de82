"""Flag: that a safety signal stands; what it is about is for the care team to say."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import ALERTS
from api.fhir.datatypes import hl7, identifier, ours, period, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token

TEXT: Final = "Safety signal: please speak to the clinic's care team"


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The signal of a row, without clinical detail."""
    body = {
        "identifier": [identifier("alert", row["id"])],
        "status": "inactive" if row["state"] == "resolved" else "active",
        "category": [hl7("flag-category", "safety", "Safety")],
        "code": ours("flag", "safety_signal", TEXT),
        "subject": reference("Patient", row["patient_id"]),
        "period": period(row["raised_at"], row["resolved_at"]),
        "author": reference("Organization", row["clinic_id"]),
    }
    yield Made(body)


KIND: Final = Kind(
    type="Flag",
    code="flg",
    parts=(Part(ALERTS, to_fhir),),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "identifier": token("identifier"),
        "status": token("status"),
        "category": token("category"),
        "date": date("period"),
    },
    summary=(
        *("identifier", "status", "category", "code", "subject", "period", "encounter"),
        "author",
    ),
    mandatory=("status", "code", "subject"),
    doc="Safety signals, without clinical detail.",
)
