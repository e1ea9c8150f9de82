"""What a list is asked for and what it answers, in words that doors and core share."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

Values = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """Which part of a list is asked for: after which key, how many, changed since when."""

    limit: int = 25
    after: tuple[Any, ...] | None = None
    since: datetime | None = None


@dataclass
class Listing:
    """One page of a list: the rows, the key of the last one when more follow, tombstones.

    `beside` is what is told of the list as a whole; `chart` what was read of the one chart that
    it is of.
    """

    items: list[Values]
    next_after: tuple[Any, ...] | None
    tombstones: list[Values] | None = None
    synced_to: datetime | None = None
    beside: Values | None = None
    chart: Values | None = None
