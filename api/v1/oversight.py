"""Oversight over v1: the trail for who must watch it, and each patient's own access log."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor, Role
from api.core import access_log, audit_search, unrelated
from api.paging import Listing
from api.v1.forms import Choice, Id, Instant, Many, Show, Words, shown
from api.v1.history import MakerSchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("oversight", "Who did what: the trail, and the access log of a chart.")
BY = {"description": "Null for whoever is no user of the clinic (any more)."}
PATIENTS = {"description": "The patients whose data it was, at most 100; ids and nothing more."}
RECORD = {"description": "Null for notes and for what patients may keep for themselves."}
UNRELATED = {"description": "The charts that they were not near, at most 100; ids alone."}
WHY = {"description": "How the chart was in their reach; null when that is not known any more."}


class AuditEventSchema(Show):
    """An event of the trail; what was read or written is not in it."""

    id = shown(ma.fields.UUID)
    at = shown(Instant)
    actor = ma.fields.Nested(MakerSchema, required=True, allow_none=True, metadata=BY)
    role = shown(ma.fields.String, nullable=True)
    action = shown(ma.fields.String)
    type = shown(ma.fields.String, nullable=True)
    record_id = shown(ma.fields.UUID, nullable=True, metadata=RECORD)
    outcome = Choice(audit_search.OUTCOMES, required=True)
    reason_ref = shown(ma.fields.String, nullable=True)
    purpose = shown(ma.fields.String, nullable=True)
    door = shown(ma.fields.String)
    request_id = shown(ma.fields.String)
    client_ip = shown(ma.fields.String, nullable=True)
    fields_changed = Many(ma.fields.String(), required=True, attribute="fields")
    patient_ids = Many(ma.fields.UUID(), required=True, metadata=PATIENTS)


class AccessSchema(Show):
    """Somebody was in the chart: who, in what role, what for and why, in plain words."""

    id = shown(ma.fields.UUID)
    at = shown(Instant)
    who = ma.fields.Nested(MakerSchema, required=True, allow_none=True, metadata=BY)
    role = shown(ma.fields.String, nullable=True)
    kind = Choice(access_log.KINDS, required=True)
    about = shown(ma.fields.String)
    why = Choice(access_log.WHYS, required=True, allow_none=True, metadata=WHY)
    words = shown(ma.fields.String)
    why_words = shown(ma.fields.String, nullable=True)
    door = shown(ma.fields.String)


class AccessQuery(PageQuery):
    """Of which time; `to` itself is not in it."""

    from_ = Instant(data_key="from")
    to = Instant()


class AuditEventQuery(AccessQuery):
    """Which events."""

    actor_id = Id()
    patient_id = Id()
    record_id = Id()
    role = Choice(Role)
    action = Words(40, metadata={"description": "Such as `patient:read`."})
    type = Words(40)
    outcome = Choice(audit_search.OUTCOMES)
    door = Words(20)
    request_id = Words(64)


class UnrelatedAccessSchema(Show):
    """Somebody was in charts that they were not near."""

    id = shown(ma.fields.UUID)
    at = shown(Instant)
    actor = ma.fields.Nested(MakerSchema, required=True, allow_none=True, metadata=BY)
    role = Choice(unrelated.STAFF, required=True)
    action = shown(ma.fields.String)
    why = Choice(unrelated.WHYS, required=True, allow_none=True, metadata=WHY)
    door = shown(ma.fields.String)
    request_id = shown(ma.fields.String)
    patient_ids = Many(ma.fields.UUID(), required=True, metadata=UNRELATED)


class UnrelatedQuery(AccessQuery):
    """Of whom, too."""

    actor_id = Id()
    role = Choice(unrelated.STAFF)


@blp.offer(
    "GET",
    "/audit-events",
    "audit_event:read",
    query=AuditEventQuery,
    answer=AuditEventSchema,
    paged=True,
)
def search_audit_events(actor: Actor, **asked: Any) -> Listing:
    """Search the trail, the latest event first.

    The privacy officer reads all of the clinic, but for what patients do with their own entries;
    the administrator security events in which no patient appears. To search leaves an event too.
    """
    return audit_search.search_audit_events(actor, **asked)


@blp.offer(
    "GET",
    "/audit-events/unrelated",
    "access_log:search",
    query=UnrelatedQuery,
    answer=UnrelatedAccessSchema,
    paged=True,
)
def list_unrelated_access(actor: Actor, **asked: Any) -> Listing:
    """List who was in a chart without being near it, the latest first.

    Clinicians and administrators who at that time were neither on the patient's care team nor named
    on a session nor on duty for an alert: they broke the glass, or their role reaches the whole
    clinic. Of the last 28 days, unless `from` says since when. How many it were in a week the
    privacy officers are told by mail. To look leaves an event too.
    """
    return unrelated.list_unrelated_access(actor, **asked)


@blp.offer(
    "GET",
    "/patients/<id:patient_id>/access-log",
    "access_log:read",
    query=AccessQuery,
    answer=AccessSchema,
    paged=True,
)
def read_access_log(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """Read who was in a chart, the latest first.

    In plain words: who looked or wrote, when, in what role, and why they could.
    """
    return access_log.read_access_log(actor, patient_id, **asked)
