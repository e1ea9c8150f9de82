"""Patients that an EHR brings: admitted with its number, changed, and never taken from others."""

from uuid import UUID

from sqlalchemy import select

from api.access.policies import Actor
from api.access.users import OWN_EHR
from api.audit import trail
from api.core import gate
from api.core.client_reach import client_patients
from api.core.clients import IN_USE, ehr_clients
from api.core.ehr.writing import CREATE, UPDATE, enter_to_write
from api.core.patients import add_patient, open_chart
from api.core.patients.writing import refuse_birth, written
from api.db import Values, match, store
from api.errors import Conflict, Invalid
from api.outbox import events

AT = "/external_ids"


def bring_patient(actor: Actor, values: Values) -> UUID:
    """A new patient, whom the client reaches from now on."""
    gate.admit(actor, CREATE)
    enter_to_write(actor, CREATE)
    zone = actor.rights.zone
    refuse_birth(values, zone)
    full = {**values, "external_ids": _ids(actor, [], values.get("external_ids") or [])}
    row = add_patient(actor.clinic_id, {"time_zone": zone} | full)
    keys = {"clinic_id": actor.clinic_id, "client_id": actor.user_id, "patient_id": row["id"]}
    store().execute(client_patients.insert().values(**keys))
    events.append(store(), actor.clinic_id, "patient.created", {"patient_id": row["id"]})
    trail.about("patient", row["id"])
    trail.touches([row["id"]])
    trail.wrote(values)
    patient_id: UUID = row["id"]
    return patient_id


def rewrite_patient(actor: Actor, patient_id: UUID, version: int | None, values: Values) -> None:
    """What the EHR knows of a patient, in place of what was there."""
    row = open_chart(actor, UPDATE, patient_id)
    enter_to_write(actor, UPDATE)
    match(row, version)
    refuse_birth(values, row["time_zone"])
    before = row["external_ids"] or []
    wanted = _ids(actor, before, values.get("external_ids") or [])
    _refuse_to_claim(actor, row, before, wanted)
    trail.wrote(values)
    written(row, {**values, "external_ids": wanted})


def _ids(client: Actor, before: list[Values], told: list[Values]) -> list[Values]:
    """The numbers after a write: those of other clients' systems are neither given nor taken."""
    c = ehr_clients.c
    rows = store().rows(
        select(c.external_system).where(
            c.clinic_id == client.clinic_id, c.id != client.user_id, IN_USE
        )
    )
    others = {row["external_system"] for row in rows}
    if any(one["system"] in others and one not in before for one in told):
        raise Invalid([(AT, "This system of identifiers is another client's to give.")])
    kept = [one for one in before if one["system"] in others]
    return [*kept, *(one for one in told if one not in kept)]


def _refuse_to_claim(
    client: Actor, row: Values, before: list[Values], wanted: list[Values]
) -> None:
    """A number of its own on a chart that is only shared with it would outlast the consent."""
    own = client.extras["external_system"]
    claims = any(one["system"] == own for one in wanted)
    if not claims or any(one["system"] == own for one in before):
        return
    if client.extras["ehr_access"] == OWN_EHR or _made(client, row["id"]):
        return
    raise Conflict("Somebody of the clinic links a chart to your system's number.", allowed=[])


def _made(client: Actor, patient_id: UUID) -> bool:
    c = client_patients.c
    mine = (c.clinic_id == client.clinic_id, c.client_id == client.user_id)
    return store().row(select(c.patient_id).where(*mine, c.patient_id == patient_id)) is not None
