"""Scopes of a client: SMART App Launch 2.2 for systems, with the forms of version 1 as aliases.

`system/Observation.rs?category=system|code` narrows a type to the resources that answer to the
query; where several scopes name a type, a resource need answer to one of them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

from api.fhir.kind import Kind
from api.fhir.parameters import BadParam, Filter, answers, filter_of

ALIASES: Final = {"read": "rs", "write": "cud", "*": "cruds"}
FORM: Final = re.compile(
    r"system/(\*|[A-Z][A-Za-z]{1,60})\.(c?r?u?d?s?|read|write|\*)(?:\?(.{1,200}))?", re.ASCII
)
READ, SEARCH, CREATE, UPDATE, DELETE = "r", "s", "c", "u", "d"
EVERY: Final = "*"
Alternatives = Sequence[tuple[Filter, ...]]
"""What scopes leave of a type: a resource answers to every filter of one of these."""
REMEMBERED: Final = 1024
"""How many lines of scopes are kept as they were read."""


@dataclass(frozen=True)
class Scope:
    """One scope: a type or every one, the letters of what may be done, and what narrows it."""

    type: str
    letters: frozenset[str]
    query: str = ""

    def __str__(self) -> str:
        """The scope as version 2 writes it."""
        told = "".join(letter for letter in "cruds" if letter in self.letters)
        return f"system/{self.type}.{told}" + (f"?{self.query}" if self.query else "")


def read(text: str) -> Scope | None:
    """A scope from its text, or None when it is none of a system."""
    matched = FORM.fullmatch(text)
    if matched is None or not matched[2]:
        return None
    return Scope(matched[1], frozenset(ALIASES.get(matched[2], matched[2])), matched[3] or "")


@lru_cache(REMEMBERED)
def read_all(text: str) -> tuple[Scope, ...]:
    """The scopes of a line; what is none is left out."""
    return tuple(scope for scope in map(read, text.split()) if scope is not None)


def granted(asked: str, registered: str, kinds: Mapping[str, Kind]) -> list[str]:
    """What of the scopes asked for the registered ones cover, in the form they were asked in."""
    owned = read_all(registered)
    told: list[str] = []
    for text in asked.split():
        scope = read(text)
        for one in _covered(scope, owned, kinds) if scope is not None else []:
            said = text if one == scope else str(one)
            if said not in told:
                told.append(said)
    return told


def _covered(scope: Scope, owned: Sequence[Scope], kinds: Mapping[str, Kind]) -> Iterable[Scope]:
    """The parts of a scope that the registered ones allow."""
    if not _is_known(scope, kinds):
        return
    for own in owned:
        letters = scope.letters & own.letters
        kind = own.type if scope.type == EVERY else scope.type
        fits = own.type in (EVERY, scope.type) or scope.type == EVERY
        leads = own.type != EVERY or kind == EVERY or kind not in _apart(kinds)
        if not letters or not fits or not leads:
            continue
        if own.query and scope.query and own.query != scope.query:
            continue
        yield Scope(kind, letters, own.query or scope.query)


def _is_known(scope: Scope, kinds: Mapping[str, Kind]) -> bool:
    if scope.type != EVERY and scope.type not in kinds:
        return False
    try:
        if scope.query:
            filters(scope, kinds[scope.type] if scope.type != EVERY else None)
    except BadParam:
        return False
    return True


def _apart(kinds: Mapping[str, Kind]) -> set[str]:
    return {name for name, kind in kinds.items() if kind.apart}


def filters(scope: Scope, kind: Kind | None) -> tuple[Filter, ...]:
    """What narrows a scope, as filters of the type; raises `BadParam` for what it can't."""
    told = []
    for name, value in parse_qsl(scope.query, keep_blank_values=True):
        param = None if kind is None else kind.every_param.get(name)
        if param is None:
            raise BadParam(f"A scope can't be narrowed by {name}.")
        told.append(filter_of(name, param, "", value))
    return tuple(told)


def allowed(scopes: Iterable[Scope], kind: Kind, letter: str) -> list[tuple[Filter, ...]] | None:
    """The alternatives to which a resource must answer; None when no scope lets one.

    A wildcard leaves out the types that stand apart.
    """
    alternatives = []
    for scope in scopes:
        named = scope.type == kind.type or (scope.type == EVERY and not kind.apart)
        if named and letter in scope.letters:
            alternatives.append(filters(scope, kind))
    return alternatives or None


def takes_all(alternatives: Alternatives) -> bool:
    """Whether one of the alternatives that the scopes leave narrows nothing."""
    return any(not one for one in alternatives)


def is_within(alternatives: Alternatives, resource: Any, base: str) -> bool:
    """Whether a resource answers to one of the alternatives that the scopes leave."""
    return any(all(answers(f, resource, base) for f in every) for every in alternatives)
