"""The scorer: what a set of answers says, as a pure function of a definition and the answers.

An answer is what the patient gave, before any reversal. One that is null was asked and left open,
one that is absent was not reached: both are missing, and missing is never 0.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from api.core.outcomes.instruments import methods, tiers
from api.core.outcomes.instruments.answers import (
    NOT_AN_INTEGER as NOT_AN_INTEGER,
    NOT_IN_LIST as NOT_IN_LIST,
    UNKNOWN_ITEM as UNKNOWN_ITEM,
    Answers,
    problems,
    readable,
    scored_values,
    with_skipped,
)
from api.core.outcomes.instruments.definition import (
    UNKNOWN,
    Band,
    Cutoff,
    Derived,
    Figure,
    Instrument,
    SafetyRule,
    SymptomCount,
)

Given = Mapping[str, int]
NOTHING: Final = dict.fromkeys(
    ("min_possible", "max_possible", "total", "band", "prorated_total", "prorated_band")
)
"""What stands where a method makes no total."""


class BadAnswer(ValueError):
    """A set of answers is refused whole; the first reason is `link_id` and `code`.

    `problems` holds every reason as `(link_id, code)`. `signals` holds the safety rules that the
    readable answers raise all the same: a refused form must still reach a clinician.
    """

    def __init__(
        self, problems: Iterable[tuple[str, str]], signals: Iterable[SafetyRule] = ()
    ) -> None:
        """Keep every reason, and stand for the first; `problems` is never empty."""
        self.problems = tuple(problems)
        self.signals = tuple(signals)
        self.link_id, self.code = self.problems[0]
        super().__init__(f"{self.code}:{self.link_id}")


def score(instrument: Instrument, answers: Answers, sex: str = UNKNOWN) -> dict[str, Any]:
    """What the answers add up to, complete or not; `sex` is `female`, `male` or `unknown`.

    Always `status` (`complete`, `incomplete`), `answered`, `missing`, `min_possible`,
    `max_possible`, `total`, `band`, `prorated_total`, `prorated_band`, `flags` (sorted); where the
    instrument has them `raw`, `subscales {code: total}`, `subscale_bands`, `prorated_subscales`,
    `tier` and `tier_upper`, and one entry for each provisional syndrome. A total, band, subscale
    or syndrome is null where an item it needs is missing. Raises `BadAnswer`.
    """
    said = readable(instrument, answers)
    bad = problems(instrument, answers)
    if bad:
        raise BadAnswer(bad, _signals(instrument, said))
    given = with_skipped(instrument, said)
    values = scored_values(instrument.scored_items, given)
    figures = _figures(instrument, given, values, sex) | _subscales(instrument, values)
    certain = _certain(instrument, figures, sex)
    concluded = {one.code: _concluded(instrument, one, given) for one in instrument.derived}
    flags = certain | {rule.flag for rule in _signals(instrument, said)}
    flags |= {d.code for d in instrument.derived if _is_raised(d, concluded[d.code], certain)}
    shown = {one.code: concluded[one.code] for one in instrument.derived if not one.is_flag}
    return figures | shown | {"flags": sorted(flags)}


def safety_signals(instrument: Instrument, answers: Answers) -> list[SafetyRule]:
    """The safety rules that these answers raise, in the order of the definition.

    Answers that can't be read count as missing, so that this also serves a refused form.
    """
    return _signals(instrument, readable(instrument, answers))


def _signals(instrument: Instrument, said: Given) -> list[SafetyRule]:
    if instrument.scoring.method == methods.TIER:
        tier, gaps = tiers.tier_of(instrument, said), tiers.unanswered(instrument, said)
        return [
            rule
            for rule in instrument.safety_rules
            if (rule.tier == tier if rule.op == "tier" else gaps > 0)
        ]
    return [rule for rule in instrument.safety_rules if _raised(rule, said)]


def _figures(one: Instrument, given: Given, values: Given, sex: str) -> dict[str, Any]:
    if one.scoring.method == methods.TIER:
        return tiers.tier_figures(one, given) | NOTHING
    missing = len(one.scored_items) - len(values)
    counts = {
        "status": "incomplete" if missing else "complete",
        "answered": len(values),
        "missing": missing,
    }
    if one.scoring.method == methods.SUBSCALES_ONLY:
        return counts | NOTHING
    return counts | _totals(one, values, missing, sex)


def _totals(one: Instrument, values: Given, missing: int, sex: str) -> dict[str, Any]:
    low, high = methods.bounds(one, values)
    total = None if missing else low
    prorated = methods.prorated(one, values)
    raw = {"raw": methods.raw(one, values)} if one.scoring.method == "sum_times" else {}
    return {
        "min_possible": low,
        "max_possible": high,
        "total": total,
        "band": _band(one.bands, total, sex),
        "prorated_total": prorated,
        "prorated_band": _band(one.bands, prorated, sex),
        **raw,
    }


def _subscales(one: Instrument, values: Given) -> dict[str, Any]:
    """The subscales by code, with bands and prorated where the instrument has them."""
    if not one.subscales:
        return {}
    totals = {part.code: methods.subtotal(part, values) for part in one.subscales}
    found: dict[str, Any] = {"subscales": totals}
    if any(part.bands for part in one.subscales):
        found["subscale_bands"] = {p.code: _band(p.bands, totals[p.code]) for p in one.subscales}
    if any(part.prorate_max_missing is not None for part in one.subscales):
        found["prorated_subscales"] = {
            part.code: methods.prorated_subtotal(part, values) for part in one.subscales
        }
    return found


def _band(bands: Iterable[Band], total: Figure | None, sex: str = UNKNOWN) -> str | None:
    if total is None:
        return None
    return next((band.code for band in bands if band.holds(total, sex)), None)


def _certain(one: Instrument, figures: Mapping[str, Any], sex: str) -> set[str]:
    """The cut-offs that are passed whatever the missing answers will say."""
    low, high = figures["min_possible"], figures["max_possible"]
    return {cutoff.flag for cutoff in one.cutoffs if _reached(cutoff, low, high, sex)}


def _reached(cutoff: Cutoff, low: Figure | None, high: Figure | None, sex: str) -> bool:
    if low is None or high is None:
        return False
    return low >= cutoff.at(sex) if cutoff.op == ">=" else high <= cutoff.at(sex)


def _concluded(one: Instrument, derived: Derived, given: Given) -> bool | None:
    """Whether the conclusion holds; null while a missing answer forbids it."""
    gaps = any(item.link_id not in given for item in one.scored_items)
    if gaps and not derived.undecidable:
        return None
    parts = [_counted(count, given) for count in derived.all_of]
    if False in parts:
        return False
    return None if None in parts else True


def _counted(count: SymptomCount, given: Given) -> bool | None:
    """Whether the count lies in its range; null while a missing answer leaves that open."""
    known = [given[i] >= least for i, least in count.at_least.items() if i in given]
    low = sum(known)
    high = low + len(count.at_least) - len(known)
    if high < count.lowest or low > count.highest:
        return False
    return True if count.lowest <= low and high <= count.highest else None


def _is_raised(derived: Derived, held: bool | None, certain: set[str]) -> bool:
    """Whether a conclusion stands among the flags."""
    needed = derived.with_cutoff
    return derived.is_flag and held is True and (needed is None or needed in certain)


def _raised(rule: SafetyRule, said: Given) -> bool:
    value = None if rule.link_id is None else said.get(rule.link_id)
    if value is None or rule.value is None:
        return value is None and rule.op == "missing"
    return value >= rule.value if rule.op == ">=" else value <= rule.value
