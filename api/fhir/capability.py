"""The CapabilityStatement, made of the same table as the routes: it says what there is."""

from typing import Any, Final

from api.fhir import operations
from api.fhir.kind import Kind
from api.fhir.kinds import KINDS
from api.fhir.parameters import REFERENCE, Param
from api.fhir.subscription import topics
from api.fhir.writing.writers import WRITERS

PUBLISHED: Final = "2026-11-25"
VERSION: Final = "1.0.0"
READING: Final = ("read", "vread", "history-instance", "search-type")
SMART: Final = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
            "code": "SMART-on-FHIR",
        }
    ],
    "text": "SMART Backend Services (private_key_jwt with RS384 or ES384)",
}
OAUTH: Final = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


def statement(base: str) -> dict[str, Any]:
    """The statement of this door at an address."""
    return {
        "resourceType": "CapabilityStatement",
        "id": "freshtrail",
        "url": "urn:freshtrail:capability",
        "version": VERSION,
        "name": "Freshtrail",
        "title": "Freshtrail, FHIR R4",
        "status": "active",
        "experimental": False,
        "date": PUBLISHED,
        "publisher": "Freshtrail",
        "description": "A clinic for ketamine-assisted psychotherapy, for EHR systems.",
        "kind": "instance",
        "software": {"name": "Freshtrail", "version": VERSION},
        "implementation": {"description": "Freshtrail, FHIR R4", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json", "application/fhir+json"],
        "patchFormat": ["application/json-patch+json"],
        "implementationGuide": ["http://hl7.org/fhir/us/core/ImplementationGuide/hl7.fhir.us.core"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "cors": False,
                    "service": [SMART],
                    "extension": [
                        {
                            "url": OAUTH,
                            "extension": [{"url": "token", "valueUri": f"{base}/auth/token"}],
                        }
                    ],
                },
                "resource": [_resource(kind) for kind in KINDS.values()],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
            | ({"operation": operations.stated()} if operations.stated() else {})
        ],
    }


def _resource(kind: Kind) -> dict[str, Any]:
    profiles = PROFILES.get(kind.type, ())
    told: dict[str, Any] = {
        "extension": topics() if kind.type == "Subscription" else [],
        "type": kind.type,
        "documentation": kind.doc,
        "interaction": [
            {"code": code} for code in (*interactions(kind), *operations.WRITTEN.get(kind.type, ()))
        ],
        "versioning": "versioned",
        "readHistory": any(part.keeps_versions for part in kind.parts),
        "updateCreate": False,
        **_conditional(kind),
        "conditionalRead": "not-match",
        "referencePolicy": ["literal"],
        "searchInclude": includes(kind),
        "searchRevInclude": ["Provenance:target"] if kind.chart else [],
        "searchParam": [_param(name, param) for name, param in kind.every_param.items()],
        "operation": operations.stated(kind.type),
    }
    if profiles:
        told["supportedProfile"] = [f"{US_CORE}{name}" for name in profiles]
    return {name: value for name, value in told.items() if value != []}


def interactions(kind: Kind) -> list[str]:
    """What may be done with a type, by FHIR's codes."""
    writer = WRITERS.get(kind.type)
    if writer is None:
        return [*READING]
    return [*READING, "create", *(("update", "patch") if writer.update is not None else ())]


def _conditional(kind: Kind) -> dict[str, bool]:
    writer = WRITERS.get(kind.type)
    if writer is None:
        return {}
    return {"conditionalCreate": True, "conditionalUpdate": writer.update is not None}


def includes(kind: Kind) -> list[str]:
    """What `_include` takes for a type."""
    return [f"{kind.type}:{name}" for name, param in kind.params.items() if param.kind == REFERENCE]


def _param(name: str, param: Param) -> dict[str, str]:
    return {"name": name, "type": param.kind}


US_CORE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
PROFILES: Final = {
    "Patient": ("patient",),
    "Practitioner": ("practitioner",),
    "PractitionerRole": ("practitionerrole",),
    "Organization": ("organization",),
    "CareTeam": ("careteam",),
    "Encounter": ("encounter",),
    "Procedure": ("procedure",),
    "MedicationRequest": ("medicationrequest",),
    "AllergyIntolerance": ("allergyintolerance",),
    "Condition": ("condition-problems-health-concerns",),
    "Observation": (
        *("blood-pressure", "heart-rate", "pulse-oximetry", "respiratory-rate", "body-weight"),
        *("observation-screening-assessment", "simple-observation"),
    ),
    "QuestionnaireResponse": ("questionnaireresponse",),
    "Goal": ("goal",),
    "CarePlan": ("careplan",),
    "RelatedPerson": ("relatedperson",),
    "ServiceRequest": ("servicerequest",),
    "Provenance": ("provenance",),
}
"""The US Core profiles that resources of a type claim in `meta.profile`."""
