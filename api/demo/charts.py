"""What the charts of clinician@ hold before another dose: consents, screenings, lists gone through.

All of it is synthetic: nobody agreed to anything here, and nobody takes anything.
"""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from api import clock, db
from api.core.clinical_lists.table import allergies, confirmations, medications
from api.core.consents import consents
from api.core.treatment.protocols import protocol_for
from api.core.treatment.screenings import screenings
from api.demo.courses import CLINICIANS_OWN
from api.demo.people import ZONE, Cast
from api.demo.survey import BASELINE_DAYS_AGO

SIGNED_BY = "prescriber@demo.example"
ASKED_BY = "nurse@demo.example"
ROUTE = "intramuscular"
NOTE = "Synthetic: asked of nobody."
TAKEN = ({"name": "Sertraline", "dose": "50 mg in the morning"}, {"name": "Lorazepam"})
"""What every other of them takes; the second is known to matter for a dose."""


def load(cast: Cast, say: Callable[[str], None]) -> None:
    """Consents, screenings and lists of those whom clinician@ treats."""
    own = [cast.alma, *list(cast.patients.values())[: CLINICIANS_OWN - 1]]
    people = list({patient["id"]: patient for patient in own}.values())
    items = protocol_for(cast.clinic_id, ROUTE).eligibility
    for number, patient in enumerate(people):
        _consents(cast, patient)
        for item in items:
            if not item.code.endswith("_today"):
                _screening(cast, patient, item.code, item.severity)
        _lists(cast, patient, number)
    say(f"  consents, screenings and lists of {len(people)} patients (synthetic)")


def _at() -> datetime:
    """Noon of the day of the baseline."""
    day = clock.today(ZONE) - timedelta(days=BASELINE_DAYS_AGO)
    return datetime.combine(day, time(18), UTC)


def _keys(patient: db.Values) -> db.Values:
    return {"clinic_id": patient["clinic_id"], "patient_id": patient["id"]}


def _consents(cast: Cast, patient: db.Values) -> None:
    by: UUID = cast.staff[ASKED_BY]
    for kind in protocol_for(cast.clinic_id, ROUTE).required_consents:
        if kind == "treatment":
            continue  # everybody has that one already
        said = {"kind": kind, "text_version": "2026-1", "shown_as": NOTE, "granted_at": _at()}
        who = {"witnessed_by": by, "recorded_by": by}
        db.store().add(consents, _keys(patient) | said | who)


def _screening(cast: Cast, patient: db.Values, item: str, severity: str) -> None:
    asked = {"asked_on": _at().date(), "asked_by": cast.staff[ASKED_BY]}
    signed = {"signed_by": cast.staff[SIGNED_BY], "signed_at": _at(), "decision": "no_concern"}
    said = {"item": item, "severity": severity, "answer": "no", "note": NOTE}
    db.store().add(screenings, _keys(patient) | asked | signed | said)


def _lists(cast: Cast, patient: db.Values, number: int) -> None:
    by = {"recorded_by": cast.staff[ASKED_BY], "status": "active", "note": NOTE}
    for one in TAKEN if number % 2 else TAKEN[:1]:
        db.store().add(medications, _keys(patient) | by | one)
    for table in (allergies, medications):
        gone = {"list": table.name, "confirmed_on": _at().date()}
        who = {"confirmed_by": cast.staff[ASKED_BY]}
        db.store().add(confirmations, _keys(patient) | gone | who)
