"""Lineage: from a session to what was taken from it, to goals, practices, steps and moments.

Every node names the ones before it and the ones after it, so that it reads in both directions.
What the reader may not see is not there, and whatever hangs on nothing is said to be an orphan.
"""

from collections import defaultdict
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Table, or_, select

from api import clock
from api.access.policies import Actor
from api.core.gate import shown_to
from api.core.integration import trails
from api.core.integration.moments import day_of
from api.core.integration.practices import name_of
from api.core.integration.tables import goals, insights, moments, practices
from api.core.integration.trail import local_day
from api.core.patients import display_name, open_chart
from api.core.treatment import windows
from api.core.treatment.sessions import sessions, showing
from api.db import Values, store

MOST: Final = 300
"""The most nodes of a kind, the newest; past it the answer says `truncated`."""
WAITS_DAYS: Final = 7
"""Days an insight may stand without a practice before it counts as an orphan: one window."""
NO_PRACTICE, NO_STEP = "no_practice", "no_step_since_window"
ORPHANED: Final = (NO_PRACTICE, NO_STEP)
READ: Final = {
    insights: ("session_id", "text", "created_at"),
    goals: ("session_id", "insight_id", "title", "category", "lifecycle_status"),
    practices: ("goal_id", "title", "new_trail", "status", "interval_days"),
    moments: ("session_id", "practice_id", "text", "happened_on", "noticed_at"),
}
"""What is read of each kind of node, beside its ids and its sharing."""


NOBODY: Final = UUID(int=0)
PARENTS: Final = ("session_id", "insight_id", "goal_id", "practice_id")


class _Links:
    """Who names whom, among the nodes that the reader sees."""

    def __init__(self, read: dict[Table, list[Values]]) -> None:
        """Turn every name of a parent around."""
        self.there = {row["id"] for rows in read.values() for row in rows}
        self.children: dict[tuple[str, UUID], list[UUID]] = defaultdict(list)
        for table, rows in read.items():
            for row in rows:
                for name in PARENTS:
                    self.children[table.name, row.get(name) or NOBODY].append(row["id"])

    def under(self, table: Table, parent_id: UUID) -> list[UUID]:
        """The ids of one kind that name a parent."""
        return self.children.get((table.name, parent_id), [])

    def below(self, parent: Values, *tables: Table) -> Values:
        """`{insight_ids, goal_ids, ...}` of a node."""
        return {f"{t.name.removesuffix('s')}_ids": self.under(t, parent["id"]) for t in tables}

    def seen(self, parent_id: UUID | None) -> UUID | None:
        """A node's parent, where the reader sees it."""
        return parent_id if parent_id in self.there else None


def read_lineage(actor: Actor, patient_id: UUID, after_days: int = WAITS_DAYS) -> Values:
    """The whole lineage of one patient, in a bounded number of queries.

    An insight counts as an orphan after `after_days` without a practice, an active practice when
    no step was written down since the last window closed.
    """
    patient = open_chart(actor, "lineage:read", patient_id)
    read = {table: _rows(actor, patient, table) for table in READ}
    truncated = any(len(rows) > MOST for rows in read.values())
    read = {table: rows[:MOST] for table, rows in read.items()}
    links = _Links(read)
    nodes = {
        "sessions": [_session(actor, links, row) for row in _sessions(patient, read)],
        "insights": _insights(patient, links, read[insights], after_days),
        "goals": [_goal(links, row) for row in read[goals]],
        "practices": _practices(actor, patient, links, read[practices]),
        "moments": [_moment(patient, links, row) for row in read[moments]],
    }
    named = {"id": patient["id"], "display_name": display_name(patient)}
    return {"patient": named, "truncated": truncated, "orphans": _orphans(nodes), **nodes}


