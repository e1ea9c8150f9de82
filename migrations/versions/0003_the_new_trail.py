"""the new trail"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(create_constraint=True, name="deleted"), nullable=False),
        sa.Column("to_others", sa.String(length=10), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_changes")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("changes", schema=None) as batch_op:
        batch_op.create_index("ix_changes_order", ["clinic_id", "xid", "seq"], unique=False)
        batch_op.create_index(
            "ix_changes_record", ["clinic_id", "record_id", "version"], unique=False
        )

    op.create_table(
        "worker_beats",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker_beats")),
    )
    op.create_table(
        "outbox_events",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shared_out_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_outbox_events_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_outbox_events")),
    )
    with op.batch_alter_table("outbox_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_outbox_events_waiting",
            ["id"],
            unique=False,
            sqlite_where=sa.text("shared_out_at IS NULL"),
            postgresql_where=sa.text("shared_out_at IS NULL"),
        )

    op.create_table(
        "check_in_plan_templates",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("plans", sa.JSON(), nullable=False),
        sa.Column("copy_of", sa.String(length=60), nullable=True),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "made_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_check_in_plan_templates_clinic_id_made_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_check_in_plan_templates_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_check_in_plan_templates")),
    )
    op.create_table(
        "check_in_plans",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("instrument", sa.String(length=60), nullable=False),
        sa.Column("rule", sa.String(length=20), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("answer_within_days", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("template", sa.String(length=60), nullable=True),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "rule IN ('once', 'every_n_days', 'before_visit', 'after_dose')",
            name=op.f("ck_check_in_plans_rule"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "made_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_check_in_plans_clinic_id_made_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_check_in_plans_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_check_in_plans_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_check_in_plans")),
    )
    with op.batch_alter_table("check_in_plans", schema=None) as batch_op:
        batch_op.create_index(
            "ix_check_in_plans_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index("ix_check_in_plans_look_at", ["look_at"], unique=False)

    op.create_table(
        "instrument_texts",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("instructions", sa.Text(), nullable=True),
        sa.Column("licence_statement", sa.Text(), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("added_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "added_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_instrument_texts_clinic_id_added_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_instrument_texts_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_instrument_texts")),
    )
    with op.batch_alter_table("instrument_texts", schema=None) as batch_op:
        batch_op.create_index(
            "uq_instrument_texts_place", ["clinic_id", "key", "place"], unique=True
        )

    op.create_table(
        "journal",
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
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("mood", sa.Integer(), nullable=True),
        sa.Column("written_on", sa.Date(), nullable=False),
        sa.CheckConstraint(
            "author_kind IN ('patient', 'clinician')", name=op.f("ck_journal_author_kind")
        ),
        sa.CheckConstraint(
            "chosen_sharing IN ('me', 'care_team', 'research')",
            name=op.f("ck_journal_chosen_sharing"),
        ),
        sa.CheckConstraint(
            "shared_with IN ('me', 'care_team', 'research')", name=op.f("ck_journal_shared_with")
        ),
        sa.CheckConstraint("mood BETWEEN 0 AND 10", name=op.f("ck_journal_mood")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "author_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_journal_clinic_id_author_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_journal_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_journal_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_journal")),
    )
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.create_index("ix_journal_chart", ["clinic_id", "patient_id", "id"], unique=False)
        batch_op.create_index(
            "ix_journal_day", ["clinic_id", "patient_id", "written_on", "id"], unique=False
        )

    op.create_table(
        "on_call",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("backup_clinician_id", sa.Uuid(), nullable=True),
        sa.Column("director_clinician_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "backup_clinician_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_on_call_clinic_id_backup_clinician_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "director_clinician_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_on_call_clinic_id_director_clinician_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_on_call_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_on_call")),
        sa.UniqueConstraint("clinic_id", name=op.f("uq_on_call_clinic_id")),
    )
    op.create_table(
        "on_call_shifts",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("from_at < to_at", name=op.f("ck_on_call_shifts_order")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "clinician_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_on_call_shifts_clinic_id_clinician_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "from_at", "clinician_id", name=op.f("pk_on_call_shifts")
        ),
    )
    op.create_table(
        "own_instruments",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("edition", sa.String(length=20), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("licence_statement", sa.Text(), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("added_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "added_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_own_instruments_clinic_id_added_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_own_instruments_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_own_instruments")),
    )
    with op.batch_alter_table("own_instruments", schema=None) as batch_op:
        batch_op.create_index(
            "uq_own_instruments_edition", ["clinic_id", "key", "edition"], unique=True
        )
        batch_op.create_index(
            "uq_own_instruments_place", ["clinic_id", "key", "place"], unique=True
        )

    op.create_table(
        "webhooks",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("ed25519_key", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_for", sa.String(length=20), nullable=True),
        sa.CheckConstraint(
            "disabled_for IN ('gone', 'by_hand')", name=op.f("ck_webhooks_disabled_for")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "created_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_webhooks_clinic_id_created_by"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_webhooks_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_failure", sa.String(length=20), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "last_failure IN ('not_an_address', 'not_resolved', 'not_public', 'not_reached', 'no_tls', 'too_slow', 'not_http', 'status')",
            name=op.f("ck_webhook_deliveries_last_failure"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'failed', 'cancelled')",
            name=op.f("ck_webhook_deliveries_state"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "event_id"],
            ["outbox_events.clinic_id", "outbox_events.id"],
            name=op.f("fk_webhook_deliveries_clinic_id_event_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "webhook_id"],
            ["webhooks.clinic_id", "webhooks.id"],
            name=op.f("fk_webhook_deliveries_clinic_id_webhook_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_webhook_deliveries_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "clinic_id",
            "webhook_id",
            "event_id",
            name=op.f("uq_webhook_deliveries_clinic_id_webhook_id_event_id"),
        ),
    )
    with op.batch_alter_table("webhook_deliveries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_webhook_deliveries_due",
            ["next_at"],
            unique=False,
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index(
            "ix_webhook_deliveries_webhook", ["clinic_id", "webhook_id", "id"], unique=False
        )

    op.create_table(
        "goal_ratings",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("goal_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("rated_on", sa.Date(), nullable=False),
        sa.Column("rated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("level BETWEEN -2 AND 2", name=op.f("ck_goal_ratings_level")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "goal_id"],
            ["goals.clinic_id", "goals.id"],
            name=op.f("fk_goal_ratings_clinic_id_goal_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_goal_ratings_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "rated_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_goal_ratings_clinic_id_rated_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_goal_ratings_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_goal_ratings")),
    )
    with op.batch_alter_table("goal_ratings", schema=None) as batch_op:
        batch_op.create_index(
            "ix_goal_ratings_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "ix_goal_ratings_goal", ["clinic_id", "goal_id", "rated_on"], unique=False
        )

    op.create_table(
        "alerts",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("check_in_id", sa.Uuid(), nullable=True),
        sa.Column("instrument", sa.String(length=60), nullable=True),
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("flag", sa.String(length=60), nullable=False),
        sa.Column("rules_version", sa.String(length=20), nullable=False),
        sa.Column("priority", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column(
            "historical", sa.Boolean(create_constraint=True, name="historical"), nullable=False
        ),
        sa.Column(
            "from_refused", sa.Boolean(create_constraint=True, name="from_refused"), nullable=False
        ),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_by", sa.Uuid(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledge_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("contact_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("look_again_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Uuid(), nullable=True),
        sa.Column("acknowledge_note", sa.Text(), nullable=True),
        sa.Column("contacted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Uuid(), nullable=True),
        sa.Column("resolve_note", sa.Text(), nullable=True),
        sa.Column("disposition", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "disposition IN ('no_present_danger', 'safety_plan_made', 'referred', 'emergency_services', 'entered_by_mistake', 'other')",
            name=op.f("ck_alerts_disposition"),
        ),
        sa.CheckConstraint(
            "priority IN ('immediate', 'same_day', 'next_working_day')",
            name=op.f("ck_alerts_priority"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'acknowledged', 'resolved')", name=op.f("ck_alerts_state")
        ),
        sa.CheckConstraint("historical = (clock_began_at IS NULL)", name=op.f("ck_alerts_clock")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "acknowledged_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_alerts_clinic_id_acknowledged_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "check_in_id"],
            ["check_ins.clinic_id", "check_ins.id"],
            name=op.f("fk_alerts_clinic_id_check_in_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_alerts_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "raised_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_alerts_clinic_id_raised_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "resolved_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_alerts_clinic_id_resolved_by"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_alerts_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_alerts")),
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index("ix_alerts_chart", ["clinic_id", "patient_id", "id"], unique=False)
        batch_op.create_index("ix_alerts_look_again", ["look_again_at"], unique=False)
        batch_op.create_index("ix_alerts_raised", ["clinic_id", "raised_at"], unique=False)
        batch_op.create_index(
            "uq_alerts_open",
            ["clinic_id", "check_in_id", "rule"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "check_in_links",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("instrument", sa.String(length=60), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("check_in_id", sa.Uuid(), nullable=True),
        sa.Column("request_hash", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "check_in_id"],
            ["check_ins.clinic_id", "check_ins.id"],
            name=op.f("fk_check_in_links_clinic_id_check_in_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "made_by"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_check_in_links_clinic_id_made_by"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_check_in_links_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_check_in_links_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_check_in_links")),
    )
    with op.batch_alter_table("check_in_links", schema=None) as batch_op:
        batch_op.create_index(
            "ix_check_in_links_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index("uq_check_in_links_token", ["token_hash"], unique=True)

    op.create_table(
        "check_in_occurrences",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("anchor", sa.String(length=40), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("check_in_id", sa.Uuid(), nullable=True),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "check_in_id"],
            ["check_ins.clinic_id", "check_ins.id"],
            name=op.f("fk_check_in_occurrences_clinic_id_check_in_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_check_in_occurrences_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "plan_id"],
            ["check_in_plans.clinic_id", "check_in_plans.id"],
            name=op.f("fk_check_in_occurrences_clinic_id_plan_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_check_in_occurrences_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_check_in_occurrences")),
    )
    with op.batch_alter_table("check_in_occurrences", schema=None) as batch_op:
        batch_op.create_index(
            "ix_check_in_occurrences_chart", ["clinic_id", "patient_id", "id"], unique=False
        )
        batch_op.create_index(
            "uq_check_in_occurrences_anchor", ["clinic_id", "plan_id", "anchor"], unique=True
        )

    op.create_table(
        "replies",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("step_id", sa.Uuid(), nullable=True),
        sa.Column("moment_id", sa.Uuid(), nullable=True),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(step_id IS NULL) <> (moment_id IS NULL)", name=op.f("ck_replies_one_parent")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "author_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_replies_clinic_id_author_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "moment_id"],
            ["moments.clinic_id", "moments.id"],
            name=op.f("fk_replies_clinic_id_moment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_replies_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "step_id"],
            ["steps.clinic_id", "steps.id"],
            name=op.f("fk_replies_clinic_id_step_id"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_replies_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_replies")),
    )
    with op.batch_alter_table("replies", schema=None) as batch_op:
        batch_op.create_index("ix_replies_chart", ["clinic_id", "patient_id", "id"], unique=False)
        batch_op.create_index("ix_replies_moment", ["clinic_id", "moment_id"], unique=False)
        batch_op.create_index("ix_replies_step", ["clinic_id", "step_id"], unique=False)

    op.create_table(
        "alert_duties",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("duty_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duty_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "alert_id"],
            ["alerts.clinic_id", "alerts.id"],
            name=op.f("fk_alert_duties_clinic_id_alert_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "clinician_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_alert_duties_clinic_id_clinician_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_alert_duties_clinic_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "alert_id", "clinician_id", name=op.f("pk_alert_duties")
        ),
    )
    with op.batch_alter_table("alert_duties", schema=None) as batch_op:
        batch_op.create_index(
            "ix_alert_duties_clinician", ["clinic_id", "clinician_id", "patient_id"], unique=False
        )

    op.create_table(
        "notification_attempts",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("priority", sa.String(length=20), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('handed_over', 'no_channel', 'nobody')",
            name=op.f("ck_notification_attempts_outcome"),
        ),
        sa.CheckConstraint(
            "priority IN ('immediate', 'same_day', 'next_working_day')",
            name=op.f("ck_notification_attempts_priority"),
        ),
        sa.CheckConstraint(
            "step IN ('on_call', 'backup', 'director')", name=op.f("ck_notification_attempts_step")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "alert_id"],
            ["alerts.clinic_id", "alerts.id"],
            name=op.f("fk_notification_attempts_clinic_id_alert_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "clinician_id"],
            ["users.clinic_id", "users.id"],
            name=op.f("fk_notification_attempts_clinic_id_clinician_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_notification_attempts_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_notification_attempts_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_notification_attempts")),
    )
    with op.batch_alter_table("notification_attempts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_notification_attempts_alert", ["clinic_id", "alert_id"], unique=False
        )
        batch_op.create_index(
            "ix_notification_attempts_chart", ["clinic_id", "patient_id", "id"], unique=False
        )

    with op.batch_alter_table("care_team", schema=None) as batch_op:
        batch_op.create_index(
            "ix_care_team_clinician", ["clinic_id", "clinician_id", "patient_id"], unique=False
        )

    with op.batch_alter_table("check_ins", schema=None) as batch_op:
        batch_op.add_column(sa.Column("practice_id", sa.Uuid(), nullable=True))
        batch_op.create_index("ix_check_ins_practice", ["clinic_id", "practice_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_check_ins_clinic_id_practice_id"),
            "practices",
            ["clinic_id", "practice_id"],
            ["clinic_id", "id"],
        )

    with op.batch_alter_table("goals", schema=None) as batch_op:
        batch_op.add_column(sa.Column("old_trail", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("new_trail", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("if_then_plan", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("confidence", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("obstacles", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("coping_plan", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("support_person", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("review_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("attainment_levels", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("attainment_weight", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("attained_level", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("attained_on", sa.Date(), nullable=True))

    with op.batch_alter_table("moments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("in_words_of", sa.String(length=20), nullable=True))

    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("overrides", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_column("overrides")

    with op.batch_alter_table("moments", schema=None) as batch_op:
        batch_op.drop_column("in_words_of")

    with op.batch_alter_table("goals", schema=None) as batch_op:
        batch_op.drop_column("attained_on")
        batch_op.drop_column("attained_level")
        batch_op.drop_column("attainment_weight")
        batch_op.drop_column("attainment_levels")
        batch_op.drop_column("review_on")
        batch_op.drop_column("support_person")
        batch_op.drop_column("coping_plan")
        batch_op.drop_column("obstacles")
        batch_op.drop_column("confidence")
        batch_op.drop_column("if_then_plan")
        batch_op.drop_column("new_trail")
        batch_op.drop_column("old_trail")

    with op.batch_alter_table("check_ins", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("fk_check_ins_clinic_id_practice_id"), type_="foreignkey"
        )
        batch_op.drop_index("ix_check_ins_practice")
        batch_op.drop_column("practice_id")

    with op.batch_alter_table("care_team", schema=None) as batch_op:
        batch_op.drop_index("ix_care_team_clinician")

    with op.batch_alter_table("notification_attempts", schema=None) as batch_op:
        batch_op.drop_index("ix_notification_attempts_chart")
        batch_op.drop_index("ix_notification_attempts_alert")

    op.drop_table("notification_attempts")
    with op.batch_alter_table("alert_duties", schema=None) as batch_op:
        batch_op.drop_index("ix_alert_duties_clinician")

    op.drop_table("alert_duties")
    with op.batch_alter_table("replies", schema=None) as batch_op:
        batch_op.drop_index("ix_replies_step")
        batch_op.drop_index("ix_replies_moment")
        batch_op.drop_index("ix_replies_chart")

    op.drop_table("replies")
    with op.batch_alter_table("check_in_occurrences", schema=None) as batch_op:
        batch_op.drop_index("uq_check_in_occurrences_anchor")
        batch_op.drop_index("ix_check_in_occurrences_chart")

    op.drop_table("check_in_occurrences")
    with op.batch_alter_table("check_in_links", schema=None) as batch_op:
        batch_op.drop_index("uq_check_in_links_token")
        batch_op.drop_index("ix_check_in_links_chart")

    op.drop_table("check_in_links")
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_alerts_open",
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )
        batch_op.drop_index("ix_alerts_raised")
        batch_op.drop_index("ix_alerts_look_again")
        batch_op.drop_index("ix_alerts_chart")

    op.drop_table("alerts")
    with op.batch_alter_table("goal_ratings", schema=None) as batch_op:
        batch_op.drop_index("ix_goal_ratings_goal")
        batch_op.drop_index("ix_goal_ratings_chart")

    op.drop_table("goal_ratings")
    with op.batch_alter_table("webhook_deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_webhook_deliveries_webhook")
        batch_op.drop_index(
            "ix_webhook_deliveries_due",
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )

    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")
    with op.batch_alter_table("own_instruments", schema=None) as batch_op:
        batch_op.drop_index("uq_own_instruments_place")
        batch_op.drop_index("uq_own_instruments_edition")

    op.drop_table("own_instruments")
    op.drop_table("on_call_shifts")
    op.drop_table("on_call")
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.drop_index("ix_journal_day")
        batch_op.drop_index("ix_journal_chart")

    op.drop_table("journal")
    with op.batch_alter_table("instrument_texts", schema=None) as batch_op:
        batch_op.drop_index("uq_instrument_texts_place")

    op.drop_table("instrument_texts")
    with op.batch_alter_table("check_in_plans", schema=None) as batch_op:
        batch_op.drop_index("ix_check_in_plans_look_at")
        batch_op.drop_index("ix_check_in_plans_chart")

    op.drop_table("check_in_plans")
    op.drop_table("check_in_plan_templates")
    with op.batch_alter_table("outbox_events", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_outbox_events_waiting",
            sqlite_where=sa.text("shared_out_at IS NULL"),
            postgresql_where=sa.text("shared_out_at IS NULL"),
        )

    op.drop_table("outbox_events")
    op.drop_table("worker_beats")
    with op.batch_alter_table("changes", schema=None) as batch_op:
        batch_op.drop_index("ix_changes_record")
        batch_op.drop_index("ix_changes_order")

    op.drop_table("changes")
