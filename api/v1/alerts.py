"""Alerts over v1: safety signals, whoever is told of them, and who is on call."""

from typing import Any
from uuid import UUID

import marshmallow as ma

from api.access.policies import Actor
from api.core import alerts, on_call
from api.paging import Listing, Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Id, Instant, Many, QueryFlag, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("alerts", "Safety signals that somebody must acknowledge, and who is on call.")
ONE = "/alerts/<id:alert_id>"
NOTE = 4000
CHANNEL = (
    "How they are to be reached, such as `sms` or `pager`, for whatever takes `alert.escalated`"
    " events to them; null: no channel is set."
)


class EscalationSchema(Show):
    """Whether an alert reaches somebody, and if not, why not."""

    running = shown(ma.fields.Boolean)
    why = Many(Choice(on_call.REASONS), required=True)


class BesideAlertsSchema(Show):
    """What is told of a list of alerts as a whole."""

    escalation = ma.fields.Nested(EscalationSchema, required=True)


class AlertSchema(Show):
    """An alert. A historical one has no clock: its answer was old when it came, as in an import.

    `due_at` is by when somebody must act next, and `overdue` is read off the clock.
    """

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    check_in_id = shown(
        ma.fields.UUID,
        nullable=True,
        metadata={"description": "Null for a form that was refused and never came again."},
    )
    session_id = shown(
        ma.fields.UUID, nullable=True, metadata={"description": "Whose ledger raised it."}
    )
    entry_id = shown(
        ma.fields.UUID, nullable=True, metadata={"description": "The entry that said the worst."}
    )
    instrument = shown(ma.fields.String, nullable=True)
    rule = shown(ma.fields.String)
    flag = shown(ma.fields.String, metadata={"description": "The worst that was said."})
    rules_version = shown(ma.fields.String)
    priority = Choice(alerts.PRIORITIES, required=True)
    state = Choice(alerts.STATES, required=True)
    historical = shown(ma.fields.Boolean)
    from_refused = shown(ma.fields.Boolean)
    raised_at = shown(Instant)
    answered_at = shown(Instant)
    clock_began_at = shown(Instant, nullable=True)
    acknowledge_due_at = shown(Instant, nullable=True)
    contact_due_at = shown(Instant, nullable=True)
    due_at = shown(Instant, nullable=True)
    overdue = shown(ma.fields.Boolean)
    acknowledged_at = shown(Instant, nullable=True)
    acknowledged_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    acknowledge_note = shown(ma.fields.String, nullable=True)
    contacted_at = shown(Instant, nullable=True)
    resolved_at = shown(Instant, nullable=True)
    resolved_by = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    resolve_note = shown(ma.fields.String, nullable=True)
    disposition = Choice(alerts.DISPOSITIONS, required=True, allow_none=True)
    allowed = Many(
        ma.fields.String(),
        required=True,
        metadata={"description": "What may be done with it now: the last part of the address."},
    )


class AttemptSchema(Show):
    """Somebody was to be told of an alert; `clinician` is null where there was nobody to tell."""

    at = shown(Instant)
    step = Choice(alerts.STEPS, required=True)
    priority = Choice(alerts.PRIORITIES, required=True)
    clinician = ma.fields.Nested(ClinicianRefSchema, required=True, allow_none=True)
    channel = shown(ma.fields.String, nullable=True)
    outcome = Choice(
        alerts.OUTCOMES,
        required=True,
        metadata={"description": "`handed_over`: an event went out; nobody knows if it was read."},
    )


class WholeAlertSchema(AlertSchema):
    """An alert with everybody who was to be told of it."""

    notification_attempts = Many(ma.fields.Nested(AttemptSchema), required=True)


class AlertQuery(PageQuery):
    """Which alerts."""

    state = Choice(alerts.STATES)
    priority = Choice(alerts.PRIORITIES)
    historical = QueryFlag()
    patient_id = Id()


class AcknowledgeSchema(Ask):
    """What is being done about it, and when the patient was reached, if that was so."""

    note = Words(NOTE, required=True)
    contacted_at = Instant(metadata={"description": "Not ahead."})


class ResolveSchema(AcknowledgeSchema):
    """What was found and done."""

    disposition = Choice(alerts.DISPOSITIONS)


