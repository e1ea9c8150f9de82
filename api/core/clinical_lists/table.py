"""The tables of allergies, medications and diagnoses, and of when each list was last confirmed."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, Date, String, Table, UniqueConstraint, Uuid

from api.db import Sealed, of, tenant_table

MISTAKE: Final = "entered_in_error"
"""The status of what never was so; it is kept, and counts for nothing."""
ALLERGY_STATUSES: Final = ("active", "resolved", MISTAKE)
MEDICATION_STATUSES: Final = ("active", "held", "stopped", MISTAKE)
DIAGNOSIS_STATUSES: Final = ("active", "resolved", MISTAKE)
SEVERITIES: Final = ("mild", "moderate", "severe")


def _listed(name: str, statuses: tuple[str, ...], *columns: Column[str]) -> Table:
    """A table of entries of a list, with who wrote each and how it stands."""
    return tenant_table(
        name,
        *columns,
        Column("status", String(20), nullable=False),
        Column("note", Sealed),
        Column("from_on", Date),
        Column("to_on", Date),
        Column("recorded_by", Uuid, nullable=False),
        of("users", "recorded_by"),
        CheckConstraint(f"status IN {statuses}", name="status"),
    )


allergies = _listed(
    "allergies",
    ALLERGY_STATUSES,
    Column("substance", Sealed, nullable=False),
    Column("code", Sealed),
    Column("reaction", Sealed),
    Column("severity", Sealed),
)
medications = _listed(
    "medications",
    MEDICATION_STATUSES,
    Column("name", Sealed, nullable=False),
    Column("code", Sealed),
    Column("drug_class", Sealed),
    Column("dose", Sealed),
)
diagnoses = _listed(
    "diagnoses",
    DIAGNOSIS_STATUSES,
    Column("code", Sealed, nullable=False),
    Column("title", Sealed),
)
LISTS: Final = {"allergies": allergies, "medications": medications, "diagnoses": diagnoses}
confirmations = tenant_table(
    "list_confirmations",
    Column("list", String(20), nullable=False),
    Column("confirmed_on", Date, nullable=False),
    Column("confirmed_by", Uuid, nullable=False),
    of("users", "confirmed_by"),
    UniqueConstraint("clinic_id", "patient_id", "list"),
    CheckConstraint(f"list IN {tuple(LISTS)}", name="list"),
)
"""When somebody last went through a list with the patient; an empty one is then known to be so."""
