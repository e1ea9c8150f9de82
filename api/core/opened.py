"""Charts that a clinician opened in an emergency, and until when: what the gate asks of them."""

from typing import Any

from sqlalchemy import CheckConstraint, Column, ColumnElement, Index, String, Uuid, exists

from api.db import Instant, Sealed, of, tenant_table

CODES = ("emergency", "colleague_absent", "patient_asked", "other")
"""Why a chart is opened out of turn, beside the reason in words."""
OUTCOMES = ("justified", "not_justified", "to_be_followed_up")
"""What a review finds."""

break_glass = tenant_table(
    "break_glass",
    Column("clinician_id", Uuid, nullable=False),
    Column("reason_code", String(20), nullable=False),
    Column("reason", Sealed, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("review_due_at", Instant, nullable=False),
    Column("reminded_at", Instant),
    Column("reviewed_at", Instant),
    Column("reviewed_by", Uuid),
    Column("outcome", String(20)),
    Column("review_note", Sealed),
    of("users", "clinician_id"),
    of("users", "reviewed_by"),
    CheckConstraint(f"reason_code IN {CODES}", name="reason_code"),
    CheckConstraint(f"outcome IN {OUTCOMES}", name="outcome"),
    CheckConstraint("(reviewed_at IS NULL) = (outcome IS NULL)", name="reviewed"),
)
"""Each row opens one chart to one clinician until `ends_at`; it ends by itself."""
Index(
    "ix_break_glass_clinician",
    *break_glass.c["clinic_id", "clinician_id", "patient_id", "ends_at"],
)
UNREVIEWED = break_glass.c.reviewed_at.is_(None)
Index(
    "ix_break_glass_unreviewed",
    break_glass.c.review_due_at,
    sqlite_where=UNREVIEWED,
    postgresql_where=UNREVIEWED,
)


def opened_by(
    clinic_id: Any, clinician_id: Any, patient_id: Any, moment: Any
) -> ColumnElement[bool]:
    """Whether the clinician opened the patient's chart in an emergency, and it is open still."""
    return exists().where(
        break_glass.c.clinic_id == clinic_id,
        break_glass.c.patient_id == patient_id,
        break_glass.c.clinician_id == clinician_id,
        break_glass.c.opened_at <= moment,
        break_glass.c.ends_at > moment,
    )
