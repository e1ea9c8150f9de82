"""Subscription: what a client is told of, by topics, as the R4 backport has them.

Subscriptions R5 Backport 1.1.0: https://hl7.org/fhir/uv/subscriptions-backport/.
"""

from collections.abc import Iterator
from typing import Any, Final

from api import clock
from api.access.policies import Actor
from api.core.ehr import SUBSCRIPTIONS
from api.fhir.datatypes import Json, instant
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import URI, Param, token

BACKPORT: Final = "http://hl7.org/fhir/uv/subscriptions-backport/"
FILTER: Final = f"{BACKPORT}StructureDefinition/backport-filter-criteria"
CONTENT: Final = f"{BACKPORT}StructureDefinition/backport-payload-content"
HEARTBEAT: Final = f"{BACKPORT}StructureDefinition/backport-heartbeat-period"
PROFILE: Final = f"{BACKPORT}StructureDefinition/backport-subscription"
STATED_TOPIC: Final = (
    f"{BACKPORT}StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
)
TOPIC: Final = "urn:freshtrail:topic:"
HOOK, PAYLOAD = "rest-hook", "application/fhir+json"
ON: Final = {
    "patient": ("Patient/{patient_id}", "patient.created patient.discharged patient.readmitted"),
    "session": ("Encounter/{session_id}", "session.booked session.changed session.moved"),
    "dose": ("Encounter/{session_id}", "dose.recorded"),
    "check-in": (
        "QuestionnaireResponse/{check_in_id}",
        "check_in.completed check_in.corrected",
    ),
    "goal": ("Goal/{goal_id}", "goal.created"),
    "consent": ("Consent/{consent_id}", "consent.given consent.withdrawn"),
    "safety": (
        "Flag/{alert_id}",
        "alert.raised alert.escalated alert.acknowledged alert.resolved",
    ),
}
"""Of each topic to what a notification points, and of which events it tells."""
TOPICS: Final = {f"{TOPIC}{name}": target.partition("/")[0] for name, (target, _) in ON.items()}
"""Every topic with the type that it is on."""
BY_EVENT: Final = {
    event: (f"{TOPIC}{name}", target)
    for name, (target, events) in ON.items()
    for event in events.split()
}


def topics() -> list[Json]:
    """The topics, as the statement tells of them."""
    return [{"url": STATED_TOPIC, "valueCanonical": topic} for topic in TOPICS]


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The subscription of a row, without the headers that its receiver wants."""
    narrowed = [{"url": FILTER, "valueString": row["criteria"]}] if row["criteria"] else []
    beats = [{"url": HEARTBEAT, "valueUnsignedInt": row["heartbeat_s"]}]
    body = {
        "status": "off" if _is_over(row) else row["status"],
        "end": instant(row["ends_at"]),
        "reason": row["reason"],
        "criteria": row["topic"],
        "_criteria": {"extension": narrowed},
        "error": row["error"],
        "channel": {
            "extension": beats if row["heartbeat_s"] is not None else None,
            "type": HOOK,
            "endpoint": row["endpoint"],
            "payload": PAYLOAD,
            "_payload": {"extension": [{"url": CONTENT, "valueCode": row["content"]}]},
        },
    }
    yield Made(body, profiles=(PROFILE,))


def _is_over(row: dict[str, Any]) -> bool:
    """Whether the time that it was meant for has passed."""
    return row["ends_at"] is not None and row["ends_at"] <= clock.now()


KIND: Final = Kind(
    type="Subscription",
    code="sub",
    parts=(Part(SUBSCRIPTIONS, to_fhir),),
    params={
        "status": token("status"),
        "criteria": Param(URI, ("criteria",)),
        "url": Param(URI, ("channel.endpoint",)),
    },
    summary=("status", "contact", "end", "reason", "criteria", "error", "channel"),
    mandatory=("status", "reason", "criteria", "channel"),
    restricted=False,
    chart=None,
    doc="Subscriptions of the client itself: rest-hook, empty or id-only.",
)
