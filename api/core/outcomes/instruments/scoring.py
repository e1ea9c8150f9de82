"""The scorer: what a set of answers says, as a pure function of a definition and the answers.

An answer is what the patient gave, before any reversal. One that is null was asked and left open,
one that is absent was not reached: both are missing, and missing is never 0.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from api.core.outcomes.instruments.catalogue import (
    Cutoff,
    Derived,
    Instrument,
    Item,
    SafetyRule,
    Subscale,
    SymptomCount,
)

Answers = Mapping[str, Any]
Method = Callable[[Instrument, Mapping[str, int]], int]

UNKNOWN_ITEM: Final = "unknown-item"
NOT_AN_INTEGER: Final = "value-not-an-integer"
NOT_IN_LIST: Final = "value-not-in-list"


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


def score(instrument: Instrument, answers: Answers) -> dict[str, Any]:
    """What the answers add up to, complete or not.

    Always `status` (`complete`, `incomplete`), `answered`, `missing`, `min_possible`,
    `max_possible`, `total`, `band`, `prorated_total`, `prorated_band`, `flags` (sorted); where the
    instrument has them, `subscales {code: total}` and one entry for each provisional syndrome.
    A total, band, subscale or syndrome is null where an item it needs is missing.
    Raises `BadAnswer`.
    """
    _refuse_bad_answers(instrument, answers)
    values = _scored_values(instrument.scored_items, answers)
    missing = len(instrument.scored_items) - len(values)
    low, high = _bounds(instrument, values)
    total = None if missing else low
    prorated = _prorated(instrument, values, missing)
    subscales = {one.code: _subtotal(one, values) for one in instrument.subscales}
    return {
        "status": "incomplete" if missing else "complete",
        "answered": len(values),
        "missing": missing,
        "min_possible": low,
        "max_possible": high,
        "total": total,
        "band": _band(instrument, total),
        "prorated_total": prorated,
        "prorated_band": _band(instrument, prorated),
        **({"subscales": subscales} if subscales else {}),
        **{d.code: None if missing else _holds(d, answers) for d in instrument.derived},
        "flags": _flags(instrument, answers, low, high),
    }


def safety_signals(instrument: Instrument, answers: Answers) -> list[SafetyRule]:
    """The safety rules that these answers raise, in the order of the definition.

    Answers that can't be read count as missing, so that this also serves a refused form.
    """
    readable: dict[str, int | None] = {
        item.link_id: answers[item.link_id]
        for item in instrument.items
        if item.link_id in answers and _problem(item, answers[item.link_id]) is None
    }
    return [rule for rule in instrument.safety_rules if _raised(rule, readable)]


def problems(instrument: Instrument, answers: Answers) -> list[tuple[str, str]]:
    """Every reason to refuse the answers, as `(link_id, code)`, in the order of the items."""
    items = {item.link_id: item for item in instrument.items}
    found = [
        (link_id, code)
        for link_id, item in items.items()
        if (code := _problem(item, answers.get(link_id))) is not None
    ]
    unknown = sorted(str(link_id) for link_id in answers if link_id not in items)
    return found + [(link_id, UNKNOWN_ITEM) for link_id in unknown]


def half_up(number: Decimal) -> int:
    """The nearest whole number, a half going up."""
    return int(number.quantize(Decimal(1), ROUND_HALF_UP))


def _refuse_bad_answers(instrument: Instrument, answers: Answers) -> None:
    found = problems(instrument, answers)
    if found:
        raise BadAnswer(found, safety_signals(instrument, answers))


def _problem(item: Item, value: object) -> str | None:
    """Why a value is no answer to an item; a Boolean, a float or a string is never one."""
    if value is None:
        return None
    if type(value) is not int:
        return NOT_AN_INTEGER
    return None if value in item.values else NOT_IN_LIST


def _scored_values(items: Iterable[Item], answers: Answers) -> dict[str, int]:
    """What each answered item adds, reversed ones turned round."""
    given = ((item, answers.get(item.link_id)) for item in items)
    return {item.link_id: _scored(item, value) for item, value in given if value is not None}


def _scored(item: Item, value: int) -> int:
    return item.lowest + item.highest - value if item.reverse else value


def _sum(_: Instrument, values: Mapping[str, int]) -> int:
    """Classical scoring: every scored item counts once."""
    return sum(values.values())


# A method turns the scored values of a full form into a total, and never falls as one of them
# rises: that is what makes the bounds below true. A new method is a function and a line here.
METHODS: Final[Mapping[str, Method]] = {"sum": _sum}


def _bounds(instrument: Instrument, values: Mapping[str, int]) -> tuple[int, int]:
    """The least and the most the total can be, whatever the missing answers will say."""
    method = METHODS[instrument.scoring.method]
    low = {item.link_id: item.lowest for item in instrument.scored_items} | dict(values)
    high = {item.link_id: item.highest for item in instrument.scored_items} | dict(values)
    return method(instrument, low), method(instrument, high)


def _prorated(instrument: Instrument, values: Mapping[str, int], missing: int) -> int | None:
    """The mean of what was answered, for all items; null when nothing or too much is missing."""
    if not values or not 0 < missing <= instrument.scoring.prorate_max_missing:
        return None
    reached = Decimal(METHODS[instrument.scoring.method](instrument, values))
    return half_up(reached * len(instrument.scored_items) / len(values))


def _subtotal(subscale: Subscale, values: Mapping[str, int]) -> int | None:
    parts = [values.get(link_id) for link_id in subscale.link_ids]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _band(instrument: Instrument, total: int | None) -> str | None:
    if total is None:
        return None
    return next((b.code for b in instrument.bands if b.lowest <= total <= b.highest), None)


def _holds(derived: Derived, answers: Answers) -> bool:
    return all(_counted(count, answers) for count in derived.all_of)


def _counted(count: SymptomCount, answers: Answers) -> bool:
    present = [link_id for link_id, least in count.at_least.items() if answers[link_id] >= least]
    return count.lowest <= len(present) <= count.highest


def _flags(instrument: Instrument, answers: Answers, low: int, high: int) -> list[str]:
    """Cut-offs that are certain, and the safety rules raised, by name."""
    certain = {cutoff.flag for cutoff in instrument.cutoffs if _reached(cutoff, low, high)}
    return sorted(certain | {rule.flag for rule in safety_signals(instrument, answers)})


def _reached(cutoff: Cutoff, low: int, high: int) -> bool:
    """Whether the cut-off is passed whatever the missing answers will say."""
    return low >= cutoff.value if cutoff.op == ">=" else high <= cutoff.value


def _raised(rule: SafetyRule, readable: Mapping[str, int | None]) -> bool:
    value = readable.get(rule.link_id)
    if value is None or rule.value is None:
        return value is None and rule.op == "missing"
    return value >= rule.value if rule.op == ">=" else value <= rule.value
