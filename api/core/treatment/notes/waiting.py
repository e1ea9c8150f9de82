"""What waits for a signature: completed sessions, and drafts; those kept apart for their author."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, literal, select, union_all

from api.access.policies import Actor
from api.access.users import named
from api.core.treatment import signatures
from api.core.treatment.notes.tables import APART, DRAFT, notes, psychotherapy_notes
from api.core.treatment.sessions import sessions
from api.db import Values, store

SIGN_WITHIN: Final = timedelta(hours=72)
"""By when after a session its record is usually signed; a convention of this project."""
MOST: Final = 100
Whose = Callable[[Any], ColumnElement[bool]]
"""The condition that a `patient_id` is of somebody asked for."""


def waiting(reader: Actor, whose: Whose) -> dict[UUID, Values]:
    """What waits of each patient: `{session_id, since, unsigned_sessions, unsigned_notes}`.

    `session_id` is the one that waits longest. A psychotherapy note counts for its author alone.
    """
    found: dict[UUID, Values] = {}
    for row in store().rows(_longest(reader, whose)):
        told = {"session_id": row["id"], "since": row["completed_at"]}
        found[row["patient_id"]] = told | {"unsigned_sessions": row["waits"], "unsigned_notes": 0}
    for row in store().rows(_counted(reader, whose)):
        before = found.get(row["patient_id"])
        nothing = {"session_id": None, "since": row["since"], "unsigned_sessions": 0}
        told = before or nothing
        since = min(told["since"], row["since"])
        found[row["patient_id"]] = told | {"since": since, "unsigned_notes": row["waits"]}
    return found


def _unsigned(reader: Actor, whose: Whose) -> list[Any]:
    s = sessions.c
    open_still = [s.state == "completed", s.signed_at.is_(None), s.deleted_at.is_(None)]
    return [s.clinic_id == reader.clinic_id, whose(s.patient_id), *open_still]


def _longest(reader: Actor, whose: Whose) -> Select[Any]:
    s = sessions.c
    mine = func.row_number().over(partition_by=s.patient_id, order_by=(s.completed_at, s.id))
    of_all = func.count().over(partition_by=s.patient_id)
    ranked = (
        select(s.patient_id, s.id, s.completed_at, mine.label("place"), of_all.label("waits"))
        .where(*_unsigned(reader, whose))
        .subquery("ranked")
    )
    return select(ranked).where(ranked.c.place == 1)


def _counted(reader: Actor, whose: Whose) -> Select[Any]:
    drafts = _drafts(reader, whose).subquery("drafts")
    oldest, waits = func.min(drafts.c.created_at), func.count()
    counted = select(drafts.c.patient_id, oldest.label("since"), waits.label("waits"))
    return counted.group_by(drafts.c.patient_id)


def _drafts(reader: Actor, whose: Whose) -> Any:
    """Every draft of the record, and those that the reader keeps apart."""
    kept = ("id", "patient_id", "created_at", "session_id", "author_id")
    n, p = notes.c, psychotherapy_notes.c
    record = select(*(n[name] for name in kept), n.kind).where(
        n.clinic_id == reader.clinic_id,
        n.state == DRAFT,
        n.deleted_at.is_(None),
        whose(n.patient_id),
    )
    own = select(*(p[name] for name in kept), literal(APART).label("kind")).where(
        p.clinic_id == reader.clinic_id,
        p.author_id == reader.user_id,
        p.state == DRAFT,
        p.deleted_at.is_(None),
        whose(p.patient_id),
    )
    return union_all(record, own)


def drafts_of(reader: Actor, whose: Whose) -> list[Values]:
    """The drafts of these patients, the newest first, each with its author; two queries."""
    drafts = _drafts(reader, whose).subquery("drafts")
    rows = store().rows(select(drafts).order_by(drafts.c.id.desc()))
    names = named(reader.clinic_id, {row["author_id"] for row in rows})
    return [row | {"author": names[row["author_id"]]} for row in rows]


def sessions_of(reader: Actor, whose: Whose) -> list[Values]:
    """The completed, unsigned sessions of these patients, and what is missing from whom."""
    s = sessions.c
    shown = (s.id, s.patient_id, s.kind, s.completed_at)
    statement = select(*shown).where(*_unsigned(reader, whose)).order_by(s.completed_at.desc())
    rows = store().rows(statement)
    owed = signatures.owed_of(reader.clinic_id, rows)
    return [
        row | {"missing": [part for part in owed[row["id"]] if part["signed_at"] is None]}
        for row in rows
    ]
