"""Every type that an EHR may write: routes, statement and bundles are made of this."""

from collections.abc import Mapping
from typing import Final

from api.fhir.writing import (
    allergy_intolerance,
    condition,
    consent,
    encounter,
    medication_statement,
    observation,
    patient,
    questionnaire_response,
    service_request,
)
from api.fhir.writing.form import Writer

WRITERS: Final[Mapping[str, Writer]] = {
    "Patient": patient.WRITER,
    "Condition": condition.WRITER,
    "AllergyIntolerance": allergy_intolerance.WRITER,
    "MedicationStatement": medication_statement.WRITER,
    "ServiceRequest": service_request.WRITER,
    "Encounter": encounter.WRITER,
    "Observation": observation.WRITER,
    "QuestionnaireResponse": questionnaire_response.WRITER,
    "Consent": consent.WRITER,
}
