"""The cube: published tables of one release by instrument and window, the same for everybody.

Nothing in it can be reckoned back. A table is told whole or not at all, so that no cell is hidden
beside its margins: groups hold eleven or more, and so do both who meet an outcome and who does
not. Where one set of people lies in another and differs by one to ten, the later is not told. What
one release told stands in the next until eleven people or more make the difference.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, Final

from sqlalchemy import select

from api.core.outcomes.change import DETERIORATED, IMPROVED
from api.core.release import deidentify as d, frozen
from api.core.release.anonymity import UNKNOWN
from api.core.release.shapes import shapes
from api.core.release.tables import READY, research_releases
from api.db import Values, transaction

VERSION: Final = "1.0.0"
"""Of the cuts; one that is changed is a new version."""
COURSE, BY_ROUTE, BY_PRACTICE = CUTS = ("course", "by_route", "by_practice")
OUTCOMES: Final = ("response", "remission", "reliably_improved", "deteriorated")
ALL: Final = "all"
Z95: Final = 1.96
Json = dict[str, Any]
Group = tuple[str, str]
"""A cut and one of its groups."""
Numbered = tuple[int, tuple[Group, ...]]
WHO: Final = "who"


@dataclass
class Sums:
    """What means are reckoned from."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """One more."""
        self.n, self.total, self.squares = self.n + 1, self.total + value, self.squares + value**2

    def plus(self, other: "Sums") -> "Sums":
        """Both together."""
        pairs = (self.n + other.n, self.total + other.total, self.squares + other.squares)
        return Sums(*pairs)


@dataclass
class Family:
    """One instrument at one window: who has a value, who meets each outcome, as sets of bits."""

    who: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    sums: dict[Group, Sums] = field(default_factory=dict)


class Marks:
    """A set of numbers that grows."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._bytes = bytearray()
        for number in numbers:
            self.add(number)

    def add(self, number: int) -> None:
        """One more."""
        if number // 8 >= len(self._bytes):
            self._bytes.extend(bytes(number // 4 + 64 - len(self._bytes)))
        self._bytes[number // 8] |= 1 << number % 8

    def bits(self) -> int:
        """The set as the bits of a number."""
        return int.from_bytes(self._bytes, "little")


class Tally:
    """The sets and sums of one release; subjects are numbered alike in every tally."""

    def __init__(self, release: Values, numbers: dict[str, int]) -> None:
        self.families: dict[str, Family] = defaultdict(Family)
        self._marks: dict[tuple[str, str], Marks] = defaultdict(Marks)
        self._numbers = numbers
        self.groups, mine = self._subjects(release)
        for rows in frozen.rows_of(release, "scores"):
            for row in rows:
                self._score(row, mine[row[0]])
        for (name, what), marks in self._marks.items():
            if what == WHO:
                self.families[name].who = marks.bits()
            else:
                self.families[name].outcomes[what] = marks.bits()

    def _subjects(self, release: Values) -> tuple[dict[Group, int], dict[str, Numbered]]:
        shape = shapes()["subjects"]
        route, practised = shape.place("route"), shape.place("practised_in_window")
        members: dict[Group, Marks] = defaultdict(Marks)
        mine: dict[str, Numbered] = {}
        for row in (row for rows in frozen.rows_of(release, "subjects") for row in rows):
            number = self._numbers.setdefault(row[0], len(self._numbers))
            groups = ((COURSE, ALL), (BY_ROUTE, row[route]), (BY_PRACTICE, row[practised]))
            mine[row[0]] = (number, groups)
            for group in groups:
                members[group].add(number)
        return {group: marks.bits() for group, marks in members.items()}, mine

    def _score(self, row: list[Any], subject: Numbered) -> None:
        """Count a row that has a total and, past the baseline, a difference from it."""
        window, total, difference = row[4], row[5], row[8]
        if total is None or (window != d.BASELINE and difference is None):
            return
        name, (number, groups) = f"{row[1]} {window}", subject
        self._marks[name, WHO].add(number)
        for outcome, met in zip(OUTCOMES, _met(row), strict=True):
            if met:
                self._marks[name, outcome].add(number)
        for group in groups:
            self.families[name].sums.setdefault(group, Sums()).add(total)


def _met(row: list[Any]) -> tuple[bool, ...]:
    response, remission, reliable, _ = row[9:13]
    return (response is True, remission is True, reliable == IMPROVED, reliable == DETERIORATED)


def reckon(release: Values) -> Json:
    """The tables of a release: `{version, tables, bases}`, one family after the other.

    `bases` says for each family from which release its figures are; it is told to nobody.
    """
    numbers: dict[str, int] = {}
    now = Tally(release, numbers)
    last = _last(release)
    earlier = _earlier(last, numbers)
    tables: Json = {}
    bases: Json = {}
    for name, family in sorted(now.families.items()):
        base = None if last is None else last["cube"]["bases"].get(name)
        if base is not None and _hardly_moved(family, now, earlier[base], name):
            tables[name], bases[name] = last["cube"]["tables"][name], base  # type: ignore[index]
        else:
            tables[name] = [*_tables(family, now.groups)]
            bases[name] = release["number"]
    return {"version": VERSION, "tables": tables, "bases": bases}


def _last(release: Values) -> Values | None:
    r = research_releases.c
    mine = [r.clinic_id == release["clinic_id"], r.project_id == release["project_id"]]
    with transaction() as store:
        return store.row(
            select(research_releases)
            .where(*mine, r.state == READY, r.number < release["number"])
            .order_by(r.number.desc())
            .limit(1)
        )


def _earlier(last: Values | None, numbers: dict[str, int]) -> dict[int, Tally]:
    """The tallies of the releases that the figures of the last one are from."""
    if last is None:
        return {}
    r = research_releases.c
    mine = [r.clinic_id == last["clinic_id"], r.project_id == last["project_id"]]
    wanted = set(last["cube"]["bases"].values())
    with transaction() as store:
        rows = store.rows(select(research_releases).where(*mine, r.number.in_(wanted)))
    return {row["number"]: Tally(row, numbers) for row in rows}


def _hardly_moved(family: Family, now: Tally, base: Tally, name: str) -> bool:
    """Whether any set of people differs from that of its base by one to ten."""
    before = base.families.get(name)
    if before is None:
        return False
    groups = now.groups.keys() | base.groups.keys()
    pairs = [
        (sets & now.groups.get(group, 0), then & base.groups.get(group, 0))
        for group in groups
        for sets, then in (
            (family.who, before.who),
            *((family.outcomes[o], before.outcomes[o]) for o in OUTCOMES),
        )
    ]
    return any(not d.is_shown((after ^ then).bit_count()) for after, then in pairs)


def _tables(family: Family, groups: Mapping[Group, int]) -> Iterator[Json]:
    """The tables of one family that may be told: of everybody, and by each cut."""
    for cut in CUTS:
        parts = _parts(family, cut, groups)
        if parts:
            told = told_of(family, parts)
            yield {"cut": cut, "rows": [_row(family, part, told) for part in parts]}


@dataclass
class Part:
    """One group of a cut, within one family."""

    name: str
    who: int
    sums: Sums


def _parts(family: Family, cut: str, groups: Mapping[Group, int]) -> list[Part]:
    """The groups of a cut; small ones go together until none is small, or there is no table."""
    found = [
        Part(name, family.who & bits, family.sums.get((of, name), Sums()))
        for (of, name), bits in sorted(groups.items())
        if of == cut and family.who & bits
    ]
    found.sort(key=lambda part: part.who.bit_count())
    while len(found) > 1 and not d.is_shown(found[0].who.bit_count()):
        found = join_least(found)
    whole = cut == COURSE
    if not found or not d.is_shown(found[0].who.bit_count()) or (len(found) == 1 and not whole):
        return []
    return sorted(found, key=lambda part: (part.name in (d.OTHER, UNKNOWN), part.name))


def join_least(parts: list[Part]) -> list[Part]:
    """The same groups, the two smallest as one; the least first."""
    first, second, *rest = parts
    both = Part(d.OTHER, first.who | second.who, first.sums.plus(second.sums))
    return sorted([both, *rest], key=lambda part: part.who.bit_count())


def told_of(family: Family, parts: list[Part]) -> list[str]:
    """The outcomes that may be told of these groups: those from which nobody can be reckoned."""
    told = [name for name in OUTCOMES if _is_told(family.outcomes[name], parts)]
    for name in [*told]:
        others = [family.outcomes[other] for other in told[: told.index(name)]]
        if any(
            _lies_close(family.outcomes[name], other, part) for other in others for part in parts
        ):
            told.remove(name)
    if not _rest_is_told(family, told, parts):
        told.remove(OUTCOMES[3])
    return told


def _is_told(met: int, parts: list[Part]) -> bool:
    """Whether those who meet an outcome, and those who do not, are nobody or enough everywhere."""
    return met != 0 and all(
        d.is_shown((met & part.who).bit_count()) and d.is_shown((part.who & ~met).bit_count())
        for part in parts
    )


def _lies_close(one: int, other: int, part: Part) -> bool:
    """Whether one set lies in the other and differs from it by one to ten people."""
    a, b = one & part.who, other & part.who
    nested = a & b in (a, b)
    return nested and not d.is_shown((a ^ b).bit_count())


def _rest_is_told(family: Family, told: list[str], parts: list[Part]) -> bool:
    """Whether those neither better nor worse may be reckoned, where both others are told."""
    if not {OUTCOMES[2], OUTCOMES[3]} <= {*told}:
        return True
    moved = family.outcomes[OUTCOMES[2]] | family.outcomes[OUTCOMES[3]]
    return all(d.is_shown((part.who & ~moved).bit_count()) for part in parts)


def _row(family: Family, part: Part, told: list[str]) -> Json:
    sums, n = part.sums, d.rounded(part.who.bit_count())
    mean = sums.total / sums.n
    spread = sqrt(max(0.0, (sums.squares - sums.n * mean**2) / (sums.n - 1)))
    half = Z95 * spread / sqrt(n)  # by the rounded count, so that the interval tells no more
    row: Json = {"group": part.name, "n": n, "mean": round(mean, 1), "sd": round(spread, 1)}
    row |= {"ci95_low": round(mean - half, 1), "ci95_high": round(mean + half, 1)}
    for name in OUTCOMES:
        count = d.rounded((family.outcomes[name] & part.who).bit_count())
        row[name] = {"n": count, "percent": round(100 * count / n)} if name in told else None
    return row


def cells(reckoned: Json, cut: str) -> list[Json]:
    """The rows of one cut: `{instrument, window, group, n, mean, ..., response, ...}`."""
    return [
        {"instrument": name.split()[0], "window": name.split()[1], **row}
        for name, tables in reckoned["tables"].items()
        for table in tables
        if table["cut"] == cut
        for row in table["rows"]
    ]
