"""The rules of alerts, read from the data beside this module: which signal, how urgent, by when."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

PRIORITIES: Final = ("immediate", "same_day", "next_working_day")
"""The most urgent first."""
STEPS: Final = ("on_call", "backup", "director")
AT_ONCE: Final = "at_once"
SAFETY, LEFT_OPEN = "safety", "left_open"


@dataclass(frozen=True, slots=True)
class Step:
    """Who is told, and how long after the clock of an alert began."""

    to: str
    after: timedelta


@dataclass(frozen=True, slots=True)
class Clock:
    """By when an alert of one priority is acknowledged, the patient reached, and who is told.

    `starts` is `at_once`, or the time of the next working day at which the clock begins.
    """

    starts: str
    acknowledge_within: timedelta
    contact_within: timedelta
    holds_dosing: bool
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Signal:
    """What an answer said: its flag, the rule that the flag belongs to, and how urgent it is.

    `words` names what its patient is told: `safety` after a positive answer, `left_open` after a
    question without one, None for what no single answer says.
    """

    flag: str
    rule: str
    priority: str
    words: str | None


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything of one version of the rules."""

    version: str
    historical_after: timedelta
    duty_after: timedelta
    look_again_after: timedelta
    clocks: Mapping[str, Clock]
    signals: Mapping[str, Signal]


@cache
def rules() -> Rules:
    """The rules in force; read once."""
    given = json.loads(Path(__file__).with_name("rules.json").read_text("utf-8"))
    return Rules(
        version=given["version"],
        historical_after=timedelta(days=given["historical_after_days"]),
        duty_after=timedelta(hours=given["duty_after_hours"]),
        look_again_after=timedelta(minutes=given["look_again_after_min"]),
        clocks={one["code"]: _clock(one) for one in given["priorities"]},
        signals={
            said["flag"]: Signal(said["flag"], one["rule"], said["priority"], one["words"])
            for one in given["rules"]
            for said in one["signals"]
        },
    )


def _clock(one: Mapping[str, Any]) -> Clock:
    steps = (Step(s["to"], timedelta(minutes=s["after_min"])) for s in one["steps"])
    return Clock(
        starts=one["starts"],
        acknowledge_within=timedelta(minutes=one["acknowledge_within_min"]),
        contact_within=timedelta(minutes=one["contact_within_min"]),
        holds_dosing=one["holds_dosing"],
        steps=tuple(steps),
    )


def signal(flag: str, priority: str = "next_working_day", positive: bool = True) -> Signal:
    """What a flag of an instrument says; one that the rules don't know is a rule of its own.

    `priority` and `positive` are those of the instrument's definition, for such a flag.
    """
    known = rules().signals.get(flag)
    return known or Signal(flag, flag, priority, SAFETY if positive else LEFT_OPEN)


def words_of(rule: str) -> str | None:
    """What the patient is told while an alert of this rule is open."""
    every = {said.rule: said.words for said in rules().signals.values()}
    return every.get(rule, SAFETY)


def by_urgency(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Alerts by priority, the most urgent first."""
    return sorted(rows, key=lambda row: PRIORITIES.index(row["priority"]))


def is_worse(one: str, other: str | None) -> bool:
    """Whether one priority is more urgent than another; than none, each is."""
    return other is None or PRIORITIES.index(one) < PRIORITIES.index(other)


def holding() -> list[str]:
    """The priorities with which an alert keeps a dosing session from starting."""
    return [code for code, clock in rules().clocks.items() if clock.holds_dosing]
