"""What a questionnaire is made of, as the scorer needs it: items, options, thresholds, rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from api.core.outcomes import change

SEXES: Final = ("female", "male", "unknown")
"""Whom a threshold may tell apart; whoever is neither female nor male counts as unknown."""
UNKNOWN: Final = "unknown"
Figure = int | float
"""A score: a whole number, or for means one with two decimals."""


def sex_of(sex_at_birth: str | None) -> str:
    """The sex by which thresholds are read; `unknown` for whatever is not female or male."""
    return sex_at_birth if sex_at_birth in SEXES else UNKNOWN


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that may be given: its value before any reversal, label and codes."""

    value: int
    label: str | None
    loinc: str | None = None
    snomed: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question is put only when another one was answered with one of these values."""

    link_id: str
    values: frozenset[int]


@dataclass(frozen=True)
class Item:
    """One question, with its options in the order they are shown.

    `asked_when` is None for a question that is always put; `skipped_as` is what it then counts
    when it is not, None for nothing at all.
    """

    link_id: str
    number: int
    text: str | None
    options: tuple[Option, ...]
    scored: bool
    reverse: bool
    loinc: Mapping[str, str] | None
    asked_when: Asked | None = None
    skipped_as: int | None = None

    @cached_property
    def values(self) -> frozenset[int]:
        """The values that may be given."""
        return frozenset(option.value for option in self.options)

    @cached_property
    def lowest(self) -> int:
        """The least an answer adds to the total; reversal keeps the bounds."""
        return min(self.values)

    @cached_property
    def highest(self) -> int:
        """The most an answer adds to the total; reversal keeps the bounds."""
        return max(self.values)


@dataclass(frozen=True, slots=True)
class Tier:
    """A level of risk: reached when any of these items has at least its value."""

    code: str
    any_of: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Scoring:
    """How a total is made: the method's name, the total's range, how many items may be missing.

    `lowest` and `highest` are None for a method without a total. `tiers` rise.
    """

    method: str
    lowest: int | None
    highest: int | None
    prorate_max_missing: int
    multiplier: int = 1
    decimals: int = 0
    groups: tuple[tuple[str, ...], ...] = ()
    tiers: tuple[Tier, ...] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """A severity word and the range of totals it names, its highest too unless `is_open`.

    `lowest` and `highest` are those of an unknown sex; `by_sex` is there where they differ.
    """

    code: str
    lowest: Figure
    highest: Figure
    is_open: bool = False
    by_sex: Mapping[str, tuple[Figure, Figure]] | None = None

    def holds(self, total: Figure, sex: str = UNKNOWN) -> bool:
        """Whether the band names this total."""
        low, high = self.by_sex[sex] if self.by_sex else (self.lowest, self.highest)
        return low <= total < high if self.is_open else low <= total <= high


@dataclass(frozen=True, slots=True)
class Subscale:
    """Items that are also summed on their own, times `multiplier`.

    `prorate_max_missing` is None where a subscale is never prorated.
    """

    code: str
    link_ids: tuple[str, ...]
    multiplier: int = 1
    bands: tuple[Band, ...] = ()
    prorate_max_missing: int | None = None


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A flag raised when the total is `>=` or `<=` a value, which may depend on the sex."""

    flag: str
    op: str
    value: Figure
    by_sex: Mapping[str, Figure] | None = None

    def at(self, sex: str) -> Figure:
        """The value for this sex."""
        return self.by_sex[sex] if self.by_sex else self.value


@dataclass(frozen=True, slots=True)
class SafetyRule:
    """A flag that an answer raises whatever the total, and how urgent it is.

    `op` is `>=` or `<=` a value of one item, `tier` when the screen reaches `tier`, or `missing`
    when the item (or, without one, whatever had to be asked) has no answer.
    """

    flag: str
    link_id: str | None
    op: str
    value: int | None
    priority: str
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class SymptomCount:
    """True when the number of items at or above their own threshold lies in a closed range."""

    at_least: Mapping[str, int]
    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class Derived:
    """A conclusion beside the total: true when all of its symptom counts are.

    It is null where an item is missing, or with `undecidable` only where that leaves it open.
    `is_flag` puts its code among the flags when it is true; `with_cutoff` asks for that flag too.
    """

    code: str
    all_of: tuple[SymptomCount, ...]
    undecidable: bool = False
    is_flag: bool = False
    with_cutoff: str | None = None


@dataclass(frozen=True, eq=False)
class Instrument:
    """One questionnaire as the scorer needs it; `definition` is the whole of what is on file.

    Each is itself alone, so that what is made of one can be kept beside it.
    """

    key: str
    version: str
    scoring_version: str
    title: str
    short_title: str
    recall_period: str
    higher_is: str
    instructions: str | None
    items: tuple[Item, ...]
    scoring: Scoring
    subscales: tuple[Subscale, ...]
    bands: tuple[Band, ...]
    cutoffs: tuple[Cutoff, ...]
    derived: tuple[Derived, ...]
    safety_rules: tuple[SafetyRule, ...]
    definition: Mapping[str, Any]

    @cached_property
    def scored_items(self) -> tuple[Item, ...]:
        """The items that count towards the total."""
        return tuple(item for item in self.items if item.scored)

    @cached_property
    def by_link_id(self) -> dict[str, Item]:
        """The items by their link id, in their order."""
        return {item.link_id: item for item in self.items}

    @cached_property
    def change_rules(self) -> change.Rules:
        """What its change is judged by."""
        return change.rules_of(self.definition)

    @cached_property
    def asks_for_sex(self) -> bool:
        """Whether a threshold depends on the sex."""
        by_sex = [one.by_sex for one in self.bands], [one.by_sex for one in self.cutoffs]
        return any(each is not None for each in (*by_sex[0], *by_sex[1]))

    @cached_property
    def is_text_missing(self) -> bool:
        """Whether a question or an answer has no words, so that it can't be put to a patient."""
        return any(
            item.text is None or any(option.label is None for option in item.options)
            for item in self.items
        )
