"""What a patient may not leave without: scores, criteria, time of observation. Pure.

Modified Aldrete (Aldrete 1995, J Clin Anesth 7:89) and PADSS (Chung 1995, J Clin Anesth 7:500):
five signs, 0 to 2 each, 9 of 10 asked for. The server lists what is lacking and never says that
anybody is fit to go.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from api.access.policies import Privilege
from api.paging import Values

ALDRETE: Final = ("activity", "respiration", "circulation", "consciousness", "spo2")
PADSS: Final = ("vital_signs", "ambulation", "nausea_vomiting", "pain", "bleeding")
SCALES: Final = {"aldrete": ALDRETE, "padss": PADSS}
SIGN: Final = (0, 2)
"""The least and the most of each sign."""
POINTS: Final = "monitoring_points"
TIME: Final = "observation_time"
SCORE: Final = "aldrete_or_padss"
NO_INTENT: Final = "no_suicidal_intent"
TAKEN_BACK: Final = "dose_taken_back"
CRITERIA: Final = {
    "oriented": "Whether the patient is oriented was not found to be so.",
    "walks_unaided": "Whether the patient walks unaided was not found to be so.",
    "suicidality_asked": "Nobody asked about suicidal thoughts.",
    "escort_name": "Nobody is named who takes the patient home.",
    "no_driving_advice_given": "The advice not to drive was not given.",
    "instructions_given": "Written instructions were not given.",
    "next_contact_at": "The next contact has no date.",
}
"""What a protocol may ask for, each with what is lacking without it."""
_OTHERS: Final = {
    POINTS: "Points of the monitoring are not recorded.",
    TIME: "The least time of observation since the last dose is not over.",
    SCORE: "No score reaches what the protocol asks for.",
    NO_INTENT: "The patient spoke of suicidal intent.",
    TAKEN_BACK: "A dose was recorded and taken back: somebody must say that none was given.",
}
CODES: Final = (*_OTHERS, *CRITERIA)
"""Every code there is."""


@dataclass(frozen=True)
class Stay:
    """What is known of a stay when somebody wants to end it.

    `findings` are those recorded for the discharge; `open_points` the codes of the points of the
    monitoring that were due and are not there; `escorted` is whether a companion attested it;
    `taken_back` whether a dose stands no more that once did.
    """

    findings: Mapping[str, Any]
    last_dose_at: datetime | None
    ends_at: datetime
    open_points: tuple[str, ...] = ()
    escorted: bool = False
    taken_back: bool = False


def total(scale: str, signs: Mapping[str, int | None] | None) -> int | None:
    """The sum of the five signs of a scale (0-10 points); None while one of them is not there."""
    values = [(signs or {}).get(name) for name in SCALES[scale]]
    return None if None in values else sum(value for value in values if value is not None)


def missing(asked: Mapping[str, Any], stay: Stay) -> list[Values]:
    """What is lacking by the discharge part of a protocol: `{code, detail, about[]}` each.

    Without a dose there is nothing to observe, and nothing is lacking, but for a word where one
    was recorded and taken back.
    """
    if stay.last_dose_at is None:
        return [_told(TAKEN_BACK, ())] if stay.taken_back else []
    return [_told(code, about) for code, about in _lacking(asked, stay)]


def _lacking(asked: Mapping[str, Any], stay: Stay) -> Iterator[tuple[str, Collection[str]]]:
    if stay.open_points:
        yield POINTS, stay.open_points
    least = timedelta(minutes=asked.get("observation_min", 0))
    if stay.last_dose_at is not None and stay.ends_at < stay.last_dose_at + least:
        yield TIME, ()
    if asked.get("scores") and not any(_reached(one, stay) for one in asked["scores"]):
        yield SCORE, [one["scale"] for one in asked["scores"]]
    if stay.findings.get("suicidal_intent"):
        yield NO_INTENT, ()
    for name in asked.get("criteria", CRITERIA):
        is_attested = name == "escort_name" and stay.escorted
        if not stay.findings.get(name) and not is_attested:
            yield name, ()


def _reached(score: Mapping[str, Any], stay: Stay) -> bool:
    reached = total(score["scale"], stay.findings.get(score["scale"]))
    return reached is not None and reached >= score["at_least"]


def _told(code: str, about: Collection[str]) -> Values:
    said = (_OTHERS | CRITERIA).get(code, "The protocol asks for this, and it is not recorded.")
    by = Privilege.DISCHARGE.value
    return {"code": code, "detail": said, "about": list(about), "overridable_by": by}
