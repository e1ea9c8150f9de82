"""The table of check-ins, and of what corrections replaced."""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Date,
    Double,
    Index,
    Integer,
    String,
    Subquery,
    TypeDecorator,
    Uuid,
    bindparam,
    func,
    select,
)

from api.db import Instant, Sealed, of, tenant_table
from api.db.walls import named_first

DRAFT, COMPLETE = "draft", "complete"
STATES: Final = (DRAFT, COMPLETE)
SOURCES: Final = ("app", "import", "synthetic", "ehr")
ANSWERED_BY: Final = ("patient", "clinician_asked", "staff_copied")


def figure(value: float | None) -> float | None:
    """A total as a whole number where it is one: 3 and not 3.0."""
    return int(value) if value is not None and value == int(value) else value


class Figure(TypeDecorator[float]):
    """A total: read as a whole number where it is one, with decimals for a mean."""

    impl = Double
    cache_ok = True

    def process_result_value(self, value: float | None, dialect: Any) -> float | None:
        """3 and not 3.0."""
        return figure(value)


check_ins = tenant_table(
    "check_ins",
    Column("instrument", String(60), nullable=False),
    Column("instrument_version", String(20), nullable=False),
    Column("scoring_version", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("source", String(20), nullable=False),
    Column("answered_by", String(20), nullable=False),
    Column("answered_at", Instant, nullable=False),
    Column("answered_on", Date, nullable=False),
    Column("recorded_by", Uuid),
    Column("answers", Sealed, nullable=False),
    Column("scores", JSON, nullable=False),
    Column("total", Figure),
    Column("band", String(40)),
    Column("import_system", String(200)),
    Column("practice_id", Uuid),
    Column("patients_own", JSON),
    of("users", "recorded_by"),
    of("practices", "practice_id"),
    CheckConstraint(f"state IN {STATES}", name="state"),
    CheckConstraint(f"source IN {SOURCES}", name="source"),
    CheckConstraint(f"answered_by IN {ANSWERED_BY}", name="answered_by"),
)
"""`answers` by link id as given: null was asked and left open, absent was not reached. `total` and
`band` are those of `scores`, once complete. `answered_on` is the patient's own calendar day.
`patients_own` are the link ids that the patient answered themself; null of drafts of before."""
check_in_corrections = tenant_table(
    "check_in_corrections",
    Column("check_in_id", Uuid, nullable=False),
    Column("replaced_version", Integer, nullable=False),
    Column("former_answers", Sealed, nullable=False),
    Column("former_scores", JSON, nullable=False),
    Column("former_scoring_version", String(20), nullable=False),
    Column("reason", Sealed, nullable=False),
    Column("corrected_by", Uuid, nullable=False),
    Column("corrected_at", Instant, nullable=False),
    of("check_ins", "check_in_id"),
    of("users", "corrected_by"),
)
"""What a complete check-in said before somebody put it right."""
_CHART = ("clinic_id", "patient_id", "instrument")
Index("ix_check_ins_instrument", *check_ins.c[*_CHART, "answered_at"])
Index("uq_check_ins_import", *check_ins.c[*_CHART, "answered_on", "import_system"], unique=True)
Index("ix_check_ins_practice", *check_ins.c["clinic_id", "practice_id"])
Index("ix_check_in_corrections_of", *check_in_corrections.c["clinic_id", "check_in_id"])


def reached(clinic_id: Any, patient_id: Any) -> Subquery:
    """The `lowest` and `highest` total of a series, as SQL for a hot write: one row.

    The series is that of the bound value `instrument`; both are null while it has no total.
    """
    c = check_ins.c
    series = (
        c.clinic_id == clinic_id,
        c.patient_id == patient_id,
        c.instrument == bindparam("instrument", type_=String),
        c.state == COMPLETE,
        c.deleted_at.is_(None),
        named_first(clinic_id),  # the planner may read it before the chart
    )
    both = func.min(c.total).label("lowest"), func.max(c.total).label("highest")
    return select(*both).where(*series).subquery()
