"""Finding resources: searched part by part in the order of ids, so that pages hold under writes.

What a query asks is looked at in the resource itself; ids, patients and times are asked of the
database beforehand, and so is what else it can tell sooner.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from api.access.policies import Actor
from api.core.ehr import Wanted, count_records, list_records
from api.fhir.asking import Asked
from api.fhir.kind import Kind, Part, Shown, made_of
from api.fhir.narrowing import narrowed
from api.fhir.outcome import TooCostly
from api.fhir.parameters import Filter, answers, sort_key
from api.fhir.scopes import Alternatives, is_within, takes_all
from api.fhir.sorting import beyond, rank

CHUNK: Final = 500
"""How many rows are read at once."""
MOST_SORTED: Final = 20_000
"""How many resources one search may put in order, or look through for a total."""
MOST_COUNTED: Final = 5_000
"""How many a search looks through for a total that nobody asked for; beyond, it tells none."""
Place = tuple[int, str, int]
SEARCHES: Final = "fhir:search"


@dataclass
class Found:
    """A page of a search: its matches, how many there are in all, after what the next one goes."""

    matches: list[Shown] = field(default_factory=list)
    total: int | None = None
    next_after: list[Any] | None = None


@dataclass(frozen=True)
class Search:
    """One search of one client: what is asked, and to what it must answer by the scopes.

    `alone` where one page of it is all that the client asked for, so that its event may go along.
    """

    client: Actor
    kind: Kind
    asked: Asked
    alternatives: Alternatives
    base: str
    action: str = SEARCHES
    alone: bool = False

    def page(self, after: list[Any] | None, total: int | None) -> Found:
        """The page after a place, with the total that was told before or is counted now."""
        if self.asked.only_counts:
            return Found(total=self._count())
        if self.asked.sort:
            return self._sorted(after)
        place: Any = None if after is None else tuple(after)
        is_first = after is None or self.asked.insists_on_total
        looked_on = self.asked.wants_total and total is None and is_first
        quickly = looked_on and self._is_counted_by_rows()
        found = self._in_order(place, looked_on and not quickly)
        if quickly:
            found.total = self._rows()
        elif not looked_on:
            found.total = total
        return found

    def _in_order(self, place: Place | None, to_the_end: bool) -> Found:
        """A page in the order of ids; looked through to the end where all are to be counted."""
        found, counted, is_whole = Found(), 0, to_the_end
        enough = max(MOST_COUNTED, self.asked.count)
        for shown in self.each(place):
            counted += 1
            if counted <= self.asked.count:
                found.matches.append(shown)
            elif found.next_after is None:
                found.next_after = list(found.matches[-1].place)
            if counted > self.asked.count and not to_the_end:
                break
            if counted > enough and not self.asked.insists_on_total:
                is_whole = False
                break
            if counted > MOST_SORTED:
                raise TooCostly("Narrow the search, or say _total=none.")
        found.total = counted if is_whole else None
        return found

    def _count(self) -> int:
        if self._is_counted_by_rows():
            return self._rows()
        counted = 0
        for _ in self.each(None):
            counted += 1
            if counted > MOST_SORTED:
                raise TooCostly("Narrow what is to be counted.")
        return counted

    def _sorted(self, after: list[Any] | None) -> Found:
        """A page in an order of its own: by values, and among equals by place."""
        keyed: list[tuple[list[Any], Shown]] = []
        for shown in self.each(None):
            keyed.append((self._keys(shown), shown))
            if len(keyed) > MOST_SORTED:
                raise TooCostly("Narrow the search before it is put in order.")
        for number, (_, descending) in reversed(list(enumerate(self.asked.sort))):
            keyed.sort(key=lambda pair: rank(pair[0][number], descending), reverse=descending)
        if after is not None:
            keyed = list(beyond(keyed, after, self.asked.sort))
        size = self.asked.count
        more = len(keyed) > size > 0
        found = Found([shown for _, shown in keyed[:size]])
        found.next_after = [*keyed[size - 1][0], list(keyed[size - 1][1].place)] if more else None
        found.total = len(keyed) if after is None else None
        return found

    def _keys(self, shown: Shown) -> list[Any]:
        params = self.kind.every_param
        return [sort_key(params[name], shown.resource) for name, _ in self.asked.sort]

    def each(self, after: Place | None) -> Iterator[Shown]:
        """Every match after a place, in order."""
        for number, part in enumerate(self.kind.parts):
            if after is not None and number < after[0]:
                continue
            wanted = self.wanted(part)
            if wanted is None:
                continue
            within = after if after is not None and number == after[0] else None
            yield from self._of_part(number, part, wanted, within)

    def batch(self, number: int, wanted: Wanted) -> tuple[list[Shown], UUID | str | None]:
        """What the next rows of a part make, and after which row to go on; None at its end."""
        rows = list_records(self.client, self.action, self.kind.parts[number].source, wanted)
        is_over = wanted.size is None or len(rows) < wanted.size
        return list(self._kept(number, rows)), None if is_over else rows[-1]["id"]

    def _of_part(
        self, number: int, part: Part, wanted: Wanted, after: Place | None
    ) -> Iterator[Shown]:
        """The matches of one part; of the row that a page ended in, those that are left."""
        mark = None if after is None else _row_id(part, after[1])
        if after is not None and not part.singly:
            yield from self._left(number, part, wanted, after)
        wanted = replace(wanted, size=self._chunk(), told_as=self._told_as(part, wanted))
        while True:
            asked = replace(wanted, after=mark)
            rows = list_records(self.client, self.action, part.source, asked)
            yield from self._kept(number, rows)
            if len(rows) < self._chunk():
                return
            mark, wanted = rows[-1]["id"], replace(wanted, told_as=None)

    def _told_as(self, part: Part, wanted: Wanted) -> str | None:
        """The type, where the page shows all that is read of one patient, and nothing beside."""
        asked, is_plain = self.asked, part.singly and len(self.kind.parts) == 1
        more = asked.wants_total or asked.sort or asked.includes or asked.with_provenance
        of_one = len(wanted.patients or ()) == 1 and self.alone and self._takes_all
        return self.kind.type if is_plain and of_one and not more else None

    def _chunk(self) -> int:
        few = not self.asked.wants_total and not self.asked.sort
        return min(CHUNK, max(self.asked.count + 1, 20)) if few else CHUNK

    def _left(self, number: int, part: Part, wanted: Wanted, after: Place) -> Iterator[Shown]:
        """What is left of the row in which a page ended."""
        mark = _row_id(part, after[1])
        if wanted.ids is None or mark in wanted.ids:
            again = replace(wanted, ids=[mark])
            rows = list_records(self.client, self.action, part.source, again)
            yield from (shown for shown in self._kept(number, rows) if shown.place > after)

    def _kept(self, number: int, rows: list[Any]) -> Iterator[Shown]:
        every = made_of(self.client, self.kind, number, rows)
        yield from every if self._takes_all else (s for s in every if self._answers(s.resource))

    @cached_property
    def _takes_all(self) -> bool:
        """Whether every resource that is found is a match, so that none has to be looked at."""
        return not self._looked_at and takes_all(self.alternatives)

    def _answers(self, resource: Any) -> bool:
        every = all(answers(one, resource, self.base) for one in self._looked_at)
        return every and is_within(self.alternatives, resource, self.base)

    @cached_property
    def _looked_at(self) -> list[Filter]:
        """The filters that the database does not answer exactly: on a chart it does whose it is."""
        exact = PATIENT if self.kind.chart else None
        return [one for one in self.asked.filters if one.name != exact or one.modifier]

    def _is_counted_by_rows(self) -> bool:
        """Whether what the database is asked is all that is asked, and each row is one match."""
        plainly = all(
            one.name in PUSHED and not one.modifier and one.name in self.kind.every_param
            for one in self.asked.filters
        )
        exactly = all(part.singly for part in self.kind.parts)
        free = takes_all(self.alternatives)
        return plainly and exactly and free and self.kind.code != "prv"

    def _rows(self) -> int:
        wanted = [(part, self.wanted(part)) for part in self.kind.parts]
        return sum(
            count_records(self.client, self.action, part.source, one)
            for part, one in wanted
            if one is not None
        )

    def wanted(self, part: Part) -> Wanted | None:
        """What the database can be asked of a part sooner; None where it can hold no match."""
        common = self.alternatives[0] if len(self.alternatives) == 1 else ()
        filters = (*self.asked.filters, *common)
        return narrowed(self.client, self.kind, part, filters, self.base)


PATIENT: Final = "patient"
PUSHED: Final = (PATIENT, "_id")
"""Filters that the database answers exactly."""


def _row_id(part: Part, text: str) -> UUID | str:
    return text if part.plain_ids else UUID(text)
