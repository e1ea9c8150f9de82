"""The tables of check-in plans: what is asked, what has become of it, and templates of a clinic."""

from sqlalchemy import JSON, CheckConstraint, Column, Date, Index, Integer, String, Text, Uuid

from api.core.outcomes.plans.schedule import RULES
from api.db import Instant, of, tenant_table

check_in_plans = tenant_table(
    "check_in_plans",
    Column("instrument", String(60), nullable=False),
    Column("rule", String(20), nullable=False),
    Column("n", Integer, nullable=False),
    Column("answer_within_days", Integer, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date),
    Column("template", String(60)),
    Column("made_by", Uuid, nullable=False),
    Column("look_at", Instant),
    Column("practice_id", Uuid),
    of("users", "made_by"),
    of("practices", "practice_id"),
    CheckConstraint(f"rule IN {RULES}", name="rule"),
)
"""`look_at` is when the worker looks at the plan next; null when there is nothing to remind of.
`practice_id` is the practice of which the instrument asks, where it asks of one."""
Index("ix_check_in_plans_look_at", check_in_plans.c.look_at)
check_in_occurrences = tenant_table(
    "check_in_occurrences",
    Column("plan_id", Uuid, nullable=False),
    Column("anchor", String(40), nullable=False),
    Column("due_on", Date, nullable=False),
    Column("until_on", Date, nullable=False),
    Column("reminders", Integer, nullable=False),
    Column("reminded_at", Instant),
    Column("check_in_id", Uuid),
    Column("answered_on", Date),
    of("check_in_plans", "plan_id"),
    of("check_ins", "check_in_id"),
)
"""What a plan asked and something came of; what it merely asks is reckoned anew at each reading."""
_OF_PLAN = check_in_occurrences.c["clinic_id", "plan_id", "anchor"]
Index("uq_check_in_occurrences_anchor", *_OF_PLAN, unique=True)
check_in_plan_templates = tenant_table(
    "check_in_plan_templates",
    Column("title", String(200), nullable=False),
    Column("about", Text),
    Column("plans", JSON, nullable=False),
    Column("copy_of", String(60)),
    Column("made_by", Uuid, nullable=False),
    of("users", "made_by"),
    patient=False,
)
