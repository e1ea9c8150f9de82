"""Judging: what a version of the protocol says of an entry. Pure; it refuses nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from api.core.treatment.dosing.vocabulary import (
    DOSE,
    EVENT,
    RATING,
    SEVERE_FROM,
    VITALS,
    WATCHED_EVENTS,
)
from api.core.treatment.protocols.definition import (
    AFTER_DOSE,
    ALERT,
    BEFORE_DOSE,
    MEASURED,
    NOTE,
    STOP,
    Protocol,
    Threshold,
)
from api.db import Values

THRESHOLD, EARLY_WARNING = READ = ("threshold", "early_warning")
"""Of a reading: a rule of the protocol is broken, or it is grave whatever that says."""
GRAVE_AT: Final = {
    "heart_rate_bpm": 40,
    "systolic_mmhg": 90,
    "spo2_percent": 91,
    "respirations_per_min": 8,
}
"""At or below these somebody is told at once, also where the protocol has no such rule: each alone
scores 3 in the National Early Warning Score 2 (Royal College of Physicians, London 2017)."""
MINUTE: Final = timedelta(minutes=1)
"""How exact a time is that people note: what began or ended within its minute had done so."""
TELLING: Final = (ALERT, STOP)
"""The judgements that somebody is told of at once."""
DETAILS: Final = {
    "early_warning": "A vital sign that is grave by itself.",
    "not_planned": "No dose plan covers this medicine by this route.",
    "over_plan": "More than the dose that was planned.",
    "over_max_total": "All doses together are more than the most that was planned.",
    "consent_withdrawn": "A consent that the protocol asks for had been withdrawn.",
    "consent_missing": "A consent that the protocol asks for was not there.",
    "session_not_started": "The session had not begun.",
    "session_ended": "The session was over.",
    "left_unobserved": "The session ended before the time of observation since this dose was over.",
    "waste_not_witnessed": "What was wasted has no witness.",
    "witness_not_here": "The witness does not work at the clinic any more.",
    "device_clock_wrong": "The clock of the device is far from ours; its times stand as told.",
    "adverse_event_serious": "A serious adverse event.",
    "adverse_event_severe": "A severe adverse event.",
    "adverse_event_watched": "An adverse event of which somebody is told at once.",
}
"""Every judgement that is no threshold of a protocol, in words that name nobody."""
FLAGS: Final = {
    "systolic_mmhg": "blood_pressure_out_of_range",
    "diastolic_mmhg": "blood_pressure_out_of_range",
    "heart_rate_bpm": "heart_rate_out_of_range",
    "spo2_percent": "oxygen_saturation_out_of_range",
    "respirations_per_min": "respirations_out_of_range",
    "sedation_moaas": "sedation_too_deep",
    "sedation_rass": "sedation_too_deep",
    "dissociation": "dissociation_out_of_range",
}
"""The flag of the alert that a reading raises, for each field."""


@dataclass(frozen=True)
class Consent:
    """One consent of the patient: its kind, and from when until when it stood."""

    kind: str
    granted_at: datetime
    withdrawn_at: datetime | None
    superseded_at: datetime | None = None

    def stood(self, at: datetime) -> bool:
        """Whether it was in force at an instant: what newer words replaced has ended too."""
        replaced = self.superseded_at is not None and self.superseded_at <= at
        return self.granted_at < at + MINUTE and not (replaced or self.was_withdrawn(at))

    def was_withdrawn(self, at: datetime) -> bool:
        """Whether it had been taken back by an instant."""
        return self.withdrawn_at is not None and self.withdrawn_at < at + MINUTE


@dataclass(frozen=True)
class Against:
    """What an entry is judged against: protocol, session, plan, consents, and the other doses.

    `doses` are those that stand, without the entry itself and without the one it corrects.
    """

    protocol: Protocol
    started_at: datetime | None
    ended_at: datetime | None
    plan: Values | None
    consents: Sequence[Consent]
    doses: Sequence[Values]
    device_clock_wrong: bool = False
    witness_here: bool = True


def judge(entry: Values, against: Against) -> list[Values]:
    """Everything that the protocol says of an entry, the gravest first."""
    judged = {
        DOSE: _of_dose,
        VITALS: _of_readings,
        RATING: _of_readings,
        EVENT: _of_event,
    }.get(entry["type"])
    found = [] if judged is None else judged(entry, against)
    if against.device_clock_wrong:
        action = ALERT if entry["type"] == DOSE else NOTE
        found.append(_said("device_clock_wrong", action, None, against))
    return sorted(found, key=lambda one: (one["action"] not in TELLING, one["action"] != STOP))


def readings_of(entry: Values) -> dict[str, float]:
    """What an entry measured, by field."""
    content = entry["content"]
    if entry["type"] == RATING:
        scale = content["scale"]
        return {scale: content["value"]} if scale in MEASURED else {}
    if entry["type"] != VITALS:
        return {}
    return {name: content[name] for name in MEASURED if content.get(name) is not None}


def tells(judgements: Iterable[Values]) -> list[str]:
    """The flags of the alerts that these judgements raise."""
    told = [one for one in judgements if one["action"] in TELLING]
    return [FLAGS[one["field"]] if one["code"] in READ else one["rule"] for one in told]


def total_mg(doses: Iterable[Values]) -> float:
    """What these doses add up to, in mg."""
    return round(float(sum(dose["content"]["dose_mg"] for dose in doses)), 6)


def _of_readings(entry: Values, against: Against) -> list[Values]:
    dosed = any(dose["measured_at"] <= entry["measured_at"] for dose in against.doses)
    measured = readings_of(entry)
    found = [
        _broken(rule, measured[rule.field], against.protocol)
        for rule in against.protocol.thresholds
        if rule.field in measured and _applies(rule, dosed) and _breaks(rule, measured)
    ]
    told = {one["field"] for one in found if one["action"] in TELLING}
    grave = {name for name in GRAVE_AT if name in measured and measured[name] <= GRAVE_AT[name]}
    return found + [_grave(name, measured[name], against) for name in sorted(grave - told)]


def _grave(name: str, value: float, against: Against) -> Values:
    limit = GRAVE_AT[name]
    said = _said(EARLY_WARNING, ALERT, value, against)
    return said | {"field": name, "limit": {"at_most": limit}}


def _applies(rule: Threshold, dosed: bool) -> bool:
    return rule.when not in (BEFORE_DOSE, AFTER_DOSE) or (rule.when == AFTER_DOSE) == dosed


def _breaks(rule: Threshold, measured: dict[str, float]) -> bool:
    return rule.is_broken_by(measured[rule.field])


def _broken(rule: Threshold, value: float, protocol: Protocol) -> Values:
    bounds = ", ".join(f"{name.replace('_', ' ')} {bound:g}" for name, bound in rule.limit.items())
    return {
        "code": THRESHOLD,
        "rule": rule.rule,
        "action": rule.action,
        "field": rule.field,
        "value": value,
        "limit": rule.limit,
        "detail": f"{rule.field} is {bounds}.",
        "protocol": protocol.name,
    }


def _of_dose(entry: Values, against: Against) -> list[Values]:
    at, found = entry["measured_at"], _against_plan(entry, against)
    found += [(code, ALERT, None) for code in _lacking(against, at)]
    if against.started_at is None or at + MINUTE <= against.started_at:
        found.append(("session_not_started", ALERT, None))
    elif against.ended_at is not None and at > against.ended_at:
        found.append(("session_ended", ALERT, None))
    elif against.ended_at is not None and at + _observed(against.protocol) > against.ended_at:
        found.append(("left_unobserved", ALERT, None))  # noted only after the patient had left
    content = entry["content"]
    if content.get("wasted_mg") and content.get("witnessed_by") is None:
        found.append(("waste_not_witnessed", NOTE, content["wasted_mg"]))
    if not against.witness_here:
        found.append(("witness_not_here", NOTE, None))
    return [_said(code, action, value, against) for code, action, value in found]


def _observed(protocol: Protocol) -> timedelta:
    """How long a patient is watched after a dose at the least."""
    return timedelta(minutes=protocol.discharge.get("observation_min", 0))


Found = list[tuple[str, str, Any]]


def _against_plan(entry: Values, against: Against) -> Found:
    plan, content = against.plan, entry["content"]
    if plan is None or any(plan[name] != content[name] for name in ("medicine", "route")):
        return [("not_planned", ALERT, None)]
    found: Found = []
    doses = [*against.doses, entry]
    planned = total_mg(dose for dose in doses if not dose["content"].get("booster"))
    if planned > plan["dose_mg"] and not content.get("booster"):
        found.append(("over_plan", ALERT, planned))
    most = plan.get("max_total_mg") or plan["dose_mg"]
    if total_mg(doses) > most:
        found.append(("over_max_total", ALERT, total_mg(doses)))
    return found


def _lacking(against: Against, at: datetime) -> list[str]:
    """What of the consents that the protocol asks for did not stand at an instant."""
    codes = set()
    for kind in against.protocol.required_consents:
        mine = [one for one in against.consents if one.kind == kind]
        if not any(one.stood(at) for one in mine):
            gone = any(one.was_withdrawn(at) for one in mine)
            codes.add("consent_withdrawn" if gone else "consent_missing")
    return sorted(codes)


def _of_event(entry: Values, against: Against) -> list[Values]:
    content = entry["content"]
    if content.get("serious") or content.get("serious_for"):
        return [_said("adverse_event_serious", ALERT, content["grade"], against)]
    if content["code"] in WATCHED_EVENTS:
        return [_said("adverse_event_watched", ALERT, content["grade"], against)]
    if content["grade"] >= SEVERE_FROM:
        return [_said("adverse_event_severe", ALERT, content["grade"], against)]
    return []


def _said(code: str, action: str, value: Any, against: Against) -> Values:
    return {
        "code": code,
        "rule": code,
        "action": action,
        "field": None,
        "value": value,
        "limit": None,
        "detail": DETAILS[code],
        "protocol": against.protocol.name,
    }
