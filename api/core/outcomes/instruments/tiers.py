"""A screen that ends in a level of risk and never in a sum: the level reached, and the worst."""

from collections.abc import Mapping
from typing import Any

from api.core.outcomes.instruments.answers import is_skipped
from api.core.outcomes.instruments.definition import Instrument

Given = Mapping[str, int]


def tier_figures(one: Instrument, given: Given) -> dict[str, Any]:
    """`status`, `answered`, `missing`, the `tier` of what was answered, and `tier_upper`.

    `tier_upper` is the worst that the missing answers could still make of it. What a branch that
    does not apply leaves unasked is not missing.
    """
    missing = unanswered(one, given)
    return {
        "status": "incomplete" if missing else "complete",
        "answered": len([item for item in one.scored_items if item.link_id in given]),
        "missing": missing,
        "tier": tier_of(one, given),
        "tier_upper": tier_of(one, _at_worst(one, given)),
    }


def tier_of(one: Instrument, given: Given) -> str:
    """The highest tier that an answer reaches; the lowest of all when none does."""
    reached = [
        tier.code
        for tier in one.scoring.tiers
        if any(given.get(link_id, value - 1) >= value for link_id, value in tier.any_of.items())
    ]
    return reached[-1] if reached else one.scoring.tiers[0].code


def unanswered(one: Instrument, given: Given) -> int:
    """How many of the questions that are to be put have no answer.

    One that hangs on another is to be put once that one says so.
    """
    return len(
        [
            item
            for item in one.scored_items
            if item.link_id not in given
            and (item.asked_when is None or item.asked_when.link_id in given)
            and not is_skipped(item, given)
        ]
    )


def _at_worst(one: Instrument, given: Given) -> dict[str, int]:
    """The answers, with the highest for every question that could still be put."""
    worst = dict(given)
    for item in one.items:
        if item.link_id not in worst and not is_skipped(item, worst):
            worst[item.link_id] = item.highest
    return worst
