"""Change: did it help? Five verdicts apart, each with what it was judged by. Pure.

A verdict that can't be given is null and says why; a difference alone is never called change.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt
from operator import ge, gt, le, lt
from typing import Any, Final

BASELINE_DAYS: Final = timedelta(days=14)
"""How old a baseline may be on the day of the first dose (a convention of this project)."""
RCI_LIMIT: Final = 1.96
"""Beyond it a change is reliable (Jacobson & Truax 1991, J Consult Clin Psychol 59:12-19)."""
PLACES: Final = 4

NO_RULE, NO_BASELINE, NO_LATER, ZERO = REASONS = (
    "no_published_rule",
    "no_baseline",
    "no_later_check_in",
    "baseline_is_zero",
)
"""Why a verdict can't be given."""
BEFORE_FIRST_DOSE, INTAKE = BASELINE_RULES = ("before_first_dose", "intake")
IMPROVED, UNCHANGED, DETERIORATED = RELIABLE = ("improved", "no_reliable_change", "deteriorated")
VERDICTS = ("minimal_important", "reliable", "response", "remission", "deterioration")

OPS: Final[Mapping[str, Callable[[float, float], bool]]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
END_STATE = re.compile(r"total (<=|<|>=|>) (\d+(?:\.\d+)?)(?: \([^()]*\))?")
SHARE = re.compile(r"\(baseline-current\)/baseline >= (0\.\d+)")
POINTS = re.compile(r"reduction > (\d+) points")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the change of one instrument is judged by; None where nothing is published."""

    higher_is: str
    minimal_important: Json | None
    reliable: Json | None
    response: Json | None
    remission: Json | None


@dataclass(frozen=True, slots=True)
class Point:
    """One complete administration: its total, and when it was answered."""

    id: Any
    answered_at: datetime
    answered_on: date
    total: float


def rules_of(definition: Mapping[str, Any]) -> Rules:
    """The rules in an instrument's definition (`change`); `ValueError` for one that can't be read.

    Rules are written as `total < 5`, `(baseline-current)/baseline >= 0.5`, `reduction > 7 points`.
    """
    told = definition.get("change") or {}
    return Rules(
        higher_is=definition["higher_is"],
        minimal_important=_part(told, "mcid", lambda m: {"points": m["value"]}),
        reliable=_part(told, "reliable_change", _reliable),
        response=_part(told, "response", lambda r: _response(r["rule"].strip())),
        remission=_part(told, "remission", lambda r: _end_state(r["rule"].strip())),
    )


def baseline_of(
    points: Sequence[Point], first_dose_at: datetime | None, first_dose_on: date | None
) -> tuple[Point, str] | None:
    """What the course is measured against, with the rule that chose it; None without any point.

    The last administration before the first dose and at most 14 calendar days old then; else
    `intake`, the first there is. `points` are complete ones, oldest first.
    """
    if not points:
        return None
    if first_dose_at is not None and first_dose_on is not None:
        near = [p for p in points if _is_near(p, first_dose_at, first_dose_on)]
        if near:
            return near[-1], BEFORE_FIRST_DOSE
    return points[0], INTAKE


def change(rules: Rules, baseline: float | None, current: float | None) -> Json:
    """`difference` and `improvement` in points, and five verdicts `{verdict, parameters, reason}`.

    `improvement` is positive for the better. `current` is None when nothing came after `baseline`.
    """
    missing = NO_BASELINE if baseline is None else NO_LATER if current is None else None
    judged = _judges(rules, baseline, current)
    told = {name: _verdict(*judged[name], missing) for name in VERDICTS}
    return {"difference": None, "improvement": None} | _numbers(rules, baseline, current) | told


def jacobson_truax(sd: float, r: float) -> tuple[float, float]:
    """The standard error of a difference, and the change in points beyond which it is reliable.

    `sd` is the standard deviation of totals before treatment, `r` the reliability (0 to 1).
    """
    s_diff = sqrt(2) * sd * sqrt(1 - r)
    return s_diff, RCI_LIMIT * s_diff


def _part(told: Mapping[str, Any], name: str, read: Callable[[Any], Json]) -> Json | None:
    part = told.get(name)
    return None if part is None else read(part) | {"source": part.get("basis")}


def _reliable(part: Mapping[str, Any]) -> Json:
    """The least reliable change in points, with what it was computed from where that is known."""
    known = part.get("jacobson_truax")
    if known is None:
        names = ("sd", "sd_source", "reliability", "reliability_kind", "s_diff", "critical")
        return {"points": part["default"], "method": "published", **dict.fromkeys(names)}
    s_diff, critical = jacobson_truax(known["sd"], known["r"])
    return {
        "points": part["default"],
        "method": "jacobson_truax",
        "sd": known["sd"],
        "sd_source": known.get("sd_basis"),
        "reliability": known["r"],
        "reliability_kind": known["r_kind"],
        "s_diff": round(s_diff, PLACES),
        "critical": round(critical, PLACES),
    }


def _response(rule: str) -> Json:
    share, points = SHARE.fullmatch(rule), POINTS.fullmatch(rule)
    if share is None and points is None:
        raise ValueError(f"not a rule of response: {rule}")
    return {
        "share_at_least": float(share[1]) if share else None,
        "points_more_than": int(points[1]) if points else None,
    }


def _end_state(rule: str) -> Json:
    found = END_STATE.fullmatch(rule)
    if found is None:
        raise ValueError(f"not a rule of remission: {rule}")
    value = float(found[2])
    return {"op": found[1], "value": int(value) if value.is_integer() else value}


def _is_near(point: Point, first_dose_at: datetime, first_dose_on: date) -> bool:
    return point.answered_at < first_dose_at and point.answered_on >= first_dose_on - BASELINE_DAYS


def _numbers(rules: Rules, baseline: float | None, current: float | None) -> Json:
    if baseline is None or current is None:
        return {}
    difference = round(current - baseline, PLACES)
    better = difference if rules.higher_is == "better" else -difference
    return {"difference": difference, "improvement": better + 0}  # never -0.0


Judged = tuple[Any, Json | None, str | None]


def _judges(rules: Rules, baseline: float | None, current: float | None) -> dict[str, Judged]:
    """Each verdict with its parameters, and why it can't be given though there are two totals."""
    improvement = _numbers(rules, baseline, current).get("improvement")
    return {
        "minimal_important": _important(rules.minimal_important, improvement),
        "reliable": _reliably(rules, baseline, current, improvement),
        "response": _responded(rules.response, baseline, improvement),
        "remission": _remitted(rules.remission, current),
        "deterioration": _worse(rules.reliable, improvement),
    }


def _verdict(said: Any, parameters: Json | None, barred: str | None, missing: str | None) -> Json:
    reason = NO_RULE if parameters is None else missing or barred
    return {
        "verdict": None if reason else said,
        "parameters": parameters or {},
        "reason": reason,
    }


def _important(rule: Json | None, improvement: float | None) -> Judged:
    if rule is None or improvement is None:
        return None, rule, None
    return improvement >= rule["points"], rule, None


def _reliably(
    rules: Rules, baseline: float | None, current: float | None, improvement: float | None
) -> Judged:
    rule = rules.reliable
    if rule is None or baseline is None or current is None or improvement is None:
        return None, rule, None
    index = _index(rule, current - baseline)
    if abs(improvement) < rule["points"]:
        return UNCHANGED, rule | {"index": index}, None
    return (IMPROVED if improvement > 0 else DETERIORATED), rule | {"index": index}, None


def _index(rule: Json, difference: float) -> float | None:
    """The reliable change index of a difference; None where no spread is known."""
    if not rule["s_diff"]:
        return None
    return round(difference / jacobson_truax(rule["sd"], rule["reliability"])[0], PLACES)


def _worse(rule: Json | None, improvement: float | None) -> Judged:
    """Deterioration is the same change, as reliable, for the worse."""
    if rule is None or improvement is None:
        return None, rule, None
    return improvement <= -rule["points"], rule, None


def _responded(rule: Json | None, baseline: float | None, improvement: float | None) -> Judged:
    if rule is None or baseline is None or improvement is None:
        return None, rule, None
    if rule["share_at_least"] is None:
        return improvement > rule["points_more_than"], rule | {"share": None}, None
    if baseline == 0:
        return None, rule | {"share": None}, ZERO
    share = improvement / baseline
    return share >= rule["share_at_least"], rule | {"share": round(share, PLACES)}, None


def _remitted(rule: Json | None, current: float | None) -> Judged:
    if rule is None or current is None:
        return None, rule, None
    return OPS[rule["op"]](current, rule["value"]), rule, None
