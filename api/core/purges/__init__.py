"""Purges: a chart is removed when its retention is over, by two people, and a tombstone stays."""

from api.core.purges import working as working  # the worker is told
from api.core.purges.over import list_charts_past_retention
from api.core.purges.proposing import (
    approve_chart_purge,
    list_chart_purges,
    propose_chart_purge,
    read_chart_purge,
    withdraw_chart_purge,
)
from api.core.purges.table import REASONS, STATES

__all__ = [
    "REASONS",
    "STATES",
    "approve_chart_purge",
    "list_chart_purges",
    "list_charts_past_retention",
    "propose_chart_purge",
    "read_chart_purge",
    "withdraw_chart_purge",
    "working",
]
