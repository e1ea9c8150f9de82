"""Beats: by them a worker says that it lives."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, String, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from api.db import Instant, metadata, store

SILENT_AFTER = timedelta(seconds=60)

worker_beats = Table(
    "worker_beats",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("at", Instant, nullable=False),
)
"""When each worker was last heard of, by the clock of the machine: `FRESHTRAIL_CLOCK` moves the
clinic's time in each process apart, and a worker that was started later would seem to be silent."""


def beat(name: str) -> None:
    """Say that the worker of this name lives, in the transaction that is open."""
    insert = postgresql.insert if store().on_postgres else sqlite.insert
    moment = datetime.now(UTC)
    statement = insert(worker_beats).values(name=name, at=moment)
    again = statement.on_conflict_do_update(index_elements=["name"], set_={"at": moment})
    store().execute(again)


def last() -> datetime | None:
    """When a worker was last heard of."""
    row = store().row(select(func.max(worker_beats.c.at, type_=Instant).label("at")))
    return None if row is None else row["at"]


def is_silent() -> bool:
    """Whether no worker was heard of in the last minute, or ever."""
    at = last()
    return at is None or datetime.now(UTC) - at > SILENT_AFTER
