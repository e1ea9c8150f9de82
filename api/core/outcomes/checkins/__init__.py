"""Check-ins: one administration of an instrument, its answers and what they add up to."""

from api.core.outcomes.checkins.finding import list_checkins, read_checkin
from api.core.outcomes.checkins.refused import hear_refused_answers, hear_refused_new
from api.core.outcomes.checkins.scored import add_check_in
from api.core.outcomes.checkins.table import (
    ANSWERED_BY,
    SOURCES,
    STATES,
    check_in_corrections,
    check_ins,
)
from api.core.outcomes.checkins.writing import (
    change_checkin,
    complete_checkin,
    correct_checkin,
    log_checkin,
)

__all__ = [
    "ANSWERED_BY",
    "SOURCES",
    "STATES",
    "add_check_in",
    "change_checkin",
    "check_in_corrections",
    "check_ins",
    "complete_checkin",
    "correct_checkin",
    "hear_refused_answers",
    "hear_refused_new",
    "list_checkins",
    "log_checkin",
    "read_checkin",
]
