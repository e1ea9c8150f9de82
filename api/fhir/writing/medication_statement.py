"""A MedicationStatement as an EHR sends it."""

from typing import Final

from api.fhir.datatypes import Values
from api.fhir.writing.form import Form, Writer, said_of
from api.fhir.writing.lists import MISTAKE, note, of_list, rxnorm

STATUSES: Final = {
    "active": "active",
    "on-hold": "held",
    "completed": "stopped",
    "stopped": "stopped",
    "entered-in-error": MISTAKE,
}


def values(form: Form) -> Values:
    """What is kept of a medication."""
    said = form.said
    form.keeps(
        *("status", "medicationCodeableConcept", "subject", "effectivePeriod", "note"),
        *("effectiveDateTime", "dateAsserted", "informationSource", "dosage"),
    )
    status = form.code("status", STATUSES, form.needs("status", said.get("status")))
    concept = form.needs("medicationCodeableConcept", said.get("medicationCodeableConcept"))
    name = form.needs("medicationCodeableConcept.text", said_of(concept))
    period = said.get("effectivePeriod") or {"start": said.get("effectiveDateTime")}
    doses = [one.get("text") for one in said.get("dosage") or []]
    return {
        "name": form.words("medicationCodeableConcept", name),
        "code": rxnorm(form, "medicationCodeableConcept"),
        "status": status,
        "from_on": form.day("effectivePeriod.start", period.get("start")),
        "to_on": form.day("effectivePeriod.end", period.get("end")),
        "dose": form.words("dosage", "; ".join(text for text in doses if text) or None),
        "note": note(form),
    }


WRITER: Final[Writer] = of_list("MedicationStatement", values)
