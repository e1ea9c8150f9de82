"""Observations of what patients answer and practise: scores, answers, tiers and trails."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.core.outcomes.instruments.definition import Instrument, Item
from api.fhir.datatypes import (
    LOINC,
    US_CORE,
    Json,
    coding,
    concept,
    day,
    hl7,
    instant,
    ours,
    quantity,
    reference,
)
from api.fhir.kind import Made
from api.fhir.questionnaire import choice, panel
from api.fhir.questionnaire_response import author

SURVEY: Final = hl7("observation-category", "survey", "Survey")
ACTIVITY: Final = hl7("observation-category", "activity", "Activity")
PROFILE: Final = f"{US_CORE}observation-screening-assessment"
DECLINED: Final = hl7("data-absent-reason", "asked-declined", "Asked But Declined")
NOT_ASKED: Final = hl7("data-absent-reason", "not-asked", "Not Asked")
NOT_DONE: Final = hl7("data-absent-reason", "not-performed", "Not Performed")
SCORE: Final = ("score", "{score}")
TRAIL: Final = "Trail strength: steps logged of one practice, 0 to 1"


def of_checkin(reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """The panel of a check-in, its total or tier, its subscales, and each answer."""
    row["by"] = author(reader, row, reference("Patient", row["patient_id"]))
    one: Instrument = row["definition"]
    parts = [*_figures(one, row), *_answers(one, row)]
    members = [reference("Observation", row["id"], f"-{made.suffix}") for made in parts]
    code = _code(panel(one, "panel"), f"panel_{one.key}", one.title)
    yield Made(_body(row, code) | {"hasMember": members}, "panel", (PROFILE,))
    yield from parts


def _code(loinc: Json | None, local: str, title: str) -> Json:
    return ours("measures", local, title) if loinc is None else concept(loinc, text=title)


def _body(row: dict[str, Any], code: Json) -> Json:
    return {
        "status": "amended" if row["corrected"] else "final",
        "category": [SURVEY],
        "code": code,
        "subject": reference("Patient", row["patient_id"]),
        "focus": [reference("Goal", row["goal_id"])] if row["goal_id"] else None,
        "effectiveDateTime": instant(row["answered_at"]),
        "issued": instant(row["updated_at"]),
        "performer": [row["by"]],
        "derivedFrom": [reference("QuestionnaireResponse", row["id"])],
    }


def _figures(one: Instrument, row: dict[str, Any]) -> Iterator[Made]:
    """The total, or the tier of a screen that has none; and subscales."""
    scores = row["scores"]
    if one.scoring.tiers:
        yield _tier(one, row)
    elif one.scoring.lowest is not None:
        title = f"{one.short_title} total score"
        code = _code(panel(one, "total"), f"total_{one.key}", title)
        value = quantity(scores.get("total"), *SCORE)
        body = _body(row, code) | ({"valueQuantity": value} if value else _absent(NOT_DONE))
        yield Made(body | {"method": _method(one)}, "total", (PROFILE,))
    for place, subscale in enumerate(one.subscales, 1):
        value = quantity((scores.get("subscales") or {}).get(subscale.code), *SCORE)
        title = f"{one.short_title} {subscale.code.replace('_', ' ')}"
        body = _body(row, ours("measures", f"{one.key}_{subscale.code}", title))
        body |= {"valueQuantity": value} if value else _absent(NOT_DONE)
        yield Made(body, f"s{place}", (PROFILE,))


def _absent(reason: Json) -> Json:
    return {"dataAbsentReason": reason}


def _method(one: Instrument) -> Json:
    return {"text": f"{one.key} {one.version}, scoring {one.scoring_version}"}


def _tier(one: Instrument, row: dict[str, Any]) -> Made:
    """The level of risk; LOINC has no answer for none, so that one has our own code alone."""
    reached = row["scores"].get("tier")
    codes = (one.definition.get("loinc") or {}).get("answer_list") or {}
    loinc = coding(LOINC, codes.get(reached), (reached or "").capitalize())
    title = f"{one.short_title} suicide risk level"
    body = _body(row, _code(panel(one, "total"), f"tier_{one.key}", title))
    if reached is None:
        return Made(body | _absent(NOT_DONE), "risk", (PROFILE,))
    said = ours("risk-tier", reached)
    value = {"coding": [c for c in (loinc, *said["coding"]) if c], "text": said["text"]}
    return Made(body | {"valueCodeableConcept": value}, "risk", (PROFILE,))


def _answers(one: Instrument, row: dict[str, Any]) -> Iterator[Made]:
    for place, item in enumerate(one.items, 1):
        yield Made(_answer(one, item, row), f"i{place}", (PROFILE,))


def _answer(one: Instrument, item: Item, row: dict[str, Any]) -> Json:
    """One answer; open is declined, absent was not asked, and neither is 0."""
    loinc = coding(LOINC, item.loinc["code"], item.loinc.get("display")) if item.loinc else None
    title = item.text or (item.loinc or {}).get("display") or f"{one.short_title} {item.number}"
    body = _body(row, _code(loinc, f"item_{one.key}_{item.link_id}", title))
    if item.link_id not in row["answers"]:
        return body | _absent(NOT_ASKED)
    given = row["answers"][item.link_id]
    option = next((o for o in item.options if o.value == given), None)
    if option is None:
        return body | _absent(DECLINED)
    value = concept(choice(one, item, option), text=option.label or str(option.value))
    return body | {"valueCodeableConcept": value}


def of_trail(_reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """How well trodden a practice's trail is today, by the steps that others may count."""
    trail = row["trail"]
    stages = [
        {
            "code": ours("trail", name, title),
            "valueCodeableConcept": ours("trail-stage", trail[name]),
        }
        for name, title in (("stage", "Stage"), ("furthest_stage", "Furthest stage"))
        if trail[name]
    ]
    body = {
        "status": "final",
        "category": [ACTIVITY],
        "code": ours("trail", "strength", TRAIL),
        "subject": reference("Patient", row["patient_id"]),
        "focus": [reference("Goal", row["goal_id"])],
        "effectiveDateTime": day(row["on"]),
        "performer": [reference("Organization", row["clinic_id"])],
        "valueQuantity": quantity(trail["strength"], "1", "1"),
        "method": {"text": f"Formula {row['formula']}"},
        "component": stages,
    }
    yield Made(body, "trail", (f"{US_CORE}simple-observation",))
