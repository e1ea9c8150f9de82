"""Telling of purges: the event, the letter to privacy officers, and what the worker did."""

from typing import Any
from uuid import UUID

from api import clock
from api.audit import trail
from api.core import mail
from api.core.purges.table import chart_purges
from api.core.staffing import officers
from api.db import Values, new_id, store
from api.outbox import events


def happened(row: Values, name: str) -> None:
    """The event, for whoever asked to be told."""
    subject = {"chart_purge_id": row["id"], "patient_id": row["patient_id"]}
    events.append(store(), row["clinic_id"], name, subject)


def proposed(row: Values) -> None:
    """A letter to every privacy officer but who proposes it."""
    for address in officers(row["clinic_id"], row["proposed_by"]):
        mail.send(address, "chart_purge_proposed")


def approved(row: Values) -> None:
    """A letter to every privacy officer but who agrees: for a while it can be taken back."""
    for address in officers(row["clinic_id"], row["approved_by"]):
        mail.send(address, "chart_purge_approved")


def ended(row: Values, deed: str, outcome: str, reason: str | None = None) -> None:
    """An event of the trail in the worker's name, and a letter to every privacy officer."""
    charts = row["charts"] or [row["patient_id"]]
    event = _event(row, deed) | {"outcome": outcome, "reason_ref": reason}
    store().append(trail.audit_events, [event])
    keys = {"clinic_id": row["clinic_id"], "event_id": event["id"]}
    those = [keys | {"patient_id": UUID(str(one))} for one in charts]
    store().append(trail.audit_event_patients, those)
    for address in officers(row["clinic_id"], row["id"]):
        mail.send(address, "chart_purge_ended")


def _event(row: Values, deed: str) -> dict[str, Any]:
    return {
        "clinic_id": row["clinic_id"],
        "id": new_id(),
        "at": clock.now(),
        "action": f"chart_purge:{deed}",
        "type": chart_purges.name,
        "record_id": row["id"],
        "purpose": "retention",
        "door": "worker",
        "request_id": row["id"].hex,
        "field_names": "state",
    }
