"""Telling: events of an alert for the outbox, which name ids and no clinical fact."""

from uuid import UUID

from api.db import Values, store
from api.outbox import events


def tell(row: Values, name: str, **more: UUID) -> None:
    """Append an event of this alert, in the transaction that is open."""
    subject = {"alert_id": row["id"], "patient_id": row["patient_id"]}
    events.append(store(), row["clinic_id"], name, subject | more)
