"""Leaving and coming back: a patient is discharged, and readmitted."""

from datetime import date
from uuid import UUID

from api.access.policies import Actor
from api.audit import trail
from api.clock import day_of, today
from api.core.patients.finding import open_chart
from api.core.patients.showing import show_to
from api.core.patients.table import DISCHARGED, EARLIER, patients
from api.db import Values, store
from api.errors import Conflict, Invalid
from api.outbox import events


def discharge_patient(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """The patient is no longer in treatment, from a day on; sign-in and practices stay theirs."""
    row = open_chart(actor, "patient:discharge", patient_id)
    if row["status"] == DISCHARGED:
        raise Conflict("The patient is discharged.", state=DISCHARGED, allowed=["readmit"])
    zone = row["time_zone"]
    on: date = values.get("on") or today(zone)
    earliest = day_of(row["created_at"], zone)
    if not earliest <= on <= today(zone):
        raise Invalid([("/on", f"Not ahead of today, nor before {earliest}.")])
    trail.wrote(["status", *values])
    gone = {"status": DISCHARGED, "discharged_on": on, "discharge_reason": values["reason"]}
    told = events.row(row["clinic_id"], "patient.discharged", {"patient_id": patient_id})
    return show_to(actor, store().change(patients, row, gone, also=[told]))


def readmit_patient(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """The patient is in treatment again."""
    row = open_chart(actor, "patient:readmit", patient_id)
    if row["status"] != DISCHARGED:
        raise Conflict("The patient is not discharged.", state=row["status"], allowed=["discharge"])
    trail.wrote(["status"])
    back = {"status": values.get("status", EARLIER[2])}
    back |= {"discharged_on": None, "discharge_reason": None}
    told = events.row(row["clinic_id"], "patient.readmitted", {"patient_id": patient_id})
    return show_to(actor, store().change(patients, row, back, also=[told]))
