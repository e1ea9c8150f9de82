"""Whom a care team or a duty lets reach a chart: membership, a session, an escalated alert."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Index, Integer, String, Table, Uuid, exists, or_

from api.db import Instant, Sealed, metadata, of, tenant_table

DUTY_BEFORE, DUTY_AFTER = timedelta(hours=24), timedelta(hours=72)

care_team = tenant_table(
    "care_team",
    Column("clinician_id", Uuid, nullable=False),
    Column("role", String(20), nullable=False),
    Column("from_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("added_by", Uuid),
    Column("ended_by", Uuid),
    Column("end_reason", Sealed),
    of("users", "clinician_id"),
)
Index("ix_care_team_clinician", *care_team.c["clinic_id", "clinician_id", "patient_id"])
session_clinicians = Table(
    "session_clinicians",
    metadata,
    Column("clinic_id", Uuid, primary_key=True),
    Column("session_id", Uuid, primary_key=True),
    Column("clinician_id", Uuid, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("patient_id", Uuid, nullable=False),
    Column("duty_from", Instant, nullable=False),
    Column("duty_until", Instant, nullable=False),
    of("sessions", "session_id"),
    of("users", "clinician_id"),
    of("patients", "patient_id"),
)
"""Who is named on a session, and the hours in which that alone opens the chart."""
Index(
    "ix_session_clinicians_duty",
    *session_clinicians.c["clinic_id", "clinician_id", "patient_id", "duty_until"],
)
past_duties = tenant_table(
    "past_duties",
    Column("clinician_id", Uuid, nullable=False),
    Column("session_id", Uuid, nullable=False),
    Column("duty_from", Instant, nullable=False),
    Column("duty_until", Instant, nullable=False),
    of("users", "clinician_id"),
    of("sessions", "session_id"),
)
"""Duties that ended before their hour, because somebody else was named, or the session was moved or
called off: by them the one who no longer reaches the chart is told that it is gone."""
Index("ix_past_duties_clinician", *past_duties.c["clinic_id", "clinician_id", "duty_until"])
Index("ix_past_duties_session", *past_duties.c["clinic_id", "session_id", "clinician_id"])
alert_duties = Table(
    "alert_duties",
    metadata,
    Column("clinic_id", Uuid, primary_key=True),
    Column("alert_id", Uuid, primary_key=True),
    Column("clinician_id", Uuid, primary_key=True),
    Column("patient_id", Uuid, nullable=False),
    Column("duty_from", Instant, nullable=False),
    Column("duty_until", Instant),
    of("alerts", "alert_id"),
    of("users", "clinician_id"),
    of("patients", "patient_id"),
)
"""To whom an alert was escalated, and until when that alone opens the chart."""
Index("ix_alert_duties_clinician", *alert_duties.c["clinic_id", "clinician_id", "patient_id"])


def on_team(clinic_id: Any, clinician_id: Any, patient_id: Any, moment: Any) -> ColumnElement[bool]:
    """Whether the clinician is on the patient's care team, or reaches the chart by duty."""
    on_duty = exists().where(
        session_clinicians.c.clinic_id == clinic_id,
        session_clinicians.c.patient_id == patient_id,
        session_clinicians.c.clinician_id == clinician_id,
        session_clinicians.c.duty_from <= moment,
        session_clinicians.c.duty_until > moment,
    )
    alerted = exists().where(
        alert_duties.c.clinic_id == clinic_id,
        alert_duties.c.patient_id == patient_id,
        alert_duties.c.clinician_id == clinician_id,
        alert_duties.c.duty_from <= moment,
        or_(alert_duties.c.duty_until.is_(None), alert_duties.c.duty_until > moment),
    )
    return or_(on_care_team(clinic_id, clinician_id, patient_id, moment), on_duty, alerted)


def on_care_team(
    clinic_id: Any, clinician_id: Any, patient_id: Any, moment: Any
) -> ColumnElement[bool]:
    """Whether the clinician is on the patient's care team itself; duty does not count."""
    return exists().where(
        care_team.c.clinic_id == clinic_id,
        care_team.c.patient_id == patient_id,
        care_team.c.clinician_id == clinician_id,
        care_team.c.from_at <= moment,
        care_team.c.ended_at.is_(None),
    )
