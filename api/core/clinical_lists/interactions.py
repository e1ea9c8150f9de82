"""Interactions of a dose with what a chart lists, as data with sources. Pure; decides nothing."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from api.paging import Values

CONTRAINDICATED, CAUTION, NOTE = SEVERITIES = ("contraindicated", "caution", "note")
"""How much an interaction weighs, the heaviest first."""


@dataclass(frozen=True)
class Rule:
    """One interaction: the class it is known by, the names it is found by, what it does."""

    code: str
    severity: str
    names: frozenset[str]
    effect: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """Everything of one version of the data."""

    version: str
    rules: tuple[Rule, ...]
    hypersensitivity: Rule
    sources: Mapping[str, str]


@cache
def known() -> Known:
    """The interactions that are looked for; read once. Raises KeyError for an unknown source."""
    given = json.loads(Path(__file__).with_name("interactions.json").read_text("utf-8"))
    rules = tuple(_rule(one, given["sources"]) for one in given["rules"])
    allergy = _rule(given["hypersensitivity"], given["sources"])
    return Known(given["version"], rules, allergy, given["sources"])


def _rule(one: Mapping[str, Any], sources: Mapping[str, str]) -> Rule:
    cited = tuple(sources[key] for key in one["sources"])
    return Rule(one["code"], one["severity"], frozenset(one["names"]), one["effect"], cited)


CLASSES: Final = tuple(rule.code for rule in known().rules)
"""The classes that a medication may be said to belong to."""


def interactions(medications: Iterable[Values], allergies: Iterable[Values]) -> list[Values]:
    """What of a chart's lists is known to matter for a dose, the heaviest first.

    Each `{code, severity, effect, sources, list, record_id, name, version}`; a medication is found
    by its class or by a word of its name.
    """
    told = [*_of_medications(medications), *_of_allergies(allergies)]
    return sorted(told, key=lambda each: SEVERITIES.index(each["severity"]))


def _of_medications(rows: Iterable[Values]) -> Iterator[Values]:
    for row in rows:
        for rule in known().rules:
            if row.get("drug_class") == rule.code or rule.names & words_of(row["name"]):
                yield _told(rule, "medications", row, row["name"])


def _of_allergies(rows: Iterable[Values]) -> Iterator[Values]:
    rule = known().hypersensitivity
    for row in rows:
        if rule.names & words_of(row["substance"]):
            yield _told(rule, "allergies", row, row["substance"])


def _told(rule: Rule, of: str, row: Values, name: str) -> Values:
    return {
        "code": rule.code,
        "severity": rule.severity,
        "effect": rule.effect,
        "sources": list(rule.sources),
        "list": of,
        "record_id": row["id"],
        "name": name,
        "version": known().version,
    }


def words_of(name: str) -> set[str]:
    """The words of a name in lower case; `s-` of an enantiomer stays apart from the rest."""
    return set(re.findall(r"[a-z]+", name.casefold()))
