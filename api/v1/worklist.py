"""The worklist over v1: whom to see or call and why."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import alerts, worklist
from api.paging import Listing
from api.v1 import cursors
from api.v1.alerts import BesideAlertsSchema
from api.v1.forms import Ask, Choice, Day, Instant, Many, QueryWhole, Show, Words, shown
from api.v1.offers import DEFAULT_LIMIT, MAX_LIMIT
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint

blp = Blueprint("worklist", "Whom to see or call, and why.")
MAX_REASONS = 1000


class ReasonSchema(Show):
    """Why a patient is on the worklist; which ids it carries depends on its `code`.

    `alert_open`: `alert_id`, `check_in_id`, `rule`, `priority`, `state`, `historical` (no clock).
    `window_without_integration`: `session_id` of the dose, `dosed_at`, `window_day`, and when the
    next integration session is booked. `check_in_overdue` (it can still be answered) and
    `check_in_missed` (for two weeks, unless the plan asks anew): `plan_id`, `instrument`, `due_on`,
    and `practice_id` where it asks of one.
    `reliable_deterioration`: `check_in_id`, `instrument`. `practice_thin`: in four weeks more
    doses and less than half the steps of the four before. `treatment_consent_missing`: due when
    the next dose is booked. `note_unsigned`: how many completed sessions and drafts wait for a
    signature, and `session_id` of the session that waits longest. `rems_form_due`: `session_id`
    and `dosed_at` of a session with esketamine whose form the clinic did not say it filed.
    """

    code = Choice(worklist.CODES, required=True)
    due_at = shown(Instant, nullable=True)
    overdue = shown(ma.fields.Boolean)
    alert_id = ma.fields.UUID()
    check_in_id = ma.fields.UUID(allow_none=True)
    rule = ma.fields.String()
    priority = Choice(alerts.PRIORITIES)
    state = Choice(alerts.STATES)
    historical = ma.fields.Boolean()
    session_id = ma.fields.UUID(allow_none=True)
    unsigned_sessions = ma.fields.Integer()
    unsigned_notes = ma.fields.Integer()
    window_day = ma.fields.Integer()
    dosed_at = Instant()
    booked_at = Instant(allow_none=True)
    plan_id = ma.fields.UUID()
    instrument = ma.fields.String()
    due_on = Day()
    practice_id = ma.fields.UUID(allow_none=True)


class WorklistRowSchema(Show):
    """A patient with the reasons to see to them, most urgent first; `due_at` is the earliest."""

    patient = ma.fields.Nested(PatientRefSchema, required=True)
    due_at = shown(Instant, nullable=True)
    reasons = Many(ma.fields.Nested(ReasonSchema), required=True, most=MAX_REASONS)


class WorklistQuery(Ask):
    """Which part of the list. It is reckoned at each reading, so it has no changes since."""

    limit = QueryWhole(1, MAX_LIMIT, load_default=DEFAULT_LIMIT)
    cursor = Words(cursors.MAX_CURSOR, metadata={"description": "From `next_cursor`; alone."})


@blp.offer(
    "GET",
    "/worklist",
    "worklist:read",
    query=WorklistQuery,
    answer=WorklistRowSchema,
    beside=BesideAlertsSchema,
    paged=True,
    derived=True,
)
def list_worklist(actor: Actor, **asked: Any) -> Listing:
    """List whom to see or call and why, the most urgent first.

    The patients of your care teams, and those whose alert was escalated to you. Alerts stand first
    by priority, then who got reliably worse, open windows without an integration session, missing
    consents, forms of a REMS to be filed, check-ins whose time is over or that were missed,
    unsigned records, alerts of old answers, and practice gone thin. `escalation` says whether
    anybody is told of alerts.
    """
    return worklist.list_worklist(actor, **asked)
