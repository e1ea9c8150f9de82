"""What happened between two sessions, as the clinician reads it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from api import clock
from api.core.alerts import is_overdue, standing
from api.core.integration.moments import day_of
from api.core.integration.practices import name_of
from api.core.integration.trail import local_day
from api.core.patients import display_name
from api.core.treatment.windows import Windows
from api.db import Values

MOST: Final = 100
"""The most entries of a kind for one patient, the latest; past it `truncated` says so."""


@dataclass(frozen=True)
class Span:
    """Whose time is looked at, since when; `session` is the one it begins with, if any.

    Without `at` it is all there ever was.
    """

    patient: Values
    session: Values | None
    at: datetime | None

    @property
    def on(self) -> date | None:
        """The patient's own day on which it begins."""
        return None if self.at is None else local_day(self.at, self.patient["time_zone"])


@dataclass(frozen=True)
class Told:
    """What was read of all these spans, each part by patient."""

    days: dict[UUID, Windows]
    goals: dict[UUID, list[Values]]
    practices: dict[UUID, list[Values]]
    moments: dict[UUID, list[Values]]
    journal: dict[UUID, list[Values]]
    check_ins: dict[UUID, list[Values]]
    alerts: dict[UUID, list[Values]]
    unsigned_notes: dict[UUID, list[Values]]
    unsigned_sessions: dict[UUID, list[Values]]


def show(span: Span, told: Told) -> Values:
    """One patient's span, every kind of entry in the order in which it was read."""
    patient = span.patient
    mine = {name: getattr(told, name)[patient["id"]] for name in KINDS}
    shown = {name: [way(patient, row) for row in mine[name][:MOST]] for name, way in KINDS.items()}
    return {
        "patient": {"id": patient["id"], "display_name": display_name(patient)},
        "since_at": span.at,
        "since_on": span.on,
        "session": span.session,
        "window": _window(told.days[patient["id"]]),
        "agreed": _agreed(span, mine["goals"], mine["practices"]),
        "truncated": any(len(rows) > MOST for rows in mine.values()),
        **shown,
    }


def _window(days: Windows) -> Values:
    today = clock.today(days.zone)
    dose = days.last(today)
    return {
        "open": days.now is not None,
        "window_day": days.now,
        "phase": days.phase(today),
        "dosed_on": None if dose is None else dose.on,
        "session_id": None if dose is None else dose.session_id,
    }


def _agreed(span: Span, agreed: list[Values], walked: list[Values]) -> Values:
    """What was agreed last time: what names the session, or was written down on its day."""
    if span.session is None:
        return {"goals": [], "practices": []}

    def then(row: Values) -> bool:
        named = row.get("session_id") == span.session["id"] if span.session else False
        return named or local_day(row["created_at"], span.patient["time_zone"]) == span.on

    last_goals = [row for row in agreed if then(row)]
    ids = {row["id"] for row in last_goals}
    last = [row for row in walked if then(row) or row["goal_id"] in ids]
    return {
        "goals": [{"id": row["id"], "title": row["title"]} for row in last_goals],
        "practices": [name_of(row) for row in last],
    }


def _goal(_patient: Values, row: Values) -> Values:
    return {name: row[name] for name in ("id", "title", "category", "lifecycle_status")}


def _practice(_patient: Values, row: Values) -> Values:
    kept = ("goal_id", "status", "smallest_step", "trail", "steps", "detours")
    return name_of(row) | {name: row[name] for name in kept}


def _moment(patient: Values, row: Values) -> Values:
    kept = ("id", "text", "noticed_by", "hindsight", "practice_id")
    whose = row["in_words_of"] or row["author_kind"]
    return {name: row[name] for name in kept} | {"on": day_of(patient, row), "in_words_of": whose}


def _journal(_patient: Values, row: Values) -> Values:
    return {name: row[name] for name in ("id", "text", "mood")} | {"on": row["written_on"]}


def _check_in(_patient: Values, row: Values) -> Values:
    kept = ("id", "instrument", "title", "state", "answered_on", "answered_by", "total", "band")
    flags = row["scores"].get("flags", [])
    return {name: row[name] for name in kept} | {"flags": flags, "change": row["change"]}


def _alert(_patient: Values, row: Values) -> Values:
    kept = ("id", "rule", "priority", "state", "historical", "raised_at", "check_in_id")
    due = {"due_at": standing.due_at(row), "overdue": is_overdue(row, clock.now())}
    return {name: row[name] for name in kept} | due


def _draft(_patient: Values, row: Values) -> Values:
    return {name: row[name] for name in ("id", "kind", "session_id", "author", "created_at")}


def _unsigned(_patient: Values, row: Values) -> Values:
    return {name: row[name] for name in ("id", "kind", "completed_at", "missing")}


KINDS: Final = {
    "goals": _goal,
    "practices": _practice,
    "moments": _moment,
    "journal": _journal,
    "check_ins": _check_in,
    "alerts": _alert,
    "unsigned_notes": _draft,
    "unsigned_sessions": _unsigned,
}
"""What is shown of each kind, by its name in the answer."""
