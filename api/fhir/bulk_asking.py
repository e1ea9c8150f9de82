"""What a kick-off of an export asks: its types, what narrows them, and which elements are wanted.

Bulk Data Access 3.0.0, https://hl7.org/fhir/uv/bulkdata/.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from api.errors import NotAllowed
from api.fhir import asking, dates, scopes
from api.fhir.kind import Kind
from api.fhir.kinds import KINDS
from api.fhir.outcome import NotUnderstood
from api.fhir.parameters import Filter
from api.fhir.scopes import READ

SYSTEM, GROUP, PATIENT = "system", "group", "patient"
FORMATS: Final = ("application/fhir+ndjson", "application/ndjson", "ndjson")
PASSED: Final = ("_format", "_pretty")
NEXT_FILTER: Final = re.compile(r",(?=[A-Z][A-Za-z]+\?)")
"""Filters stand in one list, and so may the values of a filter: what begins with a type is next."""
MAX_FILTERS: Final = 50


class Kickoff:
    """A kick-off while its parameters are read, one after the other."""

    def __init__(self, level: str, lenient: bool) -> None:
        self.level, self.lenient = level, lenient
        self.types: list[str] = []
        self.filters: list[tuple[str, str]] = []
        self.elements: list[str] = []
        self.patients: list[str] = []
        self.since: str | None = None
        self.until: str | None = None
        self.ignored: list[str] = []

    def read(self, pairs: Sequence[tuple[str, str]]) -> "Kickoff":
        """Take every parameter; raises `NotUnderstood` unless one is lenient, or lists it."""
        for name, value in pairs:
            self._try(name, value)
        self.filters = [pair for pair in self.filters if self._is_of_ours(pair)]
        return self

    def _try(self, name: str, value: str) -> None:
        try:
            take = TAKES.get(name)
            if take is None:
                raise ValueError(f"The parameter {name[:80]} is not supported for $export.")
            take(self, value)
        except ValueError as fault:
            self._ignore(str(fault))

    def _ignore(self, said: str) -> None:
        if not self.lenient:
            raise NotUnderstood(said) from None
        self.ignored.append(said)

    def _is_of_ours(self, pair: tuple[str, str]) -> bool:
        """Whether a filter is of a type that is exported."""
        fits = not self.types or pair[0] in self.types
        if not fits:
            self._ignore(f"_typeFilter names {pair[0]}, which _type leaves out.")
        return fits

    def take_types(self, value: str) -> None:
        """`_type`: which types, comma between."""
        for name in filter(None, map(str.strip, value.split(","))):
            if name not in KINDS:
                raise ValueError("_type names a type that is not served here.")
            if name not in self.types:
                self.types.append(name)

    def take_filters(self, value: str) -> None:
        """`_typeFilter`: searches of a type, any of which a resource of that type must answer."""
        for text in NEXT_FILTER.split(value):
            name, _, query = text.partition("?")
            if name not in KINDS or not query:
                raise ValueError("_typeFilter holds what is no search of a type.")
            filters_of(name, query)
            self.filters.append((name, query))
        if len(self.filters) > MAX_FILTERS:
            raise ValueError(f"At most {MAX_FILTERS} filters.")

    def take_elements(self, value: str) -> None:
        """`_elements`: which elements, `name` of every type or `Type.name` of one."""
        named = [one.strip() for one in value.split(",") if one.strip()]
        if not named:
            raise ValueError("_elements names at least one element.")
        self.elements += named

    def take_patient(self, value: str) -> None:
        """`patient`: whose charts alone."""
        if self.level == SYSTEM:
            raise ValueError("patient is not supported for an export of the whole system.")
        for one in value.split(","):
            self.patients.append(str(UUID(one.rpartition("Patient/")[2])))

    def take_since(self, value: str) -> None:
        """`_since`: what changed from then on."""
        dates.span(value)
        self.since = value

    def take_until(self, value: str) -> None:
        """`_until`: what changed last before then."""
        dates.span(value)
        self.until = value

    def take_format(self, value: str) -> None:
        """`_outputFormat`: NDJSON, by any of its names."""
        if value.replace(" ", "+") not in FORMATS:
            raise ValueError("_outputFormat is application/fhir+ndjson.")


TAKES: Final[Mapping[str, Any]] = {
    "_type": Kickoff.take_types,
    "_typeFilter": Kickoff.take_filters,
    "_elements": Kickoff.take_elements,
    "patient": Kickoff.take_patient,
    "_since": Kickoff.take_since,
    "_until": Kickoff.take_until,
    "_outputFormat": Kickoff.take_format,
    **dict.fromkeys(PASSED, lambda _self, _value: None),
}


def filters_of(name: str, query: str) -> tuple[Filter, ...]:
    """The filters of one `_typeFilter`; raises ValueError for what narrows nothing.

    A client may have escaped a value once more, so that its commas are not taken for those of the
    list.
    """
    kind, asked = KINDS[name], []
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key.partition(":")[0] not in kind.every_param:
            raise ValueError(f"_typeFilter can't narrow {name} so.")
        asked.append((key, value))
    try:
        return asking.understand(kind, asked, False).filters
    except NotUnderstood as fault:
        raise ValueError(fault.detail) from None


def types_of(kickoff: Kickoff, held: Sequence[scopes.Scope]) -> list[str]:
    """The types to export, in their order; raises `NotAllowed` for one that no scope opens.

    Without `_type` these are all that the scopes open, but for the trail, and with charts alone
    those that hang on a chart, and who wrote what.
    """
    for name in kickoff.types:
        if not scopes.allowed(held, KINDS[name], READ):
            raise NotAllowed(f"This needs the scope system/{name}.{READ}.")
    chosen = kickoff.types or [k.type for k in KINDS.values() if _is_usual(k, kickoff.level)]
    there = [name for name in KINDS if name in chosen and scopes.allowed(held, KINDS[name], READ)]
    if not there:
        raise NotAllowed("The scopes of this client open no type.")
    return there


def _is_usual(kind: Kind, level: str) -> bool:
    is_on_chart = kind.chart is not None or kind.code == "prv"
    return not kind.apart and (level == SYSTEM or is_on_chart)
