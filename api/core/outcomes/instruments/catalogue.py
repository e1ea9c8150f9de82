"""The catalogue: which questionnaires are shipped, read from the JSON definitions beside it."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from api.core.outcomes.instruments.definition import (
    Instrument as Instrument,
    SafetyRule as SafetyRule,
)
from api.core.outcomes.instruments.parsing import parse_instrument as parse_instrument
from api.errors import NotFound

HERE = Path(__file__).parent
SCHEMA = HERE / "definition.schema.json"


@cache
def catalogue() -> Mapping[str, Instrument]:
    """Every shipped questionnaire by key, in the order of the keys, each in its newest version."""
    newest = {key: max(there.values(), key=_place) for key, there in editions().items()}
    return MappingProxyType(dict(sorted(newest.items())))


@cache
def editions() -> Mapping[str, Mapping[str, Instrument]]:
    """Every shipped version by key and version: old check-ins are scored by theirs for ever."""
    found: dict[str, dict[str, Instrument]] = {}
    for path in sorted(HERE.glob("*.json")):
        if path != SCHEMA:
            one = read_instrument(path)
            found.setdefault(one.key, {})[one.version] = one
    return MappingProxyType(found)


def instrument(key: str) -> Instrument:
    """The questionnaire with this key; raises `NotFound` when none is shipped."""
    found = catalogue().get(key)
    if found is None:
        raise NotFound("There is no such instrument.")
    return found


def read_instrument(path: Path) -> Instrument:
    """The questionnaire defined in one JSON file."""
    return parse_instrument(json.loads(path.read_text(encoding="utf-8")))


def order_of(version: str) -> tuple[int, ...]:
    """By what versions are ordered: 1.10.0 comes after 1.9.0."""
    return tuple(int(part) for part in version.split("."))


def _place(one: Instrument) -> tuple[int, ...]:
    return order_of(one.version)
