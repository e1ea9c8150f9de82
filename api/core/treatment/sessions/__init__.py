"""Sessions: booked, moved from state to state, never two at once for one person or room."""

from api.core.treatment.moves import STATES
from api.core.treatment.sessions.booking import (
    add_session,
    book_session,
    change_session,
    list_sessions,
    read_session,
)
from api.core.treatment.sessions.moving import (
    arrive_session,
    cancel_session,
    mark_no_show,
    reopen_session,
)
from api.core.treatment.sessions.table import KINDS, MODES, sessions

__all__ = [
    "KINDS",
    "MODES",
    "STATES",
    "add_session",
    "arrive_session",
    "book_session",
    "cancel_session",
    "change_session",
    "list_sessions",
    "mark_no_show",
    "read_session",
    "reopen_session",
    "sessions",
]
