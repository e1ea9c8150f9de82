"""Anonymity: k and l on one row for each subject, and how coarse it must be told for both. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from api.core.release.deidentify import BANDS, LEAST, WITHHELD, wide_band

QUASI: Final = ("age_band", "sex_at_birth", "state", "diagnosis_group", "route")
"""What somebody may know of a person from elsewhere."""
UNKNOWN: Final = "unknown"
LOST_AT_MOST: Final = 0.05
"""The share of subjects that may be left out before all are told of more coarsely."""
DIVERSE: Final = 2
"""The fewest sensitive values in a class (l)."""
Quasi = tuple[str, ...]
Pattern = tuple[tuple[str, str, str], ...]
"""The visits of one subject: `(window, kind, how often)`, in order."""


def _wider(band: str) -> str:
    return wide_band(band) if band in BANDS else band


def _same(value: str) -> str:
    return value


def _nothing(_value: str) -> str:
    return WITHHELD


Ladder = tuple[tuple[float, Callable[[str], str]], ...]
LADDERS: Final[tuple[Ladder, ...]] = (
    ((0, _same), (1, _wider), (3, _nothing)),
    ((0, _same), (2, _nothing)),
    ((0, _same), (1, _nothing)),
    ((0, _same), (2, _nothing)),
    ((0, _same), (2.5, _nothing)),
)
"""For each of `QUASI` how it may be told, and what is lost by each way."""
Levels = tuple[int, ...]
COARSEST: Final[Levels] = tuple(len(ladder) - 1 for ladder in LADDERS)


def told_at(quasi: Quasi, levels: Levels) -> Quasi:
    """The values as they are told at these levels, one for each of `QUASI`."""
    ways = zip(LADDERS, levels, quasi, strict=True)
    return tuple(ladder[level][1](value) for ladder, level, value in ways)


Rows = Iterable[tuple[Quasi, str]]
"""Quasi-identifiers with the sensitive value."""


def choose_levels(rows: Rows, diverse: bool = True, least: int = LEAST) -> Levels | None:
    """The levels that lose least by which nearly every class is large, and `diverse`.

    None where no levels will do.
    """
    there = Counter(rows)
    ways = (levels for levels in _ways() if suits(there, levels, diverse, least))
    return min(ways, key=_cost, default=None)


def suits(
    there: Counter[tuple[Quasi, str]], levels: Levels, diverse: bool = True, least: int = LEAST
) -> bool:
    """Whether nearly all can be told at these levels."""
    return _lost(there, levels, diverse, least) <= LOST_AT_MOST * there.total()


def _ways() -> Iterable[Levels]:
    return product(*(range(len(ladder)) for ladder in LADDERS))


def _cost(levels: Levels) -> float:
    return sum(ladder[level][0] for ladder, level in zip(LADDERS, levels, strict=True))


def _lost(there: Counter[tuple[Quasi, str]], levels: Levels, diverse: bool, least: int) -> int:
    classes: dict[Quasi, Counter[str]] = defaultdict(Counter)
    for (quasi, sensitive), count in there.items():
        classes[told_at(quasi, levels)][sensitive] += count
    few = (c for c in classes.values() if c.total() < least or (diverse and len(c) < DIVERSE))
    return sum(c.total() for c in few)


@dataclass
class Subject:
    """One subject as the rules look at it; `values` are the quasi-identifiers as they are told."""

    subject_id: str
    values: Quasi
    sensitive: str | None
    pattern: Pattern = ()
    is_new: bool = True


def k_of(classes: Iterable[tuple[object, ...]]) -> int:
    """The smallest class; 0 of nobody."""
    return min(Counter(classes).values(), default=0)


def l_of(rows: Iterable[tuple[tuple[object, ...], str | None]]) -> int | None:
    """The fewest different sensitive values in a class; 0 of nobody, None where none are told."""
    seen: dict[tuple[object, ...], set[str | None]] = defaultdict(set)
    for quasi, value in rows:
        seen[quasi].add(value)
    if all(values == {None} for values in seen.values()) and seen:
        return None
    return min(map(len, seen.values()), default=0)


def in_large_classes(subjects: Sequence[Subject], least: int = LEAST) -> list[Subject]:
    """Those whose class holds enough; new ones only where enough of them come together.

    So the difference of two releases of a project is made of groups of at least `least` as well.
    """
    kept = list(subjects)
    while True:
        new = Counter(one.values for one in kept if one.is_new)
        stay = [one for one in kept if not one.is_new or new[one.values] >= least]
        there = Counter(one.values for one in stay)
        stay = [one for one in stay if there[one.values] >= least]
        if len(stay) == len(kept):
            return stay
        kept = stay


def in_diverse_classes(subjects: Sequence[Subject], least: int = DIVERSE) -> list[Subject]:
    """Those in whose class the sensitive value is not the same of everybody, or is not told."""
    seen: dict[Quasi, set[str | None]] = defaultdict(set)
    for one in subjects:
        seen[one.values].add(one.sensitive)
    return [one for one in subjects if one.sensitive is None or len(seen[one.values]) >= least]


def shortened(patterns: Mapping[str, Pattern], least: int = LEAST) -> dict[str, Pattern]:
    """By subject the visits that may be told: the longest beginning that enough have in common.

    A subject whose visits are like nobody's keeps those up to where they part from others'. Those
    of whom not even an empty list would be told of `least` are left out.
    """
    told: dict[str, Pattern] = {}
    waiting = dict(patterns)
    for length in range(max(map(len, patterns.values()), default=0), -1, -1):
        cut = {one: pattern[:length] for one, pattern in waiting.items()}
        there = Counter(cut.values())
        done = {one: pattern for one, pattern in cut.items() if there[pattern] >= least}
        told |= done
        waiting = {one: pattern for one, pattern in waiting.items() if one not in done}
    return told
