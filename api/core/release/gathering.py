"""Gathering: the rows of some hundred subjects at a time, read by the allow-list, without dates."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import fmean
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, select

from api.core.alerts import alerts
from api.core.integration import trail
from api.core.integration.tables import (
    RESEARCH,
    goals,
    moments,
    practice_statuses,
    practices,
    steps,
)
from api.core.integration.trails import pauses
from api.core.outcomes.checkins import check_ins
from api.core.outcomes.instruments.catalogue import catalogue
from api.core.release import deidentify as d, scoring
from api.core.release.allowed import columns
from api.core.release.anonymity import Pattern
from api.core.release.cohort import Person
from api.core.release.shapes import NO, SUICIDALITY, YES, flags
from api.core.release.snapshot import Snapshot, batches
from api.core.treatment.dosing.table import ledger_entries
from api.core.treatment.dosing.vocabulary import DOSE, EVENT, EVENTS
from api.core.treatment.sessions import sessions
from api.db import Values

Row = list[Any]
Rows = dict[str, list[Row]]
IN_WINDOW: Final = 7
"""The last day after a dose that counts for `practised_in_window`."""
HELD: Final = ("in_progress", "completed")
WORSE: Final = "new_or_worse_suicidality"
"""The adverse event that says what a safety item does."""
COUNTED: Final = ("done", "partly", "prompted", "skipped", "detour")


@dataclass
class Visits:
    """The sessions of one subject that were held: by window and kind, how many, and their days."""

    by: dict[tuple[str, str], list[UUID]] = field(default_factory=dict)
    dosed_on: list[int] = field(default_factory=list)

    @property
    def pattern(self) -> Pattern:
        """The visits in order of the windows."""
        order = sorted(self.by, key=lambda one: (d.CODES.index(one[0]), one[1]))
        return tuple(
            (window, kind, d.count_band(len(self.by[window, kind]))) for window, kind in order
        )


def visits(snap: Snapshot, clinic_id: UUID, people: Sequence[Person]) -> dict[UUID, Visits]:
    """The visits of each of these."""
    s = sessions.c
    told = ("id", "patient_id", "kind", "first_dose_at", "started_at", "starts_at")
    rows = rows_of(snap, sessions, clinic_id, people, told, s.state.in_(HELD))
    by = {person.patient_id: person for person in people}
    found: dict[UUID, Visits] = {person.patient_id: Visits() for person in people}
    for row in rows:
        person, mine = by[row["patient_id"]], found[row["patient_id"]]
        at = row["first_dose_at"] or row["started_at"] or row["starts_at"]
        if row["kind"] == "dosing":
            mine.dosed_on.append(person.offset(at))
        window = person.window(at)
        if window is not None:
            mine.by.setdefault((window, row["kind"]), []).append(row["id"])
    return found


def gather(
    snap: Snapshot, clinic_id: UUID, people: Sequence[Person], told: Mapping[str, Pattern]
) -> Rows:
    """The rows of each file of these subjects; of `told` the visits that may be told, by code."""
    rows: Rows = defaultdict(list)
    seen = visits(snap, clinic_id, people)
    doses, events = doses_and_events(snap, clinic_id, people)
    walked = _walked(snap, clinic_id, people)
    points = _points(snap, clinic_id, people)
    said = signals(snap, clinic_id, people)
    noticed = _moments(snap, clinic_id, people)
    for person in people:
        who, code = person.patient_id, person.subject_id
        rows["sessions"] += _sessions(code, seen[who], told[code], doses)
        rows["scores"] += (scored := scoring.score_rows(code, points.get(who, {})))
        rows["scores_wide"].append(scoring.wide_row(code, scored))
        rows["steps"] += _steps(person, walked.get(who, []))
        rows["trail"] += _trails(person, walked.get(who, []))
        rows["moments"] += _counted(person, noticed.get(who, []))
        rows["safety"] += _safety(person, said.get(who, []), events.get(who, []))
        rows["subjects"].append(_subject(person, seen[who], walked.get(who, [])))
    return rows


def rows_of(
    snap: Snapshot,
    table: Table,
    clinic_id: UUID,
    people: Iterable[Person],
    told: Iterable[str],
    *narrowed: Any,
    opens: Table | None = None,
) -> Iterable[Values]:
    """The rows of a table of these patients that are not deleted, in the order they came."""
    t, ids = table.c, [person.patient_id for person in people]
    mine = [t.clinic_id == clinic_id, t.patient_id.in_(ids), t.deleted_at.is_(None), *narrowed]
    chosen = columns(table, *told)
    return snap.rows(select(*chosen).where(*mine).order_by(t.patient_id, t.id), opens=opens)


def _subject(person: Person, seen: Visits, walked: Sequence[Values]) -> Row:
    days = {person.offset(step["walked_on"]) for step in walked if trail.WEIGHTS[step["kind"]]}
    near = any(0 <= day - dose <= IN_WINDOW for day in days for dose in seen.dosed_on)
    more = (person.medicine, YES if near else NO, person.sensitive, person.end_state)
    return [person.subject_id, *person.quasi, *more]


def doses_and_events(
    snap: Snapshot, clinic_id: UUID, people: Sequence[Person]
) -> tuple[dict[UUID, list[float]], dict[UUID, list[tuple[Any, str]]]]:
    """By session the mg per kg of its standing doses, and by patient the adverse events."""
    told = ("id", "clinic_id", "patient_id", "session_id", "type", "measured_at", "corrects_id")
    kinds = ledger_entries.c.type.in_((DOSE, EVENT, "void"))
    found = rows_of(
        *(snap, ledger_entries, clinic_id, people, (*told, "content")),
        kinds,
        opens=ledger_entries,
    )
    rows = list(found)
    gone = {row["corrects_id"] for row in rows}
    doses: dict[UUID, list[float]] = defaultdict(list)
    events: dict[UUID, list[tuple[Any, str]]] = defaultdict(list)
    for row in (row for row in rows if row["id"] not in gone):
        said = row["content"]
        if row["type"] == DOSE and said.get("dose_mg_per_kg") is not None:
            doses[row["session_id"]].append(said["dose_mg_per_kg"])
        elif row["type"] == EVENT and said.get("code") in EVENTS:
            events[row["patient_id"]].append((row["measured_at"], said["code"]))
    return doses, events


def _sessions(
    code: str, seen: Visits, told: Pattern, doses: Mapping[UUID, list[float]]
) -> list[Row]:
    rows: list[Row] = []
    for window, kind, held in told:
        given = [sum(doses[one]) for one in seen.by[window, kind] if one in doses]
        rows.append([code, window, kind, held, d.dose_band(fmean(given) if given else None)])
    return rows


def _points(
    snap: Snapshot, clinic_id: UUID, people: Sequence[Person]
) -> dict[UUID, scoring.Points]:
    """By patient and instrument the check-in that stands for each window."""
    by = {person.patient_id: person for person in people}
    told = ("patient_id", "instrument", "instrument_version", "scoring_version", "answered_at")
    more = ("answered_on", "total", "band", "practice_id")
    known = [check_ins.c.state == "complete", check_ins.c.instrument.in_(list(catalogue()))]
    found: dict[UUID, scoring.Points] = {}
    for row in rows_of(snap, check_ins, clinic_id, people, (*told, *more), *known):
        person = by[row["patient_id"]]
        offset, before = person.offset(row["answered_on"]), row["answered_at"] < person.first_at
        scoring.place(found.setdefault(person.patient_id, {}), row, offset, before)
    return found


def signals(
    snap: Snapshot, clinic_id: UUID, people: Sequence[Person]
) -> dict[UUID, list[tuple[Any, str]]]:
    """By patient the safety flags that their check-ins raised, each with its moment."""
    found: dict[UUID, list[tuple[Any, str]]] = defaultdict(list)
    mine = [alerts.c.check_in_id.is_not(None), alerts.c.flag.in_(flags())]
    for row in rows_of(
        snap, alerts, clinic_id, people, ("patient_id", "flag", "answered_at"), *mine
    ):
        found[row["patient_id"]].append((row["answered_at"], row["flag"]))
    return found


def _safety(person: Person, *said: Sequence[tuple[Any, str]]) -> list[Row]:
    """One row for each thing said in a window, however often it was."""
    barred = (*SUICIDALITY, WORSE) if person.suicidality is None else ()
    told = {
        (person.window(at), source, code)
        for source, some in zip(("check_in", "session"), said, strict=True)
        for at, code in some
        if code not in barred
    }
    return [[person.subject_id, *one] for one in sorted(told, key=str) if one[0] is not None]


def _walked(snap: Snapshot, clinic_id: UUID, people: Sequence[Person]) -> dict[UUID, list[Values]]:
    """By patient the steps that they share for research, each with its practice's category."""
    shared = practices.c.shared_with == RESEARCH
    told = ("id", "goal_id", "interval_days")
    there = {row["id"]: row for row in rows_of(snap, practices, clinic_id, people, told, shared)}
    named = goals.c.shared_with == RESEARCH
    categories = {
        row["id"]: row["category"]
        for row in rows_of(snap, goals, clinic_id, people, ("id", "category"), named)
    }
    stood = _pauses(snap, clinic_id, list(there))
    found: dict[UUID, list[Values]] = defaultdict(list)
    mine = steps.c.shared_with == RESEARCH
    for row in rows_of(snap, steps, clinic_id, people, STEP, mine):
        practice = there.get(row["practice_id"])
        if practice is not None:
            category = categories.get(practice["goal_id"], d.OTHER)
            more = {"category": category, "interval_days": practice["interval_days"]}
            row |= more | {"pauses": stood.get(row["practice_id"], [])}
            found[row["patient_id"]].append(row)
    return found


