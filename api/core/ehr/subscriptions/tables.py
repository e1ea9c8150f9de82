"""Subscriptions of EHR clients, and the notifications that they are owed."""

from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    UniqueConstraint,
    Uuid,
)

from api.db import Instant, Sealed, of, tenant_table
from api.outbox.tables import FAILURES

REQUESTED, ACTIVE, ERROR, OFF = STATUSES = ("requested", "active", "error", "off")
EMPTY, ID_ONLY = CONTENTS = ("empty", "id-only")
HANDSHAKE, EVENT, HEARTBEAT = TYPES = ("handshake", "event-notification", "heartbeat")
PENDING, DELIVERED, FAILED, CANCELLED = STATES = ("pending", "delivered", "failed", "cancelled")
MAX_TOPIC, MAX_ERROR, MAX_BASE = 100, 200, 500
HEARTBEAT_S: Final = (60, 86_400)
"""How often a heartbeat may be asked for: from once a minute to once a day."""
MOST: Final = 20
"""Subscriptions of one client."""

ehr_subscriptions = tenant_table(
    "ehr_subscriptions",
    Column("client_id", Uuid, nullable=False),
    Column("topic", String(MAX_TOPIC), nullable=False),
    Column("criteria", Sealed),
    Column("endpoint", Sealed, nullable=False),
    Column("header", Sealed),
    Column("content", String(20), nullable=False),
    Column("status", String(20), nullable=False),
    Column("reason", Sealed, nullable=False),
    Column("error", String(MAX_ERROR)),
    Column("base", String(MAX_BASE), nullable=False),
    Column("ends_at", Instant),
    Column("events", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("heartbeat_s", Integer),
    of("ehr_clients", "client_id"),
    CheckConstraint(f"status IN {STATUSES}", name="status"),
    CheckConstraint(f"content IN {CONTENTS}", name="content"),
    patient=False,
)
"""`header` is what the receiver wants to be sent along, as JSON; it is told to nobody again.
`events` counts the notifications since the subscription began; `failures` those that failed in a
row; `base` is the address of the door under which it was begun. `heartbeat_s` is after how long
without a notification a heartbeat is sent; None for never."""
Index("ix_ehr_subscriptions_client", *ehr_subscriptions.c["clinic_id", "client_id", "id"])
Index("ix_ehr_subscriptions_topic", *ehr_subscriptions.c["clinic_id", "topic", "status"])
ehr_notifications = tenant_table(
    "ehr_notifications",
    Column("subscription_id", Uuid, nullable=False),
    Column("event_id", Uuid),
    Column("number", Integer, nullable=False),
    Column("type", String(20), nullable=False),
    Column("focus", String(100)),
    Column("happened_at", Instant, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Instant),
    Column("leased_until", Instant),
    Column("last_status", Integer),
    Column("last_failure", String(20)),
    Column("delivered_at", Instant),
    of("ehr_subscriptions", "subscription_id"),
    UniqueConstraint("clinic_id", "subscription_id", "event_id"),
    CheckConstraint(f"type IN {TYPES}", name="type"),
    CheckConstraint(f"state IN {STATES}", name="state"),
    CheckConstraint(f"last_failure IN {FAILURES}", name="last_failure"),
    patient=False,
)
"""One event for one subscription, with the number it has there; `focus` is a relative reference.
The event itself may be pruned before. Heartbeats are one row that waits for its next time again and
again."""
DUE = ehr_notifications.c.state == PENDING
Index(
    "ix_ehr_notifications_due",
    ehr_notifications.c.next_at,
    sqlite_where=DUE,
    postgresql_where=DUE,
)
Index("ix_ehr_notifications_of", *ehr_notifications.c["clinic_id", "subscription_id", "number"])
