"""Proposing a purge, agreeing to it and taking it back: two people, and a day in between.

Who proposes does not agree. Whatever speaks against it (a legal hold, a term that is not over, a
patient who came back, somebody who decided and may do so no longer) refuses it at every step; once
the worker has begun, nothing brings it back.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Actor
from api.access.users import named
from api.audit import trail
from api.config import settings
from api.core import gate, retention
from api.core.holds import refuse_held
from api.core.patients import named as patients_named, open_chart, patients
from api.core.purges import telling
from api.core.purges.judging import charts_of, hindrance
from api.core.purges.table import (
    APPROVED,
    CHANGED,
    EXPIRED,
    HELD,
    IS_OPEN,
    MERGED,
    NOT_ENTITLED,
    PROPOSED,
    RETAINED,
    STANDS_FOR,
    STOPPED,
    WITHDRAWN,
    chart_purges,
)
from api.db import Listing, Page, Values, found, page, store
from api.errors import Conflict, NotAllowed

ALLOWED: Final = {PROPOSED: ["approve", "withdraw"], APPROVED: ["withdraw"]}
HIDDEN: Final = ("clinic_id", "patient_id", "deleted_at", "charts", "let_go_at")
SAID: Final = {
    HELD: ("The law has this record kept as it is for now.", "no_legal_hold"),
    RETAINED: ("The law has this record kept for longer.", "retention_over"),
    CHANGED: ("Somebody wrote in the chart since, or the patient signed in.", "chart_at_rest"),
    MERGED: ("The chart was merged into another; propose that one.", "chart_that_stays"),
    NOT_ENTITLED: ("Who proposed it may no longer do so; propose it anew.", "entitled_proposer"),
}
"""What a refusal says, and what it says is missing."""


def propose_chart_purge(actor: Actor, values: Values) -> Values:
    """Propose that a chart be removed, with those merged into it.

    Raises `Conflict` before its retention is over, under a legal hold, while one is proposed, and
    for a chart that was merged into another.
    """
    gate.admit(actor, "chart_purge:propose")
    patient_id: UUID = values["patient_id"]
    _refuse_merged(actor, patient_id)
    patient = open_chart(actor, "chart_purge:propose", patient_id)
    store().hold(patients, patient)  # of two who propose at once, the second sees the first
    _refuse_proposed(actor, patient_id)
    for chart in charts_of(actor.clinic_id, patient_id):
        refuse_held(actor.clinic_id, chart)
    kept = retention.kept(actor.clinic_id, patient_id)
    if kept.until >= retention.today():
        detail = f"The law has this record kept until {kept.until}."
        raise Conflict(detail, missing=[SAID[RETAINED][1]])
    moment = clock.now()
    row = store().add(
        chart_purges,
        {
            "clinic_id": actor.clinic_id,
            "patient_id": patient_id,
            "state": PROPOSED,
            "reason": values["reason"],
            "last_seen_on": kept.last_seen_on,
            "retained_until": kept.until,
            "proposed_by": actor.user_id,
            "expires_at": moment + STANDS_FOR,
        },
    )
    trail.about("chart_purge", row["id"])
    trail.wrote(values)
    telling.happened(row, "chart_purge.proposed")
    telling.proposed(row)
    return _show(actor, [row])[0]


def approve_chart_purge(actor: Actor, purge_id: UUID) -> Values:
    """Agree: the worker removes the chart, in production no sooner than a day later.

    Raises `NotAllowed` for who proposed it, `Conflict` once it is decided or has run out, and for
    whatever else would refuse to propose it now.
    """
    gate.admit(actor, "chart_purge:approve")
    row = _held(actor, purge_id, PROPOSED)
    if actor.user_id == row["proposed_by"]:
        raise NotAllowed("A second person agrees: not who proposed it.")
    why = hindrance(row)
    if why is not None:
        detail, missing = SAID[why]
        raise Conflict(detail, state=PROPOSED, allowed=["withdraw"], missing=[missing])
    moment = clock.now()
    agreed = {"state": APPROVED, "approved_by": actor.user_id, "approved_at": moment}
    agreed["not_before"] = moment + timedelta(hours=settings().purge_wait_hours)
    after = store().change(chart_purges, row, agreed)
    trail.wrote(["state"])
    telling.happened(after, "chart_purge.approved")
    telling.approved(after)
    return _show(actor, [after])[0]


def withdraw_chart_purge(actor: Actor, purge_id: UUID) -> Values:
    """Take it back, or refuse it, also once it was agreed on; raises `Conflict` when it began."""
    gate.admit(actor, "chart_purge:withdraw")
    row = _held(actor, purge_id, PROPOSED, APPROVED)
    gone = {"state": WITHDRAWN, "withdrawn_by": actor.user_id, "ended_at": clock.now()}
    after = store().change(chart_purges, row, gone)
    trail.wrote(["state"])
    telling.happened(after, "chart_purge.withdrawn")
    return _show(actor, [after])[0]


def list_chart_purges(
    actor: Actor, asked: Page, state: str | None = None, patient_id: UUID | None = None
) -> Listing:
    """The purges of the clinic, decided or not, the latest first."""
    gate.admit(actor, "chart_purge:read")
    statement = _mine(actor)
    for column, value in (("state", state), ("patient_id", patient_id)):
        if value is not None:
            statement = statement.where(chart_purges.c[column] == value)
    listing = page(statement, chart_purges, asked, newest_first=True, opens=chart_purges)
    trail.touches(row["patient_id"] for row in listing.items)
    listing.items = _show(actor, listing.items)
    return listing


def read_chart_purge(actor: Actor, purge_id: UUID) -> Values:
    """One purge."""
    gate.admit(actor, "chart_purge:read")
    return _show(actor, [_one(actor, purge_id)])[0]


def stop(row: Values, why: str) -> Values:
    """End one that can't go on, with its reason; whoever calls holds it."""
    gone = {"state": STOPPED, "stopped_for": why, "ended_at": clock.now()}
    after = store().change(chart_purges, row, gone)
    telling.happened(after, "chart_purge.stopped")
    telling.ended(after, "stop", "refused", why)
    return after


