"""The care team: who of the clinic may open a patient's chart, in what role and since when."""

from datetime import date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, not_, or_, select

from api import clock
from api.access.policies import Actor, Role
from api.access.users import users
from api.audit import trail
from api.core import gate
from api.core.patients import display_name, open_chart, patients
from api.core.team_reach import care_team
from api.db import Listing, Page, Values, found, page, store
from api.errors import Conflict, Invalid, NotAllowed

ROLES = ("lead", "therapist", "prescriber", "nurse", "guide", "supervisor", "other")
STATES = ("coming", "current", "past")
NO_CLINICIAN = "No clinician of this clinic."


def list_care_team(
    actor: Actor, patient_id: UUID, asked: Page, state: str | None = None
) -> Listing:
    """The patient's care team as it is and as it was, in the order in which they joined."""
    patient = open_chart(actor, "care_team:read", patient_id)
    statement = _memberships(patient)
    if state is not None:
        statement = statement.where(_in_state(state))
    listing = page(statement, care_team, asked, opens=care_team)
    listing.items = [_show(actor, patient, row) for row in listing.items]
    return listing


def read_membership(actor: Actor, patient_id: UUID, membership_id: UUID) -> Values:
    """One clinician's time on the patient's care team."""
    patient = open_chart(actor, "care_team:read", patient_id)
    return _show(actor, patient, _membership(patient, membership_id))


def assign_clinician(actor: Actor, patient_id: UUID, values: Values) -> Values:
    """Another clinician joins the care team, now or from a day on; nobody assigns themself."""
    gate.admit(actor, "care_team:assign")
    if values["clinician_id"] == actor.user_id:
        raise NotAllowed("Nobody puts themself on a care team; ask a colleague of that team.")
    patient = open_chart(actor, "care_team:assign", patient_id)
    store().hold(patients, patient)
    clinician = clinician_of(actor.clinic_id, values["clinician_id"], "/clinician_id")
    there = _current(patient, clinician["id"])
    if there is not None:
        raise Conflict(
            "This clinician is on the care team already, or will be: end that first.",
            state=_state(there),
            membership_id=there["id"],
            allowed=["end"],
        )
    row = store().add(care_team, _joined(actor, patient, values))
    trail.about("care_team", row["id"])
    trail.wrote(values)
    return _show(actor, patient, row | {"clinician_name": clinician["display_name"]})


def end_membership(
    actor: Actor, patient_id: UUID, membership_id: UUID, reason: str | None = None
) -> Values:
    """A clinician leaves the care team at once; the next request no longer reaches the chart."""
    patient = open_chart(actor, "care_team:end", patient_id)
    store().hold(patients, patient)
    row = _membership(patient, membership_id)
    if row["ended_at"] is not None:
        raise Conflict("This membership has ended already.", state="past", allowed=[])
    trail.wrote(["ended_at", "end_reason"])
    ended = {"ended_at": clock.now(), "end_reason": reason, "ended_by": actor.user_id}
    return _show(actor, patient, store().change(care_team, row, ended))


def _in_state(state: str) -> ColumnElement[bool]:
    ended_at, begun = care_team.c.ended_at, care_team.c.from_at <= clock.now()
    if state == "past":
        return ended_at.is_not(None)
    return and_(ended_at.is_(None), begun if state == "current" else not_(begun))


def _state(row: Values) -> str:
    if row["ended_at"] is not None:
        return "past"
    return "current" if row["from_at"] <= clock.now() else "coming"


def _joined(actor: Actor, patient: Values, values: Values) -> Values:
    return {
        "clinic_id": actor.clinic_id,
        "patient_id": patient["id"],
        "clinician_id": values["clinician_id"],
        "role": values["role"],
        "from_at": _starts(patient["time_zone"], values.get("from_on")),
        "added_by": actor.user_id,
    }


def _starts(zone: str, from_on: date | None) -> datetime:
    """Now, or the midnight with which another day begins where the patient lives."""
    if from_on is None or from_on == clock.today(zone):
        return clock.now()
    return datetime.combine(from_on, time(), ZoneInfo(zone))


def _memberships(patient: Values) -> Select[Any]:
    members = and_(
        users.c.clinic_id == care_team.c.clinic_id, users.c.id == care_team.c.clinician_id
    )
    return (
        select(care_team, users.c.display_name.label("clinician_name"))
        .join(users, members)
        .where(
            care_team.c.clinic_id == patient["clinic_id"], care_team.c.patient_id == patient["id"]
        )
    )


def _membership(patient: Values, membership_id: UUID) -> Values:
    trail.about("care_team", membership_id)
    statement = _memberships(patient).where(
        care_team.c.id == membership_id, care_team.c.deleted_at.is_(None)
    )
    return found(store().row(statement, opens=care_team))


def _current(patient: Values, clinician_id: UUID) -> Values | None:
    statement = _memberships(patient).where(
        care_team.c.clinician_id == clinician_id,
        care_team.c.ended_at.is_(None),
        care_team.c.deleted_at.is_(None),
    )
    return store().row(statement)


def clinician_of(clinic_id: UUID, clinician_id: UUID, pointer: str) -> Values:
    """The user row of a clinician who works at the clinic; raises `Invalid` at `pointer`."""
    row = _clinician(clinic_id, clinician_id, pointer)
    if row["gone"]:
        raise Invalid([(pointer, NO_CLINICIAN)])
    return row


def works_here(clinic_id: UUID, clinician_id: UUID, pointer: str) -> bool:
    """Whether a clinician still works at the clinic; raises `Invalid` for who never did."""
    return not _clinician(clinic_id, clinician_id, pointer)["gone"]


def _clinician(clinic_id: UUID, clinician_id: UUID, pointer: str) -> Values:
    gone = or_(users.c.disabled_at.is_not(None), users.c.deleted_at.is_not(None))
    row = store().row(
        select(users.c.id, users.c.display_name, gone.label("gone")).where(
            users.c.clinic_id == clinic_id,
            users.c.id == clinician_id,
            users.c.role == Role.CLINICIAN.value,
        )
    )
    if row is None:
        raise Invalid([(pointer, NO_CLINICIAN)])
    return row


def _show(actor: Actor, patient: Values, row: Values) -> Values:
    shown = {key: row[key] for key in ("id", "version", "role", "ended_at")}
    zone = ZoneInfo(patient["time_zone"])
    return shown | {
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "patient": {"id": patient["id"], "display_name": display_name(patient)},
        "clinician": {"id": row["clinician_id"], "display_name": row["clinician_name"]},
        "from_on": row["from_at"].astimezone(zone).date(),
        "state": _state(row),
        "reason": None if actor.rights.is_patient else row["end_reason"],
    }
