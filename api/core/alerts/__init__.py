"""Alerts: safety signals that somebody must acknowledge; time escalates them and closes none."""

from api.core.alerts.attending import (
    acknowledge_alert,
    list_alerts,
    read_alert,
    resolve_alert,
)
from api.core.alerts.clocks import STATES
from api.core.alerts.escalating import escalate_due, overdue_since
from api.core.alerts.raising import Source, by_rule, raise_alerts
from api.core.alerts.rules import PRIORITIES, STEPS, Signal, holding, signal, words_of
from api.core.alerts.standing import holds_dosing, is_overdue, unacknowledged
from api.core.alerts.table import DISPOSITIONS, OUTCOMES, alerts, notification_attempts

__all__ = [
    "DISPOSITIONS",
    "OUTCOMES",
    "PRIORITIES",
    "STATES",
    "STEPS",
    "Signal",
    "Source",
    "acknowledge_alert",
    "alerts",
    "by_rule",
    "escalate_due",
    "holding",
    "holds_dosing",
    "is_overdue",
    "list_alerts",
    "notification_attempts",
    "overdue_since",
    "raise_alerts",
    "read_alert",
    "resolve_alert",
    "signal",
    "unacknowledged",
    "words_of",
]
