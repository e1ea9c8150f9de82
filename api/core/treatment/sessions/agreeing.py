"""Agreeing: no dosing session is set down ahead for a patient who took their consent back."""

from typing import Final

from sqlalchemy import select

from api import clock
from api.core.consents import consents, in_force
from api.db import Values, store
from api.errors import Conflict

TREATMENT: Final = "treatment"
DECIDES: Final = ("kind", "starts_at", "ends_at")
"""What of a booking makes it another one; a room or a colleague may change all the same."""


def refuse_withdrawn(booking: Values) -> None:
    """Raise `Conflict` for a dosing session ahead whose patient withdrew consent to treatment.

    One that was never given keeps nobody from booking: it is asked for before the dose. What has
    begun by its times is recorded, whatever the patient withdrew. Asked once the patient is held,
    so that nobody withdraws meanwhile.
    """
    if booking["kind"] != "dosing" or booking["starts_at"] <= clock.now():
        return
    clinic_id, patient_id = booking["clinic_id"], booking["patient_id"]
    c = consents.c
    mine = (c.clinic_id == clinic_id, c.patient_id == patient_id, c.kind == TREATMENT)
    gone = select(c.id).where(*mine, c.withdrawn_at.is_not(None), c.deleted_at.is_(None))
    withdrew = store().row(gone.limit(1)) is not None
    if withdrew and not in_force(store(), clinic_id, patient_id, TREATMENT):
        detail = "The patient withdrew their consent to treatment; no dosing session is booked."
        raise Conflict(detail, missing=[f"consent_{TREATMENT}"])
