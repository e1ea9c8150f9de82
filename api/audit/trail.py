"""The trail: one event for each request that touched a patient's data, written with the change."""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    Uuid,
)

from api import clock
from api.db import Instant, Store, first_id, metadata, new_id, versions

audit_events = Table(
    "audit_events",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor_id", Uuid),
    Column("role", String(20)),
    Column("sign_in_id", Uuid),
    Column("on_behalf_of", Uuid),
    Column("action", String(40), nullable=False),
    Column("type", String(40)),
    Column("record_id", Uuid),
    Column("data_category", String(20)),
    Column("outcome", String(20), nullable=False),
    Column("reason_ref", String(60)),
    Column("purpose", String(40)),
    Column("door", String(20), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("client_ip", String(45)),
    Column("field_names", Text),
    Column("xid", BigInteger),
    PrimaryKeyConstraint("clinic_id", "id"),
)
"""`xid` is the transaction that wrote it, filled in by PostgreSQL; empty on SQLite."""
SYSTEM: Final = UUID(int=0)
"""Whose events are those of no clinic: it has a chain as every clinic has, and nobody in it."""
Index("ix_audit_events_order", *audit_events.c["clinic_id", "xid"])
audit_event_patients = Table(
    "audit_event_patients",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("patient_id", Uuid, nullable=False),
    PrimaryKeyConstraint("clinic_id", "event_id", "patient_id"),
)
Index("ix_audit_event_patients_patient", *audit_event_patients.c["clinic_id", "patient_id"])
SLACK: Final = timedelta(days=1)
"""How far an event's id and its time may lie apart."""


@dataclass
class Deed:
    """What is being done in this request; written once, at its end."""

    action: str
    type: str | None = None
    record_id: UUID | None = None
    purpose: str = "treatment"
    patients: set[UUID] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    written: bool = False
    entries: set[tuple[str, UUID]] = field(default_factory=set)
    by: versions.Who = (None, None)


_deed: ContextVar[Deed | None] = ContextVar("deed", default=None)


def begin(action: str) -> Deed:
    """Start the deed of this request, or go on with the one begun."""
    deed = _deed.get()
    if deed is None:
        deed = Deed(action)
        _deed.set(deed)
    return deed


def current() -> Deed | None:
    """The deed of this request, if one was begun."""
    return _deed.get()


def forget() -> None:
    """No deed any more: a new request begins."""
    _deed.set(None)


def done_by(user_id: UUID | None, role: str) -> None:
    """Name who does it, for the versions that this request replaces."""
    deed = _deed.get()
    if deed is not None:
        deed.by = (user_id, role)


def _who() -> versions.Who:
    deed = _deed.get()
    return (None, None) if deed is None else deed.by


versions.ask_who(_who)


def about(kind: str, record_id: UUID) -> None:
    """Name the record that this request is about."""
    deed = _deed.get()
    if deed is not None:
        deed.type, deed.record_id = kind, record_id
        deed.entries.add((kind, record_id))


def names(kind: str, records: Iterable[UUID]) -> None:
    """Name further records of which the answer tells, so that its rights can be asked again."""
    deed = _deed.get()
    if deed is not None:
        deed.entries.update((kind, record_id) for record_id in records)


def touches(patients: Iterable[UUID]) -> None:
    """Name the patients whose data this request shows or changes."""
    deed = _deed.get()
    if deed is not None:
        deed.patients.update(patients)


def wrote(fields: Iterable[str]) -> None:
    """Name the fields (never the values) that this request changes."""
    deed = _deed.get()
    if deed is not None:
        deed.fields.update(fields)


def happened_since(moment: datetime) -> list[ColumnElement[bool]]:
    """The conditions of events from a moment on.

    Their ids are in the order of time, so that by them the older ones are not even looked at.
    """
    e = audit_events.c
    return [e.id >= first_id(clock.real(moment) - SLACK), e.at >= moment]


def write(store: Store, who: dict[str, Any], outcome: str, reason: str | None = None) -> None:
    """Append the deed's event in the transaction of `store`; `who` holds clinic, actor and request.

    A deed is written once; outcome is `ok` or `refused`, with the refusal's kind as its reason.
    """
    deed = _deed.get()
    if deed is None or deed.written:
        return
    deed.written = True
    event = {
        **who,
        "id": new_id(),
        "at": clock.now(),
        "action": deed.action,
        "type": deed.type,
        "record_id": deed.record_id,
        "purpose": deed.purpose,
        "outcome": outcome,
        "reason_ref": reason,
        "field_names": " ".join(sorted(deed.fields)) or None,
    }
    store.append(audit_events, [event])
    if deed.patients and outcome == "ok":
        keys = {"clinic_id": who["clinic_id"], "event_id": event["id"]}
        touched = [keys | {"patient_id": patient} for patient in sorted(deed.patients)]
        store.append(audit_event_patients, touched)