def _rows(reader: Actor, patient: Values, table: Table) -> list[Values]:
    columns = (table.c[name] for name in ("clinic_id", "id", "shared_with", *READ[table]))
    statement = select(*columns).where(
        table.c.clinic_id == patient["clinic_id"],
        table.c.patient_id == patient["id"],
        table.c.deleted_at.is_(None),
        shown_to(reader, table),
    )
    return store().rows(statement.order_by(table.c.id.desc()).limit(MOST + 1), opens=table)


def _sessions(patient: Values, read: dict[Table, list[Values]]) -> list[Values]:
    """The dosing sessions, and every session that something grew from; the newest first."""
    s = sessions.c
    named = {row["session_id"] for table in (insights, goals, moments) for row in read[table]}
    statement = select(s.id, s.kind, s.state, s.starts_at).where(
        s.clinic_id == patient["clinic_id"],
        s.patient_id == patient["id"],
        s.deleted_at.is_(None),
        or_(s.kind == "dosing", s.id.in_(named - {None})),
    )
    return store().rows(statement.order_by(s.starts_at.desc(), s.id.desc()).limit(2 * MOST))


def _session(reader: Actor, links: _Links, row: Values) -> Values:
    state = showing.state_for(reader.rights, row["state"])
    node = {name: row[name] for name in ("id", "kind", "starts_at")} | {"state": state}
    return node | links.below(row, insights, goals, moments)


def _insights(patient: Values, links: _Links, rows: list[Values], after_days: int) -> list[Values]:
    today, zone = clock.today(patient["time_zone"]), patient["time_zone"]
    shown = []
    for row in rows:
        below = links.below(row, goals)
        practised = any(links.under(practices, goal_id) for goal_id in below["goal_ids"])
        since = local_day(row["created_at"], zone) + timedelta(days=after_days)
        orphan = _orphan(NO_PRACTICE, since) if not practised and today >= since else None
        node = {name: row[name] for name in ("id", "session_id", "text", "shared_with")}
        shown.append(node | below | {"orphan": orphan})
    return shown


def _goal(links: _Links, row: Values) -> Values:
    names = ("id", "session_id", "title", "category", "lifecycle_status", "shared_with")
    node = {name: row[name] for name in names}
    return node | {"insight_id": links.seen(row["insight_id"])} | links.below(row, practices)


def _practices(reader: Actor, patient: Values, links: _Links, rows: list[Values]) -> list[Values]:
    today, days = clock.today(patient["time_zone"]), windows.windows_of(patient)
    logs = trails.logs(reader, rows)
    shown = []
    for row in rows:
        log = logs[row["id"]]
        last = max((walk.on for walk in log.walks), default=None)
        node = name_of(row) | {name: row[name] for name in ("goal_id", "status", "shared_with")}
        node["trail"] = log.sums_up_to(today)
        node["steps_total"] = sum(walk.weight > 0 and walk.on <= today for walk in log.walks)
        node["last_step_on"] = last
        node["orphan"] = _unwalked(days, row, last, today)
        shown.append(node | links.below(row, moments))
    return shown


def _unwalked(
    days: windows.Windows, practice: Values, last: date | None, today: date
) -> Values | None:
    """Whether an active practice has had no step since the last window closed."""
    dose = days.last(today)
    if dose is None or practice["status"] != "active":
        return None
    closed_on = days.closes_on(dose)
    silent = last is None or last <= closed_on
    return _orphan(NO_STEP, closed_on + timedelta(days=1)) if silent and today > closed_on else None


def _moment(patient: Values, links: _Links, row: Values) -> Values:
    node = {name: row[name] for name in ("id", "session_id", "text", "shared_with")}
    on = {"on": day_of(patient, row), "practice_id": links.seen(row["practice_id"])}
    return node | on


def _orphan(reason: str, since_on: date) -> Values:
    return {"reason": reason, "since_on": since_on}


def _orphans(nodes: dict[str, list[Values]]) -> list[Values]:
    return [
        {"kind": kind, "id": node["id"]} | node["orphan"]
        for kind, name in (("insight", "insights"), ("practice", "practices"))
        for node in nodes[name]
        if node["orphan"] is not None
    ]
