"""The tables of patients: who they are, and the two indexes by which they are found."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    Index,
    PrimaryKeyConstraint,
    String,
    Table,
    Uuid,
)

from api.db import Sealed, Word, metadata, of, tenant_table

STATUSES = ("inquiry", "screening", "active", "paused", "discharged")
EARLIER, DISCHARGED = STATUSES[:4], STATUSES[4]
DISCHARGED_FOR = (
    "treatment_completed",
    "patient_asked",
    "moved_or_referred",
    "contact_lost",
    "not_suitable",
    "deceased",
    "other",
)
OBJECTS = {
    "contact": ("email", "phone"),
    "address": ("lines", "city", "region", "postal_code", "country"),
    "emergency_contact": ("name", "phone", "relation"),
}
"""The parts of a patient that are objects, with what each of them holds."""

patients = tenant_table(
    "patients",
    Column("legal_given", String(200), nullable=False),
    Column("legal_family", String(200), nullable=False),
    Column("preferred_name", String(200)),
    Column("pronouns", String(60)),
    Column("birth_on", Date),
    Column("sex_at_birth", String(20)),
    Column("gender_identity", String(60)),
    Column("contact", Sealed),
    Column("address", Sealed),
    Column("emergency_contact", Sealed),
    Column("sealed_pronouns", Sealed),
    Column("sealed_gender_identity", Sealed),
    Column("external_ids", Sealed),
    Column("diagnoses", Sealed),
    Column("locale", String(35), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("status", String(20), nullable=False),
    Column("default_sharing", String(20)),
    Column("discharged_on", Date),
    Column("discharge_reason", String(20)),
    Column("merged_into", Uuid),
    CheckConstraint(f"status IN {STATUSES}", name="status"),
    patient=False,
)
ONCE_CLEAR = {"pronouns": "sealed_pronouns", "gender_identity": "sealed_gender_identity"}
"""Words that lay in clear once, each with the column that is written now, sealed. In clear they are
read still, where a version of before wrote last, and lie there until `keys reseal`."""
patient_words = Table(
    "patient_words",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("patient_id", Uuid, nullable=False),
    Column("word", Word, nullable=False),
    PrimaryKeyConstraint("clinic_id", "word", "patient_id"),
    of("patients", "patient_id"),
)
"""Every word of every name, folded; a prefix search is a range over it."""
Index("ix_patient_words_patient", patient_words.c.clinic_id, patient_words.c.patient_id)
patient_external_ids = Table(
    "patient_external_ids",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("blind", String(64), nullable=False),
    Column("patient_id", Uuid, nullable=False),
    PrimaryKeyConstraint("clinic_id", "blind"),
    of("patients", "patient_id"),
)
"""Record numbers of other systems, found by a blind index: equal ones are found, none is read."""

COLUMNS = [c for c in patients.c if c.key not in ("default_sharing", "merged_into")]
"""What a chart shows of its patient."""
