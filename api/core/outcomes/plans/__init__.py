"""Check-in plans: what is asked of a patient and when, and what becomes of it."""

from api.core.outcomes.plans.answering import answer_plans
from api.core.outcomes.plans.coming import Planned, asked_of, open_check_ins, plans_of
from api.core.outcomes.plans.keeping import (
    TO_PATIENT,
    change_check_in_plan,
    end_check_in_plan,
    list_check_in_plans,
    plan_check_ins,
    read_check_in_plan,
)
from api.core.outcomes.plans.reminding import remind_due
from api.core.outcomes.plans.schedule import RULES, STATES
from api.core.outcomes.plans.table import (
    check_in_occurrences,
    check_in_plan_templates,
    check_in_plans,
)
from api.core.outcomes.plans.templates import (
    change_plan_template,
    copy_plan_template,
    follow_plan_template,
    list_plan_templates,
    read_plan_template,
    remove_plan_template,
)
from api.core.outcomes.plans.waiting import waits

__all__ = [
    "RULES",
    "STATES",
    "TO_PATIENT",
    "Planned",
    "answer_plans",
    "asked_of",
    "change_check_in_plan",
    "change_plan_template",
    "check_in_occurrences",
    "check_in_plan_templates",
    "check_in_plans",
    "copy_plan_template",
    "end_check_in_plan",
    "follow_plan_template",
    "list_check_in_plans",
    "list_plan_templates",
    "open_check_ins",
    "plan_check_ins",
    "plans_of",
    "read_check_in_plan",
    "read_plan_template",
    "remind_due",
    "remove_plan_template",
    "waits",
]
