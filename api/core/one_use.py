"""Links for one use: who holds the token of one, and in which words there is none."""

from typing import Final
from uuid import UUID

from sqlalchemy import select

from api.access.policies import LINK, Actor, Rights, Role
from api.access.users import clinics
from api.db import Values, found, store

GONE: Final = "There is no such link, or it was used, or its time is over."


def bearer(row: Values, patient_id: UUID | None, request_id: str, client_ip: str | None) -> Actor:
    """Whoever holds the token of a link: an actor for one call, named by the link's `row`.

    `patient_id` is whose form the link opens; None where no chart is in its reach. The link's
    clinic is the one that is meant from now on.
    """
    store().stand_in(row["clinic_id"])
    asked = select(clinics.c.time_zone, clinics.c.suspended_at)
    clinic = found(store().row(asked.where(clinics.c.id == row["clinic_id"])))
    rights = Rights(
        user_id=row["id"],
        clinic_id=row["clinic_id"],
        role=Role.PATIENT,
        display_name="",
        patient_id=patient_id,
        privileges=frozenset(),
        zone=clinic["time_zone"],
        auth_time=row["created_at"],
        suspended=clinic["suspended_at"] is not None,
    )
    ids = (row["id"], row["id"], row["clinic_id"])
    return Actor(*ids, LINK, request_id, client_ip, rights, extras={"link": row})
