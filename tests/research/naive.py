"""Exports as one writes them without thinking of attackers: what each attack is first tried on."""

import hashlib
import hmac
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from api import db
from api.core.patients import patients
from api.core.treatment.sessions import sessions
from tests.research.clinic import Clinic


def people(made: Clinic) -> list[dict[str, Any]]:
    """Every patient as they stand in the chart, in the order in which they were admitted."""
    mine = patients.c.clinic_id == made.clinic_id
    with db.transaction() as store:
        return store.rows(select(patients).where(mine).order_by(patients.c.id), opens=patients)


def doses(made: Clinic) -> dict[Any, list[datetime]]:
    """The instants of every patient's sessions."""
    s, found = sessions.c, dict[Any, list[datetime]]()
    with db.transaction() as store:
        rows = store.rows(
            select(s.patient_id, s.starts_at)
            .where(s.clinic_id == made.clinic_id)
            .order_by(s.starts_at)
        )
    for row in rows:
        found.setdefault(row["patient_id"], []).append(row["starts_at"])
    return found


def hashed(number: int) -> str:
    """An id as a hash of the record number."""
    return hashlib.sha256(f"{number:08}".encode()).hexdigest()


def keyed(number: int, key: str) -> str:
    """The same with a key."""
    return hmac.new(key.encode(), f"{number:08}".encode(), "sha256").hexdigest()


def age_on(born: date, on: date) -> int:
    """Years of age."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
