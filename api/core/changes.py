"""Changes: what became new, other or gone in the caller's reach, in the order of commits.

A front end mirrors its part of the clinic with this. Each record stands once, where its latest
version does; what the patient keeps for themself is to others at most a tombstone.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, and_, exists, false, not_, or_, select

from api.access.policies import Actor, Grant, Reach, grant
from api.audit import trail
from api.core import gate, pruning
from api.core.alerts import alerts
from api.core.consents import consents
from api.core.integration.tables import (
    ME,
    goal_ratings,
    goals,
    insights,
    journal,
    moments,
    practices,
    replies,
    steps,
)
from api.core.outcomes.checkins import check_in_corrections, check_ins
from api.core.outcomes.plans.table import check_in_occurrences, check_in_plans
from api.core.patients import patients
from api.core.team_reach import care_team, past_duties
from api.core.treatment.dosing import dose_plans, ledger_entries
from api.core.treatment.notes.tables import notes
from api.core.treatment.sessions import sessions
from api.db import Values, feed, store
from api.errors import CursorTooOld, Unreadable

MEMBERSHIP, SESSION = "care_team_membership", "session"
FOLLOWED: Final[Mapping[Table, tuple[str, str]]] = {
    patients: ("patient", "patient:read"),
    care_team: (MEMBERSHIP, "care_team:read"),
    consents: ("consent", "consent:read"),
    sessions: (SESSION, "session:read"),
    dose_plans: ("dose_plan", "dose_plan:read"),
    ledger_entries: ("ledger_entry", "ledger:read"),
    notes: ("note", "note:history"),
    insights: ("insight", "insight:read"),
    goals: ("goal", "goal:read"),
    practices: ("practice", "practice:read"),
    steps: ("step", "step:read"),
    moments: ("moment", "moment:read"),
    journal: ("journal", "journal:read"),
    check_ins: ("check_in", "check_in:read"),
    check_in_plans: ("check_in_plan", "check_in_plan:read"),
    check_in_occurrences: ("check_in_occurrence", "check_in_plan:read"),
    check_in_corrections: ("check_in_correction", "check_in:correct"),
    replies: ("reply", "step:read"),
    goal_ratings: ("goal_rating", "attainment:read"),
    alerts: ("alert", "alert:read"),
}
"""The tables whose records are told, each with its kind and the right to read one.

