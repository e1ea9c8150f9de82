"""The trail as an EHR's administrator reads it: of patients in reach, and of nobody else."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy import and_, exists, not_, or_, select

from api.access.policies import Actor, Grant
from api.audit.trail import audit_event_patients, audit_events
from api.core import gate
from api.core.ehr.source import Condition, Source
from api.db import Values, store


def _within(reader: Actor, granted: Grant) -> Iterable[Condition]:
    """Not one event in which a patient appears whom the client does not reach.

    What was refused to others names a record and no patient: whose it is can't be asked of it.
    """
    t, e = audit_event_patients.c, audit_events.c
    yield or_(e.outcome == "ok", e.record_id.is_(None), e.actor_id == reader.user_id)
    yield not_(
        exists().where(
            and_(t.clinic_id == audit_events.c.clinic_id, t.event_id == audit_events.c.id),
            not_(gate.in_reach(reader, granted, t.patient_id)),
        )
    )


def _patients(reader: Actor, rows: list[Values]) -> None:
    t, by = audit_event_patients.c, dict[UUID, list[UUID]]()
    statement = select(t.event_id, t.patient_id).where(
        t.clinic_id == reader.clinic_id, t.event_id.in_([row["id"] for row in rows])
    )
    for one in store().rows(statement.order_by(t.patient_id)):
        by.setdefault(one["event_id"], []).append(one["patient_id"])
    for row in rows:
        row["patients"] = by.get(row["id"], [])


AUDIT: Final = Source("audit_events", audit_events, limits=_within, beside=_patients, exact=False)
