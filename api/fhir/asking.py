"""What a search asks: its filters, how much of the answer, in which order, with what beside it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from api.fhir.kind import Kind
from api.fhir.outcome import NotUnderstood
from api.fhir.parameters import REFERENCE, BadParam, Filter, filter_of, split

DEFAULT_COUNT, MAX_COUNT = 50, 1000
FILTERS_OF_ALL: Final = ("_text", "_content", "_list", "_has", "_filter", "_query", "_in")
"""What would narrow a search if it were read; dropped in silence it would widen it."""
OF_META: Final = ("_tag", "_profile", "_security", "_source", "_language", "_type")
SUMMARIES: Final = ("true", "text", "data", "count", "false")
TOTALS: Final = ("none", "estimate", "accurate")
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Include:
    """A resource to come along: the parameter that points to it, and of which type."""

    param: str
    target: str | None


@dataclass(frozen=True)
class Asked:
    """A search as it is understood; `applied` are the parameters that hold, for the self link."""

    filters: tuple[Filter, ...] = ()
    count: int = DEFAULT_COUNT
    sort: tuple[tuple[str, bool], ...] = ()
    includes: tuple[Include, ...] = ()
    with_provenance: bool = False
    summary: str = "false"
    elements: tuple[str, ...] = ()
    wants_total: bool = True
    insists_on_total: bool = False
    applied: tuple[tuple[str, str], ...] = ()

    @property
    def only_counts(self) -> bool:
        """Whether no entry is asked for at all."""
        return self.count == 0 or self.summary == "count"


def understand(kind: Kind, pairs: Pairs, lenient: bool) -> Asked:
    """The search that these parameters ask; raises `NotUnderstood`, naming the one that has none.

    With `Prefer: handling=lenient` a filter without a meaning is left out, and out of `applied`.
    """
    asked = Asked()
    for key, value in pairs:
        name, _, modifier = key.partition(":")
        try:
            after = _one(asked, kind, name, modifier, value)
        except ValueError as fault:
            if not lenient:
                raise NotUnderstood(str(fault)) from None
            continue
        if after is not asked:
            asked = replace(after, applied=(*asked.applied, (key, _applied(name, value))))
    return asked


def _applied(name: str, value: str) -> str:
    return str(min(int(value), MAX_COUNT)) if name == "_count" else value


def _one(asked: Asked, kind: Kind, name: str, modifier: str, value: str) -> Asked:
    param = kind.every_param.get(name)
    if param is not None:
        filter_ = filter_of(name, param, modifier, value)
        return replace(asked, filters=(*asked.filters, filter_))
    if name in RESULTS:
        after: Asked = RESULTS[name](asked, kind, modifier, value)
        return after
    if name.startswith("_") and name not in (*FILTERS_OF_ALL, *OF_META):
        return asked
    raise BadParam(f"The parameter {name[:80]} is not supported for {kind.type}.")


def _count(asked: Asked, _kind: Kind, _modifier: str, value: str) -> Asked:
    return replace(asked, count=count_of(value))


def count_of(value: str) -> int:
    """How many a page holds; raises `BadParam` for what is no number."""
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise BadParam("_count is a whole number from 0.")
    return min(int(value), MAX_COUNT)


def _sort(asked: Asked, kind: Kind, _modifier: str, value: str) -> Asked:
    keys = []
    for text in split(value):
        name = text.removeprefix("-")
        if name not in kind.every_param:
            raise BadParam(f"_sort names a parameter that {kind.type} has not.")
        keys.append((name, text.startswith("-")))
    return replace(asked, sort=(*asked.sort, *keys))


def _include(asked: Asked, kind: Kind, modifier: str, value: str) -> Asked:
    source, _, rest = value.partition(":")
    name, _, target = rest.partition(":")
    param = kind.params.get(name)
    fits = param is not None and param.kind == REFERENCE and source == kind.type and not modifier
    if not fits or (target and param is not None and target not in param.targets):
        raise BadParam(f"This _include is not supported for {kind.type}.")
    return replace(asked, includes=(*asked.includes, Include(name, target or None)))


def _revinclude(asked: Asked, kind: Kind, modifier: str, value: str) -> Asked:
    if value != "Provenance:target" or modifier or kind.chart is None:
        raise BadParam(f"This _revinclude is not supported for {kind.type}.")
    return replace(asked, with_provenance=True)


def _summary(asked: Asked, _kind: Kind, _modifier: str, value: str) -> Asked:
    if value not in SUMMARIES:
        raise BadParam(f"_summary is one of {', '.join(SUMMARIES)}.")
    return replace(asked, summary=value)


def _elements(asked: Asked, _kind: Kind, _modifier: str, value: str) -> Asked:
    names = [one.strip() for one in value.split(",") if one.strip()]
    if not names:
        raise BadParam("_elements names at least one element.")
    return replace(asked, elements=(*asked.elements, *names))


def _total(asked: Asked, _kind: Kind, _modifier: str, value: str) -> Asked:
    if value not in TOTALS:
        raise BadParam(f"_total is one of {', '.join(TOTALS)}.")
    return replace(asked, wants_total=value != "none", insists_on_total=value == "accurate")


RESULTS: Final[Mapping[str, Any]] = {
    "_count": _count,
    "_sort": _sort,
    "_include": _include,
    "_revinclude": _revinclude,
    "_summary": _summary,
    "_elements": _elements,
    "_total": _total,
}


def is_lenient(preferences: Iterable[str]) -> bool:
    """Whether a `Prefer` header asks to pass over what has no meaning."""
    told = (one.strip().lower() for header in preferences for one in header.split(","))
    return any(part.strip() == "handling=lenient" for one in told for part in one.split(";"))
