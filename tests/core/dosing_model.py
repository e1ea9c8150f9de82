"""What a dosing session must be after each deed, written anew from the rules. Pure.

It asks the core nothing; `test_dosing_states.py` holds the database against it.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from api import clock
from api.db import Values

MINUTE = timedelta(minutes=1)
CHAIRS = {"CT": "therapist", "RX": "prescriber", "NU": "nurse"}
"""Whose part of the record is whose."""
KINDS = ("treatment", "off_label_medicine")
PLANNED_MG = 50
WELL = {"systolic_mmhg": 122, "diastolic_mmhg": 78, "heart_rate_bpm": 72, "spo2_percent": 98}
SAID: dict[str, tuple[str, Values]] = {
    "well": ("vitals", WELL),
    "high": ("vitals", WELL | {"systolic_mmhg": 186, "diastolic_mmhg": 84}),
    "part": ("vitals", {"heart_rate_bpm": 75}),
    "onset": ("phase", {"phase": "onset"}),
    "nausea": ("event", {"code": "nausea", "grade": 1}),
    "syncope": ("event", {"code": "syncope", "grade": 4}),
    **{
        f"dose_{mg}": (
            "dose",
            {
                "medicine": "ketamine",
                "route": "intramuscular",
                "dose_mg": float(mg),
                "weight_kg": 70.0,
            },
        )
        for mg in (25, 50, 60)
    },
}
"""What may be recorded, by a name."""


@dataclass
class Entry:
    """What an entry of the ledger must be."""

    event_id: str
    kind: str
    content: Values
    at: datetime
    by: str
    rules: list[str]
    id: UUID | None = None
    corrects: "Entry | None" = None
    superseded: bool = False

    @property
    def kept(self) -> Values:
        """What the ledger keeps of it; the dose for each kilogram is derived."""
        if self.kind != "dose":
            return self.content
        per_kg = round(self.content["dose_mg"] / self.content["weight_kg"], 4)
        return self.content | {"dose_mg_per_kg": per_kg}

    @property
    def body(self) -> Values:
        """It as it was sent."""
        body = {"client_event_id": self.event_id, "measured_at": self.at} | self.content
        if self.corrects is not None:
            body |= {"corrects_id": self.corrects.id, "reason": "Misread."}
        return body


@dataclass
class Note:
    """What a note must be."""

    id: UUID
    by: str
    addendum: bool = False
    signed: bool = False
    unlocks: int = 0
    request: UUID | None = None


@dataclass
class Agreed:
    """A consent."""

    id: UUID
    kind: str
    granted_at: datetime
    withdrawn_at: datetime | None = None

    def withdrawn_by(self, at: datetime) -> bool:
        """Whether it had been taken back in that minute."""
        return self.withdrawn_at is not None and self.withdrawn_at < at + MINUTE

    def stood(self, at: datetime) -> bool:
        """Whether it was in force in that minute."""
        return self.granted_at < at + MINUTE and not self.withdrawn_by(at)


@dataclass
class Model:
    """What must be."""

    state: str = "arrived"
    arrived_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    moved_at: datetime | None = None
    ledger: list[Entry] = field(default_factory=list)
    addenda: list[Entry] = field(default_factory=list)
    consents: list[Agreed] = field(default_factory=list)
    screened: bool = False
    planned: bool = False
    alert_open: bool = False
    found: Values | None = None
    notes: list[Note] = field(default_factory=list)
    signed: dict[str, set[UUID]] = field(default_factory=dict)
    locked: bool = False
    passed_over: list[str] = field(default_factory=list)

    @property
    def standing(self) -> list[Entry]:
        """What stands, by time and then by arrival."""
        there = [(e.at, n, e) for n, e in enumerate(self.ledger) if _stands(e)]
        return [e for _, _, e in sorted(there, key=lambda each: each[:2])]

    @property
    def doses(self) -> list[Entry]:
        """The doses that stand."""
        return [e for e in self.standing if e.kind == "dose"]

    @property
    def owed(self) -> set[str]:
        """The parts of the record that are owed."""
        wrote = {CHAIRS[e.by] for e in self.ledger}
        return {"therapist", "prescriber"} | wrote

    def withdrawn(self, kind: str) -> bool:
        """Whether the patient took a consent back, and gave none since."""
        mine = [c for c in self.consents if c.kind == kind]
        return bool(mine) and all(c.withdrawn_at for c in mine)

    def reasons(self) -> list[str]:
        """Why the dose may not start."""
        given = {c.kind for c in self.consents if c.withdrawn_at is None}
        found = []
        for kind in KINDS:
            if kind not in given:
                found.append(f"consent_{'withdrawn' if self.withdrawn(kind) else 'missing'}_{kind}")
        measured = self._baseline()
        holds = {
            "eligibility_unsigned": not self.screened,
            "dose_plan_missing": not self.planned,
            "baseline_vitals_missing": not set(WELL) <= set(measured),
            "baseline_vitals_out_of_limits": measured.get("systolic_mmhg") == 186,
            "alert_open": self.alert_open,
        }
        return found + [code for code, holds_now in holds.items() if holds_now]

    def _baseline(self) -> Values:
        """The newest reading of each field in the hour before the dose, or before now."""
        dosed = self.doses[0].at if self.doses else None
        opens = (dosed or clock.now()) - 60 * MINUTE
        measured: Values = {}
        for e in self.standing:
            if e.kind == "vitals" and opens <= e.at and (dosed is None or e.at <= dosed):
                measured |= e.content
        return measured

    def rules_of(self, kind: str, content: Values, at: datetime, but: Entry | None) -> list[str]:
        """What the protocol says of an entry that comes now."""
        doses = [dose for dose in self.doses if dose is not but]
        if kind == "vitals" and content.get("systolic_mmhg") == 186:
            dosed = any(dose.at <= at for dose in doses)
            return ["systolic_alert"] if dosed else ["systolic_alert", "systolic_hold"]
        if kind == "event" and content["grade"] >= 3:
            return ["adverse_event_severe"]
        return sorted(self._of_dose(content, at, doses)) if kind == "dose" else []

    def _of_dose(self, content: Values, at: datetime, doses: list[Entry]) -> set[str]:
        total = content["dose_mg"] + sum(dose.content["dose_mg"] for dose in doses)
        said = set() if self.planned else {"not_planned"}
        if self.planned and total > PLANNED_MG:
            said |= {"over_plan", "over_max_total"}
        for kind in KINDS:
            mine = [c for c in self.consents if c.kind == kind]
            if not any(c.stood(at) for c in mine):
                gone = any(c.withdrawn_by(at) for c in mine)
                said.add("consent_withdrawn" if gone else "consent_missing")
        if self.started_at is None or at + MINUTE <= self.started_at:
            said.add("session_not_started")
        elif self.ended_at is not None and at > self.ended_at:
            said.add("session_ended")
        elif self.ended_at is not None and at + 60 * MINUTE > self.ended_at:
            said.add("left_unobserved")
        return said

    def missing(self, points_open: bool, now: datetime) -> list[str]:
        """What is lacking for the patient to leave."""
        if not self.doses:
            once = any(entry.kind == "dose" for entry in self.ledger)
            return ["dose_taken_back"] if once else []
        said = self.found or {}
        lacking = ["monitoring_points"] if points_open else []
        if now < self.doses[-1].at + 60 * MINUTE:
            lacking.append("observation_time")
        if not said.get("aldrete"):
            lacking.append("aldrete_or_padss")
        criteria = ("oriented", "walks_unaided", "suicidality_asked", "escort_name")
        criteria += ("no_driving_advice_given", "next_contact_at")
        return lacking + [name for name in criteria if not said.get(name)]

    def moves(self) -> set[str]:
        """The moves that the care team may make."""
        reopens = set() if self.locked else {"reopen"}
        off = set() if self.doses else {"cancel", "no-show"}
        return {
            "scheduled": {"arrive"} | off,
            "arrived": {"start"} | off - {"no-show"},
            "in_progress": {"complete"},
            "completed": reopens,
            "cancelled": reopens,
            "no_show": reopens,
        }[self.state]


def _stands(entry: Entry) -> bool:
    return not entry.superseded and entry.kind != "void"
