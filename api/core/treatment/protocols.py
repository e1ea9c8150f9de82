"""Protocols as versioned data: how long the window after a dose is, and what patients are told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from api import clock
from api.access.policies import Actor
from api.core import gate
from api.db import SYNC_MARGIN, Listing, Page, Values, found

IN_USE: Final = "ketamine"
"""The protocol by which windows are reckoned while a clinic has none of its own."""
FALLBACK: Final = "en-US"
PHASES: Final = ("rest", "fresh_snow", "settling", "closed")
CLOSED: Final = "closed"
DAYS: Final = (1, 14)
"""How many days after a dose a window may stay open."""
SHIPPED: Final = Path(__file__).with_name("protocols.json")


@dataclass(frozen=True)
class Phase:
    """One stretch of a window, its first and last day counted from the dose (day 0)."""

    phase: str
    from_day: int
    to_day: int


@dataclass(frozen=True)
class Protocol:
    """One version of a protocol; what was reckoned by a version stays so."""

    key: str
    version: int
    title: str
    review_on: str
    basis: str
    days: int
    phases: tuple[Phase, ...]
    told: Mapping[str, Mapping[str, list[str]]]

    def __post_init__(self) -> None:
        """Refuse a window with a gap, an overlap or a length that nobody may set."""
        ends = [-1, *(each.to_day for each in self.phases)]
        starts = [*(each.from_day for each in self.phases), self.days + 1]
        meets = all(start == end + 1 for end, start in zip(ends, starts, strict=True))
        if not meets or not DAYS[0] <= self.days <= DAYS[1]:
            raise ValueError(f"{self.key}: phases follow each other from day 0 to the last")
        if not {each.phase for each in self.phases} < set(PHASES) or FALLBACK not in self.told:
            raise ValueError(f"{self.key}: known phases, and words in {FALLBACK}")

    def phase_of(self, day: int) -> str:
        """The phase of a day counted from the dose; `closed` past the last one."""
        inside = (each.phase for each in self.phases if each.from_day <= day <= each.to_day)
        return next(inside, CLOSED)

    def instructions(self, locale: str | None = None) -> Values:
        """What patients are told, `{before[], after[]}`, in a locale or in en-US."""
        return dict(self.told.get(locale or FALLBACK, self.told[FALLBACK]))


@cache
def shipped() -> dict[str, Protocol]:
    """The newest version of every shipped protocol, by key."""
    made = [_made(one) for one in json.loads(SHIPPED.read_text(encoding="utf-8"))]
    return {one.key: one for one in sorted(made, key=lambda one: one.version)}


def _made(told: dict[str, Any]) -> Protocol:
    window, words = told.pop("window"), told.pop("patient_instructions")
    phases = tuple(Phase(**each) for each in window["phases"])
    return Protocol(**told, days=window["days"], phases=phases, told=words)


def in_use() -> Protocol:
    """The protocol by which windows are reckoned now."""
    return shipped()[IN_USE]


def list_protocols(actor: Actor, asked: Page, locale: str | None = None) -> Listing:
    """The newest version of every protocol, by key."""
    gate.admit(actor, "protocol:read")
    after = asked.after[0] if asked.after else ""
    keys = sorted(key for key in shipped() if key > after)
    more = len(keys) > asked.limit
    rows = [_show(shipped()[key], locale) for key in keys[: asked.limit]]
    listing = Listing(rows, (rows[-1]["key"],) if more else None)
    if asked.since is not None:
        listing.tombstones = []
        listing.synced_to = None if more else clock.now() - SYNC_MARGIN
    return listing


def read_protocol(actor: Actor, protocol_key: str, locale: str | None = None) -> Values:
    """The newest version of one protocol."""
    gate.admit(actor, "protocol:read")
    one = shipped().get(protocol_key)
    return found(None if one is None else _show(one, locale))


def _show(one: Protocol, locale: str | None) -> Values:
    phases = [{"phase": p.phase, "from_day": p.from_day, "to_day": p.to_day} for p in one.phases]
    return {
        "key": one.key,
        "version": one.version,
        "title": one.title,
        "review_on": one.review_on,
        "basis": one.basis,
        "window": {"days": one.days, "phases": phases},
        "patient_instructions": one.instructions(locale),
    }
