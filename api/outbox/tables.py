"""Who asked to be told of events, and what became of telling them."""

from typing import Final

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ColumnElement,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    true,
)

from api.db import Instant, Sealed, Store, of, tenant_table

PENDING, DELIVERED, FAILED, CANCELLED = STATES = ("pending", "delivered", "failed", "cancelled")
GONE, BY_HAND = DISABLED_FOR = ("gone", "by_hand")
FAILURES: Final = (
    "not_an_address",
    "not_resolved",
    "not_public",
    "not_reached",
    "no_tls",
    "too_slow",
    "not_http",
    "status",
)
"""Why an attempt failed; with `status` the receiver answered something else than 2xx."""

webhooks = tenant_table(
    "webhooks",
    Column("url", Sealed, nullable=False),
    Column("events", JSON, nullable=False),
    Column("secret", Sealed, nullable=False),
    Column("ed25519_key", Sealed),
    Column("created_by", Uuid, nullable=False),
    Column("disabled_at", Instant),
    Column("disabled_for", String(20)),
    Column("former_secret", Sealed),
    Column("former_until", Instant),
    of("users", "created_by"),
    CheckConstraint(f"disabled_for IN {DISABLED_FOR}", name="disabled_for"),
    patient=False,
)
"""`former_secret` is that of before the last change; it signs beside the new one until then."""
webhook_deliveries = tenant_table(
    "webhook_deliveries",
    Column("webhook_id", Uuid, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Instant),
    Column("leased_until", Instant),
    Column("last_attempt_at", Instant),
    Column("last_status", Integer),
    Column("last_failure", String(20)),
    Column("delivered_at", Instant),
    of("webhooks", "webhook_id"),
    of("outbox_events", "event_id"),
    UniqueConstraint("clinic_id", "webhook_id", "event_id"),
    CheckConstraint(f"state IN {STATES}", name="state"),
    CheckConstraint(f"last_failure IN {FAILURES}", name="last_failure"),
    patient=False,
)
"""One event for one webhook. While `leased_until` lies ahead a worker is at it; a worker that
dies leaves the lease to run out, and the next one delivers under the same id."""
DUE = webhook_deliveries.c.state == PENDING
Index(
    "ix_webhook_deliveries_due",
    webhook_deliveries.c.next_at,
    sqlite_where=DUE,
    postgresql_where=DUE,
)
Index("ix_webhook_deliveries_webhook", *webhook_deliveries.c["clinic_id", "webhook_id", "id"])
Index(
    "ix_webhook_deliveries_running",
    *webhook_deliveries.c["clinic_id", "webhook_id", "leased_until"],
)


def here(store: Store, table: Table) -> ColumnElement[bool]:
    """The condition that a row is of the clinic that is meant; of any, where none is."""
    clinic_id = store.within.clinic_id
    return true() if clinic_id is None else table.c.clinic_id == clinic_id
