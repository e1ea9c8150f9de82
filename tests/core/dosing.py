"""What the tests of dosing sessions do: a session under way, and entries of its ledger."""

from datetime import datetime, timedelta
from typing import Any

from api import clock, db
from api.core import consents
from api.core.treatment import dosing
from api.core.treatment.dosing import judging
from api.core.treatment.protocols import shipped
from tests import builders
from tests.builders import Scene

MINUTE = timedelta(minutes=1)
PROTOCOL = shipped()["ketamine_iv_im"]
WHOLE = {
    "systolic_mmhg": 124,
    "diastolic_mmhg": 78,
    "heart_rate_bpm": 72,
    "spo2_percent": 98,
}
"""One reading of everything that a point of the protocol asks for."""


def under_way(scene: Scene, hours: int = 3, **more: Any) -> db.Values:
    """A dosing session of the scene's patient that began some hours ago."""
    at = clock.now() - timedelta(hours=hours)
    times = {"starts_at": at, "ends_at": at + timedelta(hours=hours + 1), "moved_at": at}
    values = {"kind": "dosing", "state": "in_progress", "started_at": at, "arrived_at": at}
    return builders.make_session(scene.patient, scene["CT"], **(times | values | more))


def agreed(scene: Scene, *kinds: str) -> list[db.Values]:
    """The patient's consents, given a month ago; those that ketamine asks for by default."""
    at = clock.now() - timedelta(days=30)
    values = {"text_version": "1", "granted_at": at}
    actor, chart = scene["CT"].actor, scene.patient["id"]
    return [
        consents.record_consent(actor, chart, {"kind": kind, **values})
        for kind in kinds or PROTOCOL.required_consents
    ]


def planned(scene: Scene, session: db.Values, **more: Any) -> db.Values:
    """A dose plan of a session, by somebody who may prescribe."""
    who = prescriber(scene)
    values = {"medicine": "ketamine", "route": "intramuscular", "dose_mg": 60.0} | more
    return dosing.plan_dose(who.actor, session["id"], 0, values)


def prescriber(scene: Scene) -> builders.Person:
    """A colleague on the care team who may prescribe."""
    if "RX" not in scene.people:
        scene.people["RX"] = builders.make_person(scene.clinic_id, privileges=["prescribe"])
        builders.join_team(scene.patient, scene["RX"], "prescriber")
    return scene["RX"]


def minute(session: db.Values, after: int) -> datetime:
    """So many minutes after the session began."""
    return datetime.fromisoformat(str(session["started_at"])) + after * MINUTE


def dose(scene: Scene, session: db.Values, after: int = 10, **more: Any) -> db.Values:
    """A dose so many minutes into the session."""
    values = {
        "medicine": "ketamine",
        "route": "intramuscular",
        "dose_mg": 60.0,
        "weight_kg": 75.0,
    }
    return said(scene, session, "dose", after, values | more)


def vitals(scene: Scene, session: db.Values, after: int = 5, **more: Any) -> db.Values:
    """Vitals so many minutes into the session; a whole healthy reading unless told otherwise."""
    return said(scene, session, "vitals", after, more or WHOLE)


def said(
    scene: Scene, session: db.Values, kind: str, after: int, values: db.Values, who: str = "CT"
) -> db.Values:
    """Any entry, with an id of its own unless one is given."""
    about = {"client_event_id": db.new_id().hex, "measured_at": minute(session, after)}
    return dosing.record_entry(scene[who].actor, session["id"], kind, about | values)


def rules(entry: db.Values) -> list[str]:
    """The rules that an entry broke."""
    return sorted(one["rule"] for one in entry["judgements"])


def entry(sequence: int, kind: str, at: datetime, **content: Any) -> db.Values:
    """An entry as the ledger opens it, without a database; `judgements` are none."""
    return {
        "id": sequence,
        "sequence": sequence,
        "type": kind,
        "measured_at": at,
        "content": content,
        "judgements": [],
        "superseded_by": None,
    }


def against(**more: Any) -> judging.Against:
    """What an entry is judged against, with nothing amiss unless told otherwise."""
    at = datetime.fromisoformat("2026-11-25T16:00:00+00:00")
    plan = {"medicine": "ketamine", "route": "intramuscular", "dose_mg": 60, "max_total_mg": 90}
    stood = [judging.Consent(kind, at - timedelta(9), None) for kind in PROTOCOL.required_consents]
    values = {
        "protocol": PROTOCOL,
        "started_at": at,
        "ended_at": None,
        "plan": plan,
        "consents": stood,
        "doses": [],
    }
    return judging.Against(**(values | more))
