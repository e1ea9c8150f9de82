"""What may become of a session: its states, its moves and who may make them, as data. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.access.policies import Role, grant

STATES = ("scheduled", "arrived", "in_progress", "completed", "cancelled", "no_show")
FREEING = ("cancelled", "no_show")
"""States in which a session holds nobody's time and opens no chart by duty."""
CHANGEABLE = ("scheduled", "arrived")
"""States in which the booking itself may still be changed."""
STAMPS = {
    "arrived": "arrived_at",
    "in_progress": "started_at",
    "completed": "completed_at",
    "cancelled": "closed_at",
    "no_show": "closed_at",
}
"""The column that keeps when a state was entered."""
REACHED_AFTER = {
    "scheduled": ("arrived_at", "started_at", "completed_at", "closed_at"),
    "in_progress": ("completed_at", "closed_at"),
}
"""What is no longer true once a session is reopened to a state."""

CANCELLED_FOR = (
    "patient_asked",
    "patient_unwell",
    "clinician_unavailable",
    "room_unavailable",
    "not_ready",
    "consent_lacking",
    "travel_or_weather",
    "rebooked",
    "entered_by_mistake",
    "other",
)
PATIENTS_OWN = ("patient_asked", "patient_unwell", "travel_or_weather", "other")
"""Those that a patient may give for calling off; the others are the clinic's to know."""
NOT_HELD_FOR = ("did_not_come", "came_too_late", "could_not_be_reached", "other")
REOPENED_FOR = ("entered_by_mistake", "came_after_all", "goes_on_after_all", "other")
NOTED_FOR = ("as_planned", "recorded_afterwards", "other")


@dataclass(frozen=True)
class Move:
    """One move: from which state to which, whose right it is, and the reasons it may carry."""

    leads: Mapping[str, str]
    action: str
    reasons: tuple[str, ...] = NOTED_FOR
    needs_reason: bool = False


MOVES = {
    "arrive": Move({"scheduled": "arrived"}, "session:update"),
    "start": Move({"arrived": "in_progress"}, "session:update"),
    "complete": Move({"in_progress": "completed"}, "session:complete"),
    "cancel": Move(
        {"scheduled": "cancelled", "arrived": "cancelled"}, "session:cancel", CANCELLED_FOR, True
    ),
    "no-show": Move({"scheduled": "no_show"}, "session:no_show", NOT_HELD_FOR, True),
    "reopen": Move(
        {"cancelled": "scheduled", "no_show": "scheduled", "completed": "in_progress"},
        "session:update",
        REOPENED_FOR,
    ),
}


def right_to(name: str, kind: str) -> str:
    """The action of the policy table that the move asks for; a dose asks for a fresh sign-in."""
    if name == "start" and kind == "dosing":
        return "session:start_dosing"
    return MOVES[name].action


def may(name: str, state: str, kind: str, role: Role, on_care_team: bool) -> bool:
    """Whether this reader may make the move in this state.

    A patient may only call off what has not begun; to reopen what was called off is to book it
    again, and reach by duty books nothing.
    """
    if state not in MOVES[name].leads or grant(role, right_to(name, kind)) is None:
        return False
    if role == Role.PATIENT:
        return state == "scheduled"
    books_again = name == "reopen" and state in FREEING
    return on_care_team or not books_again


def reasons_for(name: str, role: Role) -> tuple[str, ...]:
    """The reasons that this reader may give with the move."""
    reasons = MOVES[name].reasons
    return tuple(r for r in reasons if r in PATIENTS_OWN) if role == Role.PATIENT else reasons


def allowed(state: str, kind: str, role: Role, on_care_team: bool) -> list[str]:
    """The moves this reader may make now, by the last part of their address."""
    return [name for name in MOVES if may(name, state, kind, role, on_care_team)]


def after(name: str, state: str, at: datetime, reason: str | None) -> dict[str, Any]:
    """What the move changes in the record of a session that is in `state`; KeyError if illegal."""
    to = MOVES[name].leads[state]
    values: dict[str, Any] = {"state": to, "moved_at": at, "reason": reason}
    if name == "reopen":
        return values | dict.fromkeys(REACHED_AFTER[to])
    return values | {STAMPS[to]: at}
