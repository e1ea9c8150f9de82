"""The codes of a dose, as our vocabulary has them, in FHIR's form."""

from typing import Any

from api.core.treatment.dosing.vocabulary import RXNORM as RXNORM_OF, SNOMED as SNOMED_OF
from api.fhir.datatypes import RXNORM, SNOMED, Json, coding, concept, quantity

MEDICINES = {"ketamine": "Ketamine", "esketamine": "Esketamine nasal spray"}


def medicine(code: str) -> Json:
    """A medicine with its RxNorm code."""
    said = MEDICINES[code]
    rxnorm = {"ketamine": "ketamine"}.get(code)
    return concept(coding(RXNORM, RXNORM_OF[code], rxnorm), text=said)


def route(code: str) -> Json:
    """A route with its SNOMED CT code."""
    said = code.capitalize() + " route"
    return concept(coding(SNOMED, SNOMED_OF[code]), text=said)


def milligrams(value: Any) -> Json | None:
    """A dose."""
    return quantity(value, "mg", "mg")
