"""Discharging: what was found before the patient leaves, and what still stands in the way."""

from datetime import datetime
from typing import Any
from uuid import UUID

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import alerts, gate
from api.core.clinic import crisis_for
from api.core.integration.entries import patient_of
from api.core.readiness import leaving, overriding
from api.core.readiness.leaving import SCALES, Stay, total
from api.core.readiness.table import discharges
from api.core.treatment import attestations, beside, dosing
from api.core.treatment.protocols.definition import BEFORE_DOSE, DISCHARGE
from api.core.treatment.sessions import moving, sessions
from api.db import Values
from api.errors import Conflict, Invalid

FINDINGS = (
    *SCALES,
    "oriented",
    "walks_unaided",
    "suicidality_asked",
    "suicidal_intent",
    "escort_name",
    "escort_phone",
    "no_driving_advice_given",
    "instructions_given",
    "note",
)
"""What is kept of a discharge beside the date of the next contact."""
INTENT = alerts.signal("suicidal_intent_at_discharge", "immediate")
NOT_YET = ("upcoming", "due", "late", "missed")


def read_discharge(actor: Actor, session_id: UUID) -> Values:
    """What was found before the patient leaves, and what is lacking for them to."""
    session = gate.find_in_chart(actor, "discharge:read", sessions, session_id)
    return _show(session, beside.of_session(discharges, session))


def record_discharge(actor: Actor, session_id: UUID, version: int | None, values: Values) -> Values:
    """What was found, written down whole; intent that was spoken of raises an alert at once."""
    session = gate.find_in_chart(actor, "discharge:write", sessions, session_id)
    if session["kind"] != "dosing":
        raise Conflict("Only a dosing session has a discharge.", state=session["state"], allowed=[])
    if values.get("suicidal_intent") is not None and not values.get("suicidality_asked"):
        raise Invalid([("/suicidality_asked", "Intent is only known where somebody asked.")])
    findings = {name: values.get(name) for name in FINDINGS}
    kept = {"findings": findings, "next_contact_at": values.get("next_contact_at")}
    before = _said(beside.of_session(discharges, session))
    row = beside.put(actor, discharges, session, version, kept)
    if findings["suicidal_intent"]:
        _raise_alert(actor, session, bool(before.get("suicidal_intent")))
    return _show(session, row)


def hear_refused_discharge(actor: Actor, session_id: UUID, said: Values) -> Values | None:
    """Crisis resources, when a discharge that was refused says that there is intent.

    The alert is raised in the transaction that is open; one that was said before is not raised a
    second time. None when nothing was said of intent.
    """
    session = gate.find_in_chart(actor, "discharge:write", sessions, session_id)
    if session["kind"] != "dosing" or said.get("suicidal_intent") is not True:
        return None
    known = bool(_said(beside.of_session(discharges, session)).get("suicidal_intent"))
    _raise_alert(actor, session, known, refused=True)
    patient = patient_of(session)
    trail.touches([patient["id"]])
    return crisis_for(patient["clinic_id"], patient["locale"])[1]


def complete_session(actor: Actor, session_id: UUID, values: Values) -> Values:
    """The session is over; after a dose it is refused for each thing that is lacking.

    A session whose medicine was not given has nothing to observe, and completes as any other.
    """
    row = gate.find_in_chart(actor, "session:complete", sessions, session_id)
    overrides = values.get("overrides", [])
    if overrides:
        gate.admit(actor, "session:override_discharge")

    def weigh(session: Values, at: datetime, others: list[str]) -> Values:
        if session["kind"] != "dosing":
            return {}
        found = missing_of(session, beside.of_session(discharges, session), at)
        refusal = Conflict("The patient may not leave yet.", state=session["state"], allowed=others)
        return overriding.kept(actor, session, found, overrides, refusal)

    return moving.move(actor, row, "complete", values, weigh)


def missing_of(session: Values, row: Values | None, at: datetime) -> list[Values]:
    """What is lacking for a patient to leave a dosing session at an instant."""
    protocol = dosing.protocol_of(session)
    entries = dosing.entries_of(session["clinic_id"], session["id"])
    told = dosing.monitoring_told(session | {"completed_at": None}, entries, protocol, at)
    escorts = attestations.attested(session["clinic_id"], session["id"], "escort")
    stay = Stay(
        findings=_said(row),
        last_dose_at=told["last_dose_at"],
        ends_at=at,
        open_points=tuple(_open_points(told["points"])),
        escorted=bool(escorts),
        taken_back=any(entry["type"] == "dose" for entry in entries),
    )
    return leaving.missing(protocol.discharge, stay)


def _open_points(points: list[Values]) -> list[str]:
    """The points after the dose, and at discharge, that are not recorded though their time came."""
    lacking = []
    for point in points:
        is_ahead = point["state"] == "upcoming" and point["when"] != DISCHARGE
        if point["when"] != BEFORE_DOSE and point["state"] in NOT_YET and not is_ahead:
            minute = "" if point["when"] == DISCHARGE else f"_{point['minute']}"
            lacking.append(f"{point['code']}{minute}")
    return list(dict.fromkeys(lacking))


def _said(row: Values | None) -> Values:
    if row is None:
        return {}
    return (row["findings"] or {}) | {"next_contact_at": row["next_contact_at"]}


def _raise_alert(teller: Actor, session: Values, known: bool, refused: bool = False) -> None:
    """Raise an alert of intent; one that was said before is not raised a second time."""
    source = alerts.Source(
        session["clinic_id"],
        session["patient_id"],
        clock.now(),
        session_id=session["id"],
        raised_by=teller.user_id,
        from_refused=refused,
    )
    alerts.raise_alerts(source, [INTENT], {INTENT.rule: INTENT.priority} if known else {})


def _show(session: Values, row: Values | None) -> Values:
    there: Values = row or beside.UNSET
    said, at = _said(row), session["completed_at"] or clock.now()
    found = missing_of(session, row, at) if session["kind"] == "dosing" else []
    shown: Values = {name: said.get(name) for name in (*FINDINGS, "next_contact_at")}
    for scale in SCALES:
        shown[f"{scale}_total"] = total(scale, said.get(scale))
    return {
        "session_id": session["id"],
        **{name: there[name] for name in ("version", "created_at", "updated_at")},
        **shown,
        "escorts": _escorts(session),
        "missing": [one["code"] for one in found],
        "reasons": found,
    }


def _escorts(session: Values) -> list[Any]:
    rows = attestations.attested(session["clinic_id"], session["id"], "escort")
    return [{"name": row["attested"]["name"], "attested_at": row["attested_at"]} for row in rows]
