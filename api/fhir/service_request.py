"""ServiceRequest: a referral, by which somebody elsewhere sends a patient here."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.ehr import REFERRALS
from api.fhir.datatypes import US_CORE, identifier, instant, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, patient, reference as pointing, token

STATUSES: Final = {
    "draft": "draft",
    "active": "active",
    "on_hold": "on-hold",
    "revoked": "revoked",
    "completed": "completed",
    "entered_in_error": "entered-in-error",
}
INTENTS: Final = {
    "proposal": "proposal",
    "plan": "plan",
    "order": "order",
    "original_order": "original-order",
}
PRIORITIES: Final = {word: word for word in ("routine", "urgent", "asap", "stat")}


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The referral of a row."""
    said = row["content"]
    body = {
        "identifier": [identifier("referral", row["id"]), *row["identifiers"]],
        "status": STATUSES[row["status"]],
        "intent": INTENTS[row["intent"]],
        "priority": row["priority"],
        "category": said["category"],
        "code": said["code"],
        "subject": reference("Patient", row["patient_id"]),
        "authoredOn": instant(row["authored_at"] or row["created_at"]),
        "requester": {"display": said["requester"]},
        "performer": [reference("Organization", row["clinic_id"])],
        "reasonCode": [{"text": said["reason"]}],
        "note": [{"text": said["note"]}],
    }
    yield Made(body, profiles=(f"{US_CORE}servicerequest",))


KIND: Final = Kind(
    type="ServiceRequest",
    code="srq",
    parts=(Part(REFERRALS, to_fhir),),
    params={
        **patient(),
        "subject": pointing("subject", "Patient"),
        "identifier": token("identifier"),
        "status": token("status"),
        "intent": token("intent"),
        "priority": token("priority"),
        "category": token("category"),
        "code": token("code"),
        "authored": date("authoredOn"),
        "performer": pointing("performer", "Organization"),
    },
    summary=(
        *("identifier", "basedOn", "status", "intent", "category", "priority", "code", "subject"),
        *("encounter", "authoredOn", "requester", "performer"),
    ),
    mandatory=("status", "intent", "subject"),
    doc="Referrals: who sends a patient here, and for what.",
)
