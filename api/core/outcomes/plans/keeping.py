"""Keeping plans: made, listed, read, changed and ended."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.holds import keep_held, refuse_held
from api.core.integration import entries
from api.core.integration.practices import name_of
from api.core.integration.tables import practices
from api.core.outcomes.checkins.about import practice_named
from api.core.outcomes.instruments.shelf import is_known, titles
from api.core.outcomes.plans import coming, schedule
from api.core.outcomes.plans.coming import Planned
from api.core.outcomes.plans.table import check_in_plans
from api.core.patients import display_name, open_chart, patients
from api.db import Listing, Page, Values, match, page, store
from api.errors import Conflict, Invalid

MAX_PLANS = 40
"""The most plans of one patient."""
MAX_SHOWN = 60
"""The most occurrences of a plan that are shown."""
EARLIEST: Final = timedelta(days=365)
"""How far back a plan may begin."""
COMING, STANDS, ANSWERED = TO_PATIENT = ("coming", "open", "answered")
"""What a patient is told of an occurrence; one that nobody answered is not told of."""
WORDS = {schedule.UPCOMING: COMING, schedule.DUE: STANDS, schedule.LATE: STANDS}
HIDDEN = ("clinic_id", "patient_id", "deleted_at", "look_at", "made_by", "practice_id")


def list_check_in_plans(actor: Actor, patient_id: UUID, asked: Page) -> Listing:
    """The patient's plans that stand, the newest first, each with the day on which it asks next."""
    patient = open_chart(actor, "check_in_plan:read", patient_id)
    p = check_in_plans.c
    statement = select(check_in_plans).where(
        p.clinic_id == patient["clinic_id"], p.patient_id == patient["id"]
    )
    listing = page(statement, check_in_plans, asked, newest_first=True)
    listing.items = show_all(actor, patient, listing.items)
    return listing


def read_check_in_plan(actor: Actor, plan_id: UUID) -> Values:
    """One plan with what it asked and asks."""
    row = gate.find_in_chart(actor, "check_in_plan:read", check_in_plans, plan_id)
    patient = coming.patient_of_plan(row)
    planned = coming.asked_of(patient, [row])
    named = titles(row["clinic_id"], {row["instrument"]})
    shown = _show(actor, patient, row, planned, named) | _practices_of(actor, [row])[row["id"]]
    return shown | {"occurrences": _occurrences(actor, planned)}