Of notes only staff are told: a patient's list says which of them are theirs to read just now.
"""
KINDS: Final = tuple(kind for kind, _ in FOLLOWED.values())


def _to_others(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> str:
    """An entry that becomes `me` is gone to others; what comes after is not there for them."""
    if after["shared_with"] != ME:
        return feed.SHOWN
    was_shared = before is not None and before["shared_with"] != ME
    return feed.GONE if was_shared else feed.HIDDEN


for _table, (_kind, _) in FOLLOWED.items():
    if "shared_with" in _table.c:
        feed.follow(_table, _kind, _to_others)
    else:
        feed.follow(_table, _kind)


def list_changes(actor: Actor, after: feed.Position | None, limit: int) -> Values:
    """`{items, after, more}`: what was committed since `after`, and where to go on from.

    Asked again with `after`, it goes on from there; nothing that commits later is before it.
    Raises `Unreadable` for a place that this database has not reached.
    """
    gate.admit(actor, "change:list")
    there = store().row(feed.settled(store().on_postgres))
    assert there is not None
    until = (there["xid"], there["seq"])
    if after is not None and after > until:
        raise Unreadable("This cursor is of another database; begin without one.")
    rows = store().rows(_seen(actor, after or (0, 0), until).limit(limit + 1))
    more, rows = len(rows) > limit, rows[:limit]
    trail.touches(row["patient_id"] for row in rows)
    last = (rows[-1]["xid"], rows[-1]["seq"]) if more else until
    return {"items": [_show(actor, row) for row in rows], "after": last, "more": more}


def refuse_too_old(made_at: int) -> None:
    """Raise `CursorTooOld` for a cursor made (seconds since 1970) before what is kept began."""
    if datetime.fromtimestamp(made_at, UTC) < pruning.kept_since():
        raise CursorTooOld("Changes since then are kept no longer; begin without a cursor.")


def _seen(actor: Actor, after: feed.Position, until: feed.Position) -> Select[Any]:
    c, left = feed.changes.c, _left(actor)
    mine = [c.clinic_id == actor.clinic_id, *feed.between(after, until)]
    if not actor.rights.is_patient:
        mine += [c.to_others != feed.HIDDEN, not_(_under_hidden())]
    statement = select(feed.changes, left.label("left"))
    told = or_(_in_reach(actor), left)
    return statement.where(*mine, told, not_(_has_newer(actor))).order_by(c.xid, c.seq)


UNDER: Final = (
    (replies, "step_id", steps),
    (replies, "moment_id", moments),
    (goal_ratings, "goal_id", goals),
)
"""Records that say nothing of sharing themselves: they are seen by whoever sees their parent."""


def _under_hidden() -> ColumnElement[bool]:
    """Whether the record hangs on an entry that the patient keeps for themself now."""
    c, hidden = feed.changes.c, []
    for child, column, parent in UNDER:
        up = and_(parent.c.clinic_id == child.c.clinic_id, parent.c.id == child.c[column])
        mine = [child.c.clinic_id == c.clinic_id, child.c.id == c.record_id]
        found = exists().where(*mine, up, parent.c.shared_with == ME).correlate(feed.changes)
        hidden.append(and_(c.kind == FOLLOWED[child][0], found))
    return or_(*hidden)


def _has_newer(actor: Actor) -> ColumnElement[bool]:
    """Whether the record has a later version that this reader is told of."""
    c, newer = feed.changes.c, feed.changes.alias("newer")
    later = exists().where(
        newer.c.clinic_id == c.clinic_id,
        newer.c.record_id == c.record_id,
        newer.c.version > c.version,
    )
    return later if actor.rights.is_patient else later.where(newer.c.to_others != feed.HIDDEN)


def _in_reach(actor: Actor) -> ColumnElement[bool]:
    """Whether the actor may read the record: its kind by the policy table, its chart by reach."""
    kinds: dict[Grant, list[str]] = {}
    for kind, action in FOLLOWED.values():
        granted = grant(actor.rights.role, action)
        if granted is not None:
            granted = replace(granted, in_emergency=False)  # an hour's look is no subscription
            kinds.setdefault(granted, []).append(kind)
    c = feed.changes.c
    reached = [
        and_(c.kind.in_(names), _reaches(actor, granted)) for granted, names in kinds.items()
    ]
    return or_(false(), *reached, _merged_away(actor))


def _merged_away(actor: Actor) -> ColumnElement[bool]:
    """Whether it is the end of a chart that went into one in reach: its team went along."""
    granted, p = grant(actor.rights.role, "patient:read"), patients.c
    if granted is None:
        return false()
    mine = [p.clinic_id == actor.clinic_id, p.merged_into.is_not(None)]
    into_reach = gate.in_reach(actor, replace(granted, in_emergency=False), p.merged_into)
    gone = feed.changes.c.record_id.in_(select(p.id).where(*mine, into_reach))
    return and_(feed.changes.c.kind == FOLLOWED[patients][0], gone)


def _left(actor: Actor) -> ColumnElement[bool]:
    """Whether it is what closed the chart to the actor.

    The end of their own time on a care team, or a session that no longer names them.
    """
    granted = grant(actor.rights.role, "patient:read")
    c = feed.changes.c
    if granted is None or actor.rights.role != "clinician":
        return false()
    ended = exists().where(
        care_team.c.clinic_id == c.clinic_id,
        care_team.c.id == c.record_id,
        care_team.c.clinician_id == actor.user_id,
        care_team.c.ended_at.is_not(None),
    )
    taken_off = exists().where(
        past_duties.c.clinic_id == c.clinic_id,
        past_duties.c.session_id == c.record_id,
        past_duties.c.clinician_id == actor.user_id,
    )
    closed = or_(and_(c.kind == MEMBERSHIP, ended), and_(c.kind == SESSION, taken_off))
    return and_(closed, not_(_reaches(actor, replace(granted, in_emergency=False))))


def _reaches(actor: Actor, granted: Grant) -> ColumnElement[bool]:
    """Whether the chart is in reach; a clinician's charts are found once, not for each row."""
    if granted.reach != Reach.TEAM:
        return gate.in_reach(actor, granted, feed.changes.c.patient_id)
    p = patients.c
    mine = [p.clinic_id == actor.clinic_id, gate.in_reach(actor, granted, p.id)]
    return feed.changes.c.patient_id.in_(select(p.id).where(*mine))


def _show(reader: Actor, row: Values) -> Values:
    """A change as the door shows it; a chart that closed is the tombstone of its patient."""
    if row["left"]:
        gone = {"id": row["patient_id"], "kind": "patient", "version": None}
    else:
        gone = {"id": row["record_id"], "kind": row["kind"], "version": row["version"]}
    hidden = row["to_others"] == feed.GONE and not reader.rights.is_patient
    is_gone = row["left"] or row["deleted"] or hidden
    return gone | {
        "patient_id": row["patient_id"],
        "changed_at": row["at"],
        "deleted_at": row["at"] if is_gone else None,
    }