def _refuse_merged(actor: Actor, patient_id: UUID) -> None:
    """Raise for a chart that was merged away, with the name of the one that stays."""
    p = patients.c
    mine = (p.clinic_id == actor.clinic_id, p.id == patient_id, p.merged_into.is_not(None))
    row = store().row(select(p.merged_into).where(*mine))
    if row is not None:
        trail.about("patient", patient_id)
        detail, missing = SAID[MERGED]
        raise Conflict(f"{detail[:-1]}: {row['merged_into']}.", missing=[missing])


def _refuse_proposed(actor: Actor, patient_id: UUID) -> None:
    """Raise while one stands; one that nobody agreed to in time is over, and stands no more."""
    mine = _mine(actor).where(chart_purges.c.patient_id == patient_id, IS_OPEN)
    row = store().row(mine, opens=chart_purges)  # not held: who decides holds it, then the chart
    if row is None:
        return
    if not is_over(row):
        raise Conflict("It is proposed already.", state=row["state"], allowed=[])
    still = store().row(mine.with_for_update(), opens=chart_purges)
    if still is not None:
        stop(still, EXPIRED)


def is_over(row: Values) -> bool:
    """Whether nobody agreed in time."""
    return bool(row["state"] == PROPOSED and row["expires_at"] <= clock.now())


def _held(actor: Actor, purge_id: UUID, *states: str) -> Values:
    """The purge, kept from others; raises `Conflict` unless it is in one of these states."""
    row = _one(actor, purge_id, held=True)
    if row["state"] not in states or is_over(row):
        state = STOPPED if is_over(row) else row["state"]
        raise Conflict("This is not open any more.", state=state, allowed=_allowed(actor, row))
    return row


def _one(reader: Actor, purge_id: UUID, held: bool = False) -> Values:
    trail.about("chart_purge", purge_id)
    statement = _mine(reader).where(chart_purges.c.id == purge_id)
    statement = statement.with_for_update() if held else statement
    row = found(store().row(statement, opens=chart_purges))
    trail.touches([row["patient_id"]])
    return row


def _mine(reader: Actor) -> Any:
    return select(chart_purges).where(chart_purges.c.clinic_id == reader.clinic_id)


def _allowed(reader: Actor, row: Values) -> list[str]:
    if is_over(row):
        return []
    own = {"approve"} if row["proposed_by"] == reader.user_id else set()
    return [move for move in ALLOWED.get(row["state"], []) if move not in own]


def _show(reader: Actor, rows: list[Values]) -> list[Values]:
    """Purges with whom they name; three queries more, however many they are."""
    people = ("proposed_by", "approved_by", "withdrawn_by")
    names = named(reader.clinic_id, (row[name] for row in rows for name in people))
    called = _called(reader.clinic_id, rows) if rows else {}
    return [
        {key: value for key, value in row.items() if key not in HIDDEN}
        | {name: names.get(row[name]) for name in people}
        | {
            "patient": called[row["patient_id"]],
            "merged_ids": [one for one in row["charts"] or [] if one != str(row["patient_id"])],
            "allowed": _allowed(reader, row),
        }
        for row in rows
    ]


def _called(clinic_id: UUID, rows: list[Values]) -> dict[UUID, Values]:
    """Whose charts they are, or were: who was removed, also with the chart that theirs had been
    merged into, has no name any more, whatever was proposed of them before."""
    p, ids = patients.c, {row["patient_id"] for row in rows}
    removed = (p.deleted_at.is_not(None), p.merged_into.is_(None))
    gone = store().rows(select(p.id).where(p.clinic_id == clinic_id, p.id.in_(ids), *removed))
    called = patients_named(clinic_id, ids)
    return called | {row["id"]: row | {"display_name": None} for row in gone}
