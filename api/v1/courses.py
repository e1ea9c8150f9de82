"""Courses of treatment over v1: doses planned and given, and the practice beside them."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import courses
from api.core.treatment.courses import LONGEST_INTERVAL, MOST_DOSES
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Day, Flag, Instant, Number, Show, Whole, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("courses", "Courses of treatment, with the practice that goes beside the doses.")
ONE = "/courses/<id:course_id>"
OF_PATIENT = "/patients/<id:patient_id>/courses"
INTERVAL = {"description": "Days from dose to dose; null: no fixed rhythm."}
AIM = {"description": "What for, in the patient's words."}


class CourseFields(Ask):
    """What may be written of a course, and cleared."""

    interval_days = Whole(1, LONGEST_INTERVAL, allow_none=True, metadata=INTERVAL)
    starts_on = Day(allow_none=True)
    ends_on = Day(allow_none=True)
    aim = Words(4000, allow_none=True, metadata=AIM)
    rationale = Words(4000, allow_none=True)


class NewCourseSchema(CourseFields):
    """A course as it is planned."""

    medicine = Choice(courses.MEDICINES, required=True)
    route = Choice(courses.ROUTES, required=True)
    planned_doses = Whole(1, MOST_DOSES, required=True)
    status = Choice(courses.STATUSES[:2])


class ChangedCourseSchema(CourseFields):
    """A merge patch of a course: absent = unchanged, null = cleared."""

    medicine = Choice(courses.MEDICINES)
    route = Choice(courses.ROUTES)
    planned_doses = Whole(1, MOST_DOSES)
    status = Choice(courses.STATUSES)


class CourseDosesSchema(Show):
    """What became of the doses of a course."""

    planned = shown(ma.fields.Integer)
    given = shown(ma.fields.Integer)
    booked = shown(ma.fields.Integer)
    called_off = shown(ma.fields.Integer)
    left = shown(ma.fields.Integer)


class CourseSessionsSchema(Show):
    """How many sessions were held around the doses."""

    preparation = shown(ma.fields.Integer)
    integration = shown(ma.fields.Integer)


class TwoPeriodsSchema(Show):
    """A number of the last period, and of the one before it."""

    lately = shown(ma.fields.Integer)
    before = shown(ma.fields.Integer)


class PracticeBesideSchema(Show):
    """Doses and steps of a patient, the last period beside the one before.

    `thin`: more doses than before, and fewer than half the steps, or none.
    """

    period_days = shown(ma.fields.Integer)
    doses = ma.fields.Nested(TwoPeriodsSchema, required=True)
    steps = ma.fields.Nested(TwoPeriodsSchema, required=True)
    active_practices = shown(ma.fields.Integer)
    thin = shown(Flag)


class PatientCourseSchema(Show):
    """A course of treatment as its patient reads it."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    created_at = shown(Instant)
    updated_at = shown(Instant)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    status = Choice(courses.STATUSES, required=True)
    medicine = Choice(courses.MEDICINES, required=True)
    route = Choice(courses.ROUTES, required=True)
    planned_doses = shown(ma.fields.Integer)
    interval_days = shown(ma.fields.Integer, nullable=True, metadata=INTERVAL)
    starts_on = shown(Day, nullable=True)
    ends_on = shown(Day, nullable=True)
    aim = shown(ma.fields.String, nullable=True, metadata=AIM)
    doses = ma.fields.Nested(CourseDosesSchema, required=True)


class CourseSchema(PatientCourseSchema):
    """A course of treatment. `practice` is told of a single course, not in lists."""

    rationale = shown(ma.fields.String, nullable=True)
    sessions = ma.fields.Nested(CourseSessionsSchema, required=True)
    last_dose_at = shown(Instant, nullable=True)
    cumulative_dose_mg = shown(Number)
    practice = ma.fields.Nested(PracticeBesideSchema)


class CourseQuery(PageQuery):
    """Which courses."""

    status = Choice(courses.STATUSES)


@blp.offer(
    "GET",
    OF_PATIENT,
    "course:read",
    query=CourseQuery,
    answer=CourseSchema,
    to_patient=PatientCourseSchema,
    paged=True,
)
def list_courses(actor: Actor, patient_id: Any, **asked: Any) -> Listing:
    """List a patient's courses of treatment, the newest first."""
    return courses.list_courses(actor, patient_id, **asked)


@blp.offer(
    "POST",
    OF_PATIENT,
    "course:write",
    body=NewCourseSchema,
    answer=CourseSchema,
    location="/api/v1/courses/{id}",
    example={"medicine": "ketamine", "route": "intramuscular", "planned_doses": 6},
)
def plan_course(actor: Actor, patient_id: Any, values: Values) -> Values:
    """Plan a course of treatment.

    Sessions join it by their `course_id`.
    """
    return courses.plan_course(actor, patient_id, values)


@blp.offer(
    "GET",
    ONE,
    "course:read",
    answer=CourseSchema,
    to_patient=PatientCourseSchema,
    derived=True,
)
def read_course(actor: Actor, course_id: Any) -> Values:
    """Read a course of treatment.

    With doses given and left, the cumulative dose, and whether practice goes thin beside it.
    """
    return courses.read_course(actor, course_id)


@blp.offer(
    "PATCH",
    ONE,
    "course:write",
    body=ChangedCourseSchema,
    answer=CourseSchema,
    example={"status": "completed"},
)
def change_course(actor: Actor, course_id: Any, version: int | None, values: Values) -> Values:
    """Change a course of treatment.

    One that has ended is taken up again first: 409 with the statuses that do so.
    """
    return courses.change_course(actor, course_id, version, values)
