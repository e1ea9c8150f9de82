"""Finding check-ins: one, or a patient's in a list."""

from uuid import UUID

from sqlalchemy import select

from api.access.policies import Actor
from api.core import gate
from api.core.integration.entries import patient_of
from api.core.outcomes.checkins import showing
from api.core.outcomes.checkins.scored import known_instrument
from api.core.outcomes.checkins.table import check_ins
from api.core.patients import open_chart
from api.db import Listing, Page, Values, page


def list_checkins(
    actor: Actor,
    patient_id: UUID,
    asked: Page,
    instrument: str | None = None,
    source: str | None = None,
    state: str | None = None,
) -> Listing:
    """The patient's check-ins by the time they were answered, the latest first."""
    patient = open_chart(actor, "check_in:read", patient_id)
    wanted = {"instrument": instrument, "source": source, "state": state}
    if instrument is not None:
        known_instrument(instrument)
    c = check_ins.c
    statement = select(check_ins).where(
        c.clinic_id == patient["clinic_id"],
        c.patient_id == patient["id"],
        *(c[name] == value for name, value in wanted.items() if value is not None),
    )
    order = [c.answered_at]
    listing = page(statement, check_ins, asked, order, newest_first=True, opens=check_ins)
    listing.items = showing.show_all(actor, patient, listing.items)
    return listing


def read_checkin(actor: Actor, check_in_id: UUID) -> Values:
    """One check-in: to clinicians whole, to the patient with words and without flags."""
    row = gate.find_in_chart(actor, "check_in:read", check_ins, check_in_id)
    return showing.show(actor, patient_of(row), row)
