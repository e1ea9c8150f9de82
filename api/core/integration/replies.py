"""Replies: what the care team answers to a step or a moment, read there by the patient."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Table, and_, select

from api.access.policies import Actor
from api.access.users import users
from api.audit import trail
from api.core import gate
from api.core.integration import entries
from api.core.integration.tables import moments, replies, steps
from api.db import Values, found, store

COLUMN = {steps: "step_id", moments: "moment_id"}
"""Where a reply says what it answers."""


def reply_to_step(actor: Actor, step_id: UUID, values: Values) -> Values:
    """A kind word under a step."""
    row = gate.find_in_chart(actor, "reply:write", steps, step_id)
    return _reply(actor, steps, row, values)


def reply_to_moment(actor: Actor, moment_id: UUID, values: Values) -> Values:
    """A kind word under a moment."""
    row = gate.find_in_chart(actor, "reply:write", moments, moment_id)
    return _reply(actor, moments, row, values)


def _reply(author: Actor, table: Table, seen: Values, values: Values) -> Values:
    """The reply; what it answers is a new version, so that the patient's app hears of it."""
    store().hold(table, seen)
    entry = entries.steady(author, table, seen["id"])
    keys = {name: entry[name] for name in ("clinic_id", "patient_id")}
    by = {COLUMN[table]: entry["id"], "author_id": author.user_id}
    made = store().add(replies, {"text": values["text"]} | keys | by)
    after = store().change(table, entry, {})
    trail.about(replies.name, made["id"])
    trail.wrote(values)
    there = under(table, [after])[entry["id"]]
    return found(next((one for one in there if one["id"] == made["id"]), None))


def under(table: Table, rows: Sequence[Values]) -> dict[UUID, list[Values]]:
    """The replies under each of some steps, or moments, oldest first; at most one query.

    A first version has none, for a reply makes the next.
    """
    r, answered = replies.c, replies.c[COLUMN[table]]
    given: dict[UUID, list[Values]] = {row["id"]: [] for row in rows}
    later = [row["id"] for row in rows if row["version"] > 1]
    names = ("clinic_id", "id", "version", "created_at", "updated_at", "text", "author_id")
    statement = (
        select(answered.label("answered"), *(r[name] for name in names), users.c.display_name)
        .join(users, and_(users.c.clinic_id == r.clinic_id, users.c.id == r.author_id))
        .where(r.clinic_id.in_({row["clinic_id"] for row in rows}), answered.in_(later))
        .where(r.deleted_at.is_(None))
        .order_by(r.id)
    )
    for row in store().rows(statement, opens=replies) if later else []:
        given[row["answered"]].append(_show(row))
    return given


def _show(row: Values) -> Values:
    shown = {name: row[name] for name in ("id", "version", "created_at", "updated_at", "text")}
    return shown | {"clinician": {"id": row["author_id"], "display_name": row["display_name"]}}