class ShiftFields(Ask):
    """From when until when somebody is on call."""

    from_at = Instant(required=True)
    to_at = Instant(required=True)
    clinician_id = Id(required=True)


class BehindFields(Ask):
    """Who is told after whoever is on call, and by which channel; left out is null."""

    backup_clinician_id = Id(allow_none=True)
    director_clinician_id = Id(allow_none=True)
    channel = Words(200, allow_none=True, metadata={"description": CHANNEL})


class SetOnCallSchema(BehindFields):
    """All of it anew."""

    shifts = Many(ma.fields.Nested(ShiftFields), most=on_call.MAX_SHIFTS, required=True)


class ShiftSchema(Show):
    """A shift, with who has it."""

    from_at = shown(Instant)
    to_at = shown(Instant)
    clinician_id = shown(ma.fields.UUID)
    clinician = ma.fields.Nested(ClinicianRefSchema, required=True)


class OnCallSchema(Show):
    """Who is on call; `version` is 0 until somebody has set it."""

    version = shown(ma.fields.Integer)
    updated_at = shown(Instant, nullable=True)
    shifts = Many(ma.fields.Nested(ShiftSchema), most=on_call.MAX_SHIFTS, required=True)
    backup_clinician_id = shown(ma.fields.UUID, nullable=True)
    director_clinician_id = shown(ma.fields.UUID, nullable=True)
    channel = shown(ma.fields.String, nullable=True, metadata={"description": CHANNEL})
    escalation = ma.fields.Nested(EscalationSchema, required=True)


@blp.offer(
    "GET",
    "/alerts",
    "alert:read",
    query=AlertQuery,
    answer=AlertSchema,
    beside=BesideAlertsSchema,
    paged=True,
)
def list_alerts(actor: Actor, **asked: Any) -> Listing:
    """List the alerts of your patients, the latest first.

    Those of your care teams and of patients whose alert was escalated to you. `escalation` says
    whether anybody is told of them; `overdue` does not depend on it.
    """
    return alerts.list_alerts(actor, **asked)


@blp.offer("GET", ONE, "alert:read", answer=WholeAlertSchema, derived=True)
def read_alert(actor: Actor, alert_id: UUID) -> Values:
    """Read an alert with its notification attempts."""
    return alerts.read_alert(actor, alert_id)


@blp.offer(
    "POST",
    f"{ONE}/acknowledge",
    "alert:acknowledge",
    body=AcknowledgeSchema,
    answer=WholeAlertSchema,
    example={"note": "I am calling now."},
)
def acknowledge_alert(actor: Actor, alert_id: UUID, values: Values) -> Values:
    """Acknowledge an alert.

    Nobody else is told of it any more. Nothing but this and `resolve` moves an alert: no lower
    answer and no time closes one.
    """
    return alerts.acknowledge_alert(actor, alert_id, values)


@blp.offer(
    "POST",
    f"{ONE}/resolve",
    "alert:resolve",
    body=ResolveSchema,
    answer=WholeAlertSchema,
    example={"note": "Spoke for half an hour.", "disposition": "safety_plan_made"},
)
def resolve_alert(actor: Actor, alert_id: UUID, values: Values) -> Values:
    """Resolve an acknowledged alert.

    From then on it no longer keeps a dosing session from starting; to whom it was escalated
    reaches the chart for one more day.
    """
    return alerts.resolve_alert(actor, alert_id, values)


@blp.offer("GET", "/on-call", "on_call:read", answer=OnCallSchema, derived=True)
def read_on_call(actor: Actor) -> Values:
    """Read who is on call."""
    return on_call.read_on_call(actor)


@blp.offer(
    "PUT",
    "/on-call",
    "on_call:set",
    body=SetOnCallSchema,
    answer=OnCallSchema,
    example={
        "shifts": [
            {
                "from_at": "2026-11-25T15:00:00Z",
                "to_at": "2026-11-26T15:00:00Z",
                "clinician_id": "0197a4c0-0000-7000-8000-000000000001",
            }
        ],
        "channel": "sms",
    },
)
def set_on_call(actor: Actor, version: int | None, values: Values) -> Values:
    """Set who is on call.

    What is sent replaces all that was there. Before anything was set the ETag is `"0"`.
    """
    return on_call.set_on_call(actor, version, values)
