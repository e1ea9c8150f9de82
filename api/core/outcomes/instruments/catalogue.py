"""The catalogue: which questionnaires there are, read from the JSON definitions beside it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from api.errors import NotFound

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that may be given: its value before any reversal, label and LOINC answer code."""

    value: int
    label: str | None
    loinc: str | None


@dataclass(frozen=True, slots=True)
class Item:
    """One question, with its options in the order they are shown."""

    link_id: str
    number: int
    text: str | None
    options: tuple[Option, ...]
    scored: bool
    reverse: bool
    loinc: Mapping[str, str] | None

    @property
    def values(self) -> frozenset[int]:
        """The values that may be given."""
        return frozenset(option.value for option in self.options)

    @property
    def lowest(self) -> int:
        """The least an answer adds to the total; reversal keeps the bounds."""
        return min(self.values)

    @property
    def highest(self) -> int:
        """The most an answer adds to the total; reversal keeps the bounds."""
        return max(self.values)


@dataclass(frozen=True, slots=True)
class Scoring:
    """How a total is made: the method's name, the total's range, how many items may be missing."""

    method: str
    lowest: int
    highest: int
    prorate_max_missing: int


@dataclass(frozen=True, slots=True)
class Subscale:
    """Items that are also summed on their own."""

    code: str
    link_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """A severity word and the closed range of totals it names."""

    code: str
    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A flag raised when the total is `>=` or `<=` a value."""

    flag: str
    op: str
    value: int


@dataclass(frozen=True, slots=True)
class SafetyRule:
    """A flag raised by one item alone: `>=` or `<=` a value, or `missing`; and how urgent it is."""

    flag: str
    link_id: str
    op: str
    value: int | None
    priority: str


@dataclass(frozen=True, slots=True)
class SymptomCount:
    """True when the number of items at or above their own threshold lies in a closed range."""

    at_least: Mapping[str, int]
    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class Derived:
    """A provisional syndrome: true when all of its symptom counts are."""

    code: str
    all_of: tuple[SymptomCount, ...]


@dataclass(frozen=True, slots=True)
class Instrument:
    """One questionnaire as the scorer needs it; `definition` is the whole of what is on file."""

    key: str
    version: str
    scoring_version: str
    title: str
    short_title: str
    recall_period: str
    higher_is: str
    items: tuple[Item, ...]
    scoring: Scoring
    subscales: tuple[Subscale, ...]
    bands: tuple[Band, ...]
    cutoffs: tuple[Cutoff, ...]
    derived: tuple[Derived, ...]
    safety_rules: tuple[SafetyRule, ...]
    definition: Mapping[str, Any]

    @property
    def scored_items(self) -> tuple[Item, ...]:
        """The items that count towards the total."""
        return tuple(item for item in self.items if item.scored)


@cache
def catalogue() -> Mapping[str, Instrument]:
    """Every shipped questionnaire by key, in the order of the keys; read once."""
    shipped = [read_instrument(path) for path in sorted(HERE.glob("*.json"))]
    return MappingProxyType({one.key: one for one in shipped})


def instrument(key: str) -> Instrument:
    """The questionnaire with this key; raises `NotFound` when none is shipped."""
    found = catalogue().get(key)
    if found is None:
        raise NotFound("There is no such instrument.")
    return found


def read_instrument(path: Path) -> Instrument:
    """The questionnaire defined in one JSON file."""
    return parse_instrument(json.loads(path.read_text(encoding="utf-8")))


def parse_instrument(definition: Mapping[str, Any]) -> Instrument:
    """The questionnaire of one definition, shape as in the JSON files beside this module."""
    simple = ("key", "version", "scoring_version", "title", "short_title", "recall_period")
    return Instrument(
        **{name: definition[name] for name in simple},
        higher_is=definition["higher_is"],
        items=_items(definition),
        scoring=_scoring(definition["scoring"]),
        subscales=tuple(
            Subscale(one["code"], tuple(one["items"])) for one in definition.get("subscales", ())
        ),
        bands=tuple(Band(one["code"], one["min"], one["max"]) for one in definition["bands"]),
        cutoffs=tuple(Cutoff(c["flag"], c["op"], c["value"]) for c in definition["cutoffs"]),
        derived=tuple(_derived(one) for one in definition["derived"]),
        safety_rules=_safety_rules(definition["safety_rules"]),
        definition=definition,
    )


def _items(definition: Mapping[str, Any]) -> tuple[Item, ...]:
    lists = {
        name: tuple(Option(o["value"], o["label"], o.get("loinc")) for o in one["options"])
        for name, one in definition["answer_lists"].items()
    }
    return tuple(_item(one, lists[one["answer_list"]]) for one in definition["items"])


def _item(one: Mapping[str, Any], options: tuple[Option, ...]) -> Item:
    return Item(
        link_id=one["link_id"],
        number=one["number"],
        text=one["text"],
        options=options,
        scored=one["scored"],
        reverse=one["reverse"],
        loinc=one["loinc"],
    )


def _scoring(one: Mapping[str, Any]) -> Scoring:
    lowest, highest = one["range"]
    return Scoring(one["method"], lowest, highest, one["missing"]["prorate_max_missing"])


def _derived(one: Mapping[str, Any]) -> Derived:
    counts = (SymptomCount(c["at_least"], c["from"], c["to"]) for c in one["all_of"])
    return Derived(one["code"], tuple(counts))


def _safety_rules(rules: Sequence[Mapping[str, Any]]) -> tuple[SafetyRule, ...]:
    return tuple(
        SafetyRule(one["flag"], one["item"], one["op"], one["value"], one["priority"])
        for one in rules
    )
