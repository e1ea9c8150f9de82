"""The table of courses of treatment: what is planned, and that a session belongs to one."""

from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Date, Index, Integer, String, select

from api.db import Sealed, Values, store, tenant_table
from api.errors import Conflict, Invalid

PLANNED, ACTIVE, COMPLETED, STOPPED = STATUSES = ("planned", "active", "completed", "stopped")
GOING_ON: Final = (PLANNED, ACTIVE)
"""Statuses of a course that sessions may still be booked into."""
ROUTES: Final = (
    "intravenous",
    "intramuscular",
    "subcutaneous",
    "sublingual",
    "buccal",
    "oral",
    "intranasal",
)
"""Ways in which a dose is planned to be given; a dose itself carries its SNOMED code."""
MEDICINES: Final = ("ketamine", "esketamine")
MOST_DOSES: Final = 100
LONGEST_INTERVAL: Final = 366

courses = tenant_table(
    "courses",
    Column("status", String(20), nullable=False),
    Column("medicine", String(20), nullable=False),
    Column("route", String(20), nullable=False),
    Column("planned_doses", Integer, nullable=False),
    Column("interval_days", Integer),
    Column("protocol_key", String(60)),
    Column("starts_on", Date),
    Column("ends_on", Date),
    Column("aim", Sealed),
    Column("rationale", Sealed),
    CheckConstraint(f"status IN {STATUSES}", name="status"),
    CheckConstraint(f"medicine IN {MEDICINES}", name="medicine"),
    CheckConstraint(f"route IN {ROUTES}", name="route"),
)
"""`interval_days` is null where doses follow no fixed rhythm; `aim` is in the patient's words."""
Index("ix_courses_status", *courses.c["clinic_id", "status"])


def refuse_other_course(clinic_id: UUID, patient_id: UUID, course_id: UUID | None) -> None:
    """Raise unless the course named is one of this patient that is going on, or none is."""
    if course_id is None:
        return
    row = course_of(clinic_id, patient_id, course_id)
    if row is None:
        raise Invalid([("/course_id", "No course of this patient.")])
    if row["status"] not in GOING_ON:
        raise Conflict("This course has ended.", state=row["status"], allowed=[])


def course_of(clinic_id: UUID, patient_id: UUID, course_id: UUID) -> Values | None:
    """A course of this patient, or None."""
    c = courses.c
    mine = [c.clinic_id == clinic_id, c.patient_id == patient_id, c.deleted_at.is_(None)]
    return store().row(select(courses).where(*mine, c.id == course_id), opens=courses)
