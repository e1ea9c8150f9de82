"""Steps: one time a practice was walked, or the old trail taken, logged without penalty."""

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.config import settings
from api.core import gate
from api.core.holds import refuse_held
from api.core.integration import entries, replies, words
from api.core.integration.practices import name_of
from api.core.integration.tables import practices, steps
from api.core.integration.trail import WEIGHTS
from api.core.treatment import windows
from api.db import Listing, Page, Values, found, match, store
from api.errors import Invalid


def list_steps(actor: Actor, practice_id: UUID, asked: Page, kind: str | None = None) -> Listing:
    """The steps of a practice, by the day they were walked, the latest first."""
    practice = gate.find_in_chart(actor, "step:read", practices, practice_id)
    of = {"practice_id": practice_id}
    listing = entries.listed(actor, steps, asked, of, "walked_on", kind=kind)
    patient = entries.patient_of(practice)
    listing.items = _show(patient, practice, listing.items)
    return listing


def log_step(actor: Actor, practice_id: UUID, values: Values) -> Values:
    """A step is written down, for today or a day gone by, also one before the practice was."""
    gate.find_in_chart(actor, "step:log", practices, practice_id)
    practice = entries.steady(actor, practices, practice_id)
    patient = entries.patient_of(practice)
    full = {"walked_on": clock.today(patient["time_zone"])} | values | {"practice_id": practice_id}
    _check(patient, full, values)
    row = entries.add(actor, steps, patient, full, practice)
    trail.about(steps.name, row["id"])
    trail.wrote(values)
    return _answered(actor, patient, practice, row)


def read_step(actor: Actor, step_id: UUID) -> Values:
    """One step."""
    row = gate.find_in_chart(actor, "step:read", steps, step_id)
    titles = entries.pointed_at(actor, practices, [row["practice_id"]], "title", "new_trail")
    return _show(entries.patient_of(row), found(titles.get(row["practice_id"])), [row])[0]


def change_step(actor: Actor, step_id: UUID, version: int | None, values: Values) -> Values:
    """Correct a step; the trail is reckoned anew as if it had always been so."""
    row = gate.find_in_chart(actor, "step:update", steps, step_id)
    entries.refuse_unless_own(actor, row)
    match(row, version)
    patient = entries.patient_of(row)
    practice = entries.steady(actor, practices, row["practice_id"])
    full = _without_old_reason(values)
    _check(patient, row | full, _new(row, values))
    trail.wrote(values)
    after = entries.change(actor, steps, row, full, practice)
    return _answered(actor, patient, practice, after)


def remove_step(actor: Actor, step_id: UUID, version: int | None) -> None:
    """The step goes; the trail is reckoned as if it never was."""
    row = gate.find_in_chart(actor, "step:update", steps, step_id)
    entries.refuse_unless_own(actor, row)
    match(row, version)
    refuse_held(row["clinic_id"], row["patient_id"])
    store().remove(steps, row)


def _without_old_reason(values: Values) -> Values:
    """The reason why a step was skipped goes when it turns out to be walked."""
    skipped = values.get("kind", "skipped") == "skipped"
    return values if skipped else {"skip_reason": None} | values


def _new(row: Values, values: Values) -> Values:
    """What of the values is not so already; a day once taken is not judged anew."""
    return {name: value for name, value in values.items() if row[name] != value}


def _check(patient: Values, step: Values, given: Values) -> None:
    if given.get("walked_on") is not None:
        _check_day(given["walked_on"], clock.today(patient["time_zone"]))
    if step.get("skip_reason") is not None and step["kind"] != "skipped":
        raise Invalid([("/skip_reason", "Only a step that was skipped has one.")])


def _check_day(walked_on: date, today: date) -> None:
    if walked_on > today:
        raise Invalid([("/walked_on", "Not ahead of today where the patient lives.")])
    days = settings().backdate_days
    if walked_on < today - timedelta(days=days):
        raise Invalid([("/walked_on", f"At most {days} days back.")])


def _show(patient: Values, practice: Values, rows: list[Values]) -> list[Values]:
    """Steps as the doors show them; at most two queries, however many."""
    days, answers = windows.windows_of(patient), replies.under(steps, rows)
    return [
        entries.show(patient, row)
        | {"weight": WEIGHTS[row["kind"]], "practice": name_of(practice)}
        | {"window_day": days.day(row["walked_on"]), "replies": answers[row["id"]]}
        for row in rows
    ]


def _answered(author: Actor, patient: Values, practice: Values, row: Values) -> Values:
    """The answer to whoever wrote; the patient also gets kind words, and who reads the entry."""
    shown = entries.with_reading(author, patient, _show(patient, practice, [row])[0])
    if author.rights.is_patient:
        shown["words"] = _words(patient, row)
    return shown


def _words(patient: Values, row: Values) -> str | None:
    """What is said to a detour, and to the first step after one."""
    if row["kind"] == "detour":
        return words.say(patient["locale"], "step", "detour")
    days = _days_since_detour(row) if WEIGHTS[row["kind"]] > 0 else None
    return None if days is None else words.of_return(patient["locale"], days)


def _days_since_detour(row: Values) -> int | None:
    """Days from the latest detour, when this step is the first one walked on a day after it."""
    s = steps.c
    before = select(s.walked_on, s.kind).where(
        s.clinic_id == row["clinic_id"],
        s.practice_id == row["practice_id"],
        s.walked_on <= row["walked_on"],
        s.id != row["id"],
        s.deleted_at.is_(None),
    )
    logged = store().rows(before.where(s.kind.in_([k for k in WEIGHTS if k != "skipped"])))
    detours = [one["walked_on"] for one in logged if one["kind"] == "detour"]
    last = max((day for day in detours if day < row["walked_on"]), default=None)
    walked = [one["walked_on"] for one in logged if one["kind"] != "detour"]
    if last is None or any(day > last for day in walked):
        return None
    days: int = (row["walked_on"] - last).days
    return days
