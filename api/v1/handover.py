"""Handing over v1: a clinician's patients go to a colleague."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core import handover
from api.core.care_team import ROLES
from api.paging import Values
from api.v1.care_team import ClinicianRefSchema
from api.v1.forms import Ask, Choice, Id, Instant, Many, Show, Words, shown
from api.v1.patients import PatientRefSchema
from api.v1.resource import Blueprint

blp = Blueprint("handover", "A clinician's patients go to a colleague.")


class HandoverSchema(Ask):
    """To whom, of which patients (all, unless they are named), and why."""

    to_clinician_id = Id(required=True)
    patients = Many(Id(), least=1, most=handover.MAX_PATIENTS)
    reason = Words(500, required=True)


class HandedMembershipSchema(Show):
    """The colleague's membership of a care team."""

    id = shown(ma.fields.UUID)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    role = Choice(ROLES, required=True)


class HandedSessionSchema(Show):
    """A session ahead."""

    id = shown(ma.fields.UUID)
    version = shown(ma.fields.Integer)
    patient = ma.fields.Nested(PatientRefSchema, required=True)
    starts_at = shown(Instant)
    ends_at = shown(Instant)


class BusySchema(Show):
    """Who or what is booked then, until when."""

    what = shown(ma.fields.String)
    until = shown(Instant)
    clinician_id = ma.fields.UUID()


class KeptSessionSchema(HandedSessionSchema):
    """A session ahead that stays as it is booked: move it, or name somebody else."""

    busy = Many(ma.fields.Nested(BusySchema), required=True)


class HandedOverSchema(Show):
    """What was handed over by this call."""

    from_clinician = ma.fields.Nested(ClinicianRefSchema, required=True)
    to_clinician = ma.fields.Nested(ClinicianRefSchema, required=True)
    memberships = Many(ma.fields.Nested(HandedMembershipSchema), required=True)
    sessions = Many(ma.fields.Nested(HandedSessionSchema), required=True)
    sessions_kept = Many(ma.fields.Nested(KeptSessionSchema), required=True)


@blp.offer(
    "POST",
    "/clinicians/<id:clinician_id>/handover",
    "clinician:hand_over",
    body=HandoverSchema,
    answer=HandedOverSchema,
    example={
        "to_clinician_id": "0195b7a6-5c00-7000-8000-000000000001",
        "reason": "Leaves the clinic at the end of the month.",
    },
)
def hand_over(actor: Actor, clinician_id: Any, values: Values) -> Values:
    """Hand a clinician's patients over to a colleague.

    The colleague takes their place on care teams at once, in the same role, in sessions ahead, and
    for open alerts (of which an administrator is told nothing). A session in whose time the
    colleague is booked is listed in `sessions_kept`. Sent again, it hands over what is left. The
    privacy officers are told.
    """
    return handover.hand_over(actor, clinician_id, values)
