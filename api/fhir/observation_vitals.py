"""Observations of a dosing session: what was measured and rated, and the weight a dose was for."""

from collections.abc import Iterator
from typing import Any, Final

from api.access.policies import Actor
from api.fhir.authors import writer
from api.fhir.datatypes import (
    HL7,
    LOINC,
    US_CORE,
    Json,
    coding,
    concept,
    hl7,
    instant,
    ours,
    quantity,
    reference,
)
from api.fhir.kind import Made

CATEGORIES: Final = frozenset({"vital-signs", "exam", "survey"})
VITAL: Final = concept(coding(f"{HL7}observation-category", "vital-signs"), text="Vital Signs")
EXAM: Final = hl7("observation-category", "exam", "Exam")
SURVEY: Final = hl7("observation-category", "survey", "Survey")
NOT_DONE: Final = hl7("data-absent-reason", "not-performed", "Not Performed")
PRESSURE: Final = ("mmHg", "mm[Hg]")
RATE: Final = ("beats/minute", "/min")
BREATHS: Final = ("breaths/minute", "/min")
READINGS: Final = {
    "heart_rate_bpm": ("hr", "heart-rate", (("8867-4", "Heart rate"),), RATE),
    "respirations_per_min": (
        "rr",
        "respiratory-rate",
        (("9279-1", "Respiratory rate"),),
        BREATHS,
    ),
    "spo2_percent": (
        "spo2",
        "pulse-oximetry",
        (
            ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),
            ("2708-6", "Oxygen saturation in Arterial blood"),
        ),
        ("%", "%"),
    ),
    "weight_kg": ("weight", "body-weight", (("29463-7", "Body weight"),), ("kg", "kg")),
}
"""Each reading with its suffix, US Core profile, LOINC codes and unit."""
SCALES: Final = {
    "sedation_moaas": ("moaas", "Modified Observer's Assessment of Alertness/Sedation"),
    "sedation_rass": ("rass", "Richmond Agitation-Sedation Scale"),
    "dissociation": ("dissociation", "Dissociation, 0 to 10"),
}


def to_fhir(reader: Actor, row: dict[str, Any]) -> Iterator[Made]:
    """What an entry measured, one Observation for each; nothing of one that was corrected."""
    if row["superseded"]:
        return
    row["by"] = writer(reader, row)
    said = row["content"]
    if row["type"] == "rating":
        title = f"{said['scale'].capitalize()}, rated 0 to 10"
        yield _rated(row, "rating", f"rating_{said['scale']}", title, said["value"], SURVEY)
        return
    if row["type"] == "vitals":
        yield from _pressure(row)
    for name, (suffix, profile, codes, unit) in READINGS.items():
        if said.get(name) is not None:
            more = {"valueQuantity": quantity(said[name], *unit)}
            code = concept(*(coding(LOINC, each) for each, _ in codes), text=codes[0][1])
            body = _body(row, VITAL, code) | more
            yield Made(body, suffix, (f"{US_CORE}{profile}",))
    for name, (suffix, title) in SCALES.items():
        if said.get(name) is not None:
            yield _rated(row, suffix, name, title, said[name], EXAM)


def _body(row: dict[str, Any], category: Json, code: Json) -> Json:
    return {
        "status": "final",
        "category": [category],
        "code": code,
        "subject": reference("Patient", row["patient_id"]),
        "encounter": reference("Encounter", row["session_id"]),
        "effectiveDateTime": instant(row["measured_at"]),
        "issued": instant(row["created_at"]),
        "performer": [row["by"]],
    }


def _rated(
    row: dict[str, Any], suffix: str, code: str, title: str, value: int, category: Json
) -> Made:
    body = _body(row, category, ours("scales", code, title))
    return Made(body | {"valueQuantity": quantity(value, "score", "{score}")}, suffix)


def _pressure(row: dict[str, Any]) -> Iterator[Made]:
    """A blood pressure has both its parts; the one that was not taken says so."""
    said = row["content"]
    parts = (
        ("systolic_mmhg", "8480-6", "Systolic blood pressure"),
        ("diastolic_mmhg", "8462-4", "Diastolic blood pressure"),
    )
    if all(said.get(name) is None for name, _, _ in parts):
        return
    component = []
    for name, loinc, title in parts:
        value = quantity(said.get(name), *PRESSURE)
        told = {"code": concept(coding(LOINC, loinc), text=title), "valueQuantity": value}
        component.append(told if value else told | {"dataAbsentReason": NOT_DONE})
    code = concept(coding(LOINC, "85354-9"), text="Blood pressure")
    body = _body(row, VITAL, code) | {"component": component}
    yield Made(body, "bp", (f"{US_CORE}blood-pressure",))
