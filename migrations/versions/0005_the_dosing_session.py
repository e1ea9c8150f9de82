"""the dosing session"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "courses",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("medicine", sa.String(length=20), nullable=False),
        sa.Column("route", sa.String(length=20), nullable=False),
        sa.Column("planned_doses", sa.Integer(), nullable=False),
        sa.Column("interval_days", sa.Integer(), nullable=True),
        sa.Column("protocol_key", sa.String(length=60), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("aim", sa.Text(), nullable=True),
        sa.Column("rationale", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "medicine IN ('ketamine', 'esketamine')", name=op.f("ck_courses_medicine")
        ),
        sa.CheckConstraint(
            "route IN ('intravenous', 'intramuscular', 'subcutaneous', 'sublingual', 'buccal', 'oral', 'intranasal')",
            name=op.f("ck_courses_route"),
        ),
        sa.CheckConstraint(
            "status IN ('planned', 'active', 'completed', 'stopped')",
            name=op.f("ck_courses_status"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_courses_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_courses_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_courses")),
    )
    with op.batch_alter_table("courses", schema=None) as batch_op:
        batch_op.create_index("ix_courses_chart", ["clinic_id", "patient_id", "id"], unique=False)
        batch_op.create_index("ix_courses_status", ["clinic_id", "status"], unique=False)

    op.create_table(
        "allergies",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("substance", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("reaction", sa.Text(), nullable=True),
        sa.Column("severity", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("from_on", sa.Date(), nullable=True),
        sa.Column("to_on", sa.Date(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "status IN ('active', 'resolved', 'entered_in_error')", name=op.f("ck_allergies_status")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_allergies_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "recorded_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_allergies_clinic_id_recorded_by"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_allergies_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_allergies")),
    )
    with op.batch_alter_table("allergies", schema=None) as batch_op:
        batch_op.create_index("ix_allergies_chart", ["clinic_id", "patient_id", "id"], unique=False)

    op.create_table(
        "diagnoses",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("from_on", sa.Date(), nullable=True),
        sa.Column("to_on", sa.Date(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "status IN ('active', 'resolved', 'entered_in_error')", name=op.f("ck_diagnoses_status")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_diagnoses_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "recorded_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_diagnoses_clinic_id_recorded_by"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_diagnoses_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_diagnoses")),
    )
    with op.batch_alter_table("diagnoses", schema=None) as batch_op:
        batch_op.create_index("ix_diagnoses_chart", ["clinic_id", "patient_id", "id"], unique=False)

    op.create_table(
        "list_confirmations",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("list", sa.String(length=20), nullable=False),
        sa.Column("confirmed_on", sa.Date(), nullable=False),
        sa.Column("confirmed_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "list IN ('allergies', 'medications', 'diagnoses')",
            name=op.f("ck_list_confirmations_list"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "confirmed_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_list_confirmations_clinic_id_confirmed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_list_confirmations_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_list_confirmations_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_list_confirmations")),
        sa.UniqueConstraint(
            "clinic_id",
            "patient_id",
            "list",
            name=op.f("uq_list_confirmations_clinic_id_patient_id_list"),
        ),
    )
    with op.batch_alter_table("list_confirmations", schema=None) as batch_op:
        batch_op.create_index(
            "ix_list_confirmations_chart", ["clinic_id", "patient_id", "id"], unique=False
        )

    op.create_table(
        "medications",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("drug_class", sa.Text(), nullable=True),
        sa.Column("dose", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("from_on", sa.Date(), nullable=True),
        sa.Column("to_on", sa.Date(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "status IN ('active', 'held', 'stopped', 'entered_in_error')",
            name=op.f("ck_medications_status"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_medications_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "recorded_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_medications_clinic_id_recorded_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_medications_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_medications")),
    )
    with op.batch_alter_table("medications", schema=None) as batch_op:
        batch_op.create_index(
            "ix_medications_chart", ["clinic_id", "patient_id", "id"], unique=False
        )

    op.create_table(
        "protocol_versions",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("drafted_by", sa.Uuid(), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'approved')", name=op.f("ck_protocol_versions_state")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "approved_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_protocol_versions_clinic_id_approved_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "drafted_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_protocol_versions_clinic_id_drafted_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_protocol_versions_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_protocol_versions")),
    )
    with op.batch_alter_table("protocol_versions", schema=None) as batch_op:
        batch_op.create_index(
            "uq_protocol_versions_number", ["clinic_id", "key", "number"], unique=True
        )

    op.create_table(
        "attestations",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("attested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attested", sa.Text(), nullable=True),
        sa.Column("request_hash", sa.String(length=64), nullable=True),
        sa.CheckConstraint("kind IN ('escort', 'chaperone')", name=op.f("ck_attestations_kind")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "made_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_attestations_clinic_id_made_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_attestations_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_attestations_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_attestations_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_attestations")),
    )
    with op.batch_alter_table("attestations", schema=None) as batch_op:
        batch_op.create_index(
            "ix_attestations_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index("ix_attestations_session", ["clinic_id", "session_id"], unique=False)
        batch_op.create_index("uq_attestations_token", ["token_hash"], unique=True)

    op.create_table(
        "discharges",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=True),
        sa.Column("next_contact_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_discharges_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "recorded_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_discharges_clinic_id_recorded_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_discharges_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_discharges_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_discharges")),
        sa.UniqueConstraint(
            "clinic_id", "session_id", name=op.f("uq_discharges_clinic_id_session_id")
        ),
    )
    with op.batch_alter_table("discharges", schema=None) as batch_op:
        batch_op.create_index(
            "ix_discharges_chart", ["clinic_id", "patient_id", "id"], unique=False
        )

    op.create_table(
        "dose_plans",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("medicine", sa.String(length=20), nullable=False),
        sa.Column("route", sa.String(length=20), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("planned_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "medicine IN ('ketamine', 'esketamine')", name=op.f("ck_dose_plans_medicine")
        ),
        sa.CheckConstraint(
            "route IN ('intravenous', 'intramuscular', 'subcutaneous', 'sublingual', 'buccal', 'oral', 'intranasal')",
            name=op.f("ck_dose_plans_route"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_dose_plans_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "planned_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_dose_plans_clinic_id_planned_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_dose_plans_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_dose_plans_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_dose_plans")),
        sa.UniqueConstraint(
            "clinic_id", "session_id", name=op.f("uq_dose_plans_clinic_id_session_id")
        ),
    )
    with op.batch_alter_table("dose_plans", schema=None) as batch_op:
        batch_op.create_index(
            "ix_dose_plans_chart", ["clinic_id", "patient_id", "id"], unique=False
        )

    op.create_table(
        "ledger_addenda",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("client_event_id", sa.String(length=100), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("addendum_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_ledger_addenda_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_ledger_addenda_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_ledger_addenda_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_ledger_addenda")),
        sa.UniqueConstraint(
            "clinic_id",
            "session_id",
            "client_event_id",
            name=op.f("uq_ledger_addenda_clinic_id_session_id_client_event_id"),
        ),
    )
    with op.batch_alter_table("ledger_addenda", schema=None) as batch_op:
        batch_op.create_index(
            "ix_ledger_addenda_chart", ["clinic_id", "patient_id", "id"], unique=False
        )

    op.create_table(
        "ledger_entries",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("client_event_id", sa.String(length=100), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("device_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("device_clock_skew_ms", sa.BigInteger(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("late", sa.Boolean(create_constraint=True, name="late"), nullable=False),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("judgements", sa.Text(), nullable=False),
        sa.Column("protocol_key", sa.String(length=60), nullable=False),
        sa.Column("protocol_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "type IN ('dose', 'vitals', 'rating', 'event', 'phase', 'void')",
            name=op.f("ck_ledger_entries_type"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "corrects_id"],
            ["ledger_entries.clinic_id", "ledger_entries.id"],
            name=op.f("fk_ledger_entries_clinic_id_corrects_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_ledger_entries_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "recorded_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_ledger_entries_clinic_id_recorded_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_ledger_entries_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_ledger_entries_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint(
            "clinic_id", "corrects_id", name=op.f("uq_ledger_entries_clinic_id_corrects_id")
        ),
        sa.UniqueConstraint(
            "clinic_id",
            "session_id",
            "client_event_id",
            name=op.f("uq_ledger_entries_clinic_id_session_id_client_event_id"),
        ),
        sa.UniqueConstraint(
            "clinic_id",
            "session_id",
            "sequence",
            name=op.f("uq_ledger_entries_clinic_id_session_id_sequence"),
        ),
    )
    with op.batch_alter_table("ledger_entries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_ledger_entries_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "ix_ledger_entries_doses", ["clinic_id", "patient_id", "type"], unique=False
        )

    op.create_table(
        "notes",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("addendum_to", sa.Uuid(), nullable=True),
        sa.Column("template", sa.String(length=10), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("sections", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("entry", sa.Text(), nullable=True),
        sa.Column("cosigned_by", sa.Uuid(), nullable=True),
        sa.Column("cosigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unlocks", sa.Integer(), nullable=False),
        sa.Column("hold", sa.Text(), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'signed') = (signed_at IS NOT NULL)", name=op.f("ck_notes_signed")
        ),
        sa.CheckConstraint(
            "kind IN ('progress', 'patient_summary', 'addendum')", name=op.f("ck_notes_kind")
        ),
        sa.CheckConstraint("state IN ('draft', 'signed')", name=op.f("ck_notes_state")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "addendum_to"],
            ["notes.clinic_id", "notes.id"],
            name=op.f("fk_notes_clinic_id_addendum_to"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "author_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_notes_clinic_id_author_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "cosigned_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_notes_clinic_id_cosigned_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_notes_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_notes_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_notes_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_notes")),
    )
    with op.batch_alter_table("notes", schema=None) as batch_op:
        batch_op.create_index("ix_notes_addendum", ["clinic_id", "addendum_to"], unique=False)
        batch_op.create_index("ix_notes_chart", ["clinic_id", "patient_id", "id"], unique=False)
        batch_op.create_index(
            "ix_notes_drafts",
            ["clinic_id", "patient_id"],
            unique=False,
            sqlite_where=sa.text("state = 'draft'"),
            postgresql_where=sa.text("state = 'draft'"),
        )
        batch_op.create_index("ix_notes_session", ["clinic_id", "session_id"], unique=False)

    op.create_table(
        "psychotherapy_notes",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("addendum_to", sa.Uuid(), nullable=True),
        sa.Column("template", sa.String(length=10), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("sections", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'signed') = (signed_at IS NOT NULL)",
            name=op.f("ck_psychotherapy_notes_signed"),
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'signed')", name=op.f("ck_psychotherapy_notes_state")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "addendum_to"],
            ["psychotherapy_notes.clinic_id", "psychotherapy_notes.id"],
            name=op.f("fk_psychotherapy_notes_clinic_id_addendum_to"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "author_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_psychotherapy_notes_clinic_id_author_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_psychotherapy_notes_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_psychotherapy_notes_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_psychotherapy_notes_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_psychotherapy_notes")),
    )
    with op.batch_alter_table("psychotherapy_notes", schema=None) as batch_op:
        batch_op.create_index(
            "ix_psychotherapy_notes_addendum", ["clinic_id", "addendum_to"], unique=False
        )
        batch_op.create_index(
            "ix_psychotherapy_notes_author", ["clinic_id", "author_id"], unique=False
        )
        batch_op.create_index(
            "ix_psychotherapy_notes_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "ix_psychotherapy_notes_session", ["clinic_id", "session_id"], unique=False
        )

    op.create_table(
        "rems_filings",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("filed_on", sa.Date(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("filed_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "filed_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_rems_filings_clinic_id_filed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_rems_filings_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_rems_filings_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_rems_filings_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_rems_filings")),
    )
    with op.batch_alter_table("rems_filings", schema=None) as batch_op:
        batch_op.create_index(
            "ix_rems_filings_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index("ix_rems_filings_session", ["clinic_id", "session_id"], unique=False)

    op.create_table(
        "screenings",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.String(length=60), nullable=False),
        sa.Column("severity", sa.String(length=20), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("decision", sa.String(length=20), nullable=True),
        sa.Column("decision_note", sa.Text(), nullable=True),
        sa.Column("signed_by", sa.Uuid(), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "decision IN ('no_concern', 'proceed_with_care', 'wait', 'do_not_treat')",
            name=op.f("ck_screenings_decision"),
        ),
        sa.CheckConstraint(
            "severity IN ('absolute', 'relative', 'note')", name=op.f("ck_screenings_severity")
        ),
        sa.CheckConstraint(
            "(decision IS NULL) = (signed_at IS NULL)", name=op.f("ck_screenings_signed")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "asked_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_screenings_clinic_id_asked_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_screenings_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_screenings_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "signed_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_screenings_clinic_id_signed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_screenings_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_screenings")),
    )
    with op.batch_alter_table("screenings", schema=None) as batch_op:
        batch_op.create_index(
            "ix_screenings_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "ix_screenings_item", ["clinic_id", "patient_id", "item"], unique=False
        )

    op.create_table(
        "session_settings",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_session_settings_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "recorded_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_session_settings_clinic_id_recorded_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_session_settings_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_session_settings_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_session_settings")),
        sa.UniqueConstraint(
            "clinic_id", "session_id", name=op.f("uq_session_settings_clinic_id_session_id")
        ),
    )
    with op.batch_alter_table("session_settings", schema=None) as batch_op:
        batch_op.create_index(
            "ix_session_settings_chart", ["clinic_id", "patient_id", "id"], unique=False
        )

    op.create_table(
        "session_signatures",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.String(length=20), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("session_version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("covers", sa.Text(), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.String(length=20), nullable=True),
        sa.CheckConstraint(
            "part IN ('therapist', 'prescriber', 'nurse')", name=op.f("ck_session_signatures_part")
        ),
        sa.CheckConstraint(
            "void_reason IN ('note_unlocked', 'session_reopened')",
            name=op.f("ck_session_signatures_void_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_session_signatures_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_session_signatures_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "signed_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_session_signatures_clinic_id_signed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_session_signatures_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_session_signatures")),
    )
    with op.batch_alter_table("session_signatures", schema=None) as batch_op:
        batch_op.create_index(
            "ix_session_signatures_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "uq_session_signatures_part",
            ["clinic_id", "session_id", "part"],
            unique=True,
            sqlite_where=sa.text("voided_at IS NULL"),
            postgresql_where=sa.text("voided_at IS NULL"),
        )

    op.create_table(
        "note_unlock_requests",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("note_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('asked', 'approved', 'denied')", name=op.f("ck_note_unlock_requests_state")
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> asked_by",
            name=op.f("ck_note_unlock_requests_by_another"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "asked_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_note_unlock_requests_clinic_id_asked_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "decided_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_note_unlock_requests_clinic_id_decided_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "note_id"],
            ["notes.clinic_id", "notes.id"],
            name=op.f("fk_note_unlock_requests_clinic_id_note_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_note_unlock_requests_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_note_unlock_requests_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_note_unlock_requests")),
    )
    with op.batch_alter_table("note_unlock_requests", schema=None) as batch_op:
        batch_op.create_index(
            "ix_note_unlock_requests_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "uq_note_unlock_requests_open",
            ["clinic_id", "note_id"],
            unique=True,
            sqlite_where=sa.text("state = 'asked'"),
            postgresql_where=sa.text("state = 'asked'"),
        )

    op.create_table(
        "note_versions",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("note_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("deed", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("sections", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "deed IN ('written', 'changed', 'signed', 'cosigned', 'unlocked', 'held', 'released', 'removed')",
            name=op.f("ck_note_versions_deed"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "note_id"],
            ["notes.clinic_id", "notes.id"],
            name=op.f("fk_note_versions_clinic_id_note_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_note_versions_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "written_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_note_versions_clinic_id_written_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_note_versions_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_note_versions")),
        sa.UniqueConstraint(
            "clinic_id", "note_id", "number", name=op.f("uq_note_versions_clinic_id_note_id_number")
        ),
    )
    with op.batch_alter_table("note_versions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_note_versions_chart", ["clinic_id", "patient_id", "id"], unique=False
        )

    op.create_table(
        "psychotherapy_note_versions",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("note_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("deed", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("sections", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "deed IN ('written', 'changed', 'signed', 'cosigned', 'unlocked', 'held', 'released', 'removed')",
            name=op.f("ck_psychotherapy_note_versions_deed"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "note_id"],
            ["psychotherapy_notes.clinic_id", "psychotherapy_notes.id"],
            name=op.f("fk_psychotherapy_note_versions_clinic_id_note_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_psychotherapy_note_versions_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "written_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_psychotherapy_note_versions_clinic_id_written_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_psychotherapy_note_versions_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_psychotherapy_note_versions")),
        sa.UniqueConstraint(
            "clinic_id",
            "note_id",
            "number",
            name=op.f("uq_psychotherapy_note_versions_clinic_id_note_id_number"),
        ),
    )
    with op.batch_alter_table("psychotherapy_note_versions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_psychotherapy_note_versions_chart", ["clinic_id", "patient_id", "id"], unique=False
        )

    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("session_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("entry_id", sa.Uuid(), nullable=True))
        batch_op.create_index(
            "uq_alerts_open_session",
            ["clinic_id", "session_id", "rule"],
            unique=True,
            sqlite_where=sa.text("state = 'open' AND session_id IS NOT NULL"),
            postgresql_where=sa.text("state = 'open' AND session_id IS NOT NULL"),
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_alerts_clinic_id_entry_id"),
            "ledger_entries",
            ["clinic_id", "entry_id"],
            ["clinic_id", "id"],
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_alerts_clinic_id_session_id"),
            "sessions",
            ["clinic_id", "session_id"],
            ["clinic_id", "id"],
        )

    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sealed_for", sa.String(length=20), nullable=True))

    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("protocol_key", sa.String(length=60), nullable=True))
        batch_op.add_column(sa.Column("protocol_version", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("first_dose_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("last_dose_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("esketamine_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("course_id", sa.Uuid(), nullable=True))
        batch_op.create_index("ix_sessions_course", ["clinic_id", "course_id"], unique=False)
        batch_op.create_index(
            "ix_sessions_esketamine",
            ["clinic_id", "patient_id"],
            unique=False,
            sqlite_where=sa.text("esketamine_at IS NOT NULL"),
            postgresql_where=sa.text("esketamine_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_sessions_unsigned",
            ["clinic_id", "patient_id"],
            unique=False,
            sqlite_where=sa.text("state = 'completed' AND signed_at IS NULL"),
            postgresql_where=sa.text("state = 'completed' AND signed_at IS NULL"),
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_sessions_clinic_id_course_id"),
            "courses",
            ["clinic_id", "course_id"],
            ["clinic_id", "id"],
        )


def downgrade() -> None:
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_sessions_clinic_id_course_id"), type_="foreignkey")
        batch_op.drop_index(
            "ix_sessions_unsigned",
            sqlite_where=sa.text("state = 'completed' AND signed_at IS NULL"),
            postgresql_where=sa.text("state = 'completed' AND signed_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_sessions_esketamine",
            sqlite_where=sa.text("esketamine_at IS NOT NULL"),
            postgresql_where=sa.text("esketamine_at IS NOT NULL"),
        )
        batch_op.drop_index("ix_sessions_course")
        batch_op.drop_column("course_id")
        batch_op.drop_column("esketamine_at")
        batch_op.drop_column("last_dose_at")
        batch_op.drop_column("first_dose_at")
        batch_op.drop_column("protocol_version")
        batch_op.drop_column("protocol_key")
        batch_op.drop_column("signed_at")

    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_column("sealed_for")

    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_alerts_clinic_id_session_id"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_alerts_clinic_id_entry_id"), type_="foreignkey")
        batch_op.drop_index(
            "uq_alerts_open_session",
            sqlite_where=sa.text("state = 'open' AND session_id IS NOT NULL"),
            postgresql_where=sa.text("state = 'open' AND session_id IS NOT NULL"),
        )
        batch_op.drop_column("entry_id")
        batch_op.drop_column("session_id")

    with op.batch_alter_table("psychotherapy_note_versions", schema=None) as batch_op:
        batch_op.drop_index("ix_psychotherapy_note_versions_chart")

    op.drop_table("psychotherapy_note_versions")
    with op.batch_alter_table("note_versions", schema=None) as batch_op:
        batch_op.drop_index("ix_note_versions_chart")

    op.drop_table("note_versions")
    with op.batch_alter_table("note_unlock_requests", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_note_unlock_requests_open",
            sqlite_where=sa.text("state = 'asked'"),
            postgresql_where=sa.text("state = 'asked'"),
        )
        batch_op.drop_index("ix_note_unlock_requests_chart")

    op.drop_table("note_unlock_requests")
    with op.batch_alter_table("session_signatures", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_session_signatures_part",
            sqlite_where=sa.text("voided_at IS NULL"),
            postgresql_where=sa.text("voided_at IS NULL"),
        )
        batch_op.drop_index("ix_session_signatures_chart")

    op.drop_table("session_signatures")
    with op.batch_alter_table("session_settings", schema=None) as batch_op:
        batch_op.drop_index("ix_session_settings_chart")

    op.drop_table("session_settings")
    with op.batch_alter_table("screenings", schema=None) as batch_op:
        batch_op.drop_index("ix_screenings_item")
        batch_op.drop_index("ix_screenings_chart")

    op.drop_table("screenings")
    with op.batch_alter_table("rems_filings", schema=None) as batch_op:
        batch_op.drop_index("ix_rems_filings_session")
        batch_op.drop_index("ix_rems_filings_chart")

    op.drop_table("rems_filings")
    with op.batch_alter_table("psychotherapy_notes", schema=None) as batch_op:
        batch_op.drop_index("ix_psychotherapy_notes_session")
        batch_op.drop_index("ix_psychotherapy_notes_chart")
        batch_op.drop_index("ix_psychotherapy_notes_author")
        batch_op.drop_index("ix_psychotherapy_notes_addendum")

    op.drop_table("psychotherapy_notes")
    with op.batch_alter_table("notes", schema=None) as batch_op:
        batch_op.drop_index("ix_notes_session")
        batch_op.drop_index(
            "ix_notes_drafts",
            sqlite_where=sa.text("state = 'draft'"),
            postgresql_where=sa.text("state = 'draft'"),
        )
        batch_op.drop_index("ix_notes_chart")
        batch_op.drop_index("ix_notes_addendum")

    op.drop_table("notes")
    with op.batch_alter_table("ledger_entries", schema=None) as batch_op:
        batch_op.drop_index("ix_ledger_entries_doses")
        batch_op.drop_index("ix_ledger_entries_chart")

    op.drop_table("ledger_entries")
    with op.batch_alter_table("ledger_addenda", schema=None) as batch_op:
        batch_op.drop_index("ix_ledger_addenda_chart")

    op.drop_table("ledger_addenda")
    with op.batch_alter_table("dose_plans", schema=None) as batch_op:
        batch_op.drop_index("ix_dose_plans_chart")

    op.drop_table("dose_plans")
    with op.batch_alter_table("discharges", schema=None) as batch_op:
        batch_op.drop_index("ix_discharges_chart")

    op.drop_table("discharges")
    with op.batch_alter_table("attestations", schema=None) as batch_op:
        batch_op.drop_index("uq_attestations_token")
        batch_op.drop_index("ix_attestations_session")
        batch_op.drop_index("ix_attestations_chart")

    op.drop_table("attestations")
    with op.batch_alter_table("protocol_versions", schema=None) as batch_op:
        batch_op.drop_index("uq_protocol_versions_number")

    op.drop_table("protocol_versions")
    with op.batch_alter_table("medications", schema=None) as batch_op:
        batch_op.drop_index("ix_medications_chart")

    op.drop_table("medications")
    with op.batch_alter_table("list_confirmations", schema=None) as batch_op:
        batch_op.drop_index("ix_list_confirmations_chart")

    op.drop_table("list_confirmations")
    with op.batch_alter_table("diagnoses", schema=None) as batch_op:
        batch_op.drop_index("ix_diagnoses_chart")

    op.drop_table("diagnoses")
    with op.batch_alter_table("allergies", schema=None) as batch_op:
        batch_op.drop_index("ix_allergies_chart")

    op.drop_table("allergies")
    with op.batch_alter_table("courses", schema=None) as batch_op:
        batch_op.drop_index("ix_courses_status")
        batch_op.drop_index("ix_courses_chart")

    op.drop_table("courses")
