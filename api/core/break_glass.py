"""Breaking the glass: a clinician opens the chart of a patient who is not theirs, in an emergency.

45 CFR 164.312(a)(2)(ii) asks for a way to do so. Here it takes a reason and a fresh sign-in, opens
one chart for an hour, to read and to acknowledge alerts, and ends by itself. The privacy officers
are told at once and review it; the patient finds it in their access log.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select

from api import clock
from api.access.policies import Actor, Role
from api.access.users import named, users
from api.audit import trail
from api.audit.trail import audit_events
from api.core import gate, mail, staffing, team_reach
from api.core.clocks import DUE, WHERE, here
from api.core.opened import UNREVIEWED, break_glass, opened_by
from api.core.patients import named as patients_named, patients
from api.db import Listing, Page, Values, found, page, store
from api.errors import Conflict, NotAllowed, TooMany
from api.outbox import events

OPEN_FOR: Final = timedelta(minutes=60)
REVIEW_WITHIN: Final = timedelta(hours=72)
A_DAY: Final = timedelta(days=1)
MOST_A_DAY: Final = 3
"""How often a clinician may try within 24 hours; what was not found counts too."""
STATES = OPEN, ENDED, REVIEWED = ("open", "ended", "reviewed")
ALLOWED: Final = {OPEN: ["review"], ENDED: ["review"], REVIEWED: []}
HIDDEN: Final = ("clinic_id", "patient_id", "clinician_id", "deleted_at", "reminded_at")


def break_the_glass(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """Open one chart for an hour; raises `Conflict` where it is open to the clinician as it is."""
    gate.admit(actor, "break_glass:open")
    trail.about("patient", patient_id)
    _wait_for_oneself(actor)
    _refuse_too_often(actor)
    p, now = patients.c, clock.now()
    mine = (p.clinic_id == actor.clinic_id, p.id == patient_id, p.deleted_at.is_(None))
    found(store().row(select(p.id).where(*mine)))
    _refuse_needless(actor, patient_id, now)
    times = {"opened_at": now, "ends_at": now + OPEN_FOR, "review_due_at": now + REVIEW_WITHIN}
    keys = {"clinic_id": actor.clinic_id, "patient_id": patient_id, "clinician_id": actor.user_id}
    row = store().add(break_glass, values | times | keys)
    trail.touches([patient_id])
    trail.wrote(values)
    _tell(row, "break_glass.opened")
    return _show(actor, [row])[0]


def list_break_glass(
    actor: Actor,
    asked: Page,
    state: str | None = None,
    patient_id: UUID | None = None,
    clinician_id: UUID | None = None,
) -> Listing:
    """Who opened charts in an emergency, the latest first; clinicians see their own."""
    gate.admit(actor, "break_glass:read")
    b = break_glass.c
    statement = select(break_glass).where(*_readable(actor), *_in_state(state, clock.now()))
    for column, value in ((b.patient_id, patient_id), (b.clinician_id, clinician_id)):
        statement = statement if value is None else statement.where(column == value)
    listing = page(statement, break_glass, asked, newest_first=True, opens=break_glass)
    trail.touches(row["patient_id"] for row in listing.items)
    listing.items = _show(actor, listing.items)
    return listing


def read_break_glass(actor: Actor, break_glass_id: UUID) -> Values:
    """One such opening."""
    gate.admit(actor, "break_glass:read")
    return _show(actor, [_one(actor, break_glass_id)])[0]


def review_break_glass(actor: Actor, break_glass_id: UUID, values: Values) -> Values:
    """The privacy officer says what they find, once; nobody reviews what they did themself."""
    gate.admit(actor, "break_glass:review")
    row = _one(actor, break_glass_id, held=True)
    _refuse_ones_own(actor, row)
    if row["reviewed_at"] is not None:
        raise Conflict("It was reviewed already.", state=REVIEWED, allowed=[])
    trail.wrote(values)
    said = {"outcome": values["outcome"], "review_note": values["note"]}
    by = {"reviewed_at": clock.now(), "reviewed_by": actor.user_id}
    after = store().change(break_glass, row, said | by)
    _tell(after, "break_glass.reviewed", letters=False)
    return _show(actor, [after])[0]


def _is_overdue(now: datetime) -> list[ColumnElement[bool]]:
    b = break_glass.c
    return [UNREVIEWED, b.reminded_at.is_(None), b.review_due_at <= now]


def remind_due(now: datetime) -> bool:
    """Tell the privacy officers of one opening that nobody reviewed in time; False when none is."""
    b = break_glass.c
    due = (
        select(break_glass)
        .where(here(break_glass), *_is_overdue(now))
        .order_by(b.review_due_at, b.id)
        .limit(1)
    )
    row = store().row(due.with_for_update(skip_locked=True), opens=break_glass)
    if row is None:
        return False
    mine = (b.clinic_id == row["clinic_id"], b.id == row["id"])
    store().execute(break_glass.update().where(*mine).values(reminded_at=now))
    _tell(row, "break_glass.unreviewed")
    return True


def remind_overdue() -> bool:
    """The same, as the worker calls it."""
    return remind_due(clock.now())


def _clinics_overdue() -> Select[Any]:
    b = break_glass.c
    return select(b.clinic_id).where(*_is_overdue(clock.now())).distinct()


DUE.append(remind_overdue)
WHERE[remind_overdue] = _clinics_overdue


def _wait_for_oneself(opener: Actor) -> None:
    """Hold one's own row until the end, so that of two at once the second sees the first."""
    u = users.c
    mine = (u.clinic_id == opener.clinic_id, u.id == opener.user_id)
    store().execute(select(u.id).where(*mine).with_for_update(key_share=True))


