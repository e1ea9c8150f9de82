"""Events: what happened, as a row of the transaction in which it happened. Ids only, never more."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    JSON,
    Column,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    String,
    Table,
    Uuid,
)

from api import clock
from api.db import Instant, Store, Values, metadata, new_id

EVENTS: Final[Mapping[str, str]] = {
    "user.changed": "Somebody's role, profession or privileges were changed.",
    "user.disabled": "Somebody may no longer sign in at the clinic.",
    "user.enabled": "Somebody may sign in at the clinic again.",
    "client.registered": "A program of another system was registered.",
    "client.revoked": "A program of another system is refused from now on.",
    "clinician.replaced": "A clinician's patients were handed over to a colleague.",
    "patient.created": "A patient was admitted.",
    "patient.discharged": "A patient's treatment here ended.",
    "patient.readmitted": "A patient is in treatment here again.",
    "patient.merged": "A chart was merged into another of the same person.",
    "patient.unmerged": "Two charts that had been merged were divided again.",
    "break_glass.opened": "A clinician opened a chart in an emergency.",
    "break_glass.unreviewed": "Nobody has reviewed an emergency opening within 72 hours.",
    "break_glass.reviewed": "An emergency opening was reviewed.",
    "amendment.requested": "A patient asked to have their record amended.",
    "amendment.accepted": "What a patient asked for was added to their record.",
    "amendment.denied": "A patient's record was not amended as they asked.",
    "erasure.requested": "A patient asked to have their data erased.",
    "erasure.done": "What a patient kept for themself was erased, as they asked.",
    "erasure.refused": "A patient's data were not erased as they asked.",
    "chart_purge.proposed": "Somebody proposed to remove a chart whose retention is over.",
    "chart_purge.approved": "A second person agreed that a chart be removed.",
    "chart_purge.withdrawn": "The removal of a chart was taken back.",
    "chart_purge.stopped": "The removal of a chart was stopped, with a reason.",
    "patient.purged": "A chart was removed after its retention; nothing of it is left.",
    "consent.given": "A patient agreed to something.",
    "consent.withdrawn": "A patient no longer agrees to something.",
    "session.booked": "A session was booked.",
    "session.changed": "A booking was changed before it began.",
    "session.moved": "A session went from one state to another.",
    "course.planned": "A course of treatment was planned.",
    "screening.signed": "Somebody decided on an item of screening, and signed it.",
    "dose_plan.set": "A dose plan was set, or set anew.",
    "dose.recorded": "A dose was recorded in the ledger of a session.",
    "session.signed": "Every owed part of a session's record was signed.",
    "session.unsigned": "A note of a signed record was unlocked; its parts are owed once more.",
    "note.signed": "A note was signed by who wrote it.",
    "note.cosigned": "A note was signed by a supervisor beside who wrote it.",
    "note.unlocked": "A signed note was opened again; a colleague agreed.",
    "note.held": "A note is held from the patient for a time, with a reason.",
    "note.released": "A note is no longer held from the patient.",
    "insight.noted": "An insight was written down.",
    "goal.created": "A goal was set.",
    "practice.created": "A practice was begun.",
    "step.logged": "A step was logged.",
    "moment.noticed": "A moment was noticed.",
    "check_in.due": "A check-in has become due.",
    "check_in.completed": "A check-in was completed.",
    "check_in.corrected": "A completed check-in was put right.",
    "alert.raised": "A safety alert was raised.",
    "alert.escalated": "A safety alert was taken to the next person.",
    "alert.acknowledged": "Somebody acknowledged a safety alert.",
    "alert.resolved": "Somebody resolved a safety alert.",
}
"""Every name of an event, `resource.verb`, with what it says; the document lists the same."""

outbox_events = Table(
    "outbox_events",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("name", String(40), nullable=False),
    Column("subject", JSON, nullable=False),
    Column("at", Instant, nullable=False),
    Column("shared_out_at", Instant),
    PrimaryKeyConstraint("clinic_id", "id"),
    ForeignKeyConstraint(["clinic_id"], ["clinics.id"]),
)
"""`subject` holds ids by name. `shared_out_at` is when the worker gave it to those who asked."""
Index("ix_outbox_events_at", outbox_events.c.at)
WAITING = outbox_events.c.shared_out_at.is_(None)
Index(
    "ix_outbox_events_waiting", outbox_events.c.id, sqlite_where=WAITING, postgresql_where=WAITING
)


def append(store: Store, clinic_id: UUID, name: str, subject: Mapping[str, object]) -> None:
    """Write an event in the transaction of `store`; raises KeyError for a name not in the list.

    `subject` holds ids alone, such as `{"patient_id": ..., "session_id": ...}`.
    """
    table, values = row(clinic_id, name, subject)
    store.execute(table.insert().values(**values))


def row(clinic_id: UUID, name: str, subject: Mapping[str, object]) -> tuple[Table, Values]:
    """The same as a row that goes with a record, for the `also` of `Store.add` and `change`."""
    assert EVENTS[name]
    values: dict[str, Any] = {
        "clinic_id": clinic_id,
        "id": new_id(),
        "name": name,
        "subject": {key: str(UUID(str(value))) for key, value in subject.items()},
        "at": clock.now(),
        "shared_out_at": None,
    }
    return outbox_events, values
