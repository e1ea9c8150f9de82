"""Deriving: the form of one session with esketamine, from what its record holds. Pure.

What the record does not hold is null and named in `missing`; nothing is taken to be well because
nobody wrote otherwise. The fields are those that the Spravato REMS (386) asks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from api.core.clinical_lists.interactions import interactions
from api.core.treatment.dosing.judging import TELLING, readings_of, total_mg
from api.core.treatment.dosing.vocabulary import DOSE, ESKETAMINE, EVENT, PHASE
from api.core.treatment.protocols import Protocol
from api.core.treatment.protocols.definition import HOLD
from api.core.treatment.rems.effects import EFFECTS, effect_of
from api.db import Values

CONCOMITANT: Final = (
    "benzodiazepine",
    "sedative_hypnotic",
    "opioid",
    "psychostimulant",
    "maoi",
)
"""The classes of medicine that the form asks about."""
BEFORE, ABOUT_40, LEAVING = PRESSURES = ("before", "about_40_min", "before_leaving")
AT_40, AROUND_40 = timedelta(minutes=40), (timedelta(minutes=25), timedelta(minutes=60))
"""What counts as about 40 minutes after the dose; a convention of this project."""
MINUTE: Final = timedelta(minutes=1)
BOTH: Final = ("systolic_mmhg", "diastolic_mmhg")
HOLDING: Final = (HOLD, *TELLING)
NOTICE: Final = (
    "Drawn from the clinic's record to help it file the REMS's own form. Checking, completing and"
    " filing that form is the clinic's own act: this software files nothing."
)


@dataclass(frozen=True)
class Known:
    """What is known of a session: the entries that stand, and what the patient took that day."""

    session: Values
    entries: Sequence[Values]
    protocol: Protocol
    medications: Sequence[Values]
    confirmed_on: Any

    @property
    def doses(self) -> list[Values]:
        """The doses of esketamine, in order."""
        return [
            e for e in self.entries if e["type"] == DOSE and e["content"]["medicine"] == ESKETAMINE
        ]

    @property
    def left_at(self) -> datetime | None:
        """When the patient left."""
        at: datetime | None = self.session["completed_at"]
        return at

    def after(self) -> list[Values]:
        """The entries after the last dose, up to the patient's leaving."""
        if not self.doses:
            return []
        last, left = self.doses[-1]["measured_at"], self.left_at
        there = [e for e in self.entries if e["measured_at"] > last]
        return [e for e in there if left is None or e["measured_at"] < left + MINUTE]

    def before(self) -> list[Values]:
        """The entries up to the first dose."""
        first = self.doses[0]["measured_at"] if self.doses else None
        return [e for e in self.entries if first is None or e["measured_at"] <= first]


def form_of(known: Known) -> Values:
    """The form, `missing` naming what of it the record does not hold."""
    doses = known.doses
    first = doses[0]["measured_at"] if doses else None
    effects = {name: _timed(effect_of(name, known.entries, first), first) for name in EFFECTS}
    form: Values = {
        "notice": NOTICE,
        "concomitant": _concomitant(known),
        "medications_confirmed_on": known.confirmed_on,
        "doses": [_dose(dose) for dose in doses],
        "total_mg": total_mg(doses) if doses else None,
        "observation": _observation(known, doses),
        "blood_pressure": _pressures(known, doses),
        "vitals_acceptable": {
            "before": _acceptable(known.before()) if doses else None,
            "after": _acceptable(known.after()),
        },
        "effects": effects,
        "would_have_been_ready": _ready(known, effects, first),
        "serious_adverse_events": [_event(e, first) for e in known.entries if _is_serious(e)],
    }
    return form | {"missing": missing(form)}


def missing(form: Values) -> list[str]:
    """The fields that the record does not hold."""
    given, effects = form["doses"], form["effects"]
    lacking = {
        "medications_confirmed": form["medications_confirmed_on"] is None,
        "dose": not given,
        "lot": any(dose["lot"] is None for dose in given),
        "left_at": form["observation"]["until_at"] is None,
        **{f"blood_pressure_{name}": form["blood_pressure"][name] is None for name in PRESSURES},
        **{f"vitals_{name}": told is None for name, told in form["vitals_acceptable"].items()},
        **{name: told["occurred"] is None for name, told in effects.items()},
        **{f"{name}_resolved": _is_open(told) for name, told in effects.items()},
        "would_have_been_ready": form["would_have_been_ready"]["at"] is None,
    }
    return [name for name, lacks in lacking.items() if lacks]


def _is_open(effect: Values) -> bool:
    return bool(effect["occurred"]) and effect["resolved_at"] is None


