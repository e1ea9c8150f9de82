"""the house"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


APPEND_ONLY = ("audit_events", "audit_event_patients")


def _append_only() -> None:
    """Audit rows can be neither changed nor deleted, whoever asks."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'this table is append only'; END $$"
        )
        for table in APPEND_ONLY:
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
                f" ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
        return
    for table in APPEND_ONLY:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'this table is append only'); END"
            )


def _append_again() -> None:
    """Take the triggers away with the tables, and the function with them."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change() CASCADE")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("email_blind", sa.String(length=64), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("email_blind", name=op.f("uq_accounts_email_blind")),
    )
    op.create_table(
        "audit_event_patients",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint(
            "clinic_id", "event_id", "patient_id", name=op.f("pk_audit_event_patients")
        ),
    )
    op.create_index(
        "ix_audit_event_patients_patient",
        "audit_event_patients",
        ["clinic_id", "patient_id"],
        unique=False,
    )
    op.create_table(
        "audit_events",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=True),
        sa.Column("sign_in_id", sa.Uuid(), nullable=True),
        sa.Column("on_behalf_of", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=True),
        sa.Column("record_id", sa.Uuid(), nullable=True),
        sa.Column("data_category", sa.String(length=20), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("reason_ref", sa.String(length=60), nullable=True),
        sa.Column("purpose", sa.String(length=40), nullable=True),
        sa.Column("door", sa.String(length=20), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("client_ip", sa.String(length=45), nullable=True),
        sa.Column("field_names", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_audit_events")),
    )
    op.create_table(
        "clinics",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("crisis_resources", sa.JSON(), nullable=False),
        sa.Column("is_demo", sa.Boolean(create_constraint=True, name="is_demo"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinics")),
    )
    op.create_table(
        "password_resets",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_password_resets_account_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_password_resets")),
    )
    op.create_table(
        "patients",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("legal_given", sa.String(length=200), nullable=False),
        sa.Column("legal_family", sa.String(length=200), nullable=False),
        sa.Column("preferred_name", sa.String(length=200), nullable=True),
        sa.Column("pronouns", sa.String(length=60), nullable=True),
        sa.Column("birth_on", sa.Date(), nullable=True),
        sa.Column("sex_at_birth", sa.String(length=20), nullable=True),
        sa.Column("gender_identity", sa.String(length=60), nullable=True),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("emergency_contact", sa.Text(), nullable=True),
        sa.Column("external_ids", sa.Text(), nullable=True),
        sa.Column("diagnoses", sa.Text(), nullable=True),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("default_sharing", sa.String(length=20), nullable=True),
        sa.CheckConstraint(
            "status IN ('inquiry', 'screening', 'active', 'paused', 'discharged')",
            name=op.f("ck_patients_status"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_patients_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_patients")),
    )
    op.create_table(
        "invitations",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("profession", sa.String(length=20), nullable=True),
        sa.Column("privileges", sa.JSON(), nullable=False),
        sa.Column("for_patient_id", sa.Uuid(), nullable=True),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "for_patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_invitations_clinic_id_for_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_invitations_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_table(
        "patient_external_ids",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("blind", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_patient_external_ids_clinic_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "blind", name=op.f("pk_patient_external_ids")),
    )
    op.create_table(
        "patient_words",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column(
            "word", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_patient_words_clinic_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "word", "patient_id", name=op.f("pk_patient_words")),
    )
    op.create_index(
        "ix_patient_words_patient", "patient_words", ["clinic_id", "patient_id"], unique=False
    )
    op.create_table(
        "sessions",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("room", sa.String(length=60), nullable=True),
        sa.Column("room_key", sa.Text(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("also_covered", sa.Text(), nullable=True),
        sa.Column("preparation", sa.Text(), nullable=True),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.CheckConstraint(
            "kind IN ('intake', 'preparation', 'dosing', 'integration', 'follow_up')",
            name=op.f("ck_sessions_kind"),
        ),
        sa.CheckConstraint(
            "mode IN ('in_person', 'telehealth', 'at_home')", name=op.f("ck_sessions_mode")
        ),
        sa.CheckConstraint("source IN ('app', 'synthetic')", name=op.f("ck_sessions_source")),
        sa.CheckConstraint(
            "state IN ('scheduled', 'arrived', 'in_progress', 'completed', 'cancelled', 'no_show')",
            name=op.f("ck_sessions_state"),
        ),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_sessions_order")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_sessions_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_sessions_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_calendar", "sessions", ["clinic_id", "starts_at"], unique=False)
    op.create_index("ix_sessions_changes", "sessions", ["clinic_id", "updated_at"], unique=False)
    op.create_index(
        "ix_sessions_chart", "sessions", ["clinic_id", "patient_id", "id"], unique=False
    )
    op.create_table(
        "users",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("profession", sa.String(length=20), nullable=True),
        sa.Column("privileges", sa.JSON(), nullable=False),
        sa.Column("preferences", sa.JSON(), nullable=False),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("security_version", sa.Integer(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(role = 'patient') = (patient_id IS NOT NULL)", name=op.f("ck_users_patient_has_chart")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_users_account_id")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_users_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_users_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_users")),
        sa.UniqueConstraint("clinic_id", "account_id", name=op.f("uq_users_clinic_id_account_id")),
        sa.UniqueConstraint("clinic_id", "patient_id", name=op.f("uq_users_clinic_id_patient_id")),
    )
    op.create_index("ix_users_account", "users", ["account_id"], unique=False)
    op.create_table(
        "care_team",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("added_by", sa.Uuid(), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "clinician_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_care_team_clinic_id_clinician_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_care_team_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_care_team_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_care_team")),
    )
    op.create_index(
        "ix_care_team_chart", "care_team", ["clinic_id", "patient_id", "id"], unique=False
    )
    op.create_table(
        "check_ins",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("instrument", sa.String(length=60), nullable=False),
        sa.Column("instrument_version", sa.String(length=20), nullable=False),
        sa.Column("scoring_version", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("answered_by", sa.String(length=20), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_on", sa.Date(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("answers", sa.Text(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("band", sa.String(length=40), nullable=True),
        sa.Column("import_system", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "answered_by IN ('patient', 'clinician_asked', 'staff_copied')",
            name=op.f("ck_check_ins_answered_by"),
        ),
        sa.CheckConstraint(
            "source IN ('app', 'import', 'synthetic', 'ehr')", name=op.f("ck_check_ins_source")
        ),
        sa.CheckConstraint("state IN ('draft', 'complete')", name=op.f("ck_check_ins_state")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_check_ins_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "recorded_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_check_ins_clinic_id_recorded_by"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_check_ins_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_check_ins")),
    )
    op.create_index(
        "ix_check_ins_chart", "check_ins", ["clinic_id", "patient_id", "id"], unique=False
    )
    op.create_index(
        "ix_check_ins_instrument",
        "check_ins",
        ["clinic_id", "patient_id", "instrument", "answered_at"],
        unique=False,
    )
    op.create_index(
        "uq_check_ins_import",
        "check_ins",
        ["clinic_id", "patient_id", "instrument", "answered_on", "import_system"],
        unique=True,
    )
    op.create_table(
        "consents",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("text_version", sa.String(length=60), nullable=False),
        sa.Column("shown_as", sa.Text(), nullable=True),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("witnessed_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=True),
        sa.Column("withdraw_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('treatment', 'off_label_medicine', 'telehealth', 'recording', 'touch', 'research', 'ehr_sharing', 'companion')",
            name=op.f("ck_consents_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_consents_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "recorded_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_consents_clinic_id_recorded_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "withdrawn_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_consents_clinic_id_withdrawn_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "witnessed_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_consents_clinic_id_witnessed_by"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_consents_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_consents")),
    )
    op.create_index(
        "ix_consents_chart", "consents", ["clinic_id", "patient_id", "id"], unique=False
    )
    op.create_index(
        "ix_consents_kind", "consents", ["clinic_id", "patient_id", "kind"], unique=False
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("patients", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "user_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_idempotency_keys_clinic_id_user_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "user_id", "key_hash", name=op.f("pk_idempotency_keys")
        ),
    )
    op.create_table(
        "insights",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("author_kind", sa.String(length=20), nullable=False),
        sa.Column("shared_with", sa.String(length=20), nullable=False),
        sa.Column("chosen_sharing", sa.String(length=20), nullable=False),
        sa.Column("unshared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "author_kind IN ('patient', 'clinician')", name=op.f("ck_insights_author_kind")
        ),
        sa.CheckConstraint(
            "chosen_sharing IN ('me', 'care_team', 'research')",
            name=op.f("ck_insights_chosen_sharing"),
        ),
        sa.CheckConstraint(
            "shared_with IN ('me', 'care_team', 'research')", name=op.f("ck_insights_shared_with")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "author_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_insights_clinic_id_author_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_insights_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_insights_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_insights_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_insights")),
    )
    op.create_index(
        "ix_insights_chart", "insights", ["clinic_id", "patient_id", "id"], unique=False
    )
    op.create_table(
        "session_clinicians",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("duty_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duty_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "clinician_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_session_clinicians_clinic_id_clinician_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_session_clinicians_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_session_clinicians_clinic_id_session_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "session_id", "clinician_id", name=op.f("pk_session_clinicians")
        ),
    )
    op.create_index(
        "ix_session_clinicians_duty",
        "session_clinicians",
        ["clinic_id", "clinician_id", "patient_id", "duty_until"],
        unique=False,
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("security_version", sa.Integer(), nullable=False),
        sa.Column("auth_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "user_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_sign_ins_clinic_id_user_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
    )
    op.create_index("ix_sign_ins_user", "sign_ins", ["clinic_id", "user_id"], unique=False)
    op.create_table(
        "check_in_corrections",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("check_in_id", sa.Uuid(), nullable=False),
        sa.Column("replaced_version", sa.Integer(), nullable=False),
        sa.Column("former_answers", sa.Text(), nullable=False),
        sa.Column("former_scores", sa.JSON(), nullable=False),
        sa.Column("former_scoring_version", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("corrected_by", sa.Uuid(), nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "check_in_id"],
            ["check_ins.clinic_id", "check_ins.id"],
            name=op.f("fk_check_in_corrections_clinic_id_check_in_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "corrected_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_check_in_corrections_clinic_id_corrected_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_check_in_corrections_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_check_in_corrections_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_check_in_corrections")),
    )
    op.create_index(
        "ix_check_in_corrections_chart",
        "check_in_corrections",
        ["clinic_id", "patient_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_check_in_corrections_of",
        "check_in_corrections",
        ["clinic_id", "check_in_id"],
        unique=False,
    )
    op.create_table(
        "consent_reaffirmations",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("consent_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("reaffirmed_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "consent_id"],
            ["consents.clinic_id", "consents.id"],
            name=op.f("fk_consent_reaffirmations_clinic_id_consent_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_consent_reaffirmations_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "reaffirmed_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_consent_reaffirmations_clinic_id_reaffirmed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_consent_reaffirmations_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_consent_reaffirmations_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_consent_reaffirmations")),
        sa.UniqueConstraint(
            "clinic_id",
            "consent_id",
            "session_id",
            name=op.f("uq_consent_reaffirmations_clinic_id_consent_id_session_id"),
        ),
    )
    op.create_index(
        "ix_consent_reaffirmations_chart",
        "consent_reaffirmations",
        ["clinic_id", "patient_id", "id"],
        unique=False,
    )
    op.create_table(
        "goals",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("author_kind", sa.String(length=20), nullable=False),
        sa.Column("shared_with", sa.String(length=20), nullable=False),
        sa.Column("chosen_sharing", sa.String(length=20), nullable=False),
        sa.Column("unshared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("insight_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("intention", sa.Text(), nullable=True),
        sa.Column("matters_because", sa.Text(), nullable=True),
        sa.Column("answers_prompt", sa.String(length=40), nullable=True),
        sa.Column("lifecycle_status", sa.String(length=20), nullable=False),
        sa.Column("achievement_status", sa.String(length=20), nullable=False),
        sa.Column("target_on", sa.Date(), nullable=True),
        sa.Column("patient_comment", sa.Text(), nullable=True),
        sa.Column("clinician_comment", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "achievement_status IN ('in_progress', 'improving', 'worsening', 'no_change', 'achieved', 'sustaining', 'not_achieved', 'no_progress', 'not_attainable')",
            name=op.f("ck_goals_achievement_status"),
        ),
        sa.CheckConstraint(
            "answers_prompt IN ('what_to_practise', 'handled_differently', 'what_matters', 'what_helped')",
            name=op.f("ck_goals_answers_prompt"),
        ),
        sa.CheckConstraint(
            "author_kind IN ('patient', 'clinician')", name=op.f("ck_goals_author_kind")
        ),
        sa.CheckConstraint(
            "category IN ('boundaries', 'connection', 'movement_body', 'rest_sleep', 'self_compassion', 'awe_beauty', 'nature', 'creativity', 'expression', 'regulation', 'meaning_values', 'spirituality_ritual', 'work_roles', 'nourishment', 'substance_use_harm_reduction', 'grief_repair', 'therapy_task', 'other')",
            name=op.f("ck_goals_category"),
        ),
        sa.CheckConstraint(
            "chosen_sharing IN ('me', 'care_team', 'research')",
            name=op.f("ck_goals_chosen_sharing"),
        ),
        sa.CheckConstraint(
            "lifecycle_status IN ('proposed', 'planned', 'accepted', 'active', 'on_hold', 'completed', 'cancelled', 'entered_in_error', 'rejected')",
            name=op.f("ck_goals_lifecycle_status"),
        ),
        sa.CheckConstraint(
            "shared_with IN ('me', 'care_team', 'research')", name=op.f("ck_goals_shared_with")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "author_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_goals_clinic_id_author_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "insight_id"],
            ["insights.clinic_id", "insights.id"],
            name=op.f("fk_goals_clinic_id_insight_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_goals_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_goals_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_goals_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_goals")),
    )
    op.create_index("ix_goals_chart", "goals", ["clinic_id", "patient_id", "id"], unique=False)
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("sign_in_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("successor_hash", sa.String(length=64), nullable=True),
        sa.Column("successor", sa.Text(), nullable=True),
        sa.Column("used_with_key", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["sign_in_id"], ["sign_ins.id"], name=op.f("fk_refresh_tokens_sign_in_id")
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_refresh_tokens")),
    )
    op.create_index("ix_refresh_tokens_sign_in", "refresh_tokens", ["sign_in_id"], unique=False)
    op.create_table(
        "practices",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("author_kind", sa.String(length=20), nullable=False),
        sa.Column("shared_with", sa.String(length=20), nullable=False),
        sa.Column("chosen_sharing", sa.String(length=20), nullable=False),
        sa.Column("unshared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("goal_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("cue", sa.Text(), nullable=True),
        sa.Column("old_trail", sa.Text(), nullable=True),
        sa.Column("new_trail", sa.Text(), nullable=False),
        sa.Column("smallest_step", sa.Text(), nullable=True),
        sa.Column("interval_days", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("status_from_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "author_kind IN ('patient', 'clinician')", name=op.f("ck_practices_author_kind")
        ),
        sa.CheckConstraint(
            "chosen_sharing IN ('me', 'care_team', 'research')",
            name=op.f("ck_practices_chosen_sharing"),
        ),
        sa.CheckConstraint(
            "shared_with IN ('me', 'care_team', 'research')", name=op.f("ck_practices_shared_with")
        ),
        sa.CheckConstraint(
            "status IN ('active', 'paused', 'familiar', 'released')",
            name=op.f("ck_practices_status"),
        ),
        sa.CheckConstraint(
            "interval_days BETWEEN 1 AND 366", name=op.f("ck_practices_interval_days")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "author_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_practices_clinic_id_author_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "goal_id"],
            ["goals.clinic_id", "goals.id"],
            name=op.f("fk_practices_clinic_id_goal_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_practices_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_practices_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_practices")),
    )
    op.create_index(
        "ix_practices_chart", "practices", ["clinic_id", "patient_id", "id"], unique=False
    )
    op.create_index("ix_practices_goal", "practices", ["clinic_id", "goal_id", "id"], unique=False)
    op.create_table(
        "moments",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("author_kind", sa.String(length=20), nullable=False),
        sa.Column("shared_with", sa.String(length=20), nullable=False),
        sa.Column("chosen_sharing", sa.String(length=20), nullable=False),
        sa.Column("unshared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("practice_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=True),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("noticed_by", sa.String(length=20), nullable=False),
        sa.Column("hindsight", sa.Boolean(create_constraint=True, name="hindsight"), nullable=True),
        sa.CheckConstraint(
            "author_kind IN ('patient', 'clinician')", name=op.f("ck_moments_author_kind")
        ),
        sa.CheckConstraint(
            "chosen_sharing IN ('me', 'care_team', 'research')",
            name=op.f("ck_moments_chosen_sharing"),
        ),
        sa.CheckConstraint(
            "noticed_by IN ('patient', 'clinician', 'companion')",
            name=op.f("ck_moments_noticed_by"),
        ),
        sa.CheckConstraint(
            "shared_with IN ('me', 'care_team', 'research')", name=op.f("ck_moments_shared_with")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "author_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_moments_clinic_id_author_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_moments_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "practice_id"],
            ["practices.clinic_id", "practices.id"],
            name=op.f("fk_moments_clinic_id_practice_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "session_id"],
            ["sessions.clinic_id", "sessions.id"],
            name=op.f("fk_moments_clinic_id_session_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_moments_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_moments")),
    )
    op.create_index("ix_moments_chart", "moments", ["clinic_id", "patient_id", "id"], unique=False)
    op.create_index("ix_moments_practice", "moments", ["clinic_id", "practice_id"], unique=False)
    op.create_table(
        "practice_statuses",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('active', 'paused', 'familiar', 'released')",
            name=op.f("ck_practice_statuses_status"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "changed_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_practice_statuses_clinic_id_changed_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "practice_id"],
            ["practices.clinic_id", "practices.id"],
            name=op.f("fk_practice_statuses_clinic_id_practice_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_practice_statuses")),
    )
    op.create_index(
        "ix_practice_statuses_practice",
        "practice_statuses",
        ["clinic_id", "practice_id"],
        unique=False,
    )
    op.create_table(
        "steps",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("author_kind", sa.String(length=20), nullable=False),
        sa.Column("shared_with", sa.String(length=20), nullable=False),
        sa.Column("chosen_sharing", sa.String(length=20), nullable=False),
        sa.Column("unshared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("walked_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("skip_reason", sa.String(length=20), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "author_kind IN ('patient', 'clinician')", name=op.f("ck_steps_author_kind")
        ),
        sa.CheckConstraint(
            "chosen_sharing IN ('me', 'care_team', 'research')",
            name=op.f("ck_steps_chosen_sharing"),
        ),
        sa.CheckConstraint(
            "kind IN ('done', 'partly', 'prompted', 'skipped', 'detour')",
            name=op.f("ck_steps_kind"),
        ),
        sa.CheckConstraint(
            "shared_with IN ('me', 'care_team', 'research')", name=op.f("ck_steps_shared_with")
        ),
        sa.CheckConstraint(
            "skip_reason IN ('no_cue', 'forgot', 'no_time', 'too_tired', 'unwell', 'too_big', 'not_wanted', 'other')",
            name=op.f("ck_steps_skip_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "author_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_steps_clinic_id_author_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_steps_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "practice_id"],
            ["practices.clinic_id", "practices.id"],
            name=op.f("fk_steps_clinic_id_practice_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_steps_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_steps")),
    )
    op.create_index("ix_steps_chart", "steps", ["clinic_id", "patient_id", "id"], unique=False)
    op.create_index(
        "ix_steps_practice", "steps", ["clinic_id", "practice_id", "walked_on", "id"], unique=False
    )
    _append_only()


def downgrade() -> None:
    _append_again()
    op.drop_index("ix_steps_practice", table_name="steps")
    op.drop_index("ix_steps_chart", table_name="steps")
    op.drop_table("steps")
    op.drop_index("ix_practice_statuses_practice", table_name="practice_statuses")
    op.drop_table("practice_statuses")
    op.drop_index("ix_moments_practice", table_name="moments")
    op.drop_index("ix_moments_chart", table_name="moments")
    op.drop_table("moments")
    op.drop_index("ix_practices_goal", table_name="practices")
    op.drop_index("ix_practices_chart", table_name="practices")
    op.drop_table("practices")
    op.drop_index("ix_refresh_tokens_sign_in", table_name="refresh_tokens")
    op.drop_table("refresh_tokens")
    op.drop_index("ix_goals_chart", table_name="goals")
    op.drop_table("goals")
    op.drop_index("ix_consent_reaffirmations_chart", table_name="consent_reaffirmations")
    op.drop_table("consent_reaffirmations")
    op.drop_index("ix_check_in_corrections_of", table_name="check_in_corrections")
    op.drop_index("ix_check_in_corrections_chart", table_name="check_in_corrections")
    op.drop_table("check_in_corrections")
    op.drop_index("ix_sign_ins_user", table_name="sign_ins")
    op.drop_table("sign_ins")
    op.drop_index("ix_session_clinicians_duty", table_name="session_clinicians")
    op.drop_table("session_clinicians")
    op.drop_index("ix_insights_chart", table_name="insights")
    op.drop_table("insights")
    op.drop_table("idempotency_keys")
    op.drop_index("ix_consents_kind", table_name="consents")
    op.drop_index("ix_consents_chart", table_name="consents")
    op.drop_table("consents")
    op.drop_index("uq_check_ins_import", table_name="check_ins")
    op.drop_index("ix_check_ins_instrument", table_name="check_ins")
    op.drop_index("ix_check_ins_chart", table_name="check_ins")
    op.drop_table("check_ins")
    op.drop_index("ix_care_team_chart", table_name="care_team")
    op.drop_table("care_team")
    op.drop_index("ix_users_account", table_name="users")
    op.drop_table("users")
    op.drop_index("ix_sessions_chart", table_name="sessions")
    op.drop_index("ix_sessions_changes", table_name="sessions")
    op.drop_index("ix_sessions_calendar", table_name="sessions")
    op.drop_table("sessions")
    op.drop_index("ix_patient_words_patient", table_name="patient_words")
    op.drop_table("patient_words")
    op.drop_table("patient_external_ids")
    op.drop_table("invitations")
    op.drop_table("patients")
    op.drop_table("password_resets")
    op.drop_table("clinics")
    op.drop_table("audit_events")
    op.drop_index("ix_audit_event_patients_patient", table_name="audit_event_patients")
    op.drop_table("audit_event_patients")
    op.drop_table("accounts")
