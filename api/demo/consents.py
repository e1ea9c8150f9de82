"""The consents of the demo: everybody agreed to treatment before it began, but for a few."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from api import clock, db
from api.core.consents import consents
from api.demo.people import ZONE, Cast
from api.demo.survey import BASELINE_DAYS_AGO

LACKING = 3
"""How many have none yet, for a visitor to find on the worklist."""
TEXT_VERSION = "2026-01"
WITNESS = "clinician@demo.example"


def load(cast: Cast, say: Callable[[str], None]) -> None:
    """Consents to treatment, given at the intake."""
    asked_on = clock.today(ZONE) - timedelta(days=BASELINE_DAYS_AGO)
    granted_at = datetime.combine(asked_on, time(15), ZoneInfo(ZONE))
    by = {"witnessed_by": cast.staff[WITNESS], "recorded_by": cast.staff[WITNESS]}
    given = {"kind": "treatment", "text_version": TEXT_VERSION, "granted_at": granted_at}
    for patient in [*cast.patients.values()][:-LACKING]:
        keys = {"clinic_id": cast.clinic_id, "patient_id": patient["id"]}
        db.store().add(consents, keys | by | given)
    say(f"  consents to treatment, {LACKING} of them lacking")
