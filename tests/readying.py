"""A dosing session made ready: consents, screenings, dose plan and readings, by core or HTTP."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from api import clock, db
from api.access.policies import Privilege
from api.access.users import users
from api.core import consents, readiness
from api.core.treatment import dosing, screenings
from api.core.treatment.dosing.recording import record_entry
from api.core.treatment.protocols import protocol_for
from tests import builders
from tests.builders import Scene

ROUTE = "intramuscular"
PLAN = {"medicine": "ketamine", "route": ROUTE, "dose_mg": 50}
VITALS = {"systolic_mmhg": 122, "diastolic_mmhg": 78, "heart_rate_bpm": 72, "spo2_percent": 98}
ALDRETE = {"activity": 2, "respiration": 2, "circulation": 2, "consciousness": 2, "spo2": 1}
LEAVING = {
    "aldrete": ALDRETE,
    "oriented": True,
    "walks_unaided": True,
    "suicidality_asked": True,
    "suicidal_intent": False,
    "escort_name": "Sam Example",
    "no_driving_advice_given": True,
}
"""What is found of somebody who may go, but for the date of the next contact."""


def let(user_id: UUID, *privileges: Privilege) -> None:
    """The user has these privileges, and no others."""
    values = {"privileges": [each.value for each in privileges]}
    db.store().execute(users.update().where(users.c.id == user_id).values(values))


def dosing_session(scene: Scene, state: str = "arrived", **more: Any) -> db.Values:
    """A dosing session of today at which the patient has arrived."""
    starts_at = clock.now() - timedelta(minutes=30)
    times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(hours=3)}
    return builders.make_session(
        scene.patient, scene["CT"], kind="dosing", state=state, **(times | more)
    )


def consented(scene: Scene) -> None:
    """The patient agrees to what the protocol asks for."""
    for kind in protocol_for(scene.clinic_id, ROUTE).required_consents:
        values = {"kind": kind, "text_version": "1"}
        consents.record_consent(scene["CT"].actor, scene.patient["id"], values)


def screened(scene: Scene, but: str | None = None) -> None:
    """Somebody asked and signed every item of the protocol, but for one."""
    for item in protocol_for(scene.clinic_id, ROUTE).eligibility:
        if item.code != but:
            values = {"item": item.code, "answer": "no", "decision": "no_concern"}
            screenings.record_screening(scene["CT"].actor, scene.patient["id"], values)


def measured(scene: Scene, session: db.Values, at: datetime | None = None, **more: Any) -> None:
    """One set of readings."""
    values = {"client_event_id": db.new_id().hex, "measured_at": at or clock.now()}
    record_entry(scene["CT"].actor, session["id"], "vitals", values | VITALS | more)


def dosed(scene: Scene, session: db.Values, at: datetime | None = None, **more: Any) -> None:
    """A dose that was given."""
    values = {"client_event_id": db.new_id().hex, "measured_at": at or clock.now()}
    given = {"medicine": "ketamine", "route": ROUTE, "dose_mg": 50, "weight_kg": 70}
    record_entry(scene["CT"].actor, session["id"], "dose", values | given | more)


def planned(scene: Scene, session: db.Values) -> None:
    """A dose plan by the therapist, who may prescribe from now on."""
    let(scene["CT"].user_id, Privilege.PRESCRIBE)
    dosing.plan_dose(scene["CT"].actor, session["id"], 0, dict(PLAN))


def make_ready(scene: Scene, session: db.Values) -> None:
    """Nothing stands in the way of the dose any more."""
    consented(scene)
    screened(scene)
    planned(scene, session)
    measured(scene, session)


def started(scene: Scene, at: datetime | None = None) -> db.Values:
    """A dosing session that was made ready and has begun."""
    session = dosing_session(scene)
    make_ready(scene, session)
    given = {} if at is None else {"at": at}
    return readiness.start_session(scene["CT"].actor, session["id"], given)


def start(caller: Any, path: str) -> Any:
    """Start a dosing session over HTTP; a prescriber passes over each reason with words."""
    answer = caller.post(f"{path}/start")
    if answer.status_code == 409 and "reasons" in answer.json:
        codes = [reason["code"] for reason in answer.json["reasons"]]
        body = {"overrides": [{"code": code, "reason": "As agreed."} for code in codes]}
        answer = caller.post(f"{path}/start", body)
    return answer


def ledger_of(scene: Scene, session: db.Values) -> list[db.Values]:
    """The entries of a session's ledger."""
    return dosing.entries_of(scene.clinic_id, session["id"])