def _concomitant(known: Known) -> list[Values]:
    """Each class with what of it the patient takes; null while nobody went through the list."""
    found = interactions(known.medications, ())
    rows = {row["id"]: row for row in known.medications}
    told = []
    for one in CONCOMITANT:
        ids = dict.fromkeys(each["record_id"] for each in found if each["code"] == one)
        taken = [{name: rows[i][name] for name in ("id", "name", "status")} for i in ids]
        unknown = not taken and known.confirmed_on is None
        told.append(
            {"drug_class": one, "taken": None if unknown else bool(taken), "medications": taken}
        )
    return told


def _dose(entry: Values) -> Values:
    content = entry["content"]
    told = {name: content.get(name) for name in ("dose_mg", "lot", "source")}
    return {"entry_id": entry["id"], "measured_at": entry["measured_at"]} | told


def _minutes(since: datetime | None, until: datetime | None) -> int | None:
    """Whole minutes; null where one of the two is not known."""
    if since is None or until is None:
        return None
    return int((until - since).total_seconds() // 60)


def _observation(known: Known, doses: Sequence[Values]) -> Values:
    first = doses[0]["measured_at"] if doses else None
    last = doses[-1]["measured_at"] if doses else None
    return {
        "from_at": first,
        "until_at": known.left_at,
        "minutes": _minutes(first, known.left_at),
        "minutes_after_last_dose": _minutes(last, known.left_at),
        "least_minutes": known.protocol.observation_min,
    }


def _pressures(known: Known, doses: Sequence[Values]) -> Values:
    """Before the first dose, about 40 minutes after the last, and the last one before leaving."""
    if not doses:
        return dict.fromkeys(PRESSURES)
    last = doses[-1]["measured_at"]
    before = [e for e in known.before() if _has_both(e)]
    after = [e for e in known.after() if _has_both(e)]
    near = [e for e in after if AROUND_40[0] <= e["measured_at"] - last < AROUND_40[1]]
    at_40 = min(near, key=lambda e: abs(e["measured_at"] - last - AT_40), default=None)
    since = last + AROUND_40[1] if at_40 is None else at_40["measured_at"]
    late = [e for e in after if e is not at_40 and e["measured_at"] >= since]
    return {
        BEFORE: _pressure(before[-1], last) if before else None,
        ABOUT_40: _pressure(at_40, last) if at_40 else None,
        LEAVING: _pressure(late[-1], last) if late else None,
    }


def _has_both(entry: Values) -> bool:
    return set(BOTH) <= set(readings_of(entry))


def _pressure(entry: Values, last: datetime) -> Values:
    at = entry["measured_at"]
    after = _minutes(last, at) if at > last else None
    return {"measured_at": at, "minutes_after_dose": after} | {
        name: entry["content"][name] for name in BOTH
    }


def _acceptable(entries: Sequence[Values]) -> bool | None:
    """Whether the newest reading of each kind broke no rule; null without a blood pressure.

    The rules are those of the protocol that judged each reading when it came.
    """
    newest = {name: entry for entry in entries for name in readings_of(entry)}
    if not set(BOTH) <= set(newest):
        return None
    return not any(
        one["field"] == name and one["action"] in HOLDING
        for name, entry in newest.items()
        for one in entry["judgements"]
    )


def _timed(effect: Values, first: datetime | None) -> Values:
    return effect | {
        "onset_min": _minutes(first, effect["onset_at"]),
        "resolved_min": _minutes(first, effect["resolved_at"]),
    }


def _ready(known: Known, effects: Values, first: datetime | None) -> Values:
    """When everything that was watched had passed, by what people noted.

    It is the latest of the noted return and of the ends of the effects; null while an effect is
    not known to be over, or nobody noted a return and nothing had an end.
    """
    told = list(effects.values())
    back = [e for e in known.entries if e["type"] == PHASE and e["content"]["phase"] == "return"]
    ends = [each["resolved_at"] for each in told if each["occurred"]]
    ends += [e["measured_at"] for e in back if first is not None and e["measured_at"] >= first]
    unknown = any(each["occurred"] is None or _is_open(each) for each in told)
    at = None if unknown or not ends else max(ends)
    return {"at": at, "minutes_after_first_dose": _minutes(first, at)}


def _is_serious(entry: Values) -> bool:
    content = entry["content"]
    return entry["type"] == EVENT and bool(content.get("serious") or content.get("serious_for"))


def _event(entry: Values, first: datetime | None) -> Values:
    content = entry["content"]
    at, ended = entry["measured_at"], content.get("resolved_at")
    return {
        "entry_id": entry["id"],
        "code": content["code"],
        "grade": content["grade"],
        "serious_for": content.get("serious_for") or [],
        "onset_at": at,
        "onset_min": _minutes(first, at),
        "action": content.get("action"),
        "outcome": content.get("outcome"),
        "resolved_at": None if ended is None else datetime.fromisoformat(ended),
    }