def _refuse_too_often(opener: Actor) -> None:
    """Raise after three within a day, so that nobody tries one id after the other."""
    b, e, since = break_glass.c, audit_events.c, clock.now() - A_DAY
    mine = (b.clinic_id == opener.clinic_id, b.clinician_id == opener.user_id)
    opened = store().rows(select(b.opened_at).where(*mine, b.opened_at > since))
    in_vain = (e.action == "break_glass:open", e.reason_ref == "not_found", e.at > since)
    theirs = (e.clinic_id == opener.clinic_id, e.actor_id == opener.user_id)
    missed = store().row(select(func.count().label("times")).where(*theirs, *in_vain))
    if len(opened) + found(missed)["times"] >= MOST_A_DAY:
        hour = int(timedelta(hours=1).total_seconds())
        raise TooMany(f"At most {MOST_A_DAY} within 24 hours.", retry_after=hour)


def _refuse_needless(opener: Actor, patient_id: UUID, now: datetime) -> None:
    who = (opener.clinic_id, opener.user_id, patient_id, now)
    for condition, state in ((opened_by(*who), "opened"), (team_reach.on_team(*who), "in_reach")):
        if store().row(select(condition.label("so")).where(condition)) is not None:
            raise Conflict("The chart is open to you as it is.", state=state, allowed=[])


def _readable(reader: Actor) -> list[ColumnElement[bool]]:
    b = break_glass.c
    mine = [b.clinic_id == reader.clinic_id]
    is_clinician = reader.rights.role == Role.CLINICIAN
    return [*mine, b.clinician_id == reader.user_id] if is_clinician else mine


def _in_state(state: str | None, now: datetime) -> list[ColumnElement[bool]]:
    b = break_glass.c
    conditions: dict[str | None, list[ColumnElement[bool]]] = {
        None: [],
        OPEN: [UNREVIEWED, b.ends_at > now],
        ENDED: [UNREVIEWED, b.ends_at <= now],
        REVIEWED: [b.reviewed_at.is_not(None)],
    }
    return conditions[state]


def _one(reader: Actor, break_glass_id: UUID, held: bool = False) -> Values:
    trail.about("break_glass", break_glass_id)
    b = break_glass.c
    one = (b.id == break_glass_id, b.deleted_at.is_(None))
    statement = select(break_glass).where(*_readable(reader), *one)
    statement = statement.with_for_update() if held else statement
    row = found(store().row(statement, opens=break_glass))
    trail.touches([row["patient_id"]])
    return row


def _refuse_ones_own(reviewer: Actor, row: Values) -> None:
    """Raise for the same person, in whichever of their roles."""
    u = users.c
    ids = (reviewer.user_id, row["clinician_id"])
    people = select(u.account_id).where(u.clinic_id == reviewer.clinic_id, u.id.in_(ids))
    if len({one["account_id"] for one in store().rows(people)}) < len(ids):
        raise NotAllowed("Nobody reviews what they opened themself.")


def _tell(row: Values, name: str, letters: bool = True) -> None:
    """The event, and where somebody must act a letter to each privacy officer."""
    subject = {"break_glass_id": row["id"], "patient_id": row["patient_id"]}
    events.append(store(), row["clinic_id"], name, subject | {"user_id": row["clinician_id"]})
    for address in staffing.officers(row["clinic_id"], row["clinician_id"]) if letters else ():
        mail.send(address, name.replace(".", "_"))


def _show(reader: Actor, rows: list[Values]) -> list[Values]:
    """Openings with whom they name; two queries more, however many they are."""
    now = clock.now()
    who = (row[name] for row in rows for name in ("clinician_id", "reviewed_by"))
    names = named(reader.clinic_id, who)
    charts = patients_named(reader.clinic_id, (row["patient_id"] for row in rows))
    return [
        {key: value for key, value in row.items() if key not in HIDDEN}
        | {
            "patient": charts[row["patient_id"]],
            "clinician": names.get(row["clinician_id"]),
            "reviewed_by": names.get(row["reviewed_by"]),
            "state": _state(row, now),
            "overdue": row["reviewed_at"] is None and row["review_due_at"] <= now,
            "allowed": ALLOWED[_state(row, now)] if reader.rights.role != Role.CLINICIAN else [],
        }
        for row in rows
    ]


def _state(row: Values, now: datetime) -> str:
    if row["reviewed_at"] is not None:
        return REVIEWED
    return OPEN if row["ends_at"] > now else ENDED