STEP: Final = ("patient_id", "practice_id", "walked_on", "kind")


def _pauses(snap: Snapshot, clinic_id: UUID, ids: list[UUID]) -> dict[UUID, list[trail.Pause]]:
    t, told = practice_statuses.c, columns(practice_statuses, "practice_id", "status", "from_on")
    changes: dict[UUID, list[Values]] = defaultdict(list)
    for some in batches(ids):
        mine = [t.clinic_id == clinic_id, t.practice_id.in_(list(some))]
        for row in snap.rows(select(*told).where(*mine).order_by(t.from_on, t.id)):
            changes[row["practice_id"]].append(row)
    return {practice: pauses(rows) for practice, rows in changes.items()}


def _steps(person: Person, walked: Sequence[Values]) -> list[Row]:
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for step in walked:
        window = person.window(step["walked_on"])
        if window is not None:
            key = (step["category"], window)
            by = counts.setdefault(key, dict.fromkeys(COUNTED, 0))
            by[step["kind"]] += 1
    return [[person.subject_id, *key, *counts[key].values()] for key in sorted(counts)]


def _trails(person: Person, walked: Sequence[Values]) -> list[Row]:
    """The strongest trail of each category at the end of each window in which a step was walked."""
    by: dict[UUID, list[Values]] = defaultdict(list)
    for step in walked:
        by[step["practice_id"]].append(step)
    best: dict[tuple[str, str], float] = {}
    for some in by.values():
        for window, strength in _strengths(person, some):
            key = (some[0]["category"], window)
            best[key] = max(best.get(key, 0.0), strength)
    return [
        [person.subject_id, *key, round(best[key], 2), trail.stage(best[key], True), trail.FORMULA]
        for key in sorted(best)
    ]


def _strengths(person: Person, some: Sequence[Values]) -> Iterable[tuple[str, float]]:
    walks = [trail.Walk(step["walked_on"], trail.WEIGHTS[step["kind"]]) for step in some]
    params = trail.Params(interval_days=some[0]["interval_days"])
    there = {person.window(walk.on) for walk in walks if walk.weight}
    for window in (one for one in d.WINDOWS if one.code in there):
        on = person.first_on + timedelta(days=window.last)
        yield window.code, trail.strength(walks, some[0]["pauses"], on, params)


def _moments(snap: Snapshot, clinic_id: UUID, people: Sequence[Person]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    told, mine = ("patient_id", "happened_on", "noticed_at"), moments.c.shared_with == RESEARCH
    for row in rows_of(snap, moments, clinic_id, people, told, mine):
        found[row["patient_id"]].append(row["happened_on"] or row["noticed_at"])
    return found


def _counted(person: Person, noticed: Sequence[Any]) -> list[Row]:
    by: dict[str, int] = defaultdict(int)
    for at in noticed:
        window = person.window(at)
        if window is not None:
            by[window] += 1
    return [
        [person.subject_id, window, d.count_band(count)] for window, count in sorted(by.items())
    ]
