"""Today, found: whom to turn to, the window in words, one small step, what may be answered."""

from datetime import date
from typing import Any

from sqlalchemy import select

from api import clock
from api.access.policies import Actor
from api.core import gate
from api.core.clinic import crisis_for
from api.core.integration.practices import name_of
from api.core.integration.words import of_trail
from api.core.patients import open_chart
from api.core.today.asking import question, quote
from api.core.today.day import Day, Walk, read_day
from api.core.treatment.moves import CHANGEABLE
from api.core.treatment.protocols import CLOSED
from api.core.treatment.sessions import sessions, showing
from api.core.words import words_for
from api.db import Values, store


def read_today(actor: Actor) -> Values:
    """The patient's own day: crisis resources, what is small and next, and perhaps one question."""
    gate.admit(actor, "today:read")
    patient_id: Any = actor.rights.patient_id
    patient = open_chart(actor, "today:read", patient_id)
    day = read_day(actor, patient)
    clinic, crisis = crisis_for(patient["clinic_id"], patient["locale"])
    asked = None if day.rests else question(actor, day)
    return {
        "crisis": crisis,
        "clinic": {"id": patient["clinic_id"], "name": clinic},
        "on": day.on,
        "window": _window(day),
        "after": _after(day),
        "next_step": None if day.rests else _next_step(day),
        "due": day.due,
        "question": asked,
        "quote": None if day.rests or asked or day.due else quote(actor, day),
        "next_visit": _next_visit(actor, patient),
    }


def _window(day: Day) -> Values:
    """How the window is worded: no end, no countdown; before any dose as on every other day."""
    phase = day.days.phase(day.on)
    said: dict[str, str] = words_for(day.patient["locale"])["window"]
    return {"phase": phase, "words": said[phase or CLOSED]}


def _after(day: Day) -> list[str]:
    """What the protocol tells a patient after a dose, on its day."""
    dose = day.days.last(day.on) if day.rests else None
    told: Values = {} if dose is None else dose.protocol.instructions(day.patient["locale"])
    return list(told.get("after", []))


def _next_step(day: Day) -> Values | None:
    """The practice whose turn it is, in its smallest form; None when all were walked today."""
    waiting = [walk for walk in day.walks if walk.last_on != day.on]
    if not waiting:
        return None
    chosen = min(waiting, key=lambda walk: _turn(walk, day.on))
    row, log = chosen.practice, chosen.log
    summed = log.sums_up_to(chosen.last_on or day.on)  # what silence takes is not shown here
    return {
        "practice": name_of(row),
        "smallest_step": row["smallest_step"],
        "new_trail": row["new_trail"],
        "cue": row["cue"],
        "stage": summed["stage"],
        "words": of_trail(day.patient["locale"], summed["stage"], summed["furthest_stage"]),
    }


def _turn(walk: Walk, on: date) -> tuple[int, int, str]:
    """Those whose day has come before those that can wait, the longest unwalked first."""
    if walk.last_on is None:
        return 0, 0, str(walk.practice["id"])
    interval, unwalked = walk.practice["interval_days"], (on - walk.last_on).days
    is_due = interval is not None and unwalked >= interval
    return (0 if is_due else 1), -unwalked, str(walk.practice["id"])


def _next_visit(reader: Actor, patient: Values) -> Values | None:
    """The next session that is booked, as its patient sees it; three queries."""
    s = sessions.c
    statement = select(sessions).where(
        s.clinic_id == patient["clinic_id"],
        s.patient_id == patient["id"],
        s.state.in_(CHANGEABLE),
        s.ends_at > clock.now(),
        s.deleted_at.is_(None),
    )
    row = store().row(statement.order_by(s.starts_at, s.id).limit(1), opens=sessions)
    return None if row is None else showing.show(reader.rights, row)
