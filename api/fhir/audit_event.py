"""AuditEvent: who looked at whom, when, and by which door; for an explicit scope alone."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import FHIR, Actor
from api.core.ehr import AUDIT
from api.fhir.datatypes import HL7, IDS, OURS, Json, coding, instant, reference
from api.fhir.kind import Kind, Made, Part
from api.fhir.parameters import date, reference as pointing, token

REST: Final = coding(f"{HL7}audit-event-type", "rest", "RESTful Operation")
OUTCOMES: Final = {"ok": "0", "refused": "4"}


def _deed(action: str) -> str:
    """The letter of a deed: read, or executed where it changes something."""
    if action.endswith((":read", ":list", ":search")):
        return "R"
    return {"create": "C", "update": "U"}.get(action.rpartition(":")[2], "E")


def _agent(row: dict[str, Any]) -> Json:
    who = row["actor_id"]
    alone = {"identifier": {"system": f"{IDS}actor", "value": str(who)}} if who else None
    kind = "client" if row["door"] == FHIR else "user"
    return {
        "type": {"coding": [coding(f"{OURS}actor", kind)]},
        "role": [{"coding": [coding(f"{OURS}role", row["role"])]}] if row["role"] else None,
        "who": alone,
        "requestor": True,
        "network": {"address": row["client_ip"], "type": "2"} if row["client_ip"] else None,
    }


def _entities(row: dict[str, Any]) -> list[Json]:
    """The patients whose data it touched, and the record that it was about."""
    people = [
        {
            "what": reference("Patient", one),
            "type": coding(f"{HL7}audit-entity-type", "1", "Person"),
            "role": coding(f"{HL7}object-role", "1", "Patient"),
        }
        for one in row["patients"]
    ]
    about = row["record_id"]
    told = {
        "what": {"identifier": {"system": f"{IDS}record", "value": str(about)}},
        "type": coding(f"{HL7}audit-entity-type", "2", "System Object"),
        "name": row["type"],
    }
    request = {
        "what": {"identifier": {"system": f"{IDS}request", "value": row["request_id"]}},
        "type": coding(f"{HL7}audit-entity-type", "2", "System Object"),
        "name": "request",
    }
    return [*people, *([told] if about else []), request]


def to_fhir(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The event of a row."""
    body = {
        "type": REST,
        "subtype": [coding(f"{OURS}action", row["action"])],
        "action": _deed(row["action"]),
        "recorded": instant(row["at"]),
        "outcome": OUTCOMES.get(row["outcome"], "4"),
        "outcomeDesc": row["reason_ref"],
        "agent": [_agent(row)],
        "source": {
            "site": row["door"],
            "observer": reference("Organization", row["clinic_id"]),
        },
        "entity": _entities(row),
    }
    yield Made(body, updated_at=row["at"], version=1)


KIND: Final = Kind(
    type="AuditEvent",
    code="aud",
    parts=(Part(AUDIT, to_fhir),),
    params={
        "patient": pointing("entity.what", "Patient"),
        "entity": pointing("entity.what", "Patient"),
        "date": date("recorded"),
        "action": token("action"),
        "outcome": token("outcome"),
        "type": token("type"),
        "subtype": token("subtype"),
        "site": token("source.site"),
    },
    summary=("type", "subtype", "action", "period", "recorded", "outcome", "outcomeDesc"),
    mandatory=("type", "recorded", "agent", "source"),
    restricted=False,
    chart=None,
    apart=True,
    doc="The trail. A wildcard scope leaves it out; it is asked for by name.",
)
