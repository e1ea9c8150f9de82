"""The operations of this door: their routes, and what the statement says of them."""

from typing import Any, Final

from flask import Blueprint

from api.fhir import bulk, subscribing
from api.fhir.everything import everything
from api.fhir.subscription import BACKPORT
from api.fhir.summary import read_integration_summary

HL7: Final = "http://hl7.org/fhir/OperationDefinition/"
BULK: Final = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"
PATIENT: Final = "/Patient/<fhir_id:resource_id>"
SUBSCRIPTION: Final = "/Subscription/<fhir_id:resource_id>"
FILE: Final = "export_file"
ROUTES: Final[tuple[tuple[str, str, Any, tuple[str, ...]], ...]] = (
    (f"{PATIENT}/$everything", "everything", everything, ("GET", "POST")),
    (f"{PATIENT}/$integration-summary", "summary", read_integration_summary, ("GET", "POST")),
    (SUBSCRIPTION, "end_subscription", subscribing.end_subscription, ("DELETE",)),
    ("/Subscription", "subscribe", subscribing.begin_subscription, ("POST",)),
    (f"{SUBSCRIPTION}/$status", "status", subscribing.read_status, ("GET", "POST")),
    ("/$export", "export_system", bulk.export_system, ("GET", "POST")),
    ("/Patient/$export", "export_patients", bulk.export_patients, ("GET", "POST")),
    ("/Group/<fhir_id:resource_id>/$export", "export_group", bulk.export_group, ("GET", "POST")),
    ("/bulk/<fhir_id:resource_id>", "export_status", bulk.export_status, ("GET",)),
    ("/bulk/<fhir_id:resource_id>", "remove_export", bulk.remove_export, ("DELETE",)),
    ("/bulk/<fhir_id:resource_id>/<fhir_id:name>", FILE, bulk.export_file, ("GET",)),
)
OF_ANY_FORM: Final = (f"fhir.{FILE}",)
"""What is no resource, so that `Accept` names other forms."""
STATED: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "": (("export", f"{BULK}export"),),
    "Patient": (
        ("everything", f"{HL7}Patient-everything"),
        ("export", f"{BULK}patient-export"),
        ("integration-summary", "urn:freshtrail:operation:integration-summary"),
    ),
    "Subscription": (("status", f"{BACKPORT}OperationDefinition/backport-subscription-status"),),
    "Group": (("export", f"{BULK}group-export"),),
}
"""Of each type the operations with their definitions; those of the whole system stand under ''."""
WRITTEN: Final = {"Subscription": ("create", "delete")}
"""Interactions of a type beside reading, that stand here."""


def offer(door: Blueprint) -> None:
    """Register the operations."""
    for rule, name, view, methods in ROUTES:
        door.add_url_rule(rule, name, view, methods=list(methods))


def stated(of: str = "") -> list[dict[str, str]]:
    """What the statement says of the operations of a type, or of the system."""
    return [{"name": name, "definition": definition} for name, definition in STATED.get(of, ())]
