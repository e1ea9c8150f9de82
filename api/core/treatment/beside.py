"""Records that stand beside a session, one of a kind for each: read, put whole, and locked."""

from typing import Any
from uuid import UUID

from sqlalchemy import Table, select

from api.access.policies import Actor
from api.audit import trail
from api.core.treatment import signatures
from api.core.treatment.sessions.booking import lock_session
from api.db import Values, match, store
from api.errors import VersionNeeded

UNSET: Values = {"id": None, "version": 0, "created_at": None, "updated_at": None}
"""What is there while nobody has put anything: version 0 of it."""


def of_session(table: Table, session: Values) -> Values | None:
    """The one row of a table that stands beside this session, or None."""
    return of_sessions(table, session["clinic_id"], [session["id"]]).get(session["id"])


def of_sessions(table: Table, clinic_id: UUID, ids: list[UUID]) -> dict[UUID, Values]:
    """The one row of each of these sessions, by session; one query."""
    t = table.c
    mine: list[Any] = [t.clinic_id == clinic_id, t.session_id.in_(ids), t.deleted_at.is_(None)]
    rows = store().rows(select(table).where(*mine), opens=table) if ids else []
    return {row["session_id"]: row for row in rows}


def put(
    writer: Actor, table: Table, session: Values, version: int | None, values: Values
) -> Values:
    """The row of this session with these values, made where there was none.

    Two who put it at once come one after the other. Raises `Conflict` once the record is signed.
    """
    row = lock_session(session)
    signatures.refuse_if_locked(row)
    before = of_session(table, row)
    if before is not None and version == UNSET["version"]:
        raise VersionNeeded('Send If-Match with the ETag of what is there, "<version>".')
    match(before or UNSET, version)
    trail.wrote(values)
    if before is not None:
        return store().change(table, before, values | {"recorded_by": writer.user_id})
    keys = {name: row[name] for name in ("clinic_id", "patient_id")}
    by = {"session_id": row["id"], "recorded_by": writer.user_id}
    return store().add(table, keys | by | values)