def plan_check_ins(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """A new plan; `Invalid` for a rule that does not go with its `n`."""
    patient = open_chart(actor, "check_in_plan:write", patient_id)
    practice_named(actor, patient, values["instrument"], values.get("practice_id"))
    row = add_plan(actor, patient, values)
    trail.about(check_in_plans.name, row["id"])
    trail.wrote(values)
    return show_all(actor, patient, [row])[0]


def change_check_in_plan(
    actor: Actor, plan_id: UUID, version: int | None, values: Values
) -> Values:
    """Change when a plan asks; what was answered stays, what was not is reckoned anew.

    With a new `n` it counts from today unless `starts_on` says otherwise, so that no day of the
    past is asked for afterwards.
    """
    row = gate.find_in_chart(actor, "check_in_plan:write", check_in_plans, plan_id)
    match(row, version)
    patient = coming.patient_of_plan(row)
    today = clock.today(patient["time_zone"])
    if values.get("n", row["n"]) != row["n"]:
        values = {"starts_on": max(today, row["starts_on"])} | values
    after = {**row, **values}
    _check(after, today)
    trail.wrote(values)
    looked = {"look_at": clock.now()}
    keep_held(check_in_plans, row, values)
    changed = store().change(check_in_plans, row, values | looked) if values else row
    return show_all(actor, patient, [changed])[0]


def end_check_in_plan(actor: Actor, plan_id: UUID, version: int | None) -> None:
    """The plan asks nothing any more; what was answered stays with the check-ins."""
    row = gate.find_in_chart(actor, "check_in_plan:write", check_in_plans, plan_id)
    match(row, version)
    refuse_held(row["clinic_id"], row["patient_id"])
    store().remove(check_in_plans, row)


def add_plan(author: Actor, patient: Values, values: Values, at: str = "") -> Values:
    """The row of a new plan, for callers that passed the gate; `at` is where a body names it."""
    keys = (patient["clinic_id"], [patient["id"]])
    store().hold(patients, patient)
    if len(store().rows(coming.plans_of(*keys))) >= MAX_PLANS:
        raise Conflict(f"A patient has at most {MAX_PLANS} plans; end one first.", allowed=[])
    today = clock.today(patient["time_zone"])
    plan = filled(patient["clinic_id"], values, at) | {"template": values.get("template")}
    plan |= {"practice_id": values.get("practice_id")}
    plan |= {"starts_on": values.get("starts_on") or today, "ends_on": values.get("ends_on")}
    _check(plan, today, at)
    ids = {"clinic_id": patient["clinic_id"], "patient_id": patient["id"]}
    by = {"made_by": author.user_id, "look_at": clock.now()}
    return store().add(check_in_plans, plan | ids | by)


def filled(clinic_id: UUID, values: Values, at: str = "") -> Values:
    """What a plan asks and when, with what was left out; `Invalid` where it makes no sense."""
    rule, n = values["rule"], values.get("n")
    if not is_known(clinic_id, values["instrument"]):
        raise Invalid([(f"{at}/instrument", "There is no such instrument.")])
    n = schedule.N_UNLESS_TOLD.get(rule) if n is None else n
    within: Any = values.get("answer_within_days")
    if within is None:
        within = schedule.WITHIN if rule != schedule.EVERY else min(schedule.WITHIN, (n or 1) - 1)
    plan: Values = {"instrument": values["instrument"], "rule": rule, "n": n}
    plan["answer_within_days"] = within
    check_rule(plan, at)
    return plan


def check_rule(plan: Values, at: str = "") -> None:
    """Raise `Invalid` unless the rule, its `n` and the days to answer go together."""
    least, most = schedule.N[plan["rule"]]
    if plan["n"] is None or not least <= plan["n"] <= most:
        raise Invalid([(f"{at}/n", f"{least} to {most} for this rule.")])
    if plan["rule"] == schedule.EVERY and plan["answer_within_days"] >= plan["n"]:
        detail = "Fewer days than from one check-in to the next."
        raise Invalid([(f"{at}/answer_within_days", detail)])


def show_all(reader: Actor, patient: Values, rows: list[Values]) -> list[Values]:
    """Plans of one patient as this reader sees them; at most four queries for all."""
    planned = coming.asked_of(patient, [row for row in rows if row["deleted_at"] is None])
    mine = {row["id"]: [one for one in planned if one.plan["id"] == row["id"]] for row in rows}
    named = titles(patient["clinic_id"], {row["instrument"] for row in rows})
    about = _practices_of(reader, rows)
    return [_show(reader, patient, row, mine[row["id"]], named) | about[row["id"]] for row in rows]


def _practices_of(reader: Actor, rows: list[Values]) -> dict[UUID, Values]:
    """Of which practice each plan asks, by the plan's id, as far as the reader may see it."""
    ids = [row["practice_id"] for row in rows]
    there = entries.pointed_at(reader, practices, ids, "title", "new_trail")
    seen = {row["id"]: there.get(row["practice_id"]) for row in rows}
    return {
        plan_id: {
            "practice_id": practice and practice["id"],
            "practice": practice and name_of(practice),
        }
        for plan_id, practice in seen.items()
    }


def _check(plan: Values, today: date, at: str = "") -> None:
    check_rule(plan, at)
    if plan["starts_on"] < today - EARLIEST:
        raise Invalid([(f"{at}/starts_on", "Lies more than a year back.")])
    if plan["ends_on"] is not None and plan["ends_on"] < plan["starts_on"]:
        raise Invalid([(f"{at}/ends_on", "Lies before the first day.")])


def _show(
    reader: Actor, patient: Values, row: Values, planned: list[Planned], named: dict[str, str]
) -> Values:
    shown = {key: value for key, value in row.items() if key not in HIDDEN}
    ahead = [one for one in planned if one.state in (schedule.UPCOMING, schedule.DUE)]
    now = next((one for one in planned if one.is_open), None)
    return shown | {
        "patient": {"id": patient["id"], "display_name": display_name(patient)},
        "title": named[row["instrument"]],
        "next_due_on": ahead[0].occurrence.due_on if ahead else None,
        "open": _occurrence(reader, now) if now else None,
    }


def _occurrences(reader: Actor, planned: list[Planned]) -> list[Values]:
    """Those nearest to today: some that are past, and what comes."""
    if reader.rights.is_patient:
        planned = [one for one in planned if one.state != schedule.MISSED]
    past = [one for one in planned if one.state in (schedule.ANSWERED, schedule.MISSED)]
    rest = [one for one in planned if one.state not in (schedule.ANSWERED, schedule.MISSED)]
    nearest = past[-MAX_SHOWN // 2 :] + rest[: MAX_SHOWN // 2]
    nearest.sort(key=lambda one: one.occurrence.due_on)
    return [_occurrence(reader, one) for one in nearest]


def _occurrence(reader: Actor, one: Planned) -> Values:
    kept: Values = one.kept or {}
    told = {"due_on": one.occurrence.due_on, "check_in_id": kept.get("check_in_id")}
    if reader.rights.is_patient:
        return told | {"state": WORDS.get(one.state, ANSWERED)}
    answered_on = kept.get("answered_on")
    return told | {
        "state": one.state,
        "until_on": one.occurrence.until_on,
        "answered_on": answered_on,
        "was_late": None if answered_on is None else answered_on > one.occurrence.until_on,
        "reminders_sent": kept.get("reminders", 0),
    }
