"""What a protocol holds, as frozen parts that refuse what contradicts itself. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from api.db import Values

FALLBACK: Final = "en-US"
PHASES: Final = ("rest", "fresh_snow", "settling", "closed")
CLOSED: Final = "closed"
DAYS: Final = (1, 14)
"""How many days after a dose a window may stay open."""
SHIPPED, DRAFT, APPROVED = STATES = ("shipped", "draft", "approved")
"""`shipped` comes with this release, and is in force until the clinic approves its own."""
SEVERITIES: Final = ("absolute", "relative", "note")
BEFORE_DOSE, AFTER_DOSE, DISCHARGE = POINT_TIMES = ("before_dose", "after_dose", "discharge")
ALWAYS: Final = "always"
THRESHOLD_TIMES: Final = (BEFORE_DOSE, AFTER_DOSE, ALWAYS)
HOLD, REPEAT, STOP, ALERT, NOTE = ACTIONS = ("hold", "repeat", "stop", "alert", "note")
"""What a judgement asks of people: no dose yet; measure again and sign; no more of the medicine;
somebody is told at once; it is written down."""
BOUNDS: Final = ("at_least", "above", "at_most", "below")
MEASURED: Final = (
    "systolic_mmhg",
    "diastolic_mmhg",
    "heart_rate_bpm",
    "spo2_percent",
    "respirations_per_min",
    "sedation_moaas",
    "sedation_rass",
    "dissociation",
)
"""What a monitoring point may ask for and a threshold may judge."""
LONGEST_MIN: Final = 24 * 60


@dataclass(frozen=True)
class Phase:
    """One stretch of a window, its first and last day counted from the dose (day 0)."""

    phase: str
    from_day: int
    to_day: int


@dataclass(frozen=True)
class Item:
    """One question of eligibility, and how heavily a yes weighs."""

    code: str
    severity: str

    def __post_init__(self) -> None:
        """Refuse a weight that is not known."""
        _must(self.severity in SEVERITIES, self.code, "a severity that is known")


@dataclass(frozen=True)
class Point:
    """When something is to be measured: minutes before or after a dose, once or again and again.

    After a dose it is first due at `at_min`, then each `every_min` up to `until_min`, or up to the
    patient's leaving. Before a dose a reading of the last `at_min` minutes counts. At discharge it
    counts from `at_min` after the last dose on.
    """

    code: str
    when: str
    needs: tuple[str, ...]
    at_min: int = 0
    every_min: int | None = None
    until_min: int | None = None
    grace_min: int = 5

    def __post_init__(self) -> None:
        """Refuse a time that never comes, or nothing to measure."""
        _must(self.when in POINT_TIMES, self.code, "a time that is known")
        _must(bool(self.needs) and set(self.needs) <= set(MEASURED), self.code, "known readings")
        times = (self.at_min, self.every_min or 1, self.until_min or 0, self.grace_min)
        _must(all(0 <= each <= LONGEST_MIN for each in times), self.code, "minutes of one day")
        again = self.every_min is not None or self.until_min is not None
        _must(not again or self.when == AFTER_DOSE, self.code, "what is repeated follows a dose")
        _must(self.until_min is None or self.until_min >= self.at_min, self.code, "an end after")


@dataclass(frozen=True)
class Threshold:
    """A rule that a reading breaks when it lies within every bound that is set."""

    rule: str
    field: str
    action: str
    when: str
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        """Refuse a rule that judges nothing."""
        _must(self.field in MEASURED, self.rule, "a reading that is known")
        _must(self.when in THRESHOLD_TIMES and self.action in ACTIONS, self.rule, "known words")
        _must(bool(self.limit), self.rule, "a bound")

    @property
    def limit(self) -> Values:
        """The bounds that are set, by name."""
        bounds = {name: getattr(self, name) for name in BOUNDS}
        return {name: value for name, value in bounds.items() if value is not None}

    def is_broken_by(self, value: float) -> bool:
        """Whether a reading of this value breaks the rule."""
        holds = {
            "at_least": lambda bound: value >= bound,
            "above": lambda bound: value > bound,
            "at_most": lambda bound: value <= bound,
            "below": lambda bound: value < bound,
        }
        return all(holds[name](bound) for name, bound in self.limit.items())


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
    citation: str = ""
    owner: str = ""
    effective_from: date | None = None
    effective_until: date | None = None
    medicine: str | None = None
    routes: tuple[str, ...] = ()
    eligibility: tuple[Item, ...] = ()
    required_consents: tuple[str, ...] = ()
    reaffirmed_consents: tuple[str, ...] = ()
    monitoring_points: tuple[Point, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    discharge: Mapping[str, Any] = field(default_factory=dict)
    state: str = SHIPPED

    def __post_init__(self) -> None:
        """Refuse a window with a gap, an overlap or a length that nobody may set."""
        ends = [-1, *(each.to_day for each in self.phases)]
        starts = [*(each.from_day for each in self.phases), self.days + 1]
        meets = all(start == end + 1 for end, start in zip(ends, starts, strict=True))
        fits = meets and DAYS[0] <= self.days <= DAYS[1]
        _must(fits, self.key, "phases that follow each other from day 0 to the last")
        known = {each.phase for each in self.phases} < set(PHASES)
        _must(known and FALLBACK in self.told, self.key, f"known phases, and words in {FALLBACK}")
        for named in (self.monitoring_points, self.thresholds, self.eligibility):
            names = [getattr(each, "rule", None) or getattr(each, "code", "") for each in named]
            _must(len(names) == len(set(names)), self.key, "names that stand once")

    @property
    def name(self) -> Values:
        """Key and version, as everything that was judged by them names them."""
        return {"key": self.key, "version": self.version}

    @property
    def window(self) -> Values:
        """How long the window after a dose is, `{days, phases[]}`."""
        phases = [
            {"phase": p.phase, "from_day": p.from_day, "to_day": p.to_day} for p in self.phases
        ]
        return {"days": self.days, "phases": phases}

    @property
    def patient_instructions(self) -> Values:
        """What patients are told before and after a dose, in en-US."""
        return self.instructions()

    @property
    def observation_min(self) -> int:
        """For how many minutes after the last dose a patient stays at the least."""
        return int(self.discharge.get("observation_min", 0))

    def phase_of(self, day: int) -> str:
        """The phase of a day counted from the dose; `closed` past the last one."""
        inside = (each.phase for each in self.phases if each.from_day <= day <= each.to_day)
        return next(inside, CLOSED)

    def instructions(self, locale: str | None = None) -> Values:
        """What patients are told, `{before[], after[]}`, in a locale or in en-US."""
        return dict(self.told.get(locale or FALLBACK, self.told[FALLBACK]))


def _must(holds: bool, name: str, what: str) -> None:
    if not holds:
        raise ValueError(f"{name}: {what}")


def protocol_from(told: Mapping[str, Any], **more: Any) -> Protocol:
    """A protocol from its JSON; raises `ValueError` for one that contradicts itself."""
    given = {**told, **more}
    window, words = given.pop("window"), given.pop("patient_instructions")
    monitoring = given.pop("monitoring_points", [])
    for name in ("effective_from", "effective_until"):
        if isinstance(given.get(name), str):
            given[name] = date.fromisoformat(given[name])
    return Protocol(
        days=window["days"],
        phases=tuple(Phase(**each) for each in window["phases"]),
        told=words,
        eligibility=tuple(Item(**each) for each in given.pop("eligibility", [])),
        monitoring_points=tuple(Point(**{**e, "needs": tuple(e["needs"])}) for e in monitoring),
        thresholds=tuple(Threshold(**each) for each in given.pop("thresholds", [])),
        routes=tuple(given.pop("routes", [])),
        required_consents=tuple(given.pop("required_consents", [])),
        reaffirmed_consents=tuple(given.pop("reaffirmed_consents", [])),
        **given,
    )
