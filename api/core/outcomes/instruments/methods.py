"""The methods that make a total: sums, multiples, means, and the highest of each domain."""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from api.core.outcomes.instruments.definition import Figure, Instrument, Subscale

Scored = Mapping[str, int]
"""What each item adds, by link id."""
Method = Callable[[Instrument, Scored], Decimal]

MEAN, SUBSCALES_ONLY, TIER = "mean", "subscales_only", "tier"
NO_TOTAL: Final = (SUBSCALES_ONLY, TIER)
"""The methods that make no total at all."""


def half_up(number: Decimal, decimals: int = 0) -> Figure:
    """The number to so many decimals, a half going up; whole numbers as such."""
    rounded = number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return float(rounded) if decimals else int(rounded)


def _sum(one: Instrument, values: Scored) -> Decimal:
    """Classical scoring: every scored item counts once, times the multiplier if there is one."""
    return Decimal(sum(values.values()) * one.scoring.multiplier)


def _mean(_: Instrument, values: Scored) -> Decimal:
    return Decimal(sum(values.values())) / len(values)


def _sum_of_domain_max(one: Instrument, values: Scored) -> Decimal:
    """Each domain counts once, with its highest item."""
    return Decimal(sum(max(values[link_id] for link_id in group) for group in one.scoring.groups))


# A method turns the scored values of a full form into a total, and never falls as one of them
# rises: that is what makes the bounds below true. A new method is a function and a line here.
METHODS: Final[Mapping[str, Method]] = {
    "sum": _sum,
    "sum_times": _sum,
    MEAN: _mean,
    "sum_of_domain_max": _sum_of_domain_max,
}


def bounds(one: Instrument, values: Scored) -> tuple[Figure, Figure]:
    """The least and the most the total can be, whatever the missing answers will say."""
    method, decimals = METHODS[one.scoring.method], one.scoring.decimals
    low = {item.link_id: item.lowest for item in one.scored_items} | dict(values)
    high = {item.link_id: item.highest for item in one.scored_items} | dict(values)
    return half_up(method(one, low), decimals), half_up(method(one, high), decimals)


def prorated(one: Instrument, values: Scored) -> Figure | None:
    """The mean of what was answered, for all items; null when nothing or too much is missing."""
    count = len(one.scored_items)
    if not values or not 0 < count - len(values) <= one.scoring.prorate_max_missing:
        return None
    reached = METHODS[one.scoring.method](one, values)
    if one.scoring.method != MEAN:
        reached = reached * count / len(values)
    return half_up(reached, one.scoring.decimals)


def raw(one: Instrument, values: Scored) -> int | None:
    """The sum before it is multiplied; null when an item is missing."""
    return sum(values.values()) if len(values) == len(one.scored_items) else None


def subtotal(part: Subscale, values: Scored) -> int | None:
    """The sum of a subscale, times its multiplier; null when one of its items is missing."""
    known = [values[link_id] for link_id in part.link_ids if link_id in values]
    return sum(known) * part.multiplier if len(known) == len(part.link_ids) else None


def prorated_subtotal(part: Subscale, values: Scored) -> Figure | None:
    """A subscale from the mean of what was answered; null when nothing or too much is missing."""
    known = [values[link_id] for link_id in part.link_ids if link_id in values]
    missing = len(part.link_ids) - len(known)
    if not known or not 0 < missing <= (part.prorate_max_missing or 0):
        return None
    return half_up(Decimal(sum(known) * part.multiplier * len(part.link_ids)) / len(known))
