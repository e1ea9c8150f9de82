"""A resource that is taken: its elements read one by one, every fault and loss noted as it goes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from api.access.policies import Actor
from api.fhir import dates
from api.fhir.datatypes import IDS, Json, Values
from api.fhir.outcome import Faulty

EARLIEST, LATEST = 1850, 2200
"""Between which years a date is believed."""
MAX_IDS, MAX_ID = 20, 200
LINE: Final = re.compile(r"[\t\n\r\u2028\u2029\u202a-\u202e\u2066-\u2069]")
SYSTEM: Final = re.compile(r"[\x21-\x7b\x7d\x7e]{1,200}", re.ASCII)
"""The URI of a system of identifiers; `|` separates it from the value elsewhere."""
OF_ALL: Final = frozenset({"resourceType", "id", "meta", "language", "text", "identifier"})


@dataclass
class Form:
    """One resource on its way in, with its faults and what of it is not kept."""

    kind: str
    said: Json
    own_system: str
    faults: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    is_known: bool = False
    """Whether the same came before, and is answered again."""

    def at(self, path: str) -> str:
        """The FHIRPath of an element."""
        return f"{self.kind}.{path}"

    def fault(self, code: str, path: str, words: str) -> None:
        """What can't be taken, and where."""
        self.faults.append((code, self.at(path), words))

    def lost(self, path: str, words: str = "Not kept here.") -> None:
        """What was sent and is not kept."""
        self.notes.append((self.at(path), words))

    def needs(self, path: str, value: Any) -> Any:
        """The value; its lack is a fault."""
        if value in (None, "", [], {}):
            self.fault("required", path, "Needed here.")
        return value

    def words(self, path: str, value: Any, most: int = 200) -> str | None:
        """Text of at most so many characters; up to 500 it is one line."""
        if value is None:
            return None
        text = " ".join(LINE.sub(" ", value).split()) if most <= 500 else value.strip()
        if not any(sign.isprintable() and not sign.isspace() for sign in text):
            self.fault("value", path, "Is blank.")
        elif len(text) > most:
            self.fault("value", path, f"At most {most} characters.")
        return text

    def day(self, path: str, value: str | None) -> date | None:
        """The calendar day of a date or dateTime; a part of one is not kept."""
        if value is None:
            return None
        if len(value) < len("2026-01-31"):
            self.lost(path, "Only a whole date is kept.")
            return None
        at = self.moment(path, value)
        return None if at is None else date.fromisoformat(value[:10])

    def moment(self, path: str, value: str | None) -> datetime | None:
        """The instant of a dateTime that tells its zone, or the beginning of a day in UTC."""
        if value is None:
            return None
        try:
            begins = dates.span(value)[0]
        except dates.BadDate:
            self.fault("value", path, "There is no such date.")
            return None
        if not EARLIEST <= begins.year <= LATEST:
            self.fault("value", path, f"Not between {EARLIEST} and {LATEST}.")
        return begins

    def points_to(self, path: str, value: Any, kind: str) -> UUID | None:
        """The id of a resource of ours that a reference leads to."""
        told = value.get("reference") if isinstance(value, dict) else None
        name, _, record_id = (told or "").partition("/")
        try:
            found = UUID(record_id)
        except ValueError:
            found = None
        if name != kind or found is None or str(found) != record_id:
            self.fault("value", f"{path}.reference", f"A reference to a {kind} of this server.")
            return None
        return found

    def identifiers(self) -> list[Values]:
        """The numbers that other systems gave; without a system it is the client's own."""
        given = self.said.get("identifier") or []
        told: list[Values] = []
        for number, one in enumerate(given if isinstance(given, list) else [given]):
            path = f"identifier[{number}]"
            system, value = one.get("system", self.own_system), one.get("value")
            if system.startswith(IDS) or not value:
                continue
            value = self.words(f"{path}.value", value, MAX_ID)
            if not SYSTEM.fullmatch(system):
                self.fault("value", f"{path}.system", "The URI of a system, without `|`.")
            pair = {"system": system, "value": value}
            if pair not in told:
                told.append(pair)
        if len(told) > MAX_IDS:
            self.fault("value", "identifier", f"At most {MAX_IDS}.")
        return told

    def code(self, path: str, codes: Mapping[str, Any], value: str | None) -> Any:
        """What a code of FHIR's is called here; one without a word here is a fault."""
        if value is not None and value not in codes:
            self.fault("not-supported", path, f"One of: {', '.join(codes)}.")
        return codes.get(value or "")

    def status(self, path: str, codes: Mapping[str, Any]) -> Any:
        """The same for the first code of a concept."""
        code = next((one.get("code") for one in codings(self.said.get(path))), None)
        return self.code(path, codes, code)

    def keeps(self, *elements: str) -> None:
        """Which elements are kept; of every other one that was sent it is noted."""
        for name in self.said:
            if name not in OF_ALL and name not in elements and not name.startswith("_"):
                self.lost(name)

    def check(self) -> None:
        """Raise `Faulty` with every fault that was found."""
        if self.faults:
            raise Faulty(self.faults)


def codings(value: Any) -> list[Json]:
    """The codings of a concept, or none."""
    return list((value or {}).get("coding") or [])


def code_in(value: Any, system: str) -> str | None:
    """The code that a concept has in a system, or None."""
    return next((one.get("code") for one in codings(value) if one.get("system") == system), None)


def said_of(value: Any) -> str | None:
    """The words of a concept: its text, else what one of its codings displays."""
    if not value:
        return None
    shown = (one.get("display") for one in codings(value))
    return value.get("text") or next((text for text in shown if text), None)


@dataclass(frozen=True)
class Writer:
    """How resources of one type are taken: made anew, and where they may be, put in place."""

    create: Callable[[Actor, Form], str]
    update: Callable[[Actor, UUID, int | None, Form], None] | None = None
    pointers: Mapping[str, str] = field(default_factory=dict)
    """Where in the resource stands what the core points to."""
    named: str = "subject"
    """The element that names the patient."""
