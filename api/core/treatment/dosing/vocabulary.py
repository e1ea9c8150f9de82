"""The closed words of the ledger, their codes, and within which limits a reading is believed.

Limits are there to refuse a slip of the finger; what is abnormal lies within them and is kept.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_TOLD: Final[Mapping[str, Any]] = json.loads(
    Path(__file__).with_name("codes.json").read_text(encoding="utf-8")
)

DOSE, VITALS, RATING, EVENT, PHASE, VOID = TYPES = (
    "dose",
    "vitals",
    "rating",
    "event",
    "phase",
    "void",
)
"""What an entry of the ledger is; a `void` takes back one that should not be there at all."""
MEDICINES: Final = tuple(str(one["code"]) for one in _TOLD["medicines"])
ESKETAMINE: Final = "esketamine"
"""The medicine under a REMS, for which each session has a form."""
ROUTES: Final = tuple(str(one["code"]) for one in _TOLD["routes"])
READINGS: Final[Mapping[str, tuple[int, int]]] = {
    one["code"]: (one["least"], one["most"]) for one in _TOLD["readings"]
}
"""The least and the most that is believed of each reading."""
WEIGHT_KG: Final = (_TOLD["weight_kg"]["least"], _TOLD["weight_kg"]["most"])
DOSE_MG: Final = (_TOLD["dose_mg"]["least"], _TOLD["dose_mg"]["most"])
SCALES: Final = ("dissociation", "anxiety", "distress", "pain", "nausea", "mood", "intensity")
"""What is rated from 0 to 10."""
PHASES: Final = ("onset", "peak", "return")
POSITIONS: Final = ("sitting", "semi_reclined", "supine", "left_side", "right_side", "standing")
AIRWAYS: Final = ("none", "repositioned", "supplemental_oxygen", "airway_device", "assisted")
"""How breathing was helped."""
EVENTS: Final = tuple(str(code) for code in _TOLD["adverse_events"])
GRADES: Final = (1, 5)
"""From mild to death, as the common grades of adverse events."""
SEVERE_FROM: Final = 3
TAKEN: Final = (
    "none",
    "watched",
    "reassured",
    "repositioned",
    "dose_held",
    "dose_stopped",
    "medicine_given",
    "oxygen_given",
    "emergency_called",
    "transferred",
    "other",
)
"""What was done about an adverse event."""
OUTCOMES: Final = ("resolved", "resolving", "unchanged", "worsened", "sequelae", "fatal", "unknown")
SERIOUS_FOR: Final = (
    "death",
    "life_threatening",
    "hospitalisation",
    "disability",
    "congenital",
    "important_medical_event",
)
"""Why an adverse event is serious (the criteria of ICH E2A)."""
RELATED: Final = ("unrelated", "unlikely", "possible", "probable", "definite")
WATCHED_EVENTS: Final = ("new_or_worse_suicidality", "psychosis", "loss_of_consciousness")
"""Adverse events that somebody is told of at once, whatever their grade."""


def _by_code(name: str, system: str) -> dict[str, str]:
    return {one["code"]: one[system] for one in _TOLD[name] if one[system] is not None}


RXNORM_SYSTEM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
RXNORM: Final = _by_code("medicines", "rxnorm")
SNOMED: Final = _by_code("routes", "snomed")
LOINC: Final = {**_by_code("readings", "loinc"), "weight_kg": _TOLD["weight_kg"]["loinc"]}


def codes_of(kind: str, content: Mapping[str, Any]) -> list[dict[str, str]]:
    """The codes of what an entry says, `{field, system, code}` each."""
    if kind == DOSE:
        told = [
            (
                "medicine",
                RXNORM_SYSTEM,
                RXNORM[content["medicine"]],
            ),
            ("route", "http://snomed.info/sct", SNOMED[content["route"]]),
            ("weight_kg", "http://loinc.org", LOINC["weight_kg"]),
        ]
    else:
        there = [name for name in LOINC if content.get(name) is not None]
        told = [(name, "http://loinc.org", LOINC[name]) for name in there]
    return [{"field": field, "system": system, "code": code} for field, system, code in told]
