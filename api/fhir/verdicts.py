"""Verdicts on a change as an Observation: the difference in points, and each verdict apart."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from api.fhir.datatypes import RESTRICTED, Json, clean, hl7, instant, ours, quantity, reference
from api.fhir.observation_measures import SCORE, SURVEY

NAMES: Final = {
    "minimal_important": "Reached the minimal important difference",
    "reliable": "Reliable change",
    "response": "Response",
    "remission": "Remission",
    "deterioration": "Reliable deterioration",
}
REASONS: Final = {
    "no_published_rule": "no published rule",
    "no_baseline": "no baseline",
    "no_later_check_in": "no later check-in",
    "baseline_is_zero": "the baseline is zero",
}
UNKNOWN: Final = hl7("data-absent-reason", "not-applicable", "Not Applicable")


def verdict_of(told: dict[str, Any], patient_id: str, totals: Sequence[Json]) -> Json:
    """What lies between the baseline and the current total of one measure.

    A verdict that can't be given is absent, and says why.
    """
    title = f"{told['title']} change since baseline"
    body: Json = clean(
        {
            "resourceType": "Observation",
            "id": str(uuid5(UUID(patient_id), told["instrument"])),
            "meta": {"security": RESTRICTED},
            "status": "final",
            "category": [SURVEY],
            "code": ours("change", told["instrument"], title),
            "subject": reference("Patient", patient_id),
            "effectiveDateTime": instant(told["current"]["answered_at"]),
            "valueQuantity": quantity(told["change"]["difference"], *SCORE),
            "derivedFrom": [reference("Observation", one["id"]) for one in totals],
            "component": [_component(name, told["change"][name]) for name in NAMES],
        }
    )
    return body


def _component(name: str, judged: dict[str, Any]) -> Json:
    part: Json = {"code": ours("change-verdict", name, NAMES[name])}
    said = judged["verdict"]
    if said is None:
        why = ours("verdict-reason", judged["reason"], REASONS[judged["reason"]])
        return part | {"dataAbsentReason": UNKNOWN | {"text": why["text"]}}
    if isinstance(said, bool):
        return part | {"valueBoolean": said}
    return part | {"valueCodeableConcept": ours("reliable-change", said)}


def words_of(told: dict[str, Any]) -> str:
    """The same in words: both totals with their days, and the verdicts that could be given."""
    begun, now, change = told["baseline"], told["current"], told["change"]
    text = f"{told['title']}: {begun['total']:g} on {begun['answered_on']}"
    if now is None:
        return f"{text}; no later check-in"
    given = [_said(name, change[name]["verdict"]) for name in NAMES]
    verdicts = "; ".join(part for part in given if part) or "no verdict can be given"
    return f"{text}, {now['total']:g} on {now['answered_on']}: {verdicts}"


def _said(name: str, verdict: Any) -> str:
    if verdict is None:
        return ""
    words = {True: "yes", False: "no"}.get(verdict) or str(verdict).replace("_", " ")
    return f"{NAMES[name].lower()}: {words}"
