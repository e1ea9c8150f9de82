"""The calendar over v1: who is expected when, and when a colleague is busy."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import between
from api.core.treatment import calendar, moves
from api.core.treatment.sessions import KINDS, MODES
from api.paging import Listing
from api.v1.between import BetweenSchema
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import DAY, Choice, Day, Id, Instant, Many, Show, parse_instant, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint, PageQuery
from api.v1.session_shapes import ALLOWED, PatientSessionSchema

blp = Blueprint("calendar", "Who is expected when.")
INCLUDE = (
    "`between`, for clinicians: what happened to each patient since their last session before"
    " this one; it stands once a page, at the first session of each."
)


class Edge(ma.fields.String):
    """An edge of the calendar: a date in the clinic's time zone, or an instant."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str) and DAY.fullmatch(value):
            return Day().deserialize(value)
        return parse_instant(value)


class CalendarSessionSchema(Show):
    """A session in the calendar. Where `busy` is true it is out of your reach, and only when it
    begins and ends is told; `clinicians` then names the one you asked for, if any.
    """

    busy = shown(ma.fields.Boolean)
    starts_at = shown(Instant)
    ends_at = shown(Instant)
    clinicians = Many(ma.fields.Nested(ClinicianRefSchema))
    id = ma.fields.UUID()
    version = ma.fields.Integer()
    created_at = Instant()
    updated_at = Instant()
    patient = ma.fields.Nested(PatientRefSchema)
    kind = Choice(KINDS)
    state = Choice(moves.STATES)
    mode = Choice(MODES)
    room = ma.fields.String(allow_none=True)
    preparation = ma.fields.String(allow_none=True)
    allowed = Many(ma.fields.String(), metadata={"description": ALLOWED})
    also_covered = Many(Choice(KINDS))
    arrived_at = Instant(allow_none=True)
    started_at = Instant(allow_none=True)
    completed_at = Instant(allow_none=True)
    closed_at = Instant(allow_none=True)
    moved_at = Instant(allow_none=True)
    reason = ma.fields.String(allow_none=True)
    between = ma.fields.Nested(BetweenSchema)


class PatientCalendarSessionSchema(PatientSessionSchema):
    """A session of one's own in the calendar; `busy` is false, as nothing of it is withheld."""

    busy = shown(ma.fields.Boolean)


class CalendarQuery(PageQuery):
    """Which part of the calendar. With `updated_since` every change in reach, whenever it lies."""

    from_ = Edge(
        data_key="from",
        metadata={"description": "A date of the clinic or an instant; default today."},
    )
    to = Edge(
        metadata={
            "description": "A date, shown whole, or an instant; default a week; 62 days most."
        }
    )
    clinician_id = Id(metadata={"description": "Only sessions that name this clinician."})
    include = Choice(["between"], metadata={"description": INCLUDE})


@blp.offer(
    "GET",
    "/sessions",
    "session:list",
    query=CalendarQuery,
    answer=CalendarSessionSchema,
    to_patient=PatientCalendarSessionSchema,
    paged=True,
)
def read_calendar(actor: Actor, **asked: Any) -> Listing:
    """Read the calendar.

    Sessions of colleagues that are out of a clinician's reach are shown as busy and no more.
    Administrators see every booking, patients their own.
    """
    if asked.pop("include", None):
        return between.read_day(actor, **asked)
    return calendar.read_calendar(actor, **asked)
