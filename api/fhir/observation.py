"""Observation: vitals, scores and answers of check-ins, the tier of a risk screen, trails."""

from typing import Final

from api.core.ehr import CHECK_INS, TRAILS, VITALS
from api.fhir import observation_measures as measures, observation_vitals as vitals
from api.fhir.kind import Kind, Part
from api.fhir.parameters import date, patient, reference as pointing, token

KIND: Final = Kind(
    type="Observation",
    code="obs",
    parts=(
        Part(VITALS, vitals.to_fhir, {"category": vitals.CATEGORIES}, singly=False),
        Part(CHECK_INS, measures.of_checkin, {"category": frozenset({"survey"})}, singly=False),
        Part(TRAILS, measures.of_trail, {"category": frozenset({"activity"})}, digest=True),
    ),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "status": token("status"),
        "category": token("category"),
        "code": token("code"),
        "date": date("effectiveDateTime"),
        "encounter": pointing("encounter", "Encounter"),
        "focus": pointing("focus", "Goal"),
        "performer": pointing("performer", "Patient", "Practitioner", "Organization"),
        "derived-from": pointing("derivedFrom", "QuestionnaireResponse"),
        "has-member": pointing("hasMember", "Observation"),
    },
    summary=(
        *("identifier", "basedOn", "partOf", "status", "category", "code", "subject", "focus"),
        *("encounter", "effectiveDateTime", "issued", "performer", "valueQuantity"),
        *("valueCodeableConcept", "valueInteger", "hasMember", "derivedFrom", "component"),
    ),
    mandatory=("status", "code"),
    doc="Vitals, scores and answers of check-ins, suicide-risk tiers, trails.",
)
