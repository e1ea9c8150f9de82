"""Answers read against a questionnaire: which can't be taken, and what the others count."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from api.core.outcomes.instruments.definition import Instrument, Item

Answers = Mapping[str, Any]

UNKNOWN_ITEM: Final = "unknown-item"
NOT_AN_INTEGER: Final = "value-not-an-integer"
NOT_IN_LIST: Final = "value-not-in-list"


def problems(instrument: Instrument, answers: Answers) -> list[tuple[str, str]]:
    """Every reason to refuse the answers, as `(link_id, code)`, in the order of the items."""
    items = instrument.by_link_id
    found = [
        (link_id, code)
        for link_id, item in items.items()
        if (code := _problem(item, answers.get(link_id))) is not None
    ]
    unknown = sorted(str(link_id) for link_id in answers if link_id not in items)
    return found + [(link_id, UNKNOWN_ITEM) for link_id in unknown]


def _problem(item: Item, value: object) -> str | None:
    """Why a value is no answer to an item; a Boolean, a float or a string is never one."""
    if value is None:
        return None
    if type(value) is not int:
        return NOT_AN_INTEGER
    return None if value in item.values else NOT_IN_LIST


def readable(instrument: Instrument, answers: Answers) -> dict[str, int]:
    """The answers that can be read and were given; the others are missing."""
    items = instrument.by_link_id
    given = ((link_id, item, answers.get(link_id)) for link_id, item in items.items())
    return {
        link_id: value
        for link_id, item, value in given
        if value is not None and _problem(item, value) is None
    }


def with_skipped(instrument: Instrument, said: Mapping[str, int]) -> dict[str, int]:
    """What was said, and what counts for the questions that were rightly not put."""
    given = dict(said)
    for item in instrument.items:
        if item.skipped_as is not None and item.link_id not in given and is_skipped(item, given):
            given[item.link_id] = item.skipped_as
    return given


def is_skipped(item: Item, given: Mapping[str, int]) -> bool:
    """Whether an answer to another question says that this one is not put."""
    asked = item.asked_when
    return asked is not None and asked.link_id in given and given[asked.link_id] not in asked.values


def scored_values(items: Iterable[Item], given: Mapping[str, int]) -> dict[str, int]:
    """What each answered item adds, reversed ones turned round."""
    return {
        item.link_id: _scored(item, given[item.link_id]) for item in items if item.link_id in given
    }


def _scored(item: Item, value: int) -> int:
    return item.lowest + item.highest - value if item.reverse else value
