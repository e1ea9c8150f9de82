"""the second wall

Revision ID: 0012
Revises: 0011
"""

from alembic import op

from api.db import walls

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES = (
    "alert_duties",
    "alerts",
    "allergies",
    "amendment_requests",
    "attestations",
    "audit_event_patients",
    "audit_events",
    "audit_heads",
    "audit_seals",
    "care_team",
    "changes",
    "check_in_corrections",
    "check_in_links",
    "check_in_occurrences",
    "check_in_plan_templates",
    "check_in_plans",
    "check_ins",
    "client_patients",
    "consent_reaffirmations",
    "consents",
    "courses",
    "diagnoses",
    "discharges",
    "dose_plans",
    "ehr_clients",
    "goal_ratings",
    "goals",
    "idempotency_keys",
    "insights",
    "instrument_texts",
    "invitations",
    "journal",
    "ledger_addenda",
    "ledger_entries",
    "list_confirmations",
    "medications",
    "moments",
    "note_unlock_requests",
    "note_versions",
    "notes",
    "notification_attempts",
    "on_call",
    "on_call_shifts",
    "outbox_events",
    "own_instruments",
    "past_duties",
    "patient_external_ids",
    "patient_systems",
    "patient_words",
    "patients",
    "practice_statuses",
    "practices",
    "protocol_versions",
    "psychotherapy_note_versions",
    "psychotherapy_notes",
    "record_versions",
    "rems_filings",
    "replies",
    "research_agreements",
    "research_chunks",
    "research_keys",
    "research_members",
    "research_projects",
    "research_releases",
    "research_subjects",
    "rooms",
    "screenings",
    "session_clinicians",
    "session_settings",
    "session_signatures",
    "sessions",
    "steps",
    "users",
    "webhook_deliveries",
    "webhooks",
)
"""Every table of a clinic's records when the wall was laid; a later one lays its own."""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in walls.laid(*TABLES):
            op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in walls.taken_down(*TABLES):
            op.execute(statement)
