"""The table of purges: who proposed to remove a chart, who agreed, and what came of it."""

from datetime import timedelta
from typing import Final

from sqlalchemy import JSON, CheckConstraint, Column, Date, Index, String, Uuid

from api.db import Instant, Sealed, of, tenant_table

PROPOSED, APPROVED, RUNNING, DONE, WITHDRAWN, STOPPED = STATES = (
    *("proposed", "approved", "running"),
    *("done", "withdrawn", "stopped"),
)
OPEN: Final = (PROPOSED, APPROVED, RUNNING)
HELD, RETAINED, CHANGED, MERGED, EXPIRED, NOT_ENTITLED = REASONS = (
    *("legal_hold", "retained", "chart_changed"),
    *("merged", "expired", "no_longer_entitled"),
)
"""Why the worker stopped one that nobody withdrew."""
STANDS_FOR: Final = timedelta(days=30)
"""How long a proposal waits for a second person."""

chart_purges = tenant_table(
    "chart_purges",
    Column("state", String(10), nullable=False),
    Column("reason", Sealed),
    Column("last_seen_on", Date, nullable=False),
    Column("retained_until", Date, nullable=False),
    Column("proposed_by", Uuid, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("approved_by", Uuid),
    Column("approved_at", Instant),
    Column("not_before", Instant),
    Column("withdrawn_by", Uuid),
    Column("stopped_for", String(20)),
    Column("began_at", Instant),
    Column("ended_at", Instant),
    Column("charts", JSON(none_as_null=True)),
    Column("removed", JSON(none_as_null=True)),
    Column("let_go_at", Instant),
    of("users", "proposed_by"),
    of("users", "approved_by"),
    of("users", "withdrawn_by"),
    CheckConstraint(f"state IN {STATES}", name="state"),
    CheckConstraint(f"stopped_for IN {REASONS}", name="stopped_for"),
    CheckConstraint("approved_by <> proposed_by", name="two"),
    CheckConstraint("(began_at IS NULL) = (charts IS NULL)", name="begun"),
)
"""`reason` is in somebody's words, which may name the patient: it goes when the removal begins.
`charts` are then the ids of this chart and those that were merged into it, `removed` counts by kind
what went. `let_go_at` is when what told others of it went, too."""
IS_OPEN = chart_purges.c.state.in_(OPEN)
Index(
    "uq_chart_purges_open",
    *chart_purges.c["clinic_id", "patient_id"],
    unique=True,
    sqlite_where=IS_OPEN,
    postgresql_where=IS_OPEN,
)
STAYS = chart_purges.c.let_go_at.is_(None)
Index("ix_chart_purges_waiting", chart_purges.c.state, sqlite_where=STAYS, postgresql_where=STAYS)
