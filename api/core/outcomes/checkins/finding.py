"""Finding check-ins: one, or a patient's in a list."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, case, select

from api.access.policies import Actor
from api.access.users import users
from api.core import gate
from api.core.integration.entries import patient_of
from api.core.one_trip import CHART, CLINIC, Listed
from api.core.outcomes.checkins import showing
from api.core.outcomes.checkins.scored import known_instrument
from api.core.outcomes.checkins.table import check_ins
from api.core.outcomes.instruments.catalogue import catalogue
from api.core.patients import patients
from api.core.treatment.windows import doses_told
from api.db import Listing, Page, Values

PATIENT: Final = (
    *("legal_given", "legal_family", "preferred_name", "locale", "status", "time_zone"),
)
"""What is shown or needed of the patient beside the check-ins."""


def _where(name: str) -> ColumnElement[bool]:
    column: ColumnElement[Any] = check_ins.c[name]
    return column == bindparam(name, type_=column.type)


_READ: Final = [c for c in check_ins.c if c.key not in ("patient_id", "patients_own")]
_LISTED = Listed(
    "check_in:read",
    select(
        *_READ,
        case((users.c.patient_id.is_(None), users.c.display_name), else_=None).label("recorder"),
    ).outerjoin(
        users,
        and_(users.c.clinic_id == check_ins.c.clinic_id, users.c.id == check_ins.c.recorded_by),
    ),
    check_ins,
    check_ins.c.patient_id,
    _where,
    in_chart=patients,
    order=[check_ins.c.answered_at],
    newest_first=True,
    as_written=("answers", "scores"),
    of_chart=[*patients.c[*PATIENT], doses_told(CLINIC, CHART).label("doses")],
)


def list_checkins(
    actor: Actor,
    patient_id: UUID,
    asked: Page,
    instrument: str | None = None,
    source: str | None = None,
    state: str | None = None,
) -> Listing:
    """The patient's check-ins by the time they were answered, the latest first."""
    listing = _LISTED.of_chart(
        actor,
        patient_id,
        asked,
        plainly=instrument not in (None, *catalogue()),  # it may be no instrument at all
        instrument=instrument,
        source=source,
        state=state,
    )
    if instrument is not None:
        known_instrument(actor.clinic_id, instrument)
    assert listing.chart is not None, "a list of one chart"
    patient = listing.chart | {"id": patient_id, "clinic_id": actor.clinic_id}
    listing.items = showing.show_listed(actor, patient, listing.items)
    return listing


def read_checkin(actor: Actor, check_in_id: UUID) -> Values:
    """One check-in: to clinicians whole, to the patient with words and without flags."""
    row = gate.find_in_chart(actor, "check_in:read", check_ins, check_in_id)
    return showing.show(actor, patient_of(row), row)
