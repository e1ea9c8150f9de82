"""Every type of this door by its name: routes, statement, scopes and exports are made of this."""

from collections.abc import Mapping
from typing import Final

from api.fhir import (
    adverse_event,
    allergy_intolerance,
    audit_event,
    care_plan,
    care_team,
    condition,
    consent,
    encounter,
    episode_of_care,
    flag,
    goal,
    group,
    medication_administration,
    medication_request,
    medication_statement,
    observation,
    organization,
    patient,
    practitioner,
    practitioner_role,
    procedure,
    provenance,
    questionnaire,
    questionnaire_response,
    related_person,
    service_request,
    subscription,
)
from api.fhir.kind import Kind

MODULES: Final = {
    "Patient": patient,
    "Practitioner": practitioner,
    "PractitionerRole": practitioner_role,
    "Organization": organization,
    "CareTeam": care_team,
    "Encounter": encounter,
    "EpisodeOfCare": episode_of_care,
    "Procedure": procedure,
    "MedicationAdministration": medication_administration,
    "MedicationRequest": medication_request,
    "MedicationStatement": medication_statement,
    "AllergyIntolerance": allergy_intolerance,
    "Condition": condition,
    "Observation": observation,
    "Questionnaire": questionnaire,
    "QuestionnaireResponse": questionnaire_response,
    "Goal": goal,
    "CarePlan": care_plan,
    "RelatedPerson": related_person,
    "ServiceRequest": service_request,
    "Consent": consent,
    "AdverseEvent": adverse_event,
    "Flag": flag,
    "Group": group,
    "Subscription": subscription,
    "AuditEvent": audit_event,
}
_OTHERS: Final = {name: module.KIND for name, module in MODULES.items()}
KINDS: Final[Mapping[str, Kind]] = {
    **_OTHERS,
    "Provenance": provenance.over(list(_OTHERS.values())),
}
